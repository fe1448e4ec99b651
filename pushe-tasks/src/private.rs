//! What the attribute names. Outside of the version promise.
//!
//! Invariant: the attribute names nothing of this crate except through this module.

use std::error::Error;
use std::pin::Pin;

pub use std::fmt::format as id_text;
pub use std::string::String;
pub use std::time::Duration;
pub use std::vec;
pub use std::vec::Vec;

#[cfg(feature = "inventory")]
pub use inventory;

pub use crate::constraint::{BatteryNotLow, Charging, Reach, Requirement, StorageNotLow};
pub use crate::context::TaskContext;
pub use crate::entry::{Place, TaskEntry};
pub use crate::extract::{FromTaskContext, MissingState, StateMap};
pub use crate::options::{
    Backoff, ExistingWorkPolicy, NetworkType, OnLost, Priority, RetryOptions, RunOn, TaskOptions,
};
pub use crate::outcome::{IntoOutcome, Outcome, TaskError};
pub use crate::period::{Missed, PeriodOptions};
pub use crate::pushe_tasks_register as register;
pub use crate::schedule::Schedule;
pub use crate::task::Task;

/// Registers a task with its place, where the feature is on.
#[cfg(feature = "inventory")]
#[doc(hidden)]
#[macro_export]
macro_rules! pushe_tasks_register {
    ($task:ident, $file:expr, $line:expr, $column:expr) => {
        $crate::__private::inventory::submit! {
            $crate::__private::TaskEntry::of::<$task>($crate::__private::Place {
                file: $file,
                line: $line,
                column: $column,
            })
        }
    };
}

/// Registers nothing: the feature is off.
#[cfg(not(feature = "inventory"))]
#[doc(hidden)]
#[macro_export]
macro_rules! pushe_tasks_register {
    ($task:ident, $file:expr, $line:expr, $column:expr) => {};
}

/// Refuses a future that cannot be sent, at the place of its argument alone.
///
/// The one who awaits the box can be sent whatever is in it, so that no second error follows.
pub fn boxed<'f, F: Future + Send + 'f>(future: F) -> Pin<Box<dyn Future<Output = F::Output> + Send + 'f>> {
    Box::pin(future)
}

/// Forgets the type of a constraint, and says plainly where a value is none.
pub fn requirement<C: crate::constraint::Constraint>(constraint: C) -> Requirement {
    constraint.into()
}

/// What the body of a task under `retry_if` ends in.
pub fn into_outcome_if<R, E>(
    returned: Result<R, E>,
    retry_if: fn(&E) -> bool,
) -> Result<Outcome<<Result<R, E> as IntoOutcome>::Output>, TaskError>
where
    Result<R, E>: IntoOutcome,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    crate::outcome::into_outcome_if(returned, retry_if)
}
