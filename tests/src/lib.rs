//! What the test programs of pushe-tasks share.

pub mod child;
pub mod deadline;
pub mod netns;
pub mod sim;
