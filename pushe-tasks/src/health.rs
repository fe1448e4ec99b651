//! How a scheduler is (S9.4), in its first part.

use std::collections::BTreeMap;
use std::time::SystemTime;

use pushe_tasks_store::{StoreFacts, WorkId};

pub use pushe_tasks_store::StoreHealth;

/// How a scheduler is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// How its store is.
    pub store: StoreHealth,
    /// What the store says of itself, with what opening it brought to light.
    pub facts: StoreFacts,
    /// Bodies that run now.
    pub running: u64,
    /// Pieces whose time has come and whose task is registered; they wait for constraints or room.
    pub ready: u64,
    /// Pieces whose time has come and whose task nobody here registers, by stored task name. They are kept.
    pub no_handler: BTreeMap<String, u64>,
    /// Blocking bodies that go on although their attempt is over, with their task's name.
    pub zombies: Vec<(WorkId, String)>,
    /// Pieces whose time has come and that run alone, since crashes have found them running at least twice.
    pub suspects: u64,
    /// The one of them that runs now.
    pub alone: Option<WorkId>,
    /// Sources of constraints that are watched and have nothing to tell: work that looks at them waits, or runs where its
    /// constraint holds in that case. A source that died counts 30 s later, when its last reading no longer does.
    pub sources: Vec<SilentSource>,
    /// Requests that wait for the store's writer: at most 1,024 calls that schedule, with 64 MiB, as many
    /// others, and what the engine itself has to tell.
    pub queue_depth: usize,
    /// Calls that schedule and wait for room in that queue, because the disk is slower than they are.
    pub callers_waiting: usize,
    /// Ends of attempts that could not be stored yet.
    pub held_settles: u64,
}

/// A source of constraints that is watched and has nothing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SilentSource {
    /// The type of the source and what of it is watched.
    pub name: String,
    /// Why it has nothing to tell.
    pub why: String,
    /// Since when.
    pub since: SystemTime,
}

/// The dispatcher's part of it.
#[derive(Debug)]
pub(crate) struct EngineHealth {
    pub(crate) running: u64,
    pub(crate) ready: u64,
    pub(crate) no_handler: BTreeMap<String, u64>,
    pub(crate) zombies: Vec<(WorkId, String)>,
    pub(crate) suspects: u64,
    pub(crate) alone: Option<WorkId>,
    pub(crate) sources: Vec<SilentSource>,
    pub(crate) trouble: Option<String>,
}
