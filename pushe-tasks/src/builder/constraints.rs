//! What a scheduler is told about constraints: sources, kinds, answers, damping.
//!
//! Invariant: every kind that a task of this scheduler needs is known before the store is touched, and has its source.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::SchedulerBuilder;
use crate::clock::Clock;
use crate::constraint::kinds::{ConstraintKinds, DuplicateKind, Machine};
use crate::constraint::network::overlay::Validator;
use crate::constraint::{
    Constraint, Damping, NetworkOpinion, NetworkOverride, NetworkState, Source, WhereUnknown,
};
use crate::random::Randomness;
use crate::registry::{Registry, RegistryError};

/// Something that is done to the kinds once the built-in ones stand.
type Change = Box<dyn FnOnce(&mut ConstraintKinds, &Machine) -> Result<(), DuplicateKind> + Send>;

/// What the builder was told of constraints.
#[derive(Default)]
pub(super) struct ConstraintSetup {
    answers: WhereUnknown,
    network_override: NetworkOverride,
    validator: Option<Arc<dyn Validator>>,
    changes: Vec<Change>,
    pub(super) spread: Option<Duration>,
}

impl ConstraintSetup {
    /// All kinds that this scheduler knows: the built-in ones, those of its tasks, and those that were registered.
    pub(super) fn kinds(
        self,
        registry: &Registry,
        clock: &Arc<dyn Clock>,
        randomness: &Arc<dyn Randomness>,
        store_directory: Option<PathBuf>,
    ) -> Result<ConstraintKinds, RegistryError> {
        let machine = Machine {
            clock: Arc::clone(clock),
            randomness: Arc::clone(randomness),
            answers: self.answers,
            store_directory,
            validator: self.validator,
            network_override: self.network_override,
        };
        let duplicate = |DuplicateKind(kind)| RegistryError::DuplicateConstraint { kind };
        let mut kinds = ConstraintKinds::built_in(&machine);
        for change in self.changes {
            change(&mut kinds, &machine).map_err(duplicate)?;
        }
        for entry in registry.entries() {
            for needed in entry.requirements() {
                needed.register(&mut kinds).map_err(duplicate)?;
            }
        }
        match kinds.without_source() {
            Some((kind, source_type)) => Err(RegistryError::MissingSource { kind, source_type }),
            None => Ok(kinds),
        }
    }
}

/// Constraints.
impl SchedulerBuilder {
    /// Where the state of the network comes from: by default the machine's.
    ///
    /// The validator and the application's word still stand above it.
    pub fn network_source(mut self, source: impl Source<Key = (), State = NetworkState>) -> Self {
        self.constraints.changes.push(Box::new(|kinds, machine| {
            kinds.add_network(machine, source);
            Ok(())
        }));
        self
    }

    /// Who knows more of the network than the kernel, such as a network manager: by default nobody.
    ///
    /// Its opinion refines a network that the kernel calls routed and can never make one of a network that is not. While it
    /// says nothing, the kernel's word stands alone.
    pub fn network_validator(mut self, validator: impl Source<Key = (), State = NetworkOpinion>) -> Self {
        self.constraints.validator = Some(Arc::new(validator));
        self
    }

    /// Lets the application speak about the network through this handle, of which it keeps a clone.
    pub fn network_override(mut self, word: NetworkOverride) -> Self {
        self.constraints.network_override = word;
        self
    }

    /// What built-in constraints answer where their sources know nothing.
    pub fn where_unknown(mut self, answers: WhereUnknown) -> Self {
        self.constraints.answers = answers;
        self
    }

    /// Gives the source of constraints of your own.
    pub fn source<S: Source>(self, source: S) -> Self {
        self.source_for::<S>(source)
    }

    /// Puts a source where constraints look for a `D`, such as a [`Manual`](crate::constraint::Manual) one in a test:
    /// `.source_for::<PowerSource>(Manual::new(PowerState::on_battery(50)))`.
    pub fn source_for<D: Source>(mut self, source: impl Source<Key = D::Key, State = D::State>) -> Self {
        self.constraints.changes.push(Box::new(|kinds, _| {
            kinds.add_source::<D>(source);
            Ok(())
        }));
        self
    }

    /// Makes a kind of constraint known that no task of this scheduler names in `requires(..)`, but calls use.
    ///
    /// Work that needs a kind which nobody makes known is kept and waits, and says so.
    pub fn register_constraint<C: Constraint>(mut self) -> Self {
        self.constraints.changes.push(Box::new(|kinds, _| kinds.add_missing::<C>()));
        self
    }

    /// How quickly changes of a kind of constraint act, instead of what its constraints say.
    pub fn damping<C: Constraint>(mut self, damping: Damping) -> Self {
        self.constraints.changes.push(Box::new(move |kinds, _| {
            kinds.damp(C::KIND, damping);
            Ok(())
        }));
        self
    }

    /// Over how long work that a constraint has held is spread when it may start, for each doubling of its number: by
    /// default 2 s; zero starts it all at once.
    ///
    /// So many pieces as may run at once start at once. The others follow over 2 s · log₂ of their number, so that a server
    /// that has come back is not stampeded. Fewer than 100 pieces of a task, and work found at the start of the process, are
    /// not spread.
    pub fn release_spread(mut self, for_each_doubling: Duration) -> Self {
        self.constraints.spread = Some(for_each_doubling);
        self
    }
}
