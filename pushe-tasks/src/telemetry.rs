//! What an engine tells `tracing` and `metrics`: every name in one place, each a constant that is part of the interface.
//!
//! Payloads, outputs, progress, task ids and the texts of a task's own errors are in none of it.
//!
//! # Spans
//! All have the target `pushe_tasks`. An attempt's span is entered whenever its body is polled, so that what the body logs stands
//! in it.
//!
//! | span | level | around | fields |
//! |---|---|---|---|
//! | `pushe_tasks.attempt` | info | one attempt, from its start to its end | `work`, `task`, `attempt`, `claim`; at the end `outcome`, and `stop` where it was told to stop |
//! | `pushe_tasks.schedule` | debug | one call that schedules | `task`, `pieces` |
//! | `pushe_tasks.commit` | debug | one transaction of the store | `commit`, `verbs`, `claimed` |
//!
//! # Fields
//! | field | of | meaning |
//! |---|---|---|
//! | `work` | spans, events | the `WorkId` |
//! | `task` | spans, events | the task's name; of work that nobody registers, the stored one |
//! | `attempt` | spans | the number of the attempt, from 1 |
//! | `claim` | spans | the claim number, which never repeats for one `work` |
//! | `outcome` | spans | how it ended: `succeeded`, `failed`, `retried`, `panicked`, `timed_out`, `snoozed`, `returned`, `quarantined` |
//! | `stop` | spans | why it was told to stop: `cancelled`, `replaced`, `constraint_lost`, `shutdown`, `timeout` |
//! | `pieces` | spans | how many pieces the call schedules |
//! | `commit` | spans | the number of the commit, which only grows; absent where it failed |
//! | `verbs` | spans | how many changes the commit holds |
//! | `claimed` | spans | how many attempts it starts |
//! | `error` | events | the text of an error of the store or of the system |
//! | `why` | events | why a source of device state has no reading |
//! | `store` | events | where the store lives |
//! | `orphans` | events | how many pieces a process before this one left running |
//! | `crashes` | events | how many crashes have found the work running |
//! | `missed` | events | how many slots of a period were missed |
//! | `expired` | events | whether the slot that is left out had expired |
//! | `returned` | events | how many attempts in a row were given back |
//! | `reason` | events | why an attempt was given back |
//! | `signal` | events | the signal that began the shutdown |
//! | `panic` | events | the text of a panic in a transaction of the application |
//! | `source` | events | the type of a source of device state |
//! | `key` | events | what of that source is watched |
//!
//! # Metrics
//! With the feature `metrics`, through the facade of that name; a recorder of the program's choice collects them. `task` is a
//! task's name as above, so there are as many series as there are tasks.
//!
//! | name | kind | unit | labels | counts or measures |
//! |---|---|---|---|---|
//! | `pushe_tasks_scheduled_total` | counter | count | `task` | pieces that were stored |
//! | `pushe_tasks_attempts_started_total` | counter | count | `task` | attempts that were claimed |
//! | `pushe_tasks_attempts_ended_total` | counter | count | `task`, `outcome` | attempts that ended, by the field `outcome` above; `left_out` where a missed slot was claimed and nothing was run |
//! | `pushe_tasks_finished_total` | counter | count | `task`, `state` | pieces that finished or were set aside: `succeeded`, `failed`, `cancelled`, `quarantined` |
//! | `pushe_tasks_commits_total` | counter | count | | transactions that became durable |
//! | `pushe_tasks_commits_failed_total` | counter | count | | transactions that did not, or are in doubt |
//! | `pushe_tasks_start_delay_seconds` | histogram | seconds | `task` | from the time at which an attempt was due to its claim |
//! | `pushe_tasks_attempt_seconds` | histogram | seconds | `task` | from the claim of an attempt to its end |
//! | `pushe_tasks_commit_seconds` | histogram | seconds | | how long a transaction took, whatever became of it |
//! | `pushe_tasks_commit_verbs` | histogram | count | | changes that shared a transaction |
//! | `pushe_tasks_running` | gauge | count | | bodies that hold a permit now |
//!
//! # Examples
//! ```
//! use pushe_tasks::telemetry::{TARGET, field, span};
//!
//! // A directive for a filter that shows attempts with their outcome.
//! let directive = format!("{TARGET}[{}{{{}}}]=info", span::ATTEMPT, field::OUTCOME);
//! assert_eq!(directive, "pushe_tasks[pushe_tasks.attempt{outcome}]=info");
//! ```

#[cfg(feature = "metrics")]
use pushe_tasks_store::WorkState;
use pushe_tasks_store::{AttemptEnd, Reason, Settlement};

/// The target of all spans.
///
/// # Examples
/// ```
/// assert_eq!(pushe_tasks::telemetry::TARGET, "pushe_tasks");
/// ```
pub const TARGET: &str = "pushe_tasks";

/// Constants, and all of them in a list.
macro_rules! names {
    ($($(#[$meta:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$meta])* pub const $name: &str = $text;)*

        /// All of them.
        ///
        /// # Examples
        /// ```
        /// use pushe_tasks::telemetry::{field, metric, span};
        ///
        /// assert!(span::ALL.contains(&span::ATTEMPT) && field::ALL.contains(&field::WORK));
        /// assert!(metric::ALL.contains(&metric::RUNNING));
        /// ```
        pub const ALL: &[&str] = &[$($name),*];
    };
}

/// The names of spans.
pub mod span {
    names! {
        /// One attempt.
        ATTEMPT = "pushe_tasks.attempt";
        /// One call that schedules.
        SCHEDULE = "pushe_tasks.schedule";
        /// One transaction of the store.
        COMMIT = "pushe_tasks.commit";
    }
}

/// The names of fields, of spans and of events.
pub mod field {
    names! {
        /// The `WorkId`.
        WORK = "work";
        /// The task's name.
        TASK = "task";
        /// The number of the attempt.
        ATTEMPT = "attempt";
        /// The claim number.
        CLAIM = "claim";
        /// How the attempt ended.
        OUTCOME = "outcome";
        /// Why it was told to stop.
        STOP = "stop";
        /// How many pieces are scheduled.
        PIECES = "pieces";
        /// The number of the commit.
        COMMIT = "commit";
        /// How many changes it holds.
        VERBS = "verbs";
        /// How many attempts it starts.
        CLAIMED = "claimed";
        /// The text of an error of the store or of the system.
        ERROR = "error";
        /// Why a source has no reading.
        WHY = "why";
        /// Where the store lives.
        STORE = "store";
        /// How many pieces were left running.
        ORPHANS = "orphans";
        /// How many crashes have found the work running.
        CRASHES = "crashes";
        /// How many slots were missed.
        MISSED = "missed";
        /// Whether a slot had expired.
        EXPIRED = "expired";
        /// How many attempts in a row were given back.
        RETURNED = "returned";
        /// Why an attempt was given back.
        REASON = "reason";
        /// The signal that began the shutdown.
        SIGNAL = "signal";
        /// The text of a panic in a transaction of the application.
        PANIC = "panic";
        /// The type of a source of device state.
        SOURCE = "source";
        /// What of a source is watched.
        KEY = "key";
    }
}

/// The names of metrics and of their labels that are no fields of spans.
pub mod metric {
    names! {
        /// Pieces that were stored.
        SCHEDULED = "pushe_tasks_scheduled_total";
        /// Attempts that were claimed.
        ATTEMPTS_STARTED = "pushe_tasks_attempts_started_total";
        /// Attempts that ended.
        ATTEMPTS_ENDED = "pushe_tasks_attempts_ended_total";
        /// Pieces that finished or were set aside.
        FINISHED = "pushe_tasks_finished_total";
        /// Transactions that became durable.
        COMMITS = "pushe_tasks_commits_total";
        /// Transactions that did not.
        COMMITS_FAILED = "pushe_tasks_commits_failed_total";
        /// From due to claim.
        START_DELAY = "pushe_tasks_start_delay_seconds";
        /// From claim to end.
        ATTEMPT_SECONDS = "pushe_tasks_attempt_seconds";
        /// How long a transaction took.
        COMMIT_SECONDS = "pushe_tasks_commit_seconds";
        /// Changes that shared a transaction.
        COMMIT_VERBS = "pushe_tasks_commit_verbs";
        /// Bodies that hold a permit now.
        RUNNING = "pushe_tasks_running";
    }

    /// The label of [`FINISHED`] that names the state.
    pub const STATE: &str = "state";
}

/// Of a claimed slot that had been missed, nothing was run.
pub(crate) const LEFT_OUT: &str = "left_out";

/// How an attempt ended, as the field `outcome` says it.
pub(crate) const fn outcome(settlement: &Settlement) -> &'static str {
    match settlement {
        Settlement::Succeeded { .. } => end(AttemptEnd::Succeeded),
        Settlement::Failed { end: how, .. }
        | Settlement::Retry { end: how, .. }
        | Settlement::Period { end: how, .. } => end(*how),
        Settlement::Snooze { .. } => end(AttemptEnd::Snoozed),
        Settlement::Return { .. } => end(AttemptEnd::Returned),
        Settlement::Quarantine { .. } => end(AttemptEnd::Quarantined),
        _ => "other",
    }
}

const fn end(end: AttemptEnd) -> &'static str {
    match end {
        AttemptEnd::Succeeded => "succeeded",
        AttemptEnd::Failed => "failed",
        AttemptEnd::Retried => "retried",
        AttemptEnd::Panicked => "panicked",
        AttemptEnd::TimedOut => "timed_out",
        AttemptEnd::Snoozed => "snoozed",
        AttemptEnd::Returned => "returned",
        AttemptEnd::Quarantined => "quarantined",
        _ => "other",
    }
}

/// Why a body was told to stop, as the field `stop` says it.
pub(crate) const fn stop(reason: Reason) -> &'static str {
    match reason {
        Reason::Cancelled => "cancelled",
        Reason::Replaced => "replaced",
        Reason::ConstraintLost => "constraint_lost",
        Reason::Shutdown => "shutdown",
        Reason::Timeout => "timeout",
        _ => "other",
    }
}

/// A state, as the label `state` says it.
#[cfg(feature = "metrics")]
pub(crate) const fn state(state: WorkState) -> &'static str {
    match state {
        WorkState::Succeeded => "succeeded",
        WorkState::Failed => "failed",
        WorkState::Cancelled => "cancelled",
        WorkState::Quarantined => "quarantined",
        _ => "other",
    }
}

#[cfg(test)]
mod tests;
