//! A constraint of any type, as the attribute lists it and a call adds it.
//!
//! Invariant: it is made from a value that implements [`Constraint`] and from nothing else, so its kind can always be
//! registered from it.

use std::any::type_name;

use pushe_tasks_store::StoredConstraint;

use super::Constraint;
use super::kinds::{ConstraintKinds, DuplicateKind};

/// One constraint that work needs, of any type.
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
    type_name: &'static str,
    register: fn(&mut ConstraintKinds) -> Result<(), DuplicateKind>,
}

impl<C: Constraint> From<C> for Requirement {
    fn from(constraint: C) -> Self {
        Self {
            stored: StoredConstraint { kind: C::KIND.to_owned(), value: constraint.encode() },
            text: constraint.describe().into_owned(),
            problem: constraint.verify().err(),
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

    pub(crate) fn register(&self, kinds: &mut ConstraintKinds) -> Result<(), DuplicateKind> {
        (self.register)(kinds)
    }
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
