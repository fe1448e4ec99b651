//! The kinds of constraint and the sources that this process knows.
//!
//! Invariant: every stored constraint can be looked up. One that this process cannot judge is held with its reason.

use std::any::{TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::erased::{ErasedConstraint, ErasedSource, Held, SourceKey, Standing, Typed, guarded};
use super::network::overlay::{Overlaid, Validator};
use super::network::{NetworkAnswers, NetworkOverride};
use super::storage::Refusals;
use super::{
    Answer, BatteryNotLow, Charging, Constraint, ConstraintDecodeError, Damping, DirectoryNotLow, HostSource,
    NetworkConstraint, NetworkSource, NetworkState, PowerSource, Reach, Source, StorageNotLow, StorageSource,
    WhereUnknown,
};
use crate::clock::{Clock, MonoTime};
use crate::random::Randomness;

type Decode = Box<dyn Fn(&[u8]) -> Result<Arc<dyn ErasedConstraint>, ConstraintDecodeError> + Send + Sync>;

struct Kind {
    constraint: TypeId,
    source: TypeId,
    source_name: &'static str,
    decode: Decode,
}

/// What this process knows of constraints; filled before the engine starts, then only read.
#[derive(Default)]
pub(crate) struct ConstraintKinds {
    kinds: HashMap<&'static str, Kind>,
    sources: HashMap<TypeId, Arc<dyn ErasedSource>>,
    damping: HashMap<&'static str, Damping>,
    refusals: Option<Refusals>,
}

/// Two constraint types claim one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two constraint types bear the kind `{0}`; rename one")]
pub(crate) struct DuplicateKind(pub(crate) &'static str);

/// What the built-in sources are made of.
pub(crate) struct Machine {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) answers: WhereUnknown,
    pub(crate) store_directory: Option<PathBuf>,
    pub(crate) validator: Option<Arc<dyn Validator>>,
    pub(crate) network_override: NetworkOverride,
}

impl ConstraintKinds {
    /// The kinds that come with the crate, on the sources of this machine.
    pub(crate) fn built_in(machine: &Machine) -> Self {
        let mut kinds = Self::default();
        let Machine { clock, answers, .. } = machine;
        kinds.add_network(machine, NetworkSource::new(Arc::clone(clock)));
        kinds.add_source::<PowerSource>(PowerSource::new(Arc::clone(clock)));
        let storage = StorageSource::new(Arc::clone(clock), machine.store_directory.clone());
        kinds.refusals = Some(storage.refusals());
        kinds.add_source::<StorageSource>(storage);
        kinds.add_source::<HostSource>(HostSource::new(Arc::clone(clock), Arc::clone(&machine.randomness)));

        let &WhereUnknown { network, metered, roaming, charging, battery, storage } = answers;
        let network = NetworkAnswers { network, metered, roaming };
        kinds.insert::<NetworkConstraint>(Box::new(move |bytes| {
            let constraint = NetworkConstraint::decode(bytes)?.answering(network);
            Ok(Arc::new(Typed::new(constraint)))
        }));
        kinds.insert::<Charging>(decoder::<Charging>(charging));
        kinds.insert::<BatteryNotLow>(decoder::<BatteryNotLow>(battery));
        kinds.insert::<StorageNotLow>(decoder::<StorageNotLow>(storage));
        kinds.insert::<DirectoryNotLow>(decoder::<DirectoryNotLow>(storage));
        kinds.add_missing::<Reach>().expect("built-in kinds differ");
        #[cfg(feature = "time-window")]
        {
            kinds.add_source::<super::WindowSource>(super::WindowSource);
            kinds.add_missing::<super::TimeWindow>().expect("built-in kinds differ");
        }
        kinds
    }

    /// Puts a network source in its place, under the validator and the application's word.
    pub(crate) fn add_network(
        &mut self,
        machine: &Machine,
        source: impl Source<Key = (), State = NetworkState>,
    ) {
        let (validator, word) = (machine.validator.clone(), machine.network_override.clone());
        let clock = Arc::clone(&machine.clock);
        self.add_source::<NetworkSource>(Overlaid::new(source, validator, word, clock));
    }

    /// Makes a kind known, unless it is.
    pub(crate) fn add_missing<C: Constraint>(&mut self) -> Result<(), DuplicateKind> {
        match self.kinds.get(C::KIND) {
            Some(known) if known.constraint != TypeId::of::<C>() => Err(DuplicateKind(C::KIND)),
            // A built-in kind keeps its answers.
            Some(_) => Ok(()),
            None => {
                self.insert::<C>(Box::new(|bytes| Ok(Arc::new(Typed::new(C::decode(bytes)?)))));
                Ok(())
            }
        }
    }

    fn insert<C: Constraint>(&mut self, decode: Decode) {
        let kind = Kind {
            constraint: TypeId::of::<C>(),
            source: TypeId::of::<C::Source>(),
            source_name: type_name::<C::Source>(),
            decode,
        };
        self.kinds.insert(C::KIND, kind);
    }

    /// Lets changes of a kind act so quickly, whatever its constraints say.
    pub(crate) fn damp(&mut self, kind: &'static str, damping: Damping) {
        self.damping.insert(kind, damping);
    }

    /// How quickly changes of this constraint act.
    pub(crate) fn damping(&self, constraint: &dyn ErasedConstraint) -> Damping {
        self.damping.get(constraint.kind()).copied().unwrap_or_else(|| constraint.damping())
    }

    /// The type that stands for a kind; `None` where nobody has made the kind known.
    pub(crate) fn type_of(&self, kind: &str) -> Option<TypeId> {
        self.kinds.get(kind).map(|known| known.constraint)
    }

    /// A known kind whose source nobody has given, with the name of that source.
    pub(crate) fn without_source(&self) -> Option<(&'static str, &'static str)> {
        let mut lacking: Vec<_> =
            self.kinds.iter().filter(|(_, kind)| !self.sources.contains_key(&kind.source)).collect();
        lacking.sort_unstable_by_key(|(name, _)| **name);
        lacking.first().map(|(name, kind)| (**name, kind.source_name))
    }

    /// The store was refused room.
    pub(crate) fn store_is_full(&self, now: MonoTime) {
        if let Some(refusals) = &self.refusals {
            refusals.tell(now);
        }
    }

    /// Puts `source` where constraints look for a `D`; a later one replaces an earlier one, as tests do.
    pub(crate) fn add_source<D: Source>(&mut self, source: impl Source<Key = D::Key, State = D::State>) {
        self.sources.insert(TypeId::of::<D>(), Arc::new(Standing::<D, _>::new(source)));
    }

    /// The constraint that is stored as `(kind, bytes)`.
    pub(crate) fn constraint(&self, kind: &str, bytes: &[u8]) -> Arc<dyn ErasedConstraint> {
        let held = |why| -> Arc<dyn ErasedConstraint> { Arc::new(Held { kind: kind.to_owned(), why }) };
        let Some(known) = self.kinds.get(kind) else {
            return held(format!("constraint kind `{kind}` is not registered"));
        };
        if !self.sources.contains_key(&known.source) {
            return held(format!("the source of constraint kind `{kind}` is not registered"));
        }
        let unreadable = |why| held(format!("the stored constraint of kind `{kind}` cannot be read: {why}"));
        match guarded(|| (known.decode)(bytes)) {
            Ok(Ok(constraint)) => constraint,
            Ok(Err(error)) => unreadable(error.to_string()),
            Err(panic) => unreadable(format!("its code panicked: {panic}")),
        }
    }

    /// The source that serves a key of a constraint that [`ConstraintKinds::constraint`] returned.
    pub(crate) fn source(&self, key: &SourceKey) -> Option<&Arc<dyn ErasedSource>> {
        self.sources.get(&key.source())
    }
}

/// A decoder whose constraints answer so where nothing is known.
fn decoder<C: Constraint>(answer: Answer) -> Decode {
    Box::new(move |bytes| Ok(Arc::new(Typed::answering(C::decode(bytes)?, Some(answer)))))
}

impl fmt::Debug for ConstraintKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.kinds.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::WallTime;
    use crate::constraint::erased::ErasedReading;
    use crate::constraint::{Manual, NetworkState, Verdict};

    #[derive(Debug)]
    struct AtLeast(u8);

    impl Constraint for AtLeast {
        const KIND: &'static str = "test/at-least";
        type Source = Manual<u8, String>;

        fn encode(&self) -> Vec<u8> {
            vec![self.0]
        }

        fn decode(bytes: &[u8]) -> Result<Self, ConstraintDecodeError> {
            match bytes {
                [least] => Ok(Self(*least)),
                _ => Err(ConstraintDecodeError::new("it has not one byte")),
            }
        }

        fn key(&self) -> String {
            String::from(if self.0 < 100 { "low" } else { "high" })
        }

        fn check(&self, state: &u8, _: WallTime) -> Verdict {
            if *state >= self.0 { Verdict::met() } else { Verdict::hold("too little") }
        }
    }

    /// Takes the network's kind.
    #[derive(Debug)]
    struct Impostor;

    impl Constraint for Impostor {
        const KIND: &'static str = NetworkConstraint::KIND;
        type Source = Manual<u8>;

        fn encode(&self) -> Vec<u8> {
            Vec::new()
        }

        fn decode(_: &[u8]) -> Result<Self, ConstraintDecodeError> {
            Ok(Self)
        }

        fn key(&self) {}

        fn check(&self, _: &u8, _: WallTime) -> Verdict {
            Verdict::met()
        }
    }

    const NOW: WallTime = WallTime::from_millis(0);

    fn kinds() -> ConstraintKinds {
        let mut kinds = ConstraintKinds::default();
        kinds.add_missing::<AtLeast>().expect("a new kind");
        kinds.add_source::<Manual<u8, String>>(Manual::new(7));
        kinds
    }

    /// The reason for which `(kind, bytes)` is held whatever is read.
    fn held(kinds: &ConstraintKinds, kind: &str, bytes: &[u8]) -> String {
        let constraint = kinds.constraint(kind, bytes);
        assert_eq!((constraint.kind(), constraint.source()), (kind, None));
        match constraint.check(&ErasedReading::Known(Arc::new(255_u8)), NOW) {
            Verdict::Hold { why, .. } => why.into_owned(),
            Verdict::Met { .. } => panic!("it must be held"),
        }
    }

    #[test]
    fn what_cannot_be_judged_is_held_with_its_reason() {
        let mut known = kinds();
        assert_eq!(held(&known, "moon", b"full"), "constraint kind `moon` is not registered");
        let unreadable = "the stored constraint of kind `test/at-least` cannot be read: it has not one byte";
        assert_eq!(held(&known, AtLeast::KIND, b"xyz"), unreadable);
        known.sources.clear();
        let sourceless = "the source of constraint kind `test/at-least` is not registered";
        assert_eq!(held(&known, AtLeast::KIND, &[1]), sourceless);
    }

    #[test]
    fn a_stored_constraint_judges_each_kind_of_reading() {
        let constraint = kinds().constraint(AtLeast::KIND, &AtLeast(5).encode());
        let check = |reading| constraint.check(&reading, NOW);
        assert_eq!(check(ErasedReading::Known(Arc::new(5_u8))), Verdict::met());
        assert_eq!(check(ErasedReading::Known(Arc::new(4_u8))), Verdict::hold("too little"));
        assert_eq!(check(ErasedReading::Unknown("no sensor".into())), Verdict::hold("no sensor"));
        assert_eq!(check(ErasedReading::Lost("it died".into())), Verdict::hold("it died"));
    }

    #[test]
    fn a_lost_source_holds_even_what_is_met_when_unknown() {
        let mut kinds = ConstraintKinds::default();
        kinds.add_missing::<NetworkConstraint>().expect("a new kind");
        kinds.add_source::<NetworkSource>(Manual::new(NetworkState::offline()));
        let constraint = kinds.constraint("network", &NetworkConstraint::connected().encode());
        assert_eq!(constraint.describe(), "network: Connected");
        assert!(constraint.check(&ErasedReading::Unknown("no netlink".into()), NOW).is_met());
        assert!(!constraint.check(&ErasedReading::Lost("netlink died".into()), NOW).is_met());
    }

    #[test]
    fn constraints_share_a_monitor_exactly_by_source_and_key() {
        let mut kinds = kinds();
        kinds.add_source::<NetworkSource>(Manual::new(NetworkState::offline()));
        kinds.add_missing::<NetworkConstraint>().expect("a new kind");
        let key = |kind, bytes: &[u8]| kinds.constraint(kind, bytes).source().cloned().expect("a source");
        assert_eq!(key(AtLeast::KIND, &[1]), key(AtLeast::KIND, &[2]));
        assert_ne!(key(AtLeast::KIND, &[1]), key(AtLeast::KIND, &[200]));
        let network = key("network", &NetworkConstraint::connected().encode());
        assert_ne!(key(AtLeast::KIND, &[1]), network);
        let distinct: std::collections::HashSet<_> =
            [key(AtLeast::KIND, &[1]), key(AtLeast::KIND, &[2]), key(AtLeast::KIND, &[200]), network].into();
        assert_eq!(distinct.len(), 3);
    }

    #[test]
    fn a_kind_has_one_type() {
        let mut kinds = kinds();
        kinds.add_missing::<AtLeast>().expect("the same type again is no conflict");
        kinds.add_missing::<NetworkConstraint>().expect("a new kind");
        assert_eq!(kinds.add_missing::<Impostor>(), Err(DuplicateKind("network")));
    }
}
