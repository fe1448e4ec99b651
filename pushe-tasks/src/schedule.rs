//! The builder that `AwesomeTask::schedule(..)` returns.
//!
//! Invariant: nothing is stored before it is awaited.

use std::fmt;

use crate::task::Task;

/// One piece of work that is about to be scheduled.
#[must_use = "nothing is scheduled before this is awaited"]
pub struct Schedule<T: Task> {
    input: T::Input,
}

impl<T: Task> Schedule<T> {
    /// Work of the task `T` with this input.
    pub fn new(input: T::Input) -> Self {
        Self { input }
    }

    /// What the work is given.
    pub fn input(&self) -> &T::Input {
        &self.input
    }
}

impl<T: Task> fmt::Debug for Schedule<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule").field("task", &T::NAME).finish_non_exhaustive()
    }
}
