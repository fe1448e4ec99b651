//! What a store of tables keeps in memory only: lanes, counts of ready pieces, living bodies and counters.
//!
//! Invariant: whatever has not been kept can be taken back. Every change stands in a log until the commit is known to be
//! durable (`keep`) or not (`discard`), so that memory never runs ahead of the tables, even when a panic came between.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::id::{Attempt, LaneId, WorkId};
use crate::pause::Paused;
use crate::time::WallTime;
use crate::verbs::Lane;

/// Numbers that only grow; they are stored once per transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// The number of the newest commit.
    pub(crate) commit: u64,
    /// The newest store sequence number.
    pub(crate) sequence: u64,
    /// The newest lane.
    pub(crate) lane: u32,
    /// The latest moment that a verb was told.
    pub(crate) clock: WallTime,
}

/// The bodies that live in this process: from the claim of their attempt until the store is told of their end.
///
/// They outlive a store that is opened anew in the same process, and are handed from the old one to the new.
#[derive(Debug, Default)]
pub(crate) struct Living {
    bodies: HashMap<WorkId, LivingBody>,
    /// How many of them bear a task id with this hash.
    ids: HashMap<u64, usize>,
    /// The suspect beside which nothing has been started.
    alone: Option<Attempt>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LivingBody {
    claim: u64,
    id_hash: Option<u64>,
}

impl Living {
    /// Whether the body of this very attempt lives.
    pub(crate) fn has(&self, attempt: Attempt) -> bool {
        self.bodies.get(&attempt.work).is_some_and(|body| body.claim == attempt.claim)
    }

    /// Whether any body of this piece lives.
    pub(crate) fn has_work(&self, work: WorkId) -> bool {
        self.bodies.contains_key(&work)
    }

    /// Whether no body lives.
    pub(crate) fn is_empty(&self) -> bool {
        self.bodies.is_empty()
    }

    /// The suspect whose body lives alone.
    pub(crate) fn alone(&self) -> Option<Attempt> {
        self.alone
    }

    /// Whether any body under a task id with this hash lives.
    pub(crate) fn has_id(&self, hash: u64) -> bool {
        self.ids.contains_key(&hash)
    }

    fn insert(&mut self, work: WorkId, body: LivingBody) {
        if let Some(hash) = body.id_hash {
            *self.ids.entry(hash).or_default() += 1;
        }
        self.bodies.insert(work, body);
    }

    fn remove(&mut self, work: WorkId) -> Option<LivingBody> {
        let body = self.bodies.remove(&work)?;
        if let Some(hash) = body.id_hash
            && let Some(count) = self.ids.get_mut(&hash)
        {
            *count -= 1;
            if *count == 0 {
                self.ids.remove(&hash);
            }
        }
        Some(body)
    }
}

/// One lane as it is kept in memory.
#[derive(Debug)]
pub(crate) struct LaneState {
    pub(crate) lane: Arc<Lane>,
    pub(crate) ready: u64,
}

/// A change that can be taken back.
#[derive(Debug)]
enum Undo {
    BodyBegan(WorkId),
    BodyEnded(WorkId, LivingBody),
    LaneMade(LaneId),
    ReadyMore(LaneId, bool),
    ReadyLess(LaneId, bool),
    Alone(Option<Attempt>),
    Rescued(bool),
    Paused(Box<Paused>),
}

/// How far a log had come, so that it can be taken back to there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    log: usize,
    counters: Counters,
}

/// The state itself.
#[derive(Debug, Default)]
pub(crate) struct Volatile {
    lanes: BTreeMap<LaneId, LaneState>,
    lane_ids: HashMap<Arc<Lane>, LaneId>,
    living: Living,
    /// Ready pieces that run alone.
    suspects: u64,
    /// Whether this process has taken over the store: orphans found later are not the work of a crash.
    rescued: bool,
    /// What may not start, as the table has it.
    paused: Paused,
    pub(crate) counters: Counters,
    /// No stored piece has a greater id; it is not taken back, since it is a bound and no count.
    newest: Option<WorkId>,
    log: Vec<Undo>,
    /// The counters as they were when the log was last empty.
    kept: Counters,
}

impl Volatile {
    /// The state of a store that has just been opened; `living` is that of the same store before, in this process.
    pub(crate) fn new(counters: Counters, living: Option<Living>) -> Self {
        let rescued = living.is_some();
        Self { living: living.unwrap_or_default(), rescued, counters, kept: counters, ..Self::default() }
    }

    /// Takes in a lane that was stored earlier.
    pub(crate) fn load_lane(&mut self, id: LaneId, lane: Arc<Lane>) {
        self.lane_ids.insert(Arc::clone(&lane), id);
        self.lanes.insert(id, LaneState { lane, ready: 0 });
        self.counters.lane = self.counters.lane.max(id.0);
        self.kept.lane = self.kept.lane.max(id.0);
    }

    /// Takes in a lane whose row is lost: its pieces are kept under a name that no task bears.
    pub(crate) fn load_lost_lane(&mut self, id: LaneId) {
        let lane = Arc::new(Lane::of(&format!("(lane {} is damaged)", id.0)));
        self.lanes.insert(id, LaneState { lane, ready: 0 });
        self.counters.lane = self.counters.lane.max(id.0);
        self.kept.lane = self.kept.lane.max(id.0);
    }

    /// Takes in the switches as they were stored.
    pub(crate) fn load_paused(&mut self, paused: Paused) {
        self.paused = paused;
    }

    /// Takes in a piece that was ready when the store was opened.
    pub(crate) fn load_ready(&mut self, id: LaneId, suspect: bool) {
        self.suspects += u64::from(suspect);
        if !self.lanes.contains_key(&id) {
            self.load_lost_lane(id);
        }
        if let Some(state) = self.lanes.get_mut(&id) {
            state.ready += 1;
        }
    }

    /// Gives the living bodies to the store that is opened in the place of this one.
    pub(crate) fn into_living(mut self) -> Living {
        self.discard();
        self.living
    }

    /// Takes over what lives in this process from the store that this one was opened in the place of.
    #[cfg(feature = "redb")]
    pub(crate) fn inherit(&mut self, before: Self) {
        self.rescued = before.rescued;
        self.living = before.into_living();
    }

    pub(crate) fn living(&self) -> &Living {
        &self.living
    }

    pub(crate) const fn rescued(&self) -> bool {
        self.rescued
    }

    pub(crate) fn set_rescued(&mut self) {
        self.log.push(Undo::Rescued(self.rescued));
        self.rescued = true;
    }

    /// Whether a piece with this id may be stored already.
    pub(crate) fn may_be_stored(&self, work: WorkId) -> bool {
        self.newest.is_some_and(|newest| work <= newest)
    }

    /// Notes that a piece with this id is stored.
    pub(crate) fn note_stored(&mut self, work: WorkId) {
        self.newest = self.newest.max(Some(work));
    }

    /// Notes the present moment: a process that finds an earlier one knows that the clock was set back.
    pub(crate) fn saw(&mut self, now: WallTime) {
        self.counters.clock = self.counters.clock.max(now);
    }

    /// The next store sequence number.
    pub(crate) fn next_sequence(&mut self) -> u64 {
        self.counters.sequence += 1;
        self.counters.sequence
    }

    pub(crate) fn lanes(&self) -> &BTreeMap<LaneId, LaneState> {
        &self.lanes
    }

    pub(crate) fn lane_id(&self, lane: &Lane) -> Option<LaneId> {
        self.lane_ids.get(lane).copied()
    }

    /// What the pieces of a lane share; a placeholder for a lane that is lost.
    pub(crate) fn lane(&self, id: LaneId) -> Arc<Lane> {
        self.lanes.get(&id).map_or_else(
            || Arc::new(Lane::of(&format!("(lane {} is missing)", id.0))),
            |state| Arc::clone(&state.lane),
        )
    }

    /// Makes a lane; the caller stores it.
    pub(crate) fn make_lane(&mut self, lane: &Arc<Lane>) -> LaneId {
        self.counters.lane += 1;
        let id = LaneId(self.counters.lane);
        self.lanes.insert(id, LaneState { lane: Arc::clone(lane), ready: 0 });
        self.lane_ids.insert(Arc::clone(lane), id);
        self.log.push(Undo::LaneMade(id));
        id
    }

    pub(crate) fn ready_more(&mut self, lane: LaneId, suspect: bool) {
        if !self.lanes.contains_key(&lane) {
            self.load_lost_lane(lane);
        }
        if let Some(state) = self.lanes.get_mut(&lane) {
            state.ready += 1;
            self.suspects += u64::from(suspect);
            self.log.push(Undo::ReadyMore(lane, suspect));
        }
    }

    pub(crate) fn ready_less(&mut self, lane: LaneId, suspect: bool) {
        if let Some(state) = self.lanes.get_mut(&lane)
            && let Some(ready) = state.ready.checked_sub(1)
        {
            state.ready = ready;
            self.suspects = self.suspects.saturating_sub(u64::from(suspect));
            self.log.push(Undo::ReadyLess(lane, suspect));
        }
    }

    /// Notes that the body of an attempt lives; the body of an older attempt of the same piece gives way to it.
    pub(crate) fn body_began(&mut self, attempt: Attempt, id_hash: Option<u64>) {
        if let Some(old) = self.living.remove(attempt.work) {
            self.log.push(Undo::BodyEnded(attempt.work, old));
        }
        self.living.insert(attempt.work, LivingBody { claim: attempt.claim, id_hash });
        self.log.push(Undo::BodyBegan(attempt.work));
    }

    /// Notes that the body of an attempt has ended; answers the hash of the task id that it held.
    pub(crate) fn body_ended(&mut self, attempt: Attempt) -> Option<u64> {
        if !self.living.has(attempt) {
            return None;
        }
        let body = self.living.remove(attempt.work)?;
        if self.living.alone == Some(attempt) {
            self.set_alone(None);
        }
        self.log.push(Undo::BodyEnded(attempt.work, body));
        body.id_hash
    }

    /// Notes which suspect's body lives alone.
    pub(crate) fn set_alone(&mut self, suspect: Option<Attempt>) {
        self.log.push(Undo::Alone(self.living.alone));
        self.living.alone = suspect;
    }

    /// What may not start.
    pub(crate) const fn paused(&self) -> &Paused {
        &self.paused
    }

    /// Turns switches; the caller stores them.
    pub(crate) fn set_paused(&mut self, paused: Paused) {
        let before = std::mem::replace(&mut self.paused, paused);
        self.log.push(Undo::Paused(Box::new(before)));
    }

    /// Whether work of the lane may not start.
    pub(crate) fn is_paused(&self, lane: LaneId) -> bool {
        !self.paused.is_empty() && self.paused.holds(&self.lane(lane).task)
    }

    /// The switches, where they have been turned since the log was last empty.
    pub(crate) fn changed_paused(&self) -> Option<Paused> {
        let turned = self.log.iter().any(|undo| matches!(undo, Undo::Paused(_)));
        turned.then(|| self.paused.clone())
    }

    /// How many ready pieces run alone.
    pub(crate) const fn suspects(&self) -> u64 {
        self.suspects
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { log: self.log.len(), counters: self.counters }
    }

    /// Takes back what came after the mark.
    pub(crate) fn undo_to(&mut self, mark: Mark) {
        while self.log.len() > mark.log {
            match self.log.pop() {
                Some(Undo::BodyBegan(work)) => drop(self.living.remove(work)),
                Some(Undo::BodyEnded(work, body)) => self.living.insert(work, body),
                Some(Undo::LaneMade(id)) => {
                    if let Some(state) = self.lanes.remove(&id) {
                        self.lane_ids.remove(&state.lane);
                    }
                }
                Some(Undo::ReadyMore(id, suspect)) => {
                    self.suspects = self.suspects.saturating_sub(u64::from(suspect));
                    if let Some(state) = self.lanes.get_mut(&id) {
                        state.ready -= 1;
                    }
                }
                Some(Undo::ReadyLess(id, suspect)) => {
                    self.suspects += u64::from(suspect);
                    if let Some(state) = self.lanes.get_mut(&id) {
                        state.ready += 1;
                    }
                }
                Some(Undo::Alone(before)) => self.living.alone = before,
                Some(Undo::Rescued(before)) => self.rescued = before,
                Some(Undo::Paused(before)) => self.paused = *before,
                None => break,
            }
        }
        self.counters = mark.counters;
    }

    /// Takes back all that was not kept.
    pub(crate) fn discard(&mut self) {
        self.undo_to(Mark { log: 0, counters: self.kept });
    }

    /// Keeps all changes: their commit is durable.
    pub(crate) fn keep(&mut self) {
        self.log.clear();
        self.kept = self.counters;
    }

    /// The lanes made since the log was last empty, in order.
    pub(crate) fn new_lanes(&self) -> Vec<(LaneId, Arc<Lane>)> {
        let made = self.log.iter().filter_map(|undo| match undo {
            Undo::LaneMade(id) => Some(*id),
            _ => None,
        });
        made.map(|id| (id, self.lane(id))).collect()
    }

    /// The lanes whose number of ready pieces differs from what it was when the log was last empty.
    pub(crate) fn changed_ready(&self) -> Vec<(LaneId, u64)> {
        let mut moved = BTreeMap::<LaneId, i64>::new();
        for undo in &self.log {
            match undo {
                Undo::ReadyMore(id, _) => *moved.entry(*id).or_default() += 1,
                Undo::ReadyLess(id, _) => *moved.entry(*id).or_default() -= 1,
                _ => {}
            }
        }
        moved.retain(|_, change| *change != 0);
        moved.into_keys().map(|id| (id, self.lanes.get(&id).map_or(0, |state| state.ready))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_taken_back() {
        let attempt = |work, claim| Attempt { work: WorkId::from_bytes([work; 16]), claim };
        let mut volatile = Volatile::new(Counters::default(), None);
        let lane = volatile.make_lane(&Arc::new(Lane::of("a")));
        volatile.ready_more(lane, false);
        volatile.body_began(attempt(1, 1), Some(7));
        volatile.keep();

        volatile.ready_less(lane, false);
        volatile.next_sequence();
        volatile.make_lane(&Arc::new(Lane::of("b")));
        assert_eq!(volatile.body_ended(attempt(1, 2)), None, "another attempt than the living one");
        assert_eq!(volatile.body_ended(attempt(1, 1)), Some(7));
        assert!(!volatile.living().has_id(7));
        volatile.body_began(attempt(2, 1), Some(7));
        assert_eq!(volatile.changed_ready(), [(lane, 0)]);
        volatile.discard();

        assert_eq!(volatile.lanes()[&lane].ready, 1);
        assert_eq!(volatile.lane_id(&Lane::of("b")), None);
        assert_eq!(volatile.counters, Counters { lane: 1, ..Counters::default() });
        assert!(volatile.living().has(attempt(1, 1)) && volatile.living().has_id(7));
        assert!(!volatile.living().has_work(attempt(2, 1).work));
    }
}
