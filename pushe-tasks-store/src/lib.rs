//! The durable side of pushe-tasks.
