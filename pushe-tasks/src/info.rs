//! One piece of work as its owner sees it.
//!
//! Invariant: payloads are never shown, here or in logs.

use std::time::SystemTime;

use pushe_tasks_store::{AttemptEnd, Opaque, Reason, WallTime, WorkId, WorkState, WorkView};
use serde::de::DeserializeOwned;

use crate::codec::{self, CodecError};

/// Why a body was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// Its work was cancelled.
    Cancelled,
    /// Other work took its task id under Replace.
    Replaced,
    /// A constraint no longer holds.
    ConstraintLost,
    /// The scheduler is shutting down.
    Shutdown,
    /// It took longer than its `timeout`.
    Timeout,
}

impl From<Reason> for StopReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Replaced => Self::Replaced,
            Reason::ConstraintLost => Self::ConstraintLost,
            Reason::Shutdown => Self::Shutdown,
            Reason::Timeout => Self::Timeout,
            _ => Self::Cancelled,
        }
    }
}

/// One piece of work as it stands in the store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkInfo {
    /// Its id.
    pub id: WorkId,
    /// Its stored task name.
    pub task: String,
    /// Its task id.
    pub task_id: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its state.
    pub state: WorkState,
    /// Why it is in that state, where there is more to say.
    pub reason: Option<Reason>,
    /// The number of its present or next attempt, from 1.
    pub attempt: u32,
    /// Attempts that it gave back by snoozing.
    pub snoozes: u32,
    /// Crashes that found it running and were charged to it.
    pub interruptions: u32,
    /// When it was scheduled.
    pub enqueued_at: SystemTime,
    /// Its earliest start.
    pub due: SystemTime,
    /// From when it is not started any more; none once it has been started, and where it does not expire.
    pub expires_at: Option<SystemTime>,
    /// When it finished.
    pub finished_at: Option<SystemTime>,
    /// Its last attempts that ended, oldest first, at most 10.
    pub history: Vec<PastAttempt>,
    progress: Option<Opaque>,
}

/// One attempt that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PastAttempt {
    /// Its number, from 1; it repeats where an attempt was given back.
    pub attempt: u32,
    /// When it was claimed.
    pub started: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// How it ended.
    pub end: AttemptEnd,
    /// The text of its error.
    pub error: Option<String>,
}

impl WorkInfo {
    /// The text of the error with which its newest failing attempt ended.
    pub fn last_error(&self) -> Option<&str> {
        self.history.iter().rev().find_map(|attempt| attempt.error.as_deref())
    }

    /// Why its body was last told to stop, where its newest attempt was stopped; kept until the next attempt begins.
    ///
    /// A timeout is an attempt that failed: it is told here as long as no other attempt has ended.
    pub fn stop_reason(&self) -> Option<StopReason> {
        match self.reason {
            Some(Reason::Cancelled) => Some(StopReason::Cancelled),
            Some(Reason::Replaced) => Some(StopReason::Replaced),
            Some(Reason::ConstraintLost) => Some(StopReason::ConstraintLost),
            Some(Reason::Shutdown) => Some(StopReason::Shutdown),
            _ => self
                .history
                .last()
                .filter(|attempt| attempt.end == AttemptEnd::TimedOut)
                .map(|_| StopReason::Timeout),
        }
    }

    /// The last progress that its body reported, cleared when it finishes.
    ///
    /// # Errors
    /// A report that is no value of the type.
    pub fn progress<P: DeserializeOwned>(&self) -> Result<Option<P>, CodecError> {
        self.progress.as_deref().map(codec::decode).transpose()
    }
}

impl From<WorkView> for WorkInfo {
    fn from(view: WorkView) -> Self {
        let WorkView { record, lane, spec, errors, .. } = view;
        let error = |claim| errors.iter().find(|(of, _)| *of == claim).map(|(_, text)| text.clone());
        let history = record.history.iter().map(|past| PastAttempt {
            attempt: past.attempt,
            started: when(past.started),
            ended: when(past.ended),
            end: past.end,
            error: error(past.claim),
        });
        let (task_id, tags) = spec.map_or((None, Vec::new()), |spec| (spec.task_id, spec.options.tags));
        Self {
            id: record.id,
            task: lane.task.clone(),
            task_id,
            tags,
            state: record.state,
            reason: record.reason,
            attempt: record.attempt(),
            snoozes: record.snoozes,
            interruptions: record.interruptions,
            enqueued_at: when(record.enqueued_at),
            due: when(record.due),
            expires_at: record.expires_at.map(when),
            finished_at: record.finished_at.map(when),
            history: history.collect(),
            progress: record.progress,
        }
    }
}

/// Stored time as the standard library has it.
pub(crate) fn when(time: WallTime) -> SystemTime {
    time.into()
}
