//! From a claim to its body: what is looked at once more before user code runs.
//!
//! Invariant: every claim that the dispatcher is told of either begins its body or ends, and holds a permit until it has ended.

use std::sync::Arc;
use std::time::Duration;

use pushe_tasks_store::{Attempt, Body, Claimed, Reason, Settlement};
use tracing::Instrument as _;
use tracing::field::Empty;

use super::attempt;
use super::dispatcher::Dispatcher;
use super::live::{Live, Phase};
use super::message::{Ended, Event};
use super::meter;
use super::period::Run;
use super::second_look::SecondLook;
use super::signal::StopSignal;
use crate::clock::MonoTime;
use crate::context::{Given, Reports, TaskContext};
use crate::scheduler::TaskScheduler;
use crate::telemetry::{self, TARGET, field, span};

impl Dispatcher {
    /// Takes an attempt over whose claim is durable.
    pub(super) fn start(&mut self, claim: Claimed) {
        let (attempt, now) = (claim.attempt(), self.shared.clock.mono());
        self.seen += 1;
        if claim.record.alone {
            tracing::warn!(work = %attempt.work, crashes = claim.record.interruptions, "a suspect runs alone");
            self.isolation.began(attempt, claim.record.interruptions, now);
        }
        let Some(lane) = self.lanes.get_mut(claim.record.lane) else { return };
        let Some(task) = lane.task else { return };
        // A lane that becomes busy by the claim itself has no monitor: its gates know only what an earlier one had read.
        self.lanes_changed |= !lane.is_busy();
        lane.running += 1;
        self.running += 1;
        self.tasks[task].take_permit();
        let conditions = lane.conditions.clone();

        let signal = Arc::new(StopSignal::default());
        let claimed_at = claim.record.claimed_at.unwrap_or_default();
        let (options, retries) = (claim.spec.options.clone(), claim.record.retries);
        let run = Run::of(&claim);
        let mut live = Live::new(task, claim.record.lane, Arc::clone(&signal), options, retries, claimed_at);
        (live.returned, live.began) = (claim.record.returned, now);
        meter::started(self.tasks[task].entry.name(), claimed_at.since(claim.record.due));
        meter::running(self.running);
        let unreadable = run.map(|run| live.run = run).err();
        let (left_out, lapsed, missed) =
            live.run.as_ref().map_or((false, false, 0), |run| (!run.turn.runs, run.lapsed, run.turn.missed));
        self.live.insert(attempt, live);
        if let Some(problem) = unreadable {
            return self.ended(attempt, Ended::BadPayload(problem));
        }

        // The claim was made on a credit that may have been withdrawn since: then no body begins.
        if self.stopping.is_some() {
            signal.ask(Reason::Shutdown);
            return self.never_begin(attempt);
        }
        if !self.conditions.all_open(&conditions, now) {
            signal.ask(Reason::ConstraintLost);
            return self.never_begin(attempt);
        }
        if lapsed && let Some(until) = self.watch.holds_until() {
            return self.wait_for_the_clock(attempt, until.since(now));
        }
        if left_out || lapsed {
            return self.leave_out(attempt);
        }
        if missed > 0 {
            tracing::info!(work = %attempt.work, missed, "slots were missed before this run");
        }
        match self.conditions.look_again(&conditions) {
            None => self.begin(attempt, task, claim, signal),
            Some(looks) => {
                self.checking.insert(attempt, claim);
                let events = Arc::clone(&self.shared.events);
                tokio::spawn(async move { events.send(Event::LookedAgain(attempt, looks.await)) });
            }
        }
    }

    /// Begins an attempt if what it needs still holds, or gives it back.
    pub(super) fn looked_again(&mut self, attempt: Attempt, looks: Vec<SecondLook>) {
        let now = self.shared.clock.mono();
        self.lanes_changed |= !looks.is_empty();
        let mut known = true;
        for look in looks {
            known &= self.conditions.confirm(look, now);
        }
        let Some(claim) = self.checking.remove(&attempt) else { return };
        let Some(live) = self.live.get(attempt) else { return };
        let (task, signal) = (live.task, Arc::clone(&live.signal));
        let needed = self.lanes.get(live.lane).map_or(&[][..], |lane| &lane.conditions);
        if known && live.phase == Phase::Running && self.conditions.all_open(needed, now) {
            self.begin(attempt, task, claim, signal);
        } else {
            signal.ask(Reason::ConstraintLost);
            self.never_begin(attempt);
        }
    }

    fn begin(&mut self, attempt: Attempt, task: usize, claim: Claimed, signal: Arc<StopSignal>) {
        let entry = self.tasks[task].entry;
        let shared = &self.shared;
        let scheduler = TaskScheduler::of(shared);
        let span = tracing::info_span!(
            target: TARGET,
            parent: None,
            span::ATTEMPT,
            { field::WORK } = %attempt.work,
            { field::TASK } = entry.name(),
            { field::ATTEMPT } = claim.record.attempt(),
            { field::CLAIM } = attempt.claim,
            { field::OUTCOME } = Empty,
            { field::STOP } = Empty,
        );
        let context = TaskContext::new(
            attempt,
            Given {
                number: claim.record.attempt(),
                progress: claim.record.progress,
                turn: self.live.get(attempt).and_then(|live| live.run.as_ref()).map(|run| run.turn),
            },
            Arc::clone(&shared.states),
            Arc::clone(&signal),
            Reports { writer: Arc::clone(&shared.requests), room: Arc::clone(&shared.side_room) },
            scheduler.clone(),
        );
        let output_limit = shared.limits.output;
        let envelope = claim.spec.envelope;
        let body = move || entry.body(envelope, context, output_limit);
        let tells_start = claim.spec.options.timeout.is_some();
        let clock = Arc::clone(&shared.clock);
        let running = attempt::run(attempt, body, signal, clock, Arc::clone(&shared.events), tells_start);
        let running = crate::scheduler::within(scheduler, running).instrument(span.clone());
        self.live.set_span(attempt, span);
        self.executor.run(entry.runs_on(), Box::pin(running));
    }

    /// The body was polled for the first time: from here its timeout counts.
    pub(super) fn started(&mut self, attempt: Attempt, at: MonoTime) {
        let timeout = self.live.get(attempt).filter(|live| live.phase == Phase::Running);
        if let Some(timeout) = timeout.and_then(|live| live.options.timeout) {
            self.live.enter(attempt, Phase::Running, Some(at.plus(timeout)));
        }
    }

    /// Gives back an attempt whose body does not begin.
    fn never_begin(&mut self, attempt: Attempt) {
        let Some(live) = self.live.remove(attempt) else { return };
        self.isolation.ended(attempt);
        self.free(&live);
        let settlement = self.judge(&live, Ended::Dropped);
        self.settle(attempt, settlement, Body::NeverBegan);
    }

    /// The slot that was claimed has expired, if the clock is right: that shows in a while (S8.2).
    fn wait_for_the_clock(&mut self, attempt: Attempt, after: Duration) {
        let Some(live) = self.live.remove(attempt) else { return };
        self.isolation.ended(attempt);
        self.free(&live);
        self.settle(attempt, Settlement::Snooze { after }, Body::NeverBegan);
    }

    /// The slot that was claimed had been missed, and its work does not make up for it; or it has expired.
    fn leave_out(&mut self, attempt: Attempt) {
        let Some(live) = self.live.remove(attempt) else { return };
        self.isolation.ended(attempt);
        self.free(&live);
        let name = self.tasks[live.task].entry.name();
        meter::ended(name, telemetry::LEFT_OUT, self.shared.clock.mono().since(live.began));
        if let Some(run) = &live.run {
            let (missed, expired) = (run.turn.missed, run.lapsed);
            tracing::info!(work = %attempt.work, missed, expired, "slots are left out");
            self.settle(attempt, run.left_out(self.shared.clock.wall()), Body::Ended);
        }
    }
}
