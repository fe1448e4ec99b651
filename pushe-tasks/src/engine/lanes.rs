//! The lanes that the store has told of, and which of them are open.
//!
//! Invariant: a lane is open while its task is registered and every constraint it needs has an open gate. A lane whose
//! task nobody registers is known and counted, and costs nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use pushe_tasks_store::{Lane, LaneId};

/// One lane as the dispatcher sees it.
#[derive(Debug)]
pub(super) struct LaneState {
    pub(super) lane: Arc<Lane>,
    /// Its task; `None` where nobody registers it.
    pub(super) task: Option<usize>,
    /// The conditions that its pieces need, as indexes into the dispatcher's gates.
    pub(super) conditions: Vec<usize>,
    /// Pieces that are ready in it.
    pub(super) ready: u64,
    /// Attempts that are under way in it.
    pub(super) running: u64,
    /// Whether its conditions held when they were last looked at.
    pub(super) open: bool,
}

impl LaneState {
    /// Whether anything in it could make use of its constraints' readings.
    pub(super) fn is_busy(&self) -> bool {
        self.task.is_some() && (self.ready > 0 || self.running > 0)
    }
}

/// All lanes.
#[derive(Debug, Default)]
pub(super) struct Lanes(BTreeMap<LaneId, LaneState>);

impl Lanes {
    pub(super) fn add(&mut self, id: LaneId, lane: Arc<Lane>, task: Option<usize>, conditions: Vec<usize>) {
        self.0.entry(id).or_insert(LaneState { lane, task, conditions, ready: 0, running: 0, open: false });
    }

    pub(super) fn get(&self, id: LaneId) -> Option<&LaneState> {
        self.0.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: LaneId) -> Option<&mut LaneState> {
        self.0.get_mut(&id)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut LaneState> {
        self.0.values_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LaneId, &LaneState)> {
        self.0.iter().map(|(id, lane)| (*id, lane))
    }

    /// Pieces that are ready in lanes of tasks that nobody registers, by task name.
    pub(super) fn without_handler(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for lane in self.0.values().filter(|lane| lane.task.is_none() && lane.ready > 0) {
            *counts.entry(lane.lane.task.clone()).or_default() += lane.ready;
        }
        counts
    }
}
