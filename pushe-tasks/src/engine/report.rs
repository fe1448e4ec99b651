//! What the dispatcher says of itself: why a piece of work does not run, and how the engine is.
//!
//! Invariant: it reads and changes nothing.

use std::time::SystemTime;

use pushe_tasks_store::{Attempt, Blocked, WallTime, WorkRecord, WorkState, WorkView};

use super::dispatcher::Dispatcher;
use crate::clock::MonoTime;
use crate::explain::{GIVEN_BACK, Obstacle, RunningAttempt, Standing, Warning};
use crate::health::{EngineHealth, SilentSource};
use crate::info::when;

impl Dispatcher {
    /// Where a piece of work stands, and all that keeps it from running now.
    pub(super) fn explain(&self, view: &WorkView) -> Standing {
        let record = &view.record;
        let mut obstacles = Vec::new();
        match record.state {
            WorkState::Enqueued => {
                self.explain_enqueued(view, &mut obstacles);
                self.explain_engine(&mut obstacles);
            }
            WorkState::Blocked => {
                let since = when(record.enqueued_at);
                obstacles.push(match (record.after, record.blocked) {
                    (Some(of), _) => Obstacle::Success { of, since },
                    (None, Some(Blocked::Body)) => Obstacle::EarlierBody { since },
                    _ => Obstacle::EarlierWork { since },
                });
                obstacles.extend(self.no_handler(view));
                self.explain_engine(&mut obstacles);
            }
            WorkState::Quarantined => obstacles.push(Obstacle::Quarantined {
                reason: record.reason,
                error: view.errors.last().map(|(_, text)| text.clone()),
                since: when(last_moved(record)),
            }),
            _ => {}
        }
        Standing {
            at: when(self.shared.clock.wall()),
            state: record.state,
            running: (record.state == WorkState::Running).then(|| self.running_attempt(record)),
            obstacles,
            warnings: warnings(record),
        }
    }

    fn running_attempt(&self, record: &WorkRecord) -> RunningAttempt {
        let live = self.live.get(Attempt { work: record.id, claim: record.claim });
        let since = live.map(|live| live.claimed_at).or(record.claimed_at).unwrap_or_default();
        let stopping = live.and_then(|live| live.signal.reason()).map(Into::into);
        RunningAttempt { number: record.attempt(), since: when(since), stopping }
    }

    fn no_handler(&self, view: &WorkView) -> Option<Obstacle> {
        let task = &view.lane.task;
        let now = self.shared.clock.mono();
        self.shared
            .registry
            .find(task)
            .is_none()
            .then(|| Obstacle::NoHandler { task: task.clone(), since: self.moment(self.began, now) })
    }

    fn explain_enqueued(&self, view: &WorkView, obstacles: &mut Vec<Obstacle>) {
        let (record, shared) = (&view.record, &self.shared);
        let (wall, now) = (shared.clock.wall(), shared.clock.mono());
        let is_due = record.due <= wall;
        if !is_due {
            obstacles.push(Obstacle::Time { until: when(record.due), since: when(waits_since(record)) });
        }
        if let Some((alone, since)) = crate::pause::since(&self.paused, &view.lane.task) {
            let task = alone.then(|| view.lane.task.clone());
            obstacles.push(Obstacle::Paused { task, since: when(since) });
        }
        let Some(task) = shared.registry.find(&view.lane.task) else {
            return obstacles.extend(self.no_handler(view));
        };
        let conditions = self.lanes.get(record.lane).map_or(&[][..], |lane| &lane.conditions);
        for unmet in self.conditions.unmet(conditions, now) {
            // What nothing that is due needs is not watched, so nothing is known of it.
            if !is_due && !unmet.is_watched {
                continue;
            }
            let since = self.moment(unmet.since, now);
            obstacles.push(Obstacle::Constraint {
                kind: unmet.kind,
                constraint: unmet.constraint,
                why: unmet.why,
                reading: unmet.reading,
                since,
                until: unmet.until.map(when),
            });
        }
        let task = &self.tasks[task];
        if task.is_full() && task.entry.concurrency_limit().is_some() {
            obstacles.push(Obstacle::Concurrency {
                task: task.entry.name().to_owned(),
                limit: task.limit(),
                since: self.moment(task.contention.since().unwrap_or(now), now),
            });
        }
        if self.running >= self.max_running {
            let since = self.moment(self.crowd.since().unwrap_or(now), now);
            obstacles.push(Obstacle::MaxRunning { limit: self.max_running, since });
        }
        if is_due && let Some((from, until)) = task.spreads(now) {
            let until = when(wall.plus(until.since(now)));
            obstacles.push(Obstacle::Spread { until, since: self.moment(from, now) });
        }
        if let Some((_, zombie)) = self.live.zombies().find(|(attempt, _)| attempt.work == record.id) {
            let since = self.moment(zombie.given_up.unwrap_or(now), now);
            obstacles.push(Obstacle::OwnBody { since });
        }
        if record.is_suspect() && self.live.iter().next().is_some() {
            let (crashes, bodies) = (record.interruptions, self.live.iter().count());
            obstacles.push(Obstacle::Alone { crashes, bodies, since: self.moment(self.began, now) });
        } else if let Some(held) = self.isolation.holds_others().filter(|held| held.work != record.id) {
            let until = when(wall.plus(held.until.since(now)));
            obstacles.push(Obstacle::Suspect { work: held.work, until, since: self.moment(held.since, now) });
        }
    }

    /// What keeps all work from starting.
    fn explain_engine(&self, obstacles: &mut Vec<Obstacle>) {
        let now = self.shared.clock.mono();
        if let Some(trouble) = &self.trouble {
            let since = self.moment(trouble.since, now);
            obstacles.push(Obstacle::Store { why: trouble.error.to_string(), since });
        }
        if let Some(stopping) = &self.stopping {
            obstacles.push(Obstacle::Shutdown { since: self.moment(stopping.since(), now) });
        }
    }

    /// A moment of the monotonic clock as the wall clock would have shown it.
    fn moment(&self, at: MonoTime, now: MonoTime) -> SystemTime {
        when(self.shared.clock.wall().minus(now.since(at)))
    }

    fn silent_sources(&self) -> Vec<SilentSource> {
        let now = self.shared.clock.mono();
        let silent = self.conditions.without_reading();
        silent.map(|(name, why, since)| SilentSource { name, why, since: self.moment(since, now) }).collect()
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
            sources: self.silent_sources(),
            trouble: self.trouble.as_ref().map(|trouble| trouble.error.to_string()),
        }
    }
}

/// When it was last moved by the end of an attempt, or stored.
fn last_moved(record: &WorkRecord) -> WallTime {
    record.history.last().map_or(record.enqueued_at, |attempt| attempt.ended.max(record.enqueued_at))
}

/// Since when it waits for its time: a wait of a length began that long before its end.
fn waits_since(record: &WorkRecord) -> WallTime {
    if record.wait.is_zero() { last_moved(record) } else { record.due.minus(record.wait) }
}

fn warnings(record: &WorkRecord) -> Vec<Warning> {
    let unfinished = matches!(record.state, WorkState::Enqueued | WorkState::Blocked | WorkState::Running);
    if !unfinished || record.returned < GIVEN_BACK {
        return Vec::new();
    }
    vec![Warning::GivenBack { attempts: record.returned, reason: record.reason.map(Into::into) }]
}
