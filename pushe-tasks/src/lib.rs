//! Durable background tasks.

pub mod clock;
