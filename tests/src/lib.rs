//! What the test programs of pushe-tasks share.

pub mod netns;
