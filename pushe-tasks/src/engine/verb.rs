//! Carries out one write within the writer's transaction, and answers it when the commit is known.
//!
//! Invariant: a write is answered once and after the commit, or refused once; what ends an attempt is never given up.

use pushe_tasks_store::{
    CancelledPage, Claimed, Enqueued, Moved, StoreError, VerbError, Verbs, WallTime, WorkId,
};

use super::credit::Credit;
use super::mailbox::Mailbox;
use super::message::{Event, Refusal, Write};

/// A write that has been applied and waits for its commit.
pub(super) struct Done {
    write: Write,
    answer: Answer,
}

/// What a group has come to so far.
pub(super) struct Applied<'g> {
    pub(super) done: &'g mut Vec<Done>,
    pub(super) claimed: &'g mut Vec<Claimed>,
    /// What may start; `None` where nothing may.
    pub(super) credit: Option<&'g mut Credit>,
}

/// What the store said to it.
enum Answer {
    Enqueued(Result<Vec<Enqueued>, VerbError>),
    Cancelled(Result<Vec<Moved>, VerbError>),
    Overridden(Result<Vec<WorkId>, VerbError>),
    Turned(Result<(), VerbError>),
    Found(Result<bool, VerbError>),
    Page(Result<CancelledPage, VerbError>),
    /// Nothing that anybody waits for.
    Silence,
}

/// Applies writes in their order. Calls of `schedule` that stand side by side go to the store together, which is cheaper;
/// each of them is still all or none. What of it may start is claimed by it, within the credit.
pub(super) fn apply_all(verbs: &mut dyn Verbs, writes: Vec<Write>, now: WallTime, group: &mut Applied<'_>) {
    let done = &mut *group.done;
    let is_enqueue = |write: &Write| matches!(write, Write::Enqueue(..));
    let mut writes = writes.into_iter().peekable();
    let mut calls = Vec::new();
    while let Some(write) = writes.next() {
        if !is_enqueue(&write) {
            done.push(apply(verbs, write, now));
            continue;
        }
        calls.push(write);
        calls.extend(std::iter::from_fn(|| writes.next_if(is_enqueue)));
        let batches: Vec<_> = calls
            .iter()
            .filter_map(
                |write| if let Write::Enqueue(batch, _) = write { Some(batch.as_slice()) } else { None },
            )
            .collect();
        let answers = match &mut group.credit {
            Some(credit) => {
                let (answers, claimed) = verbs.enqueue_and_claim(&batches, credit.request(now));
                credit.spend(&claimed);
                group.claimed.extend(claimed);
                answers
            }
            None => verbs.enqueue_each(&batches, now),
        };
        let answered = calls.drain(..).zip(answers);
        done.extend(answered.map(|(write, answer)| Done { write, answer: Answer::Enqueued(answer) }));
    }
}

/// Applies `write`. A verb that the store refuses changes nothing, and the others of its group stand.
fn apply(verbs: &mut dyn Verbs, write: Write, now: WallTime) -> Done {
    let answer = match &write {
        Write::Enqueue(batch, _) => Answer::Enqueued(verbs.enqueue(batch, now)),
        Write::Cancel(target, _) => Answer::Cancelled(verbs.cancel(target, now)),
        Write::CancelPage(query, _) => Answer::Page(verbs.cancel_page(query, now)),
        Write::OverrideNext(target, at, _) => Answer::Overridden(verbs.override_next(target, *at, now)),
        Write::Requeue(work, _) => Answer::Found(verbs.requeue(*work, now)),
        Write::Discard(work, _) => Answer::Found(verbs.discard(*work, now)),
        Write::RetryNow(target, _) => Answer::Overridden(verbs.retry_now(target, now)),
        Write::Pause(scope, _) => Answer::Turned(verbs.pause(scope, now)),
        Write::Resume(scope, _) => Answer::Turned(verbs.resume(scope)),
        Write::Clamp => {
            silence(verbs.clamp(now), "waits could not be shortened after the clock was set", None)
        }
        Write::Settle(settle) => {
            let settled = verbs.settle(std::slice::from_ref(settle));
            silence(settled, "the end of an attempt could not be stored", Some(settle.attempt.work))
        }
        Write::Release(attempt) => {
            let released = verbs.release(&[*attempt], now);
            silence(released, "the end of a body could not be noted", Some(attempt.work))
        }
        Write::Progress(attempt, value, _) => {
            let kept = verbs.progress(&[(*attempt, value.to_vec())]);
            silence(kept, "a report of progress could not be kept", Some(attempt.work))
        }
        Write::Prune(limit) => {
            silence(verbs.prune(now, *limit), "finished records could not be pruned", None)
        }
        Write::Expire(limit) => {
            silence(verbs.expire(now, *limit), "work that was not started in time could not be ended", None)
        }
        Write::RecordStop => silence(verbs.record_stop(), "the stop could not be recorded", None),
    };
    Done { write, answer }
}

fn silence<T>(result: Result<T, VerbError>, what: &'static str, work: Option<WorkId>) -> Answer {
    if let Err(error) = result {
        tracing::error!(%error, work = work.map(tracing::field::display), "{what}");
    }
    Answer::Silence
}

impl Done {
    /// The commit is durable.
    pub(super) fn answer(self, events: &Mailbox<Event>) {
        match (self.write, self.answer) {
            (Write::Enqueue(_, reply), Answer::Enqueued(result)) => {
                reply.send(result.map_err(Refusal::from));
            }
            (Write::Cancel(_, reply), Answer::Cancelled(result)) => {
                reply.send(result.map_err(Refusal::from));
            }
            (Write::OverrideNext(_, _, reply) | Write::RetryNow(_, reply), Answer::Overridden(result)) => {
                reply.send(result.map_err(Refusal::from));
            }
            (Write::CancelPage(_, reply), Answer::Page(result)) => {
                reply.send(result.map_err(Refusal::from));
            }
            (Write::Requeue(_, reply) | Write::Discard(_, reply), Answer::Found(result)) => {
                reply.send(result.map_err(Refusal::from));
            }
            (Write::Pause(_, reply) | Write::Resume(_, reply), Answer::Turned(result)) => {
                reply.send(result.map_err(Refusal::from));
            }
            (Write::RecordStop, _) => drop(events.send(Event::StopRecorded)),
            (Write::Progress(attempt, _, place), _) => {
                let _ = events.send(Event::Progressed(attempt));
                drop(place);
            }
            _ => {}
        }
    }

    /// Whether it ended an attempt.
    pub(super) fn is_settle(&self) -> bool {
        matches!(self.write, Write::Settle(_))
    }

    /// The write, for one whose commit failed.
    pub(super) fn into_write(self) -> Write {
        self.write
    }
}

/// Refuses a write that did not become durable, whether the store ever saw it or not; answers it if it must be tried again.
pub(super) fn refuse(write: Write, error: &StoreError, events: &Mailbox<Event>) -> Option<Write> {
    match write {
        Write::Enqueue(_, reply) => reply.send(Err(error.clone().into())),
        Write::Cancel(_, reply) => reply.send(Err(error.clone().into())),
        Write::OverrideNext(_, _, reply) | Write::RetryNow(_, reply) => reply.send(Err(error.clone().into())),
        Write::CancelPage(_, reply) => reply.send(Err(error.clone().into())),
        Write::Requeue(_, reply) | Write::Discard(_, reply) => reply.send(Err(error.clone().into())),
        Write::Pause(_, reply) | Write::Resume(_, reply) => reply.send(Err(error.clone().into())),
        Write::RecordStop => {
            // The engine stops all the same; the record is tried again with what ends attempts.
            let _ = events.send(Event::StopRecorded);
            return Some(write);
        }
        Write::Settle(_) | Write::Release(_) | Write::Clamp => return Some(write),
        Write::Progress(..) | Write::Prune(_) | Write::Expire(_) => {}
    }
    None
}
