//! The durable side of pushe-tasks: stored records, their transitions, and the embedded store.
//!
//! A [`Store`] offers verbs, each of which is one transition of a piece of work, decided and carried out in one
//! transaction. It knows no user code, no runtime and no device: payloads are bytes, constraints are bytes, time comes in
//! as a parameter.

mod change;
#[cfg(any(test, feature = "conformance", feature = "redb"))]
mod check;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod finding;
mod id;
mod index;
mod journal;
mod memory;
mod meta;
mod opaque;
mod pause;
mod period;
#[cfg(pushe_planted)]
#[doc(hidden)]
pub mod planted;
#[cfg(feature = "redb")]
mod problem;
mod record;
#[cfg(feature = "redb")]
pub mod redb;
mod rows;
mod rules;
mod spec;
mod state;
mod tables;
mod time;
mod transaction;
mod verbs;
mod volatile;
mod wire;

pub use change::Changes;
pub use error::{OpenError, StoreError, VerbError};
pub use finding::{Finding, StoreHealth};
pub use id::{Attempt, LaneId, NotAWorkId, WorkId};
pub use index::id_hash;
pub use memory::MemoryStore;
pub use opaque::Opaque;
pub use pause::{PauseScope, Paused};
pub use period::{Missed, NextSlot, PeriodEnd, PeriodRecord, Rhythm, StoredPeriod};
#[cfg(feature = "redb")]
pub use problem::{Problem, Salvaged, Verified};
pub use record::{AttemptRecord, Blocked, Filed, HISTORY, WorkRecord};
pub use spec::{Backoff, Envelope, OnLost, StoredOptions, WorkSpec};
pub use state::{AttemptEnd, Reason, WorkState};
pub use time::WallTime;
#[cfg(feature = "redb")]
pub use verbs::Transact;
pub use verbs::{
    Answers, Body, CancelledPage, ClaimRequest, Claimed, Enqueued, Filter, Grant, How, Lane, LaneView, Look,
    Moved, NewWork, Page, Policy, Query, RescueRequest, Rescued, Settle, Settled, Settlement, Start, Store,
    StoreFacts, StoredConstraint, Target, Verbs, Verdict, WorkView,
};
pub use wire::Damage;
