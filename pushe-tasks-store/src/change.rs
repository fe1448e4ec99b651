//! What a commit changed: the only way in which the rest of an engine learns of it.
//!
//! Invariant: nothing is published before it is durable.

use std::sync::Arc;

use crate::id::{LaneId, WorkId};
use crate::pause::Paused;
use crate::time::WallTime;
use crate::verbs::{Lane, Moved};

/// What one durable transaction changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// The number of the newest commit; it grows with every transaction that stored something.
    pub commit: u64,
    /// Every move of a piece of work, in order.
    pub moves: Vec<Moved>,
    /// Lanes that are new.
    pub new_lanes: Vec<(LaneId, Arc<Lane>)>,
    /// Lanes whose number of ready pieces changed, with the new number.
    pub ready: Vec<(LaneId, u64)>,
    /// When the first delayed piece falls due.
    pub next_due: Option<WallTime>,
    /// When the first finished record may be pruned.
    pub next_prune: Option<WallTime>,
    /// When the first piece that waits expires.
    pub next_expiry: Option<WallTime>,
    /// How many ready pieces are suspects: they run alone (S7.3).
    pub suspects: u64,
    /// The suspect that would start now if no other body lived.
    pub waiting_suspect: Option<WorkId>,
    /// What is paused, where that has changed.
    pub paused: Option<Paused>,
}
