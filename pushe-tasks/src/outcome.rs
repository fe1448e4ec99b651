//! What an attempt answers, and what becomes of the work then.
//!
//! Invariant: [`Outcome`] never implements `Serialize`. That is what keeps `Result<T, E>` and
//! `Result<Outcome<T>, E>` apart in [`IntoOutcome`]; a test of the interface guards it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use pushe_tasks_syntax::limits::SHORTEST_SNOOZE;

use crate::task::TaskData;

/// What an attempt answers.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
///
/// #[pushe_task]
/// async fn poll_sensor() -> Outcome<u32> {
///     match Some(20) {
///         Some(degrees) => Outcome::Success(degrees),
///         None => Outcome::fail("there is no sensor"),
///     }
/// }
/// ```
#[derive(Debug)]
#[must_use = "an outcome does something only when the task returns it"]
pub enum Outcome<T = ()> {
    /// The work is done.
    Success(T),
    /// The attempt is to be made again, after the task's back-off or after a time of its own.
    Retry {
        /// How long to wait instead of the back-off.
        after: Option<Duration>,
        /// Why, for the record.
        error: Option<TaskError>,
    },
    /// The work has failed and is not tried again.
    Fail(TaskError),
    /// Now is not the time: the work waits, at least a second, and the attempt is not counted.
    Snooze(Duration),
}

impl<T> Outcome<T> {
    /// What is no success, as the error that says the same.
    pub(crate) fn into_error(self) -> TaskError {
        match self {
            Self::Success(_) => TaskError::new("the task succeeded"),
            Self::Retry { after: None, error } => {
                error.unwrap_or_else(|| TaskError::new("the task asked to be retried"))
            }
            Self::Retry { after: Some(wait), error } => match error {
                Some(error) => Retry::after(wait).caused_by(error).into(),
                None => Retry::after(wait).into(),
            },
            Self::Fail(error) => Fail::because(error.to_string()).caused_by(error).into(),
            Self::Snooze(wait) => Snooze::lasting(wait).into(),
        }
    }
}

impl Outcome {
    /// The work is done and has nothing to answer.
    pub const SUCCESS: Self = Self::Success(());
}

impl<T> Outcome<T> {
    /// Try again after the task's back-off.
    pub const fn retry() -> Self {
        Self::Retry { after: None, error: None }
    }

    /// Try again after `wait`, this once instead of the back-off.
    pub const fn retry_after(wait: Duration) -> Self {
        Self::Retry { after: Some(wait), error: None }
    }

    /// Give up, for this reason.
    pub fn fail(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Fail(TaskError::new(reason))
    }

    /// Wait for `wait`, at least a second, without counting the attempt.
    pub const fn snooze(wait: Duration) -> Self {
        Self::Snooze(wait)
    }

    /// What becomes of the work; nothing for success.
    pub fn fate(&self) -> Option<Fate> {
        match self {
            Self::Success(_) => None,
            Self::Retry { after, .. } => Some(Fate::Retry { after: *after }),
            Self::Fail(_) => Some(Fate::Fail),
            Self::Snooze(wait) => Some(Fate::snooze(*wait)),
        }
    }
}

/// What becomes of work whose attempt was no success.
///
/// # Examples
/// ```
/// use pushe_tasks::{Fail, Fate, TaskError};
///
/// assert_eq!(TaskError::from(Fail::because("no such album")).fate(), Fate::Fail);
/// assert_eq!(TaskError::new("timed out").fate(), Fate::Retry { after: None });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Another attempt, after the back-off or after a time of its own.
    Retry {
        /// How long to wait instead of the back-off.
        after: Option<Duration>,
    },
    /// No further attempt.
    Fail,
    /// The attempt is given back and made after this time, which is at least a second.
    Snooze(Duration),
}

impl Fate {
    fn snooze(wait: Duration) -> Self {
        Self::Snooze(wait.max(SHORTEST_SNOOZE))
    }
}

/// The error of a task where no type of its own is wanted.
///
/// `?` makes one of any error. It is retried unless a [`Fail`], [`Snooze`] or [`Retry`] is among its
/// sources. Like `anyhow::Error` it is not itself an `Error`, since it is made from every `Error`.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
///
/// fn read(text: &str) -> Result<u32, TaskError> {
///     if text.is_empty() {
///         return Err(Fail::because("nothing to read").into());
///     }
///     Ok(text.parse::<u32>()?)
/// }
///
/// assert_eq!(read("").unwrap_err().fate(), pushe_tasks::Fate::Fail);
/// assert_eq!(read("x").unwrap_err().fate(), pushe_tasks::Fate::Retry { after: None });
/// ```
pub struct TaskError(Box<dyn Error + Send + Sync>);

impl TaskError {
    /// Makes one of a text, an error, or an error in a box; also of an `anyhow::Error`.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }

    /// The error inside, with its sources.
    pub fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }

    /// What becomes of work whose attempt ended in this error.
    pub fn fate(&self) -> Fate {
        verdict(self)
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for TaskError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl From<TaskError> for Box<dyn Error + Send + Sync> {
    fn from(error: TaskError) -> Self {
        error.0
    }
}

/// Decides what becomes of work whose attempt ended in this error: what the outermost marker among the
/// error and its sources says, else another attempt.
pub(crate) fn verdict(error: &TaskError) -> Fate {
    // A source chain that leads back into itself must not hold the engine.
    const LONGEST_CHAIN: usize = 128;
    let first: &(dyn Error + 'static) = error.as_error();
    std::iter::successors(Some(first), |&error| error.source())
        .take(LONGEST_CHAIN)
        .find_map(|error| error.downcast_ref::<Mark>())
        .map_or(Fate::Retry { after: None }, |mark| mark.fate)
}

/// What the markers have in common, and what [`verdict`] looks for.
///
/// It stands behind each marker as its source: a wrapper such as `anyhow::Error` hides the type of the
/// error that it wraps when it is boxed, but hands on that error's sources.
#[derive(Debug)]
struct Mark {
    fate: Fate,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fate {
            Fate::Fail => f.write_str("not to be tried again"),
            Fate::Retry { after: None } => f.write_str("to be tried again"),
            Fate::Retry { after: Some(wait) } => write!(f, "to be tried again after {wait:?}"),
            Fate::Snooze(wait) => write!(f, "snoozed for {wait:?}"),
        }
    }
}

impl Error for Mark {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

/// Makes a marker: an error whose source is its mark.
macro_rules! marker {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            text: String,
            mark: Mark,
        }

        impl $name {
            /// Keeps the error that led to this as its source.
            #[must_use]
            pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
                self.mark.cause = Some(cause.into());
                self
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }

        impl Error for $name {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.mark)
            }
        }
    };
}

marker! {
    /// An error that ends the work: it is not tried again.
    ///
    /// # Examples
    /// ```
    /// use pushe_tasks::prelude::*;
    ///
    /// fn album(name: &str) -> Result<&str, TaskError> {
    ///     if name.is_empty() { Err(Fail::because("no album"))? }
    ///     Ok(name)
    /// }
    /// assert_eq!(album("").unwrap_err().to_string(), "no album");
    /// ```
    Fail
}

impl Fail {
    /// Gives up, for this reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { text: reason.into(), mark: Mark { fate: Fate::Fail, cause: None } }
    }
}

marker! {
    /// An error that asks for another attempt after a time of its own, this once instead of the back-off.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use pushe_tasks::prelude::*;
    ///
    /// let busy: TaskError = Retry::after(Duration::from_secs(90)).into();
    /// assert_eq!(busy.to_string(), "retry after 90s");
    /// ```
    Retry
}

impl Retry {
    /// Asks for another attempt after `wait`.
    pub fn after(wait: Duration) -> Self {
        Self {
            text: format!("retry after {wait:?}"),
            mark: Mark { fate: Fate::Retry { after: Some(wait) }, cause: None },
        }
    }
}

marker! {
    /// An error that puts the work off without counting the attempt.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use pushe_tasks::prelude::*;
    ///
    /// let later: TaskError = Snooze::lasting(Duration::from_secs(600)).into();
    /// assert_eq!(later.to_string(), "snooze for 600s");
    /// ```
    Snooze
}

impl Snooze {
    /// Puts the work off for `wait`, at least a second.
    pub fn lasting(wait: Duration) -> Self {
        let wait = wait.max(SHORTEST_SNOOZE);
        Self { text: format!("snooze for {wait:?}"), mark: Mark { fate: Fate::snooze(wait), cause: None } }
    }
}

/// What a function under `#[pushe_task]` can return: `()`, `Outcome<T>`, `Result<T, E>` or
/// `Result<Outcome<T>, E>`.
#[diagnostic::on_unimplemented(
    message = "a task cannot return `{Self}`",
    label = "not an outcome",
    note = "return `()`, `Outcome<T>`, `Result<T, E>` or `Result<Outcome<T>, E>`",
    note = "`T` derives `serde::Serialize` and `serde::Deserialize`; `E` is an error such as `TaskError`"
)]
pub trait IntoOutcome {
    /// What the work answers when it succeeds.
    type Output: TaskData;

    /// Makes the outcome, or the error that decides about it.
    ///
    /// # Errors
    /// The error that the function returned.
    fn into_outcome(self) -> Result<Outcome<Self::Output>, TaskError>;
}

impl IntoOutcome for () {
    type Output = ();

    fn into_outcome(self) -> Result<Outcome, TaskError> {
        Ok(Outcome::SUCCESS)
    }
}

impl<T: TaskData> IntoOutcome for Outcome<T> {
    type Output = T;

    fn into_outcome(self) -> Result<Self, TaskError> {
        Ok(self)
    }
}

impl<T: TaskData, E: Into<Box<dyn Error + Send + Sync>>> IntoOutcome for Result<T, E> {
    type Output = T;

    fn into_outcome(self) -> Result<Outcome<T>, TaskError> {
        self.map(Outcome::Success).map_err(TaskError::new)
    }
}

impl<T: TaskData, E: Into<Box<dyn Error + Send + Sync>>> IntoOutcome for Result<Outcome<T>, E> {
    type Output = T;

    fn into_outcome(self) -> Result<Outcome<T>, TaskError> {
        self.map_err(TaskError::new)
    }
}

/// Whether an error only marks what is to become of the work, and tells people nothing.
pub(crate) fn is_marker(error: &(dyn Error + 'static)) -> bool {
    error.is::<Mark>()
}

/// What `retry_if` does: an error that it refuses fails at once, whatever marker it bears.
pub(crate) fn into_outcome_if<R, E>(
    returned: Result<R, E>,
    retry_if: fn(&E) -> bool,
) -> Result<Outcome<<Result<R, E> as IntoOutcome>::Output>, TaskError>
where
    Result<R, E>: IntoOutcome,
{
    let refused = returned.as_ref().is_err_and(|error| !retry_if(error));
    match returned.into_outcome() {
        Err(error) if refused => Ok(Outcome::Fail(error)),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests;
