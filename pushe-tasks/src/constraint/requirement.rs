//! A constraint of any type, as the attribute lists it and a call adds it.
//!
//! Invariant: it is made from a value that implements [`Constraint`] and from nothing else, so its kind can always be
//! registered from it.

use std::any::{TypeId, type_name};

use pushe_tasks_store::StoredConstraint;

use super::Constraint;
use super::kinds::{ConstraintKinds, DuplicateKind};

/// The longest kind, in bytes.
const LONGEST_KIND: usize = 128;
/// The longest stored value, in bytes: a path has at most 4,096 of them.
const LONGEST_VALUE: usize = 8 << 10;
/// The most constraints of one piece of work, beside its network.
const MOST: usize = 32;

/// One constraint that work needs, of any type.
///
/// Its kind has 1 to 128 bytes, its stored value at most 8 KiB, and a piece of work at most 32 of them.
///
/// # Examples
/// ```
/// use pushe_tasks::constraint::{Charging, Reach, Requirement};
///
/// let needs: Vec<Requirement> = vec![Charging.into(), Reach::new("db.local:5432").into()];
/// assert_eq!(needs[1].to_string(), "reach: db.local:5432");
/// ```
#[derive(Clone)]
pub struct Requirement {
    stored: StoredConstraint,
    text: String,
    problem: Option<String>,
    type_id: TypeId,
    type_name: &'static str,
    register: fn(&mut ConstraintKinds) -> Result<(), DuplicateKind>,
}

impl<C: Constraint> From<C> for Requirement {
    fn from(constraint: C) -> Self {
        let stored = StoredConstraint { kind: C::KIND.to_owned(), value: constraint.encode() };
        Self {
            text: constraint.describe().into_owned(),
            problem: constraint.verify().err().or_else(|| too_large(&stored)),
            stored,
            type_id: TypeId::of::<C>(),
            type_name: type_name::<C>(),
            register: ConstraintKinds::add_missing::<C>,
        }
    }
}

impl Requirement {
    /// The kind it is stored under.
    pub fn kind(&self) -> &str {
        &self.stored.kind
    }

    /// What is wrong with its value, if anything; see [`Constraint::verify`].
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// The type it was made from, for people.
    pub const fn type_name(&self) -> &'static str {
        self.type_name
    }

    pub(crate) fn stored(&self) -> &StoredConstraint {
        &self.stored
    }

    /// What is wrong with these constraints of one piece of work, in a process that knows these kinds.
    pub(crate) fn problem_of(all: &[Self], kinds: Option<&ConstraintKinds>) -> Option<String> {
        if all.len() > MOST {
            let number = all.len();
            return Some(format!(
                "there are {number} of them; write one that judges all of it in place of many"
            ));
        }
        let wrong = all.iter().find_map(|one| one.problem.clone());
        wrong.or_else(|| all.iter().find_map(|one| one.clash(kinds?)))
    }

    /// Its kind where another type stands for it, which would judge its value.
    fn clash(&self, kinds: &ConstraintKinds) -> Option<String> {
        let (kind, type_name) = (&self.stored.kind, self.type_name);
        let other = kinds.type_of(kind).is_some_and(|known| known != self.type_id);
        other.then(|| format!("another type bears the kind `{kind}`; give `{type_name}` a `KIND` of its own"))
    }

    pub(crate) fn register(&self, kinds: &mut ConstraintKinds) -> Result<(), DuplicateKind> {
        (self.register)(kinds)
    }
}

fn too_large(stored: &StoredConstraint) -> Option<String> {
    let StoredConstraint { kind, value } = stored;
    if !(1..=LONGEST_KIND).contains(&kind.len()) {
        return Some(format!("its kind has {} bytes; write a `KIND` of 1 to {LONGEST_KIND}", kind.len()));
    }
    let bytes = value.len();
    (bytes > LONGEST_VALUE)
        .then(|| format!("its stored value has {bytes} bytes; store at most {LONGEST_VALUE}, such as a name"))
}

impl std::fmt::Display for Requirement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::fmt::Debug for Requirement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Requirement({})", self.text)
    }
}
