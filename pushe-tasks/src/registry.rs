//! The tasks that an engine can run.
//!
//! Invariant: names and aliases are unambiguous: each leads to one entry, whatever order tasks were registered in.

use std::collections::BTreeMap;
use std::fmt;

use crate::constraint::Requirement;
use crate::entry::{Place, TaskEntry};
use crate::extract::{MissingState, StateMap};
use crate::options::OptionError;

/// What keeps a set of tasks from being run together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Two tasks bear one stored name.
    #[error(
        "two tasks bear the stored name `{name}`: the one at {first} and the one at {second}; give one of them another \
         with `name = \"..\"`"
    )]
    DuplicateName {
        /// The name.
        name: &'static str,
        /// Where the first is.
        first: Place,
        /// Where the second is.
        second: Place,
    },
    /// A task takes a `State<T>` that the program does not give.
    #[error("the task `{task}` at {place} cannot run: {missing}")]
    MissingState {
        /// The task's name.
        task: &'static str,
        /// Where it is.
        place: Place,
        /// What is missing.
        missing: MissingState,
    },
    /// A constraint that a task requires is written wrongly.
    #[error("the task `{task}` at {place} requires a constraint that cannot be: {problem}")]
    Constraint {
        /// The task's name.
        task: &'static str,
        /// Where it is.
        place: Place,
        /// What is wrong, and what to write instead.
        problem: String,
    },
    /// Two types of constraint bear one kind.
    #[error("two types of constraint bear the kind `{kind}`; give one of them another `KIND`")]
    DuplicateConstraint {
        /// The kind.
        kind: &'static str,
    },
    /// Nobody gives the source of a kind of constraint.
    #[error(
        "constraints of the kind `{kind}` look at a source that is not given; add `.source(..)` with a `{source_type}` to the builder"
    )]
    MissingSource {
        /// The kind.
        kind: &'static str,
        /// The type of the source.
        source_type: &'static str,
    },
    /// A task's options break a rule.
    #[error("the options of the task `{task}` at {place} break a rule: {rule}")]
    Options {
        /// The task's name.
        task: &'static str,
        /// Where it is.
        place: Place,
        /// The rule.
        rule: OptionError,
    },
}

/// All tasks of one engine, sorted by name.
#[derive(Clone, Default)]
pub(crate) struct Registry {
    entries: Vec<TaskEntry>,
    names: BTreeMap<&'static str, usize>,
}

impl Registry {
    /// Sorts the entries and refuses what is ambiguous; the same task given twice is one task.
    pub(crate) fn new(entries: impl IntoIterator<Item = TaskEntry>) -> Result<Self, RegistryError> {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_by_key(|entry| {
            (entry.name(), entry.place().file, entry.place().line, entry.place().column)
        });
        entries.dedup_by(|one, other| one.is_same_task(other));
        let mut names = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let (task, place) = (entry.name(), entry.place());
            entry.check().map_err(|rule| RegistryError::Options { task, place, rule })?;
            if let Some(problem) = Requirement::problem_of(&entry.requirements(), None) {
                return Err(RegistryError::Constraint { task, place, problem });
            }
            for name in std::iter::once(&entry.name()).chain(entry.aliases()) {
                if let Some(earlier) = names.insert(*name, index) {
                    let first: &TaskEntry = &entries[earlier];
                    return Err(RegistryError::DuplicateName {
                        name,
                        first: first.place(),
                        second: entry.place(),
                    });
                }
            }
        }
        Ok(Self { entries, names })
    }

    /// Finds the first task that lacks a state.
    pub(crate) fn require(&self, states: &StateMap) -> Result<(), RegistryError> {
        self.entries.iter().try_for_each(|entry| {
            let (task, place) = (entry.name(), entry.place());
            entry.require(states).map_err(|missing| RegistryError::MissingState { task, place, missing })
        })
    }

    /// The task that bears this name or alias.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// All of them, sorted by name.
    pub(crate) fn entries(&self) -> &[TaskEntry] {
        &self.entries
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.entries).finish()
    }
}
