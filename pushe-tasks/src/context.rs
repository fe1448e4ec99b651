//! What an attempt can ask of its engine.
//!
//! Invariant: it is a handle; clones of it speak of the same attempt, and none of them outlives the attempt's right to
//! write: what a fenced attempt reports changes nothing.

use std::sync::Arc;

use pushe_tasks_store::{Attempt, Opaque, WallTime, WorkId};
use pushe_tasks_syntax::period::Turn;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec;
use crate::engine::mailbox::Mailbox;
use crate::engine::message::{Request, Write};
use crate::engine::room::Room;
use crate::engine::signal::StopSignal;
use crate::extract::{CancellationToken, StateMap};
use crate::info::StopReason;
use crate::outcome::TaskError;
use crate::period::Slot;
use crate::scheduler::TaskScheduler;

/// The most bytes that one report of progress may take (64 KiB).
pub const PROGRESS_LIMIT: usize = 64 << 10;

/// The attempt that is being made.
#[derive(Clone, Debug)]
pub struct TaskContext {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Written by the claim.
    attempt: Attempt,
    given: Given,
    /// Written by the program before the engine starts.
    states: Arc<StateMap>,
    /// Raised by the dispatcher when the attempt is to stop.
    signal: Arc<StopSignal>,
    reports: Reports,
    scheduler: Option<TaskScheduler>,
}

/// What the claimed record says of the attempt.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) number: u32,
    pub(crate) progress: Option<Opaque>,
    /// The run that it makes, of periodic work.
    pub(crate) turn: Option<Turn>,
}

/// Where reports of progress go.
#[derive(Debug)]
pub(crate) struct Reports {
    pub(crate) writer: Arc<Mailbox<Request>>,
    /// What all bodies together may have on their way.
    pub(crate) room: Arc<Room>,
}

impl TaskContext {
    pub(crate) fn new(
        attempt: Attempt,
        given: Given,
        states: Arc<StateMap>,
        signal: Arc<StopSignal>,
        reports: Reports,
        scheduler: Option<TaskScheduler>,
    ) -> Self {
        Self { inner: Arc::new(Inner { attempt, given, states, signal, reports, scheduler }) }
    }

    /// The id of the piece of work: the same in every attempt, and the key for idempotent side effects.
    pub fn work_id(&self) -> WorkId {
        self.inner.attempt.work
    }

    /// The number of this attempt, from 1: one more than the attempts that ended in retry.
    ///
    /// It repeats when an attempt was given back because it was stopped or snoozed.
    pub fn attempt(&self) -> u32 {
        self.inner.given.number
    }

    /// The slot that this run of periodic work stands for; `None` for work that runs once.
    ///
    /// It is the same in every attempt of the run, also after a crash: with the work id it is the key for idempotent side
    /// effects.
    pub fn slot(&self) -> Option<Slot> {
        let slot = self.inner.given.turn?.slot;
        Some(Slot::new(slot.number, WallTime::from_millis(slot.at).into()))
    }

    /// How many slots were missed before this run of periodic work began, its own included where it began late.
    ///
    /// A slot is missed when it is not claimed within a tenth of the period, or a minute, after its time. Zero for work that
    /// runs once.
    pub fn missed_slots(&self) -> u64 {
        self.inner.given.turn.map_or(0, |turn| turn.missed)
    }

    /// Cancelled when the attempt is to stop; [`stop_reason`](Self::stop_reason) then says why.
    pub fn cancellation_token(&self) -> &CancellationToken {
        self.inner.signal.token()
    }

    /// Why the attempt is to stop; `None` while it may go on.
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.inner.signal.reason().map(StopReason::from)
    }

    /// Reports how far the work is; the last report is shown by `info` and kept when the work is stopped or retried.
    ///
    /// It returns when the report is queued: reports ride on the next commit and are not made durable one by one. Where the
    /// disk is slow and 1,024 reports of all bodies are on their way, it waits for room.
    ///
    /// # Errors
    /// A value that the codec cannot carry, or that takes more than 64 KiB.
    ///
    /// # Cancel safety
    /// Dropping the future before it completes reports nothing.
    pub async fn progress<P: Serialize + DeserializeOwned>(&self, value: &P) -> Result<(), TaskError> {
        let bytes = codec::encode(value)?;
        if bytes.len() > PROGRESS_LIMIT {
            let length = bytes.len();
            return Err(TaskError::new(format!(
                "a report of progress takes {length} bytes, and {PROGRESS_LIMIT} are the most; report less"
            )));
        }
        // A stopped engine takes no reports, and the body is being told so in another way.
        let reports = &self.inner.reports;
        let place = reports.room.enter(bytes.len()).await;
        let _ = reports.writer.send(Request::Write(Write::Progress(self.inner.attempt, bytes.into(), place)));
        Ok(())
    }

    /// What the last attempt of this piece of work reported as its progress.
    ///
    /// # Errors
    /// A report that is no value of the type.
    pub fn last_progress<P: DeserializeOwned>(&self) -> Result<Option<P>, TaskError> {
        match &self.inner.given.progress {
            Some(bytes) => Ok(Some(codec::decode(bytes)?)),
            None => Ok(None),
        }
    }

    /// The values that the program shares with its tasks.
    pub fn states(&self) -> &StateMap {
        &self.inner.states
    }

    /// The scheduler that runs this attempt.
    ///
    /// # Panics
    /// In a context that no scheduler made, as unit tests of a task may build one.
    pub fn scheduler(&self) -> &TaskScheduler {
        self.inner.scheduler.as_ref().expect("this context was made by no scheduler")
    }
}

#[cfg(test)]
impl TaskContext {
    /// A context for tests of what is taken from it.
    pub(crate) fn for_test(states: Arc<StateMap>, number: u32) -> Self {
        let attempt = Attempt { work: WorkId::from_parts(1, [0; 10]), claim: 1 };
        let given = Given { number, ..Given::default() };
        let reports = Reports { writer: Arc::new(Mailbox::new()), room: Arc::new(Room::new()) };
        Self::new(attempt, given, states, Arc::default(), reports, None)
    }
}
