//! Durable background tasks.

// The attribute names this crate by its path, in this crate's own examples and tests too.
extern crate self as pushe_tasks;

mod backoff;
mod builder;
pub mod clock;
mod codec;
pub mod coming_from_workmanager;
pub mod constraint;
mod context;
mod data;
mod engine;
mod entry;
mod error;
mod event;
mod explain;
mod extract;
mod health;
mod info;
mod looking;
mod options;
mod outcome;
mod park;
mod pause;
mod period;
mod query;
mod random;
mod receipt;
mod registry;
#[cfg(feature = "redb")]
mod repair;
mod schedule;
mod scheduler;
pub mod semantics;
mod signals;
mod steering;
mod task;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
mod threads;
#[cfg(feature = "redb")]
mod transact;
mod watch;

pub use builder::SchedulerBuilder;
pub use codec::CodecError;
pub use context::{PROGRESS_LIMIT, TaskContext};
pub use data::{Data, DataValue};
#[cfg(feature = "testing")]
pub use engine::Driver;
pub use entry::{Place, TaskEntry};
pub use error::{CallError, OutputError, ScheduleError, StartError};
pub use event::{Events, LifecycleEvent, WorkEvent};
pub use explain::{Obstacle, RunningAttempt, Standing, Warning};
pub use extract::{CancellationToken, FromTaskContext, MissingState, State, StateMap};
pub use health::{Health, SilentSource, StoreHealth};
pub use info::{PastAttempt, StopReason, WorkInfo};
pub use options::{
    Backoff, ExistingWorkPolicy, NetworkType, OnLost, OptionError, Priority, RetryOptions, RunOn, TaskOptions,
};
pub use outcome::{Fail, Fate, IntoOutcome, Outcome, Retry, Snooze, TaskError};
pub use pause::Paused;
pub use period::{Missed, PeriodOptions, Slot};
pub use pushe_tasks_macros::pushe_task;
/// The durable side: stored records and the stores themselves.
pub use pushe_tasks_store as store;
/// The crate under the embedded store: the types of an application's own tables, for [`TaskScheduler::transact`].
#[cfg(feature = "redb")]
pub use pushe_tasks_store::redb::redb;
pub use pushe_tasks_store::{AttemptEnd, OpenError, Reason, WorkId, WorkState};
pub use query::{WorkPage, WorkQuery, WorkSet};
pub use random::{Randomness, SystemRandomness};
pub use receipt::{Receipt, ReceiptKind};
pub use registry::RegistryError;
#[cfg(feature = "redb")]
pub use repair::{Problem, Salvaged, Verified, salvage, verify};
pub use schedule::{Schedule, Wait};
pub use scheduler::{ShutdownReport, TaskScheduler, WorkRef};
pub use steering::Cancelled;
pub use task::{Task, TaskData};
pub use threads::{Beside, NoAnswer, cpu_thread, cpu_thread_after, io_thread, io_thread_after};
#[cfg(feature = "redb")]
pub use transact::{TransactError, Transaction};
pub use watch::{Seen, Watch};

/// What most programs need: `use pushe_tasks::prelude::*;`.
pub mod prelude {
    pub use serde::{Deserialize, Serialize};

    pub use crate::{
        Backoff, CancellationToken, Data, ExistingWorkPolicy, Fail, NetworkType, OnLost, Outcome, Priority,
        Retry, RunOn, Snooze, State, Task, TaskContext, TaskError, TaskScheduler, pushe_task, task_data,
    };
}

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
