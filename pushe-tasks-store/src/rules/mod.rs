//! What becomes of a record: plain functions over values, which know no table.
//!
//! Invariant: a rule reads nothing but its arguments; the verbs carry out what it answers.

pub(crate) mod policy;
pub(crate) mod retention;
pub(crate) mod settlement;
pub(crate) mod start;
pub(crate) mod update;
