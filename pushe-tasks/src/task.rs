//! What a task is.
//!
//! Invariant: everything that the engine needs to know of a task before any work exists is a constant
//! or a plain function of its type.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::TaskContext;
use crate::extract::{MissingState, StateMap};
use crate::options::TaskOptions;
use crate::outcome::{Outcome, TaskError};

/// What can be stored as the input or output of a task: any owned type that serde can write and read.
///
/// Nobody implements it; deriving `Serialize` and `Deserialize` is enough.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored as the input or output of a task",
    label = "not serializable, or not owned",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, and hold no reference in it"
)]
pub trait TaskData: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> TaskData for T {}

/// A declared unit of work.
///
/// The attribute `#[pushe_task]` makes one from a function. A type can also implement it by hand; it
/// then registers with the builder of the scheduler, since only the attribute registers by itself.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
/// use pushe_tasks::TaskOptions;
///
/// struct Greet;
///
/// impl Task for Greet {
///     const NAME: &'static str = "Greet";
///     const OPTIONS: TaskOptions<Self> = TaskOptions::new().network(NetworkType::Connected);
///     type Input = String;
///     type Output = usize;
///
///     async fn perform(name: String, _: TaskContext) -> Result<Outcome<usize>, TaskError> {
///         Ok(Outcome::Success(name.len()))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task",
    label = "not a task",
    note = "put `#[pushe_task]` on a function and name the type that it makes, or implement `Task` by hand"
)]
pub trait Task: Sized + Send + Sync + 'static {
    /// The name that is stored with the work, by which the code is found again.
    const NAME: &'static str;

    /// Earlier names, under which stored work is still found.
    const ALIASES: &'static [&'static str] = &[];

    /// How work of this task is scheduled where a call says nothing else.
    const OPTIONS: TaskOptions<Self>;

    /// What the work is given.
    type Input: TaskData;

    /// What the work answers.
    type Output: TaskData;

    /// Checks that every state that [`perform`](Task::perform) takes out of its context is there.
    ///
    /// The engine asks this when it starts, so that a missing state is found before any work runs.
    ///
    /// # Errors
    /// Names the first type that is missing.
    fn require(states: &StateMap) -> Result<(), MissingState> {
        let _ = states;
        Ok(())
    }

    /// Makes one attempt.
    fn perform(
        input: Self::Input,
        context: TaskContext,
    ) -> impl Future<Output = Result<Outcome<Self::Output>, TaskError>> + Send;
}
