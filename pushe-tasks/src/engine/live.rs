//! The attempts whose bodies live, and the moments at which the dispatcher has to act on them.
//!
//! Invariant: each attempt has at most one moment, and it is in the set exactly while the attempt has one; so the first
//! of the set is the next thing to do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use pushe_tasks_store::{Attempt, LaneId, StoredOptions};

use super::period::Run;
use super::signal::StopSignal;
use crate::clock::{MonoTime, WallTime};

/// One attempt whose body lives.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) task: usize,
    pub(super) lane: LaneId,
    pub(super) signal: Arc<StopSignal>,
    pub(super) options: StoredOptions,
    /// Attempts of the work that ended in retry before this one.
    pub(super) retries: u32,
    /// Attempts of it in a row that were given back before this one.
    pub(super) returned: u32,
    pub(super) claimed_at: WallTime,
    pub(super) phase: Phase,
    /// The run that it makes, of periodic work.
    pub(super) run: Option<Run>,
    /// When the dispatcher was told of its claim.
    pub(super) began: MonoTime,
    /// Its span, from the beginning of its body.
    pub(super) span: tracing::Span,
    /// When its body was given up as one that nobody can stop.
    pub(super) given_up: Option<MonoTime>,
    due: Option<MonoTime>,
}

/// How far an attempt is on its way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Goes on; its moment is its timeout.
    Running,
    /// Was asked to stop; its moment is the end of its grace.
    Asked,
    /// Was told to drop its body; its moment is when that is given up.
    Dropping,
    /// Its body goes on though its work is settled: nobody can stop it.
    Zombie,
}

impl Live {
    pub(super) fn new(
        task: usize,
        lane: LaneId,
        signal: Arc<StopSignal>,
        options: StoredOptions,
        retries: u32,
        claimed_at: WallTime,
    ) -> Self {
        Self {
            task,
            lane,
            signal,
            options,
            retries,
            returned: 0,
            claimed_at,
            phase: Phase::Running,
            run: None,
            began: MonoTime::default(),
            span: tracing::Span::none(),
            given_up: None,
            due: None,
        }
    }
}

/// All attempts whose bodies live.
#[derive(Debug, Default)]
pub(super) struct LiveAttempts {
    /// In the order of their attempts, so that all are asked to stop in the same order whenever it comes to that.
    attempts: BTreeMap<Attempt, Live>,
    moments: BTreeSet<(MonoTime, Attempt)>,
}

impl LiveAttempts {
    pub(super) fn insert(&mut self, attempt: Attempt, live: Live) {
        self.attempts.insert(attempt, live);
    }

    pub(super) fn get(&self, attempt: Attempt) -> Option<&Live> {
        self.attempts.get(&attempt)
    }

    /// Its body begins within this span.
    pub(super) fn set_span(&mut self, attempt: Attempt, span: tracing::Span) {
        if let Some(live) = self.attempts.get_mut(&attempt) {
            live.span = span;
        }
    }

    pub(super) fn remove(&mut self, attempt: Attempt) -> Option<Live> {
        let live = self.attempts.remove(&attempt)?;
        if let Some(due) = live.due {
            self.moments.remove(&(due, attempt));
        }
        Some(live)
    }

    /// Moves an attempt to a phase, and its moment to `due`.
    pub(super) fn enter(&mut self, attempt: Attempt, phase: Phase, due: Option<MonoTime>) {
        let Some(live) = self.attempts.get_mut(&attempt) else { return };
        if let Some(old) = live.due {
            self.moments.remove(&(old, attempt));
        }
        live.phase = phase;
        live.due = due;
        self.moments.extend(due.map(|due| (due, attempt)));
    }

    /// Moves the moment of an attempt to `due`, where that is sooner.
    pub(super) fn hasten(&mut self, attempt: Attempt, due: MonoTime) {
        let Some(live) = self.attempts.get(&attempt) else { return };
        let phase = live.phase;
        if live.due.is_none_or(|old| due < old) {
            self.enter(attempt, phase, Some(due));
        }
    }

    /// Takes the first attempt whose moment has come.
    pub(super) fn next_due(&mut self, now: MonoTime) -> Option<Attempt> {
        let (due, attempt) = *self.moments.first()?;
        if due > now {
            return None;
        }
        self.moments.pop_first();
        if let Some(live) = self.attempts.get_mut(&attempt) {
            live.due = None;
        }
        Some(attempt)
    }

    /// The first moment.
    pub(super) fn next_moment(&self) -> Option<MonoTime> {
        self.moments.first().map(|(due, _)| *due)
    }

    /// The attempts that have not been asked to stop and satisfy `which`.
    pub(super) fn running(&self, which: impl Fn(&Live) -> bool) -> Vec<Attempt> {
        let running = |live: &Live| live.phase == Phase::Running && which(live);
        self.attempts.iter().filter(|(_, live)| running(live)).map(|(attempt, _)| *attempt).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Attempt, &Live)> {
        self.attempts.iter()
    }

    /// Bodies that nobody can stop.
    pub(super) fn zombies(&self) -> impl Iterator<Item = (&Attempt, &Live)> {
        self.attempts.iter().filter(|(_, live)| live.phase == Phase::Zombie)
    }
}

/// The time limits that the dispatcher holds bodies to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Graces {
    /// Between being asked to stop and being dropped.
    pub(super) stop: Duration,
    /// Between being told to drop a body and giving it up as a zombie: a body that spins does not hear it.
    pub(super) give_up: Duration,
}
