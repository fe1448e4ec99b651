//! Durable background tasks.

pub mod clock;
pub mod constraint;
