//! The owner of timers, lanes and permits: decides what may start and what has to stop.
//!
//! It is a step function: `step` takes what has arrived, does what is due, and says when it wants to be stepped again. A
//! thread drives it in production, one loop in tests.
//!
//! Invariant: it waits for nothing and blocks on nothing; what it decides leaves as one batch of requests, so that the
//! end of an attempt and the credit that it frees reach the writer together and share a commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pushe_tasks_store::{
    Attempt, Body, Changes, Claimed, LaneId, OnLost, Paused, Reason, Settle, Settlement,
};

use super::conditions::Conditions;
use super::contention::Contention;
use super::credit::{CreditUpdate, Turn};
use super::endings::Endings;
use super::executor::Executor;
use super::isolation::Isolation;
use super::lanes::Lanes;
use super::listeners::Listeners;
use super::live::{Graces, Live, LiveAttempts, Phase};
use super::message::{Ended, Event, Request, Write};
use super::meter;
use super::settlement::settlement;
use super::shared::Shared;
use super::shutdown::Stopping;
use super::spread::SPREAD;
use super::tasks::TaskState;
use super::trouble::Trouble;
use super::watch::ClockWatch;
use crate::clock::{MonoTime, WallTime};
use crate::constraint::kinds::ConstraintKinds;
use crate::event::LifecycleEvent;
use crate::random::unit;

/// At most this many records are pruned, or expire, in one transaction.
const PRUNE_BATCH: usize = 500;

/// The owner of timers, lanes and permits.
pub(crate) struct Dispatcher {
    pub(super) shared: Arc<Shared>,
    pub(super) executor: Arc<dyn Executor>,
    pub(super) tasks: Vec<TaskState>,
    pub(super) lanes: Lanes,
    pub(super) conditions: Conditions,
    pub(super) live: LiveAttempts,
    pub(super) graces: Graces,
    /// Bodies that hold a permit now, and the most that may.
    pub(super) running: u64,
    pub(super) max_running: u64,
    /// Since when there has been more work than places for bodies; written when credit is granted.
    pub(super) crowd: Contention,
    /// When it was made.
    pub(super) began: MonoTime,
    /// Claims that it has been told of.
    pub(super) seen: u64,
    /// When the first delayed piece falls due and the first finished record may be pruned; written by commits, cleared
    /// once the writer was told.
    next_due: Option<WallTime>,
    next_prune: Option<WallTime>,
    /// When the first piece that waits expires; written and cleared as those.
    next_expiry: Option<WallTime>,
    /// Claimed attempts whose constraints are being read once more.
    pub(super) checking: BTreeMap<Attempt, Claimed>,
    /// Who waits for what becomes of work.
    pub(super) listeners: Listeners,
    /// Who waits for bodies to end.
    endings: Endings,
    /// What keeps the store from working, and when it is tried again.
    pub(super) trouble: Option<Trouble>,
    pub(super) stopping: Option<Stopping>,
    /// Who runs alone, and for how long.
    pub(super) isolation: Isolation,
    /// Ready pieces that run alone; written by commits.
    pub(super) suspects: u64,
    /// What is paused; written by commits, kept by the store, which lets none of it be claimed.
    pub(super) paused: Paused,
    /// What leaves at the end of the step.
    pub(super) outbox: Vec<Request>,
    /// Whether lanes or gates have changed, so that every account has to be looked at.
    pub(super) lanes_changed: bool,
    /// Over how long work that a constraint has held is spread, for each doubling of its pieces.
    pub(crate) spread: Duration,
    /// When a gate next changes by the passing of time alone.
    next_gate: Option<MonoTime>,
    /// What the writer was last told that it may claim in total.
    granted: u64,
    /// Whose turn the writer was last told that it is.
    told_turn: Turn,
    /// Whether the wall clock can be trusted.
    pub(super) watch: ClockWatch,
    /// The most claims in total that a test lets it make.
    #[cfg(feature = "testing")]
    pub(crate) allowed: Option<u64>,
    inbox: Vec<Event>,
}

/// When a dispatcher wants to be stepped again if nothing arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wake {
    pub(crate) mono: Option<MonoTime>,
    pub(crate) wall: Option<WallTime>,
    /// Nothing is left to do, ever.
    pub(crate) ended: bool,
}

impl Dispatcher {
    pub(crate) fn new(
        shared: Arc<Shared>,
        executor: Arc<dyn Executor>,
        kinds: Arc<ConstraintKinds>,
        max_running: u64,
        stop_grace: Duration,
        suspect_window: Duration,
    ) -> Self {
        let tasks =
            shared.registry.entries().iter().map(|entry| TaskState::new(*entry, max_running)).collect();
        let conditions = Conditions::new(kinds, Arc::clone(&shared.clock), Arc::clone(&shared.events));
        meter::describe();
        let began = shared.clock.mono();
        let watch = ClockWatch::new(began, shared.clock.wall());
        Self {
            shared,
            executor,
            tasks,
            lanes: Lanes::default(),
            conditions,
            live: LiveAttempts::default(),
            graces: Graces { stop: stop_grace, give_up: Duration::from_secs(1) },
            running: 0,
            max_running,
            crowd: Contention::default(),
            began,
            seen: 0,
            next_due: None,
            next_prune: None,
            next_expiry: None,
            checking: BTreeMap::new(),
            listeners: Listeners::default(),
            endings: Endings::default(),
            trouble: None,
            stopping: None,
            isolation: Isolation::new(suspect_window),
            suspects: 0,
            paused: Paused::default(),
            outbox: Vec::new(),
            lanes_changed: true,
            spread: SPREAD,
            next_gate: None,
            granted: 0,
            told_turn: Turn::default(),
            watch,
            #[cfg(feature = "testing")]
            allowed: None,
            inbox: Vec::new(),
        }
    }

    /// Steps until the engine has ended.
    pub(crate) async fn run(mut self) {
        loop {
            let wake = self.step();
            if wake.ended {
                return;
            }
            let events = Arc::clone(&self.shared.events);
            let clock = Arc::clone(&self.shared.clock);
            tokio::select! {
                biased;
                () = events.arrival() => {}
                () = async { clock.sleep_until(wake.mono.unwrap_or_default()).await }, if wake.mono.is_some() => {}
                () = async { clock.sleep_until_wall(wake.wall.unwrap_or_default()).await }, if wake.wall.is_some() => {}
            }
        }
    }

    /// Takes what has arrived, does what is due, and sends what it decided.
    pub(crate) fn step(&mut self) -> Wake {
        let mut inbox = std::mem::take(&mut self.inbox);
        self.shared.events.take(&mut inbox);
        for event in inbox.drain(..) {
            self.handle(event);
        }
        self.inbox = inbox;
        let (mono, wall) = (self.shared.clock.mono(), self.shared.clock.wall());
        if self.watch.look(mono, wall) {
            tracing::warn!("the clock was set back; waits keep their length");
            self.outbox.push(Request::Write(Write::Clamp));
            self.conditions.clock_was_set_back();
            self.lanes_changed = true;
        }
        self.do_what_is_due(mono, wall);
        self.grant(mono);
        self.endings.look(&self.live);
        self.finish_if_idle();
        self.send();
        if self.shared.has_ended() {
            // Whoever still waits for an answer learns that none comes.
            self.shared.events.close();
            self.listeners.close();
            self.endings = Endings::default();
        }
        self.wake()
    }

    fn send(&mut self) {
        if self.stopping.as_ref().is_some_and(Stopping::is_finished) {
            self.shared.requests.close_with(&mut self.outbox);
        } else if !self.outbox.is_empty() {
            let _ = self.shared.requests.send_all(&mut self.outbox);
        }
        // What a closed mailbox refuses is for nobody any more.
        self.outbox.clear();
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Committed(changes, claimed) => self.committed(changes, claimed),
            Event::StoreTrouble(error) => self.store_trouble(error),
            Event::Started(attempt, at) => self.started(attempt, at),
            Event::Ended(attempt, ended) => self.ended(attempt, ended),
            Event::Reading(key, reading) => {
                self.conditions.observe(&key, reading);
                self.lanes_changed = true;
            }
            Event::LookedAgain(attempt, looks) => self.looked_again(attempt, looks),
            Event::Bodies(works, reply) => self.endings.add(works, reply),
            Event::Explain(view, reply) => drop(reply.send(self.explain(&view))),
            Event::Health(reply) => drop(reply.send(self.health())),
            Event::Shutdown(grace, reply) => self.shut_down(grace, Some(reply)),
            Event::Abandon => self.shut_down(Duration::ZERO, None),
            #[cfg(feature = "testing")]
            Event::Allow(starts) => self.allowed = Some(self.seen + starts),
            Event::StopRecorded => self.stop_recorded(),
            Event::WriterEnded => self.writer_ended(),
            other => self.listen(other),
        }
    }

    fn committed(&mut self, changes: Changes, claimed: Vec<Claimed>) {
        self.store_works();
        for (id, lane) in changes.new_lanes {
            if self.lanes.get(id).is_some() {
                continue;
            }
            let task = self.shared.registry.find(&lane.task);
            let conditions: Vec<_> =
                lane.constraints.iter().map(|stored| self.conditions.index(stored)).collect();
            // Whether it is open is no news of its constraints: what is scheduled now was not held before.
            let open = self.conditions.all_open(&conditions, self.shared.clock.mono());
            self.lanes.add(id, lane, task, conditions);
            self.lanes.get_mut(id).into_iter().for_each(|lane| lane.open = open);
            if let Some(task) = task {
                self.tasks[task].lanes.push(id);
            }
            self.lanes_changed = true;
        }
        for (id, ready) in changes.ready {
            if let Some(lane) = self.lanes.get_mut(id) {
                self.lanes_changed |= (lane.ready == 0) != (ready == 0);
                lane.ready = ready;
            }
        }
        self.suspects = changes.suspects;
        if let Some(paused) = changes.paused {
            self.paused = paused;
        }
        self.isolation.waits(changes.waiting_suspect, self.shared.clock.mono());
        self.next_due = changes.next_due;
        self.next_prune = changes.next_prune;
        self.next_expiry = changes.next_expiry;
        for moved in changes.moves {
            self.moved(&moved);
        }
        for claim in claimed {
            self.start(claim);
        }
    }

    pub(super) fn ended(&mut self, attempt: Attempt, ended: Ended) {
        let Some(live) = self.live.remove(attempt) else { return };
        self.isolation.ended(attempt);
        if live.phase == Phase::Zombie {
            // Its work was settled when it was given up; only its name was still taken.
            return self.outbox.push(Request::Write(Write::Release(attempt)));
        }
        self.free(&live);
        let wanted = self.listeners.want_output(attempt.work);
        let output = match &ended {
            Ended::Success(output) if wanted => output.clone(),
            _ => None,
        };
        let settlement = self.judge(&live, ended);
        if wanted {
            self.listeners.note_period(attempt, output, &settlement);
        }
        self.settle(attempt, settlement, Body::Ended);
    }

    pub(super) fn judge(&self, live: &Live, ended: Ended) -> Settlement {
        let chance = unit(self.shared.randomness.bits());
        let settled = settlement(ended, live.signal.reason(), &live.options, live.retries, chance);
        let settled = match &live.run {
            Some(run) => run.settlement(settled, self.shared.clock.wall()),
            None => settled,
        };
        self.tell_of_end(live, &settled);
        settled
    }

    pub(super) fn settle(&mut self, attempt: Attempt, settlement: Settlement, body: Body) {
        let at = self.shared.clock.wall();
        self.outbox.push(Request::Write(Write::Settle(Settle { attempt, at, settlement, body })));
    }

    pub(super) fn free(&mut self, live: &Live) {
        self.running -= 1;
        meter::running(self.running);
        self.tasks[live.task].return_permit();
        if let Some(lane) = self.lanes.get_mut(live.lane) {
            lane.running -= 1;
            self.lanes_changed |= lane.running == 0;
        }
    }

    pub(super) fn ask_to_stop(&mut self, attempt: Attempt, reason: Reason, grace: Duration) {
        let now = self.shared.clock.mono();
        let Some(live) = self.live.get(attempt) else { return };
        match live.phase {
            Phase::Running => {
                live.signal.ask(reason);
                self.tell_of_stop(attempt, live.task, reason);
                self.live.enter(attempt, Phase::Asked, Some(now.plus(grace)));
            }
            // A shorter grace than the one it has been given counts.
            Phase::Asked => self.live.hasten(attempt, now.plus(grace)),
            Phase::Dropping | Phase::Zombie => {}
        }
    }

    fn do_what_is_due(&mut self, mono: MonoTime, wall: WallTime) {
        self.lanes_changed |= self.conditions.pass(wall) || self.next_gate.is_some_and(|at| at <= mono);
        if self.lanes_changed {
            self.stop_what_lost_its_constraint(mono);
        }
        while let Some(attempt) = self.live.next_due(mono) {
            self.act_on(attempt, mono);
        }
        if self.next_due.is_some_and(|due| due <= wall) {
            self.next_due = None;
            self.outbox.push(Request::Wake);
        }
        if self.watch.holds_until().is_none() {
            let mut ask = |next: &mut Option<WallTime>, write| {
                if next.take_if(|at| *at <= wall).is_some() {
                    self.outbox.push(Request::Write(write));
                }
            };
            ask(&mut self.next_expiry, Write::Expire(PRUNE_BATCH));
            ask(&mut self.next_prune, Write::Prune(PRUNE_BATCH));
        }
        self.try_store_again(mono);
        self.isolation.pass(mono, self.live.iter().map(|(attempt, _)| *attempt));
    }

    fn act_on(&mut self, attempt: Attempt, now: MonoTime) {
        let Some(live) = self.live.get(attempt) else { return };
        match live.phase {
            Phase::Running => self.ask_to_stop(attempt, Reason::Timeout, self.graces.stop),
            Phase::Asked => {
                live.signal.drop_body();
                self.live.enter(attempt, Phase::Dropping, Some(now.plus(self.graces.give_up)));
            }
            Phase::Dropping => self.give_up(attempt),
            Phase::Zombie => {}
        }
    }

    /// Settles the work of a body that does not stop, and takes its permit back.
    fn give_up(&mut self, attempt: Attempt) {
        self.live.enter(attempt, Phase::Zombie, None);
        let Some(mut live) = self.live.remove(attempt) else { return };
        live.given_up = Some(self.shared.clock.mono());
        let task = self.tasks[live.task].entry.name();
        tracing::warn!(work = %attempt.work, task, "a body does not stop");
        self.listeners.tell(|| LifecycleEvent::GivenUp { work: attempt.work, task: Arc::from(task) });
        self.free(&live);
        let settlement = self.judge(&live, Ended::Dropped);
        self.live.insert(attempt, live);
        self.settle(attempt, settlement, Body::Living);
    }

    fn stop_what_lost_its_constraint(&mut self, now: MonoTime) {
        let lost = self.live.running(|live| {
            let lane = self.lanes.get(live.lane);
            let finishes = live.options.on_lost == OnLost::Finish;
            !finishes && lane.is_some_and(|lane| self.conditions.stop_due(&lane.conditions, now))
        });
        for attempt in lost {
            self.ask_to_stop(attempt, Reason::ConstraintLost, self.graces.stop);
        }
    }

    /// Tells the writer what it may claim, where that has changed.
    fn grant(&mut self, now: MonoTime) {
        if self.lanes_changed {
            self.conditions.attend(&self.lanes, now);
            self.spread_releases(now);
            self.next_gate = self.conditions.next_change(now);
        }
        let all = std::mem::take(&mut self.lanes_changed);
        let mut update = CreditUpdate::default();
        for (index, task) in self.tasks.iter_mut().enumerate() {
            if !(all || task.dirty || task.next_release(now).is_some()) {
                continue;
            }
            let is_open = |id: &LaneId| {
                let lane = self.lanes.get(*id);
                lane.is_some_and(|lane| self.conditions.all_open(&lane.conditions, now))
            };
            let waits = |id: &LaneId| self.lanes.get(*id).is_some_and(|lane| lane.ready > 0) && is_open(id);
            task.contention.look(task.is_full(), task.lanes.iter().any(waits), now);
            update.accounts.extend(task.new_account(now, is_open).map(|account| (index, account)));
        }
        let waiting = self.tasks.iter().any(|task| task.contention.is_waiting());
        self.crowd.look(self.running >= self.max_running, waiting, now);
        let free = if self.stopping.is_some() { 0 } else { self.max_running.saturating_sub(self.running) };
        update.total = self.seen + free;
        #[cfg(feature = "testing")]
        if let Some(allowed) = self.allowed {
            update.total = update.total.min(allowed);
        }
        update.turn = self.isolation.turn();
        if update.total != self.granted || update.turn != self.told_turn || !update.accounts.is_empty() {
            (self.granted, self.told_turn) = (update.total, update.turn);
            self.outbox.push(Request::Credit(update));
        }
    }

    fn wake(&self) -> Wake {
        let trouble = self.trouble.as_ref().and_then(Trouble::retry_at);
        // Pruning and expiry may be late: by the monotonic clock it needs no look at the wall clock in between, which would wake an
        // engine that has nothing else to wait for.
        let (mono, wall) = (self.shared.clock.mono(), self.shared.clock.wall());
        let steady = self.watch.holds_until().unwrap_or(mono);
        let first = [self.next_prune, self.next_expiry].into_iter().flatten().min();
        let prune = first.map(|at| mono.plus(at.since(wall)).max(steady));
        let release = self.tasks.iter().filter_map(|task| task.next_release(mono)).min();
        let isolation = self.isolation.next_moment();
        let stop = self.stopping.as_ref().map(Stopping::until).filter(|until| *until > mono);
        let moments = [stop, self.live.next_moment(), self.next_gate, trouble, prune, release, isolation];
        let walls = [self.next_due, self.conditions.next_recheck()];
        Wake {
            mono: moments.into_iter().flatten().min(),
            wall: walls.into_iter().flatten().min(),
            ended: self.shared.has_ended(),
        }
    }
}
