//! The durable side of pushe-tasks.

mod time;

pub use time::WallTime;
