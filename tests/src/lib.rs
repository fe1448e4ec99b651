//! What the test programs of pushe-tasks share.
