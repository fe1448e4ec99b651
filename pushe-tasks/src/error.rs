//! What can go wrong between a program and its scheduler, by what the caller can do next.

use std::io;

use pushe_tasks_store::{OpenError, StoreError, VerbError, WorkId, WorkState};

use crate::codec::CodecError;
use crate::engine::message::Refusal;
use crate::options::OptionError;
use crate::registry::RegistryError;

/// A scheduler could not be started.
///
/// # Examples
/// ```
/// use pushe_tasks::{OpenError, StartError};
///
/// fn is_used_by_another_process(error: &StartError) -> bool {
///     matches!(error, StartError::Open(OpenError::InUse { .. }))
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The process has a default scheduler already.
    #[error(
        "this process has a default scheduler already; use that one, shut it down first, or start this one with \
         `.detached()` and name it with `.on(&scheduler)`"
    )]
    DefaultTaken,
    /// `start` was called outside of a tokio runtime, on which bodies would run.
    #[error("there is no tokio runtime here; call `start` within one, as under `#[tokio::main]`")]
    NoRuntime,
    /// The tasks cannot be run together.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A value of the builder breaks a rule.
    #[error("the builder was given {0}")]
    Builder(String),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store opened, and its first transaction failed.
    #[error("the store could not be put in order")]
    Store(#[from] StoreError),
    /// A thread of the engine could not be started.
    #[error("a thread of the scheduler could not be started")]
    Thread(#[source] io::Error),
}

/// Work was not scheduled, or it is not known whether it was.
///
/// # Examples
/// ```
/// use pushe_tasks::{ScheduleError, WorkId};
///
/// /// The work id under which to schedule again, where it is not known whether the work is stored.
/// fn to_repeat(error: &ScheduleError) -> Option<WorkId> {
///     match error {
///         ScheduleError::Indeterminate { work_id, .. } => Some(*work_id),
///         _ => None,
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// No scheduler was named, and the process has no default one.
    #[error(
        "there is no scheduler; start one with `TaskScheduler::builder(\"tasks.redb\").start().await`, or name one with \
         `.on(&scheduler)`"
    )]
    NoScheduler,
    /// The scheduler is shutting down or has been shut down; nothing was stored.
    #[error("the scheduler is shutting down; schedule before that, or start a new one")]
    ShuttingDown,
    /// It was blocked on within a transaction of the same scheduler; nothing was stored.
    #[cfg(feature = "redb")]
    #[error("a transaction of this scheduler is under way on this thread; use `schedule_in(tx)` there")]
    WithinTransaction,
    /// An option of this call breaks a rule; nothing was stored.
    #[error("an option of this call breaks a rule: {0}")]
    Option(OptionError),
    /// A duration of this call cannot be read; nothing was stored.
    #[error("`{text}` is no duration: {problem}")]
    Duration {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A constraint of this call is written wrongly; nothing was stored.
    #[error("a constraint of this call cannot be: {problem}")]
    Constraint {
        /// What is wrong, and what to write instead.
        problem: String,
    },
    /// This scheduler runs the task and does not know a kind of constraint of this call; nothing was stored.
    #[error(
        "this scheduler does not know the kind of constraint `{kind}`, so that the work would wait for ever; add \
         `.register_constraint::<{type_name}>()` to its builder"
    )]
    UnknownConstraint {
        /// The kind.
        kind: String,
        /// The type that bears it.
        type_name: &'static str,
    },
    /// The input cannot be carried by the codec; nothing was stored.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The encoded input is too large; nothing was stored.
    #[error(
        "the input takes {bytes} bytes, and {limit} are the most; store a path or a key instead, or raise \
         `max_payload` on the builder"
    )]
    PayloadTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// One call brings too much; nothing was stored.
    #[error(
        "one call may bring 10,000 pieces and 64 MiB, and this one brings {pieces} pieces{}; split it",
        if *bytes > 0 { format!(" and {bytes} bytes") } else { String::new() }
    )]
    TooMany {
        /// Pieces of the call.
        pieces: usize,
        /// Bytes of their inputs; 0 where there were too many pieces to look at them.
        bytes: usize,
    },
    /// A piece of the batch names another scheduler with `.on(..)`; nothing was stored.
    #[error(
        "a piece of the batch names another scheduler; call `schedule_many` of that one, or leave `.on(..)` out"
    )]
    OtherScheduler,
    /// Unfinished work of another task bears the task id; nothing was stored.
    #[error(
        "the id `{}` is held by unfinished work of the task `{task}`; give each task ids of its own",
        task_id.escape_debug()
    )]
    IdHeldBy {
        /// The task id.
        task_id: String,
        /// The other task.
        task: String,
        /// The piece that holds it.
        holder: WorkId,
    },
    /// Unfinished work with the task id is periodic and this is not, or the other way round; nothing was stored.
    #[error(
        "the id `{}` is held by unfinished work that is {}; cancel that first, or use `Replace`",
        task_id.escape_debug(),
        if *periodic { "periodic, and this is not" } else { "not periodic, and this is" }
    )]
    KindDiffers {
        /// The task id.
        task_id: String,
        /// Whether the work that holds it is periodic.
        periodic: bool,
        /// The piece that holds it.
        holder: WorkId,
    },
    /// The period has no slot that could be stored; nothing was stored.
    #[error("this work has no period: {problem}")]
    Period {
        /// What is wrong with it.
        problem: String,
    },
    /// The store has no room; nothing was stored.
    #[error("the store has no room left; free some space and schedule again")]
    StoreFull,
    /// It is not known whether the work is stored.
    ///
    /// [`Schedule::with_work_id`](crate::Schedule::with_work_id) with this id makes a repetition safe: the work is then
    /// stored once.
    #[error("it is not known whether the work {work_id} is stored; scheduling again with its id is safe")]
    Indeterminate {
        /// The id under which it is stored, if it is.
        work_id: WorkId,
        /// What the store said.
        detail: String,
    },
    /// The store refused; nothing was stored.
    #[error("the store refused the work: {0}")]
    Store(String),
}

impl From<OptionError> for ScheduleError {
    // Its text stands within this one's: as a source it would be said twice.
    fn from(rule: OptionError) -> Self {
        Self::Option(rule)
    }
}

impl ScheduleError {
    pub(crate) fn from_refusal(refusal: Refusal, work_id: WorkId) -> Self {
        match refusal {
            Refusal::Stopped => Self::ShuttingDown,
            #[cfg(feature = "redb")]
            Refusal::WithinTransaction => Self::WithinTransaction,
            Refusal::Verb(VerbError::IdHeldBy { task_id, task, holder }) => {
                Self::IdHeldBy { task_id, task, holder }
            }
            Refusal::Verb(VerbError::KindDiffers { task_id, periodic, holder }) => {
                Self::KindDiffers { task_id, periodic, holder }
            }
            Refusal::Verb(error) => Self::Store(error.to_string()),
            Refusal::Store(StoreError::Full) => Self::StoreFull,
            Refusal::Store(StoreError::Undone(detail)) => Self::Store(detail),
            Refusal::Store(error) => Self::Indeterminate { work_id, detail: error.to_string() },
        }
    }
}

/// A question to a scheduler or an order to it was not carried out.
///
/// # Examples
/// ```
/// fn is_unknown(error: &pushe_tasks::CallError) -> bool {
///     matches!(error, pushe_tasks::CallError::NotFound)
/// }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The scheduler has been shut down.
    #[error("the scheduler has been shut down; start a new one on the same store")]
    Stopped,
    /// There is no such work: it never was, or it finished so long ago that it has been pruned.
    #[error("there is no such work; it never was, or it finished long ago and has been pruned")]
    NotFound,
    /// The work cannot take its task id again: other unfinished work bears it.
    #[error(
        "the id `{task_id}` has been taken by other unfinished work; cancel that first, or wait until it has finished"
    )]
    IdBusy {
        /// The task id.
        task_id: String,
        /// The piece that bears it.
        holder: WorkId,
    },
    /// The work is in a state that the call is not for.
    #[error("the work is {state}; {only}")]
    WrongState {
        /// Its state.
        state: WorkState,
        /// What the call is for.
        only: &'static str,
    },
    /// What the call was given cannot be.
    #[error("this cannot be asked for: {problem}")]
    Invalid {
        /// What is wrong, and what to give instead.
        problem: String,
    },
    /// The store did not carry it out.
    #[error("the store did not carry it out: {0}")]
    Store(String),
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Stopped => Self::Stopped,
            Refusal::Verb(VerbError::IdBusy { task_id, holder }) => Self::IdBusy { task_id, holder },
            Refusal::Verb(VerbError::WrongState { state, only }) => Self::WrongState { state, only },
            other => Self::Store(other.to_string()),
        }
    }
}

/// The output of a piece of work cannot be had.
///
/// # Examples
/// ```
/// fn is_pruned(error: &pushe_tasks::OutputError) -> bool {
///     matches!(error, pushe_tasks::OutputError::Gone)
/// }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The work failed.
    #[error("the work failed: {error}")]
    Failed {
        /// The text of its last error.
        error: String,
    },
    /// The work was cancelled or replaced.
    #[error("the work was cancelled")]
    Cancelled,
    /// The work is set aside.
    #[error("the work is quarantined: {error}")]
    Quarantined {
        /// What was wrong.
        error: String,
    },
    /// The piece that was kept is work of another task, whose output is of another type.
    #[error("the work is of the task `{task}`, whose output has another type")]
    OtherTask {
        /// That task.
        task: String,
    },
    /// The record has been pruned.
    #[error("the work finished so long ago that its record has been pruned")]
    Gone,
    /// The stored bytes are no value of the output's type.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The scheduler could not be asked.
    #[error(transparent)]
    Call(CallError),
}

impl From<CallError> for OutputError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotFound => Self::Gone,
            other => Self::Call(other),
        }
    }
}
