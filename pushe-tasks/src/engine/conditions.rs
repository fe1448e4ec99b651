//! The constraints that lanes need: their readings, their gates, and the monitors that keep them fed.
//!
//! Invariant: a monitor runs while some busy lane needs its source, and for a while after; with nothing waiting there is
//! none, and so no wake-up.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use pushe_tasks_store::StoredConstraint;
use tokio::task::AbortHandle;

use super::lanes::Lanes;
use super::mailbox::Mailbox;
use super::message::Event;
use super::monitors::{Monitor, Monitors};
use crate::clock::{Clock, MonoTime, WallTime};
use crate::constraint::erased::{ErasedConstraint, ErasedReading, SourceKey};
use crate::constraint::gate::{Gate, GateState};
use crate::constraint::kinds::ConstraintKinds;

/// So long a monitor goes on when nothing needs it any more: work that comes in bursts finds it running.
const LINGER: Duration = Duration::from_secs(30);

/// One stored constraint that some lane needs.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) constraint: Arc<dyn ErasedConstraint>,
    gate: Gate,
    /// When it must be judged again although its source says nothing.
    recheck: Option<WallTime>,
}

/// All conditions of one engine.
pub(super) struct Conditions {
    pub(super) kinds: Arc<ConstraintKinds>,
    pub(super) clock: Arc<dyn Clock>,
    events: Arc<Mailbox<Event>>,
    pub(super) list: Vec<Condition>,
    /// Where in the list each stored constraint is; only ever looked up.
    indices: HashMap<StoredConstraint, usize>,
    pub(super) monitors: Monitors,
    /// Counts what monitors say, and their beginnings.
    heard: u64,
}

/// A condition that keeps work from starting.
#[derive(Clone, Debug)]
pub(super) struct Unmet {
    pub(super) kind: String,
    pub(super) constraint: String,
    pub(super) why: String,
    pub(super) reading: Option<String>,
    pub(super) since: MonoTime,
    /// When the passing of time alone may change it.
    pub(super) until: Option<WallTime>,
    /// Whether its source is watched now; one without a source needs no watch.
    pub(super) is_watched: bool,
}

impl Conditions {
    pub(super) fn new(
        kinds: Arc<ConstraintKinds>,
        clock: Arc<dyn Clock>,
        events: Arc<Mailbox<Event>>,
    ) -> Self {
        Self {
            kinds,
            clock,
            events,
            list: Vec::new(),
            indices: HashMap::new(),
            monitors: Monitors::default(),
            heard: 0,
        }
    }

    /// The index of a stored constraint, which is added where it is new.
    pub(super) fn index(&mut self, stored: &StoredConstraint) -> usize {
        if let Some(index) = self.indices.get(stored) {
            return *index;
        }
        let constraint = self.kinds.constraint(&stored.kind, &stored.value);
        let mut gate = Gate::new(self.kinds.damping(&*constraint), self.clock.mono());
        let mut recheck = None;
        if constraint.source().is_none() {
            // No reading can change what it says, so it says it now.
            let verdict =
                constraint.check(&ErasedReading::Unknown("it has no source".into()), self.clock.wall());
            recheck = verdict.recheck_at();
            gate.observe(&verdict, self.clock.mono());
        }
        let index = self.list.len();
        self.indices.insert(stored.clone(), index);
        self.list.push(Condition { constraint, gate, recheck });
        // A monitor that runs for others already will not say again what it has said.
        self.judge_from(index, |_| true);
        index
    }

    /// Takes what a monitor says; stale readings of monitors that were stopped are passed over.
    pub(super) fn observe(&mut self, key: &SourceKey, reading: ErasedReading) {
        let heard = self.next_heard();
        let Some(monitor) = self.monitors.get_mut(key) else { return };
        monitor.heard = heard;
        self.take(key, reading);
    }

    /// Lets a reading count from now on.
    pub(super) fn take(&mut self, key: &SourceKey, reading: ErasedReading) {
        let now = self.clock.mono();
        let Some(monitor) = self.monitors.get_mut(key) else { return };
        monitor.without = match &reading {
            ErasedReading::Known(_) => None,
            _ => monitor.without.or(Some(now)),
        };
        monitor.last = Some(reading);
        self.judge(|condition| condition.constraint.source() == Some(key));
    }

    /// Judges again what asked to be judged by now; answers whether anything did.
    pub(super) fn pass(&mut self, now: WallTime) -> bool {
        let due = |condition: &Condition| condition.recheck.is_some_and(|at| at <= now);
        let any = self.list.iter().any(due);
        if any {
            self.judge(due);
        }
        any
    }

    /// Judges everything again: the clock shows an earlier time than the one that verdicts were given for.
    pub(super) fn clock_was_set_back(&mut self) {
        self.judge(|_| true);
    }

    fn judge(&mut self, which: impl Fn(&Condition) -> bool) {
        self.judge_from(0, which);
    }

    fn judge_from(&mut self, first: usize, which: impl Fn(&Condition) -> bool) {
        let (wall, mono) = (self.clock.wall(), self.clock.mono());
        for condition in self.list[first..].iter_mut().filter(|condition| which(condition)) {
            let Some(key) = condition.constraint.source() else { continue };
            condition.recheck = None;
            let Some(reading) = self.monitors.get(key).and_then(|monitor| monitor.last.as_ref()) else {
                continue;
            };
            let verdict = condition.constraint.check(reading, wall);
            condition.recheck = verdict.recheck_at();
            #[cfg(pushe_planted)]
            if pushe_tasks_store::planted::is(pushe_tasks_store::planted::Bug::ConstraintOnce)
                && condition.gate.is_open(mono)
            {
                continue;
            }
            condition.gate.observe(&verdict, mono);
        }
    }

    pub(super) fn all_open(&self, needed: &[usize], now: MonoTime) -> bool {
        needed.iter().all(|index| self.list[*index].gate.is_open(now))
    }

    /// Whether one of them has been lost for so long that running work must stop.
    pub(super) fn stop_due(&self, needed: &[usize], now: MonoTime) -> bool {
        needed.iter().any(|index| self.list[*index].gate.stop_due(now))
    }

    /// Those that keep work from starting.
    pub(super) fn unmet(&self, needed: &[usize], now: MonoTime) -> Vec<Unmet> {
        let unmet = |index: &usize| {
            let condition = &self.list[*index];
            match condition.gate.state(now) {
                GateState::Open => None,
                GateState::Closed { why, since } => {
                    let kind = condition.constraint.kind().to_owned();
                    let constraint = condition.constraint.describe().into_owned();
                    let reading = self.reading(condition);
                    let wall = self.clock.wall();
                    let opens = condition.gate.opens_at(now).map(|at| wall.plus(at.since(now)));
                    let until = opens.or(condition.recheck);
                    let source = condition.constraint.source();
                    let is_watched = source.is_none_or(|key| self.monitors.get(key).is_some());
                    let why = why.to_owned();
                    Some(Unmet { kind, constraint, why, reading, since, until, is_watched })
                }
            }
        };
        needed.iter().filter_map(unmet).collect()
    }

    /// What the source of a condition said last, for people.
    fn reading(&self, condition: &Condition) -> Option<String> {
        let monitor = condition.constraint.source().and_then(|key| self.monitors.get(key))?;
        Some(match monitor.last.as_ref()? {
            ErasedReading::Known(state) => format!("{state:?}"),
            ErasedReading::Unknown(why) => format!("unknown: {why}"),
            ErasedReading::Lost(why) => format!("lost: {why}"),
        })
    }

    /// The sources that are watched and have no state to tell, by name, with the reason and since when.
    pub(super) fn without_reading(&self) -> impl Iterator<Item = (String, String, MonoTime)> {
        self.monitors.iter().filter_map(|(key, monitor)| match monitor.last.as_ref()? {
            ErasedReading::Known(_) => None,
            ErasedReading::Unknown(why) | ErasedReading::Lost(why) => {
                Some((format!("{key:?}"), why.to_string(), monitor.without?))
            }
        })
    }

    /// Whether one of these was ever unmet: what opens then releases work that has waited for it.
    pub(super) fn have_held(&self, needed: &[usize]) -> bool {
        needed.iter().any(|index| self.list[*index].gate.has_held())
    }

    /// The store was refused room, which the source of storage cannot know by itself.
    pub(super) fn store_is_full(&self) {
        self.kinds.store_is_full(self.clock.mono());
    }

    /// Starts monitors that busy lanes need, and stops those that nothing has needed for a while.
    pub(super) fn attend(&mut self, lanes: &Lanes, now: MonoTime) {
        let busy = lanes.iter().filter(|(_, lane)| lane.is_busy()).flat_map(|(_, lane)| &lane.conditions);
        let mut needed: Vec<_> = busy.copied().collect();
        needed.sort_unstable();
        needed.dedup();
        let needed: Vec<_> =
            needed.into_iter().filter_map(|index| self.list[index].constraint.source().cloned()).collect();
        let wanted: HashSet<_> = needed.iter().collect();
        for key in &needed {
            if let Some(monitor) = self.monitors.get_mut(key) {
                monitor.idle_since = None;
            } else {
                self.start(key.clone(), now);
            }
        }
        self.monitors.retain(|key, monitor| {
            wanted.contains(key) || now.since(*monitor.idle_since.get_or_insert(now)) < LINGER
        });
    }

    fn next_heard(&mut self) -> u64 {
        self.heard += 1;
        self.heard
    }

    fn start(&mut self, key: SourceKey, now: MonoTime) {
        // What the gates knew came from an earlier monitor; the first reading of this one acts at once again.
        for condition in &mut self.list {
            if condition.constraint.source() == Some(&key) {
                condition.gate = Gate::new(self.kinds.damping(&*condition.constraint), now);
            }
        }
        let Some(task) = self.watch(&key, now, None) else { return };
        let heard = self.next_heard();
        let monitor =
            Monitor { task, before: None, last: None, without: None, heard, doubted: None, idle_since: None };
        self.monitors.insert(key, monitor);
    }

    /// Begins to watch a source at that moment, in the place of an earlier watch; `None` where there is no such source.
    fn watch(&self, key: &SourceKey, from: MonoTime, before: Option<AbortHandle>) -> Option<AbortHandle> {
        let events = Arc::clone(&self.events);
        let report = Box::new(move |key, reading| {
            let _ = events.send(Event::Reading(key, reading));
        });
        let watch = self.kinds.source(key)?.monitor(key.clone(), Arc::clone(&self.clock), report);
        let clock = Arc::clone(&self.clock);
        let late = async move {
            if clock.mono() < from {
                clock.sleep_until(from).await;
            }
            before.iter().for_each(AbortHandle::abort);
            watch.await;
        };
        Some(tokio::spawn(late).abort_handle())
    }

    /// Begins a watch anew at that moment, which speaks once it has looked, whatever was said before.
    pub(super) fn watch_anew(&mut self, key: &SourceKey, from: MonoTime) {
        let Some(before) = self.monitors.get(key).map(|monitor| monitor.task.clone()) else { return };
        let Some(task) = self.watch(key, from, Some(before.clone())) else { return };
        if let Some(monitor) = self.monitors.get_mut(key) {
            (monitor.task, monitor.before, monitor.doubted) = (task, Some(before), Some(from));
        }
    }

    /// When something here changes by the passing of time alone.
    pub(super) fn next_change(&self, now: MonoTime) -> Option<MonoTime> {
        let gates = self.list.iter().filter_map(|condition| condition.gate.next_change(now));
        let idle = self.monitors.iter().filter_map(|(_, monitor)| monitor.idle_since);
        let lingering = idle.map(|since| since.plus(LINGER));
        gates.chain(lingering).min()
    }

    /// When something here has asked to be judged again.
    pub(super) fn next_recheck(&self) -> Option<WallTime> {
        self.list.iter().filter_map(|condition| condition.recheck).min()
    }
}
