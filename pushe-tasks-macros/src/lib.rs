//! The attribute of pushe-tasks.
