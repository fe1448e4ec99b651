//! Carries out one write within the writer's transaction, and answers it when the commit is known.
//!
//! Invariant: an answer is given once and after the commit; what ends an attempt is never given up.

use pushe_tasks_store::{Enqueued, Moved, StoreError, VerbError, Verbs, WallTime};

use super::mailbox::Mailbox;
use super::message::{Event, Refusal, Reply, Write};

/// A write that has been applied and waits for its commit.
pub(super) enum Done {
    Enqueue(Result<Vec<Enqueued>, VerbError>, Reply<Vec<Enqueued>>),
    Cancel(Result<Vec<Moved>, VerbError>, Reply<Vec<Moved>>),
    RecordStop,
    /// Ends an attempt: nobody waits for an answer, and it has to be applied in the end.
    MustApply(Write),
    /// Can be lost without harm.
    MayBeLost,
}

/// Applies `write`. A verb that the store refuses changes nothing, and the others of its group stand.
pub(super) fn apply(verbs: &mut dyn Verbs, write: Write, now: WallTime) -> Done {
    match write {
        Write::Enqueue(batch, reply) => Done::Enqueue(verbs.enqueue(&batch, now), reply),
        Write::Cancel(target, reply) => Done::Cancel(verbs.cancel(&target, now), reply),
        Write::RecordStop => {
            if let Err(error) = verbs.record_stop() {
                tracing::warn!(%error, "the stop could not be recorded");
            }
            Done::RecordStop
        }
        Write::Settle(ref settle) => {
            let result = verbs.settle(std::slice::from_ref(settle));
            note(result.err(), settle.attempt.work);
            Done::MustApply(write)
        }
        Write::Release(attempt) => {
            note(verbs.release(&[attempt], now).err(), attempt.work);
            Done::MustApply(write)
        }
        Write::Progress(attempt, value) => {
            note(verbs.progress(&[(attempt, value)]).err(), attempt.work);
            Done::MayBeLost
        }
        Write::Prune(limit) => {
            if let Err(error) = verbs.prune(now, limit) {
                tracing::warn!(%error, "finished records could not be pruned");
            }
            Done::MayBeLost
        }
    }
}

impl Done {
    /// The commit is durable.
    pub(super) fn answer(self, events: &Mailbox<Event>) {
        match self {
            Self::Enqueue(result, reply) => drop(reply.send(result.map_err(Refusal::from))),
            Self::Cancel(result, reply) => drop(reply.send(result.map_err(Refusal::from))),
            Self::RecordStop => drop(events.send(Event::StopRecorded)),
            Self::MustApply(_) | Self::MayBeLost => {}
        }
    }

    /// The commit failed; answers the write if it must be tried again.
    pub(super) fn refuse(self, error: &StoreError, events: &Mailbox<Event>) -> Option<Write> {
        match self {
            Self::Enqueue(_, reply) => drop(reply.send(Err(error.clone().into()))),
            Self::Cancel(_, reply) => drop(reply.send(Err(error.clone().into()))),
            Self::RecordStop => drop(events.send(Event::StopRecorded)),
            Self::MustApply(write) => return Some(write),
            Self::MayBeLost => {}
        }
        None
    }
}

fn note(error: Option<VerbError>, work: pushe_tasks_store::WorkId) {
    if let Some(error) = error {
        tracing::error!(%error, %work, "the end of an attempt could not be stored");
    }
}
