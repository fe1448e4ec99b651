//! Durable background tasks.

// The attribute names this crate by its path, in this crate's own examples and tests too.
extern crate self as pushe_tasks;

mod backoff;
pub mod clock;
mod codec;
pub mod constraint;
mod context;
mod data;
mod entry;
mod extract;
mod options;
mod outcome;
mod park;
mod random;
mod schedule;
mod task;

pub use context::TaskContext;
pub use data::{Data, DataValue};
pub use entry::{Place, TaskEntry};
pub use extract::{CancellationToken, FromTaskContext, MissingState, State, StateMap};
pub use options::{Backoff, ExistingWorkPolicy, NetworkType, OptionError, RetryOptions, RunOn, TaskOptions};
pub use outcome::{Fail, Fate, IntoOutcome, Outcome, Retry, Snooze, TaskError};
pub use pushe_tasks_macros::pushe_task;
pub use schedule::Schedule;
pub use task::{Task, TaskData};

/// What most programs need: `use pushe_tasks::prelude::*;`.
pub mod prelude {
    pub use serde::{Deserialize, Serialize};

    pub use crate::{
        Backoff, CancellationToken, Data, ExistingWorkPolicy, Fail, NetworkType, Outcome, Retry, RunOn,
        Snooze, State, Task, TaskContext, TaskError, pushe_task, task_data,
    };
}

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
