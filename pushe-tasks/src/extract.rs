//! What a task's function takes beside its input.
//!
//! Invariant: whatever an argument needs of the program is known from its type, so that
//! [`FromTaskContext::require`] finds what is missing before any work runs.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

pub use tokio_util::sync::CancellationToken;

use crate::context::TaskContext;
use crate::outcome::TaskError;

/// Values that a program shares with its tasks, one of a type.
///
/// # Examples
/// ```
/// use pushe_tasks::StateMap;
///
/// let mut states = StateMap::new();
/// states.insert(7_u8);
/// assert_eq!(states.state(), Some(&7_u8));
/// assert_eq!(states.state::<u16>(), None);
/// ```
#[derive(Clone, Default)]
pub struct StateMap {
    values: HashMap<TypeId, Entry>,
}

#[derive(Clone)]
struct Entry {
    type_name: &'static str,
    value: Arc<dyn Any + Send + Sync>,
}

impl StateMap {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value in; one of the same type makes room for it and is answered as `true`.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> bool {
        let entry = Entry { type_name: type_name::<T>(), value: Arc::new(value) };
        self.values.insert(TypeId::of::<T>(), entry).is_some()
    }

    /// The value of this type.
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.values.get(&TypeId::of::<T>())?.value.downcast_ref()
    }
}

impl fmt::Debug for StateMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Types only: a state may hold a secret.
        let mut names: Vec<_> = self.values.values().map(|entry| entry.type_name).collect();
        names.sort_unstable();
        f.debug_set().entries(names).finish()
    }
}

/// A task takes a `State` that the program has not given to its scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingState {
    type_name: &'static str,
}

impl MissingState {
    /// Says that `State<T>` is missing.
    pub fn of<T: ?Sized>() -> Self {
        Self { type_name: type_name::<T>() }
    }

    /// The type inside of `State`.
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }
}

impl fmt::Display for MissingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.type_name;
        write!(f, "there is no state of type `{name}`; give one to the builder with `.state(..)`")
    }
}

impl Error for MissingState {}

/// An argument that a task's function takes after its input.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
/// use pushe_tasks::FromTaskContext;
///
/// struct Attempt(u32);
///
/// impl FromTaskContext for Attempt {
///     fn from_task_context(context: &TaskContext) -> Result<Self, TaskError> {
///         Ok(Self(context.attempt()))
///     }
/// }
///
/// #[pushe_task]
/// async fn count(name: String, Attempt(number): Attempt) {
///     println!("{name}: attempt {number}");
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be extracted from a task's context",
    label = "not an extractor",
    note = "the first argument is the task's input; put further values in one struct that derives `Serialize` and `Deserialize`"
)]
pub trait FromTaskContext: Sized {
    /// Takes the value out of the context of an attempt.
    ///
    /// # Errors
    /// The attempt ends in this error.
    fn from_task_context(context: &TaskContext) -> Result<Self, TaskError>;

    /// Checks before any work runs that what this argument needs is there.
    ///
    /// # Errors
    /// Names the type that is missing.
    fn require(states: &StateMap) -> Result<(), MissingState> {
        let _ = states;
        Ok(())
    }
}

/// A value that the program gave to its scheduler, as an argument of a task.
///
/// Each attempt gets a clone; share what is costly through an `Arc` inside of it.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
///
/// #[derive(Clone)]
/// struct Api;
///
/// #[pushe_task]
/// async fn sync(State(api): State<Api>) {
///     let _: Api = api;
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromTaskContext for State<T> {
    fn from_task_context(context: &TaskContext) -> Result<Self, TaskError> {
        let state = context.states().state::<T>().ok_or_else(MissingState::of::<T>)?;
        Ok(Self(state.clone()))
    }

    fn require(states: &StateMap) -> Result<(), MissingState> {
        states.state::<T>().map(|_| ()).ok_or_else(MissingState::of::<T>)
    }
}

impl FromTaskContext for TaskContext {
    fn from_task_context(context: &TaskContext) -> Result<Self, TaskError> {
        Ok(context.clone())
    }
}

impl FromTaskContext for CancellationToken {
    fn from_task_context(context: &TaskContext) -> Result<Self, TaskError> {
        Ok(context.cancellation_token().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_state_is_named() {
        let mut states = StateMap::new();
        let missing = State::<String>::require(&states).unwrap_err();
        assert_eq!(missing.type_name(), "alloc::string::String");
        assert!(!states.insert(String::from("secret")));
        assert_eq!(State::<String>::require(&states), Ok(()));
        assert!(states.insert(String::from("another")));
        assert_eq!(format!("{states:?}"), "{\"alloc::string::String\"}");
    }

    #[test]
    fn arguments_come_from_the_context() {
        let mut states = StateMap::new();
        states.insert(7_u8);
        let context = TaskContext::for_test(Arc::new(states), 3);
        assert_eq!(State::<u8>::from_task_context(&context).unwrap(), State(7));
        assert!(State::<u16>::from_task_context(&context).is_err());
        assert_eq!(TaskContext::from_task_context(&context).unwrap().attempt(), 3);
        CancellationToken::from_task_context(&context).unwrap().cancel();
        assert!(context.cancellation_token().is_cancelled());
    }
}
