//! The piece of work that answers exhausted attempts (S2.4).
//!
//! Invariant: it is made with the settle of the last attempt and stored in its transaction, if that applies and ends the work
//! or its period.

use std::sync::Arc;
use std::time::Duration;

use pushe_tasks_store::{
    AttemptEnd, Lane, NewWork, Settle, Settled, Settlement, Start, StoredOptions, VerbError, Verbs, WallTime,
    WorkState,
};

use super::dispatcher::Dispatcher;
use super::live::Live;
use crate::exhausted;

impl Dispatcher {
    /// The piece that answers an attempt which was the last and ended in retry.
    pub(super) fn follow_up(&self, live: &mut Live, settlement: &Settlement) -> Option<Box<NewWork>> {
        let envelope = live.last_of.take()?;
        let error = error_of_exhausted(settlement)?;
        let shared = &self.shared;
        let task = exhausted::name(self.tasks[live.task].entry.name());
        Some(Box::new(NewWork {
            id: shared.ids.next(shared.clock.wall(), &*shared.randomness),
            lane: Arc::new(Lane::of(task)),
            aliases: &[],
            unique: None,
            start: Start::After(Duration::ZERO),
            boost_millis: 0,
            options: StoredOptions::default(),
            envelope: exhausted::wrap(envelope, error),
        }))
    }
}

/// The text with which a last attempt ended in retry: what fails by its own word, or by its output, is not exhausted.
fn error_of_exhausted(settlement: &Settlement) -> Option<&str> {
    match settlement {
        Settlement::Failed { end, error, .. } | Settlement::Period { end, error, .. }
            if matches!(end, AttemptEnd::Retried | AttemptEnd::Panicked | AttemptEnd::TimedOut) =>
        {
            Some(error)
        }
        _ => None,
    }
}

/// Settles an attempt, and stores the piece that answers it where the work or its period has come to its end by that.
pub(super) fn settle(
    verbs: &mut dyn Verbs,
    settle: &Settle,
    follow_up: Option<&NewWork>,
    now: WallTime,
) -> Result<(), VerbError> {
    let settled = verbs.settle(std::slice::from_ref(settle))?;
    let Some(follow_up) = follow_up.filter(|_| settled.first() == Some(&Settled::Applied)) else {
        return Ok(());
    };
    // Work that was given a new input meanwhile goes on.
    let ended = match settle.settlement {
        Settlement::Period { .. } => true,
        _ => verbs.get(settle.attempt.work)?.is_some_and(|view| view.record.state == WorkState::Failed),
    };
    if ended {
        verbs.enqueue(std::slice::from_ref(follow_up), now)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pushe_tasks_store::Reason;

    #[test]
    fn s2_4_only_what_ended_in_retry_is_exhausted() {
        for (end, exhausted) in [
            (AttemptEnd::Retried, true),
            (AttemptEnd::Panicked, true),
            (AttemptEnd::TimedOut, true),
            (AttemptEnd::Failed, false),
        ] {
            let failed = Settlement::Failed { end, reason: Reason::Exhausted, error: "x".to_owned() };
            assert_eq!(error_of_exhausted(&failed).is_some(), exhausted, "{end:?}");
        }
        assert_eq!(error_of_exhausted(&Settlement::Succeeded { output: None }), None);
        assert_eq!(error_of_exhausted(&Settlement::Return { reason: Reason::Shutdown }), None);
    }
}
