//! The simulator: the real engine on the real embedded store, on a disk, a clock, a network and a randomness that are
//! functions of one seed.
//!
//! Invariant: one script has one trace. Nothing here reads a real clock, a real disk or the system's randomness.

pub mod calls;
pub mod check;
pub mod clock;
pub mod generate;
pub mod idle;
pub mod job;
pub mod ledger;
pub mod machine;
pub mod probe;
pub mod random;
pub mod rot;
pub mod run;
pub mod script;
pub mod shrink;
pub mod source;
pub mod world;

pub use generate::script;
pub use run::{MEETS, Outcome, run};
pub use script::Script;
pub use shrink::shrink;
