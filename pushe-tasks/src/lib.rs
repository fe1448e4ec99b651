//! Durable background tasks.
