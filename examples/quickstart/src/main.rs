//! The main job of pushe-tasks.
fn main() {}
