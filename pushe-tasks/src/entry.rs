//! A task as the registry sees it, without its type.
//!
//! Invariant: an entry is made from a type that implements [`Task`] and from nothing else, so that what
//! it says is what the type says.

use std::any::TypeId;
use std::fmt;

use pushe_tasks_store::Envelope;

use crate::codec;
use crate::constraint::Requirement;
use crate::context::TaskContext;
use crate::engine::BodyFuture;
use crate::engine::message::Ended;
use crate::extract::{MissingState, StateMap};
use crate::options::{OptionError, RetryOptions, RunOn};
use crate::outcome::Outcome;
use crate::task::{Task, TaskData};

/// Where in the source a task was registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file, as the compiler was given it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One registered task.
#[derive(Clone, Copy)]
pub struct TaskEntry {
    name: &'static str,
    aliases: &'static [&'static str],
    place: Place,
    concurrency: Option<u32>,
    run_on: RunOn,
    retry: RetryOptions,
    task_type: fn() -> TypeId,
    body: fn(Envelope, TaskContext, usize) -> BodyFuture,
    require: fn(&StateMap) -> Result<(), MissingState>,
    check: fn() -> Result<(), OptionError>,
    requirements: fn() -> Vec<Requirement>,
}

impl TaskEntry {
    /// The entry of the task `T`, registered there.
    pub const fn of<T: Task>(place: Place) -> Self {
        Self {
            name: T::NAME,
            aliases: T::ALIASES,
            place,
            concurrency: T::OPTIONS.concurrency_limit(),
            run_on: T::OPTIONS.runs_on(),
            retry: T::OPTIONS.retry_options(),
            task_type: TypeId::of::<T>,
            body: body::<T>,
            require: T::require,
            check: || T::OPTIONS.check(),
            requirements: || T::OPTIONS.requirements(),
        }
    }

    /// The name that is stored with the work.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Earlier names of the task.
    pub const fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    /// Where it was registered.
    pub const fn place(&self) -> Place {
        self.place
    }

    /// Most pieces of its work that run at a time.
    pub const fn concurrency_limit(&self) -> Option<u32> {
        self.concurrency
    }

    /// Where its body runs.
    pub const fn runs_on(&self) -> RunOn {
        self.run_on
    }

    /// When and how often a failed attempt is made again.
    pub const fn retry_options(&self) -> RetryOptions {
        self.retry
    }

    /// Checks that every state that the task takes is there.
    ///
    /// # Errors
    /// Names the first type that is missing.
    pub fn require(&self, states: &StateMap) -> Result<(), MissingState> {
        (self.require)(states)
    }

    /// Says which rule the task's options break, if any.
    ///
    /// # Errors
    /// See [`TaskOptions::check`](crate::TaskOptions::check).
    pub fn check(&self) -> Result<(), OptionError> {
        (self.check)()
    }
}

impl TaskEntry {
    /// The constraints that its work requires beside a network.
    pub(crate) fn requirements(&self) -> Vec<Requirement> {
        (self.requirements)()
    }

    pub(crate) fn task_type(&self) -> TypeId {
        (self.task_type)()
    }

    /// Whether both were made from one type.
    pub(crate) fn is_same_task(&self, other: &Self) -> bool {
        self.task_type() == other.task_type()
    }

    /// What an attempt runs: decodes the input, calls the task, encodes the output.
    pub(crate) fn body(&self, envelope: Envelope, context: TaskContext, output_limit: usize) -> BodyFuture {
        (self.body)(envelope, context, output_limit)
    }
}

fn body<T: Task>(envelope: Envelope, context: TaskContext, output_limit: usize) -> BodyFuture {
    Box::pin(async move {
        let input = match codec::open::<T::Input>(&envelope) {
            Ok(input) => input,
            Err(error) => return Ended::BadPayload(error.to_string()),
        };
        drop(envelope);
        match T::perform(input, context).await {
            Ok(Outcome::Success(output)) => encode_output(&output, output_limit),
            Ok(other) => Ended::Error(other.into_error()),
            Err(error) => Ended::Error(error),
        }
    })
}

fn encode_output<O: TaskData>(output: &O, limit: usize) -> Ended {
    match codec::encode(output) {
        Ok(bytes) if bytes.len() > limit => {
            Ended::BadOutput(format!("the output takes {} bytes, and {limit} are the most", bytes.len()))
        }
        // A unit takes no bytes and no row.
        Ok(bytes) => Ended::Success((!bytes.is_empty()).then(|| bytes.into())),
        Err(error) => Ended::BadOutput(error.to_string()),
    }
}

impl fmt::Debug for TaskEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskEntry")
            .field("name", &self.name)
            .field("aliases", &self.aliases)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "inventory")]
inventory::collect!(TaskEntry);
