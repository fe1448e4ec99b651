//! What the test programs of pushe-tasks share.

pub mod child;
pub mod clock;
pub mod collector;
pub mod deadline;
#[cfg(target_os = "linux")]
pub mod kernel;
pub mod netns;
pub mod sim;
pub mod still;
