//! What the dispatcher says of itself: why a piece of work does not run, and how the engine is.
//!
//! Invariant: it reads and changes nothing.

use pushe_tasks_store::{Attempt, Blocked, WorkState, WorkView};

use super::dispatcher::Dispatcher;
use crate::clock::MonoTime;
use crate::explain::{Obstacle, Standing};
use crate::health::EngineHealth;
use crate::info::when;

impl Dispatcher {
    /// Where a piece of work stands, and all that keeps it from running now.
    pub(super) fn explain(&self, view: &WorkView) -> Standing {
        let record = &view.record;
        let attempt = Attempt { work: record.id, claim: record.claim };
        let running = (record.state == WorkState::Running).then(|| {
            let claimed_at = self.live.get(attempt).map(|live| live.claimed_at);
            (record.attempt(), when(claimed_at.or(record.claimed_at).unwrap_or_default()))
        });
        let mut obstacles = Vec::new();
        match record.state {
            WorkState::Enqueued => self.explain_enqueued(view, &mut obstacles),
            WorkState::Blocked => obstacles.push(match record.blocked {
                Some(Blocked::Body) => Obstacle::EarlierBody,
                _ => Obstacle::EarlierWork,
            }),
            _ => {}
        }
        Standing { state: record.state, running, obstacles }
    }

    fn explain_enqueued(&self, view: &WorkView, obstacles: &mut Vec<Obstacle>) {
        let (record, shared) = (&view.record, &self.shared);
        if record.due > shared.clock.wall() {
            obstacles.push(Obstacle::Time { until: when(record.due) });
        }
        let now = shared.clock.mono();
        let Some(task) = shared.registry.find(&view.lane.task) else {
            obstacles.push(Obstacle::NoHandler { task: view.lane.task.clone() });
            return;
        };
        let conditions = self.lanes.get(record.lane).map_or(&[][..], |lane| &lane.conditions);
        for unmet in self.conditions.unmet(conditions, now) {
            let since = self.moment(unmet.since, now);
            obstacles.push(Obstacle::Constraint {
                kind: unmet.kind,
                constraint: unmet.constraint,
                why: unmet.why,
                reading: unmet.reading,
                since,
            });
        }
        let task = &self.tasks[task];
        if task.is_full() {
            let (task, limit) = (task.entry.name().to_owned(), task.limit());
            obstacles.push(Obstacle::Concurrency { task, limit });
        } else if self.running >= self.max_running {
            obstacles.push(Obstacle::MaxRunning { limit: self.max_running });
        }
        if self.live.zombies().any(|(attempt, _)| attempt.work == record.id) {
            obstacles.push(Obstacle::OwnBody);
        }
        if record.is_suspect() && self.live.iter().next().is_some() {
            let (crashes, bodies) = (record.interruptions, self.live.iter().count());
            obstacles.push(Obstacle::Alone { crashes, bodies });
        } else if let Some(held) = self.isolation.holds_others().filter(|held| held.work != record.id) {
            let wall = shared.clock.wall().plus(held.until.since(now));
            obstacles.push(Obstacle::Suspect { work: held.work, until: when(wall) });
        }
        if let Some(trouble) = &self.trouble {
            obstacles.push(Obstacle::Store { why: trouble.error.to_string() });
        }
        if self.stopping.is_some() {
            obstacles.push(Obstacle::Shutdown);
        }
    }

    /// A moment of the monotonic clock as the wall clock would have shown it.
    fn moment(&self, at: MonoTime, now: MonoTime) -> std::time::SystemTime {
        when(self.shared.clock.wall().minus(now.since(at)))
    }

    pub(super) fn health(&self) -> EngineHealth {
        let ready =
            self.lanes.iter().filter(|(_, lane)| lane.task.is_some()).map(|(_, lane)| lane.ready).sum();
        let zombies = self
            .live
            .zombies()
            .map(|(attempt, live)| (attempt.work, self.tasks[live.task].entry.name().to_owned()));
        EngineHealth {
            running: self.running,
            ready,
            no_handler: self.lanes.without_handler(),
            zombies: zombies.collect(),
            suspects: self.suspects,
            alone: self.isolation.alone(),
            blocked_since: self
                .watchdog
                .blocked_since()
                .map(|since| self.moment(since, self.shared.clock.mono())),
            trouble: self.trouble.as_ref().map(|trouble| trouble.error.to_string()),
        }
    }
}
