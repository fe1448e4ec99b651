//! How a running body is told to stop: first asked, then, after its grace, dropped.
//!
//! Invariant: the first reason stands; a body is never told two.

use std::sync::OnceLock;

use pushe_tasks_store::Reason;
use tokio_util::sync::CancellationToken;

/// Shared by the dispatcher, which raises it, and the attempt, which obeys it.
#[derive(Debug, Default)]
pub(crate) struct StopSignal {
    asked: CancellationToken,
    dropped: CancellationToken,
    reason: OnceLock<Reason>,
}

impl StopSignal {
    /// Asks the body to stop; answers whether it had not been asked before.
    pub(crate) fn ask(&self, reason: Reason) -> bool {
        let first = self.reason.set(reason).is_ok();
        self.asked.cancel();
        first
    }

    /// Tells the attempt to drop its body.
    pub(crate) fn drop_body(&self) {
        self.dropped.cancel();
    }

    /// Why the body was asked to stop, once it was.
    pub(crate) fn reason(&self) -> Option<Reason> {
        self.reason.get().copied()
    }

    /// What a body watches.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.asked
    }

    /// Ends when the body is to be dropped.
    pub(crate) async fn drop_now(&self) {
        self.dropped.cancelled().await;
    }
}
