//! What an attempt can ask of its engine.
//!
//! Invariant: it is a handle; clones of it speak of the same attempt.

use std::sync::Arc;

use crate::extract::{CancellationToken, StateMap};

/// The attempt that is being made.
#[derive(Clone, Debug)]
pub struct TaskContext {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Written by the program before the engine starts.
    states: Arc<StateMap>,
    /// Cancelled by the engine when the attempt is to stop.
    token: CancellationToken,
    /// Written by the claim.
    attempt: u32,
}

impl TaskContext {
    #[cfg_attr(not(test), expect(dead_code, reason = "the executor makes one for each attempt"))]
    pub(crate) fn new(states: Arc<StateMap>, token: CancellationToken, attempt: u32) -> Self {
        Self { inner: Arc::new(Inner { states, token, attempt }) }
    }

    /// The number of this attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.inner.attempt
    }

    /// Cancelled when the attempt is to stop.
    pub fn cancellation_token(&self) -> &CancellationToken {
        &self.inner.token
    }

    /// The values that the program shares with its tasks.
    pub fn states(&self) -> &StateMap {
        &self.inner.states
    }
}
