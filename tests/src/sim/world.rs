//! The world: a disk, a clock, a network, and one process after another that runs the real engine on them.
//!
//! Invariant: everything happens on the calling thread, in the order of the script; between two operations the engine has
//! done all that it can do without time passing.

use std::time::Duration;

use pushe_tasks::clock::{Clock as _, WallTime};
use pushe_tasks::constraint::{Answer, WhereUnknown};
use pushe_tasks::{Driver, SchedulerBuilder, TaskScheduler, WorkId};
use pushe_tasks_store::redb::{Integrity, Opening, RedbStore, SimDisk, StoreOptions};
use pushe_tasks_store::{OpenError, Store as _};
use tokio::runtime::Runtime;

use super::beat::{self, Beat};
use super::calls::Callers;
use super::check;
use super::clock::SimClock;
use super::idle::Idle;
use super::job::{Narrow, Plain, Rare, World as Given};
use super::ledger::Shared;
use super::probe::{Probe, Seen};
use super::random::{Random, SimRandomness};
use super::script::{Call, Crash, Script};
use super::source::SimSource;

/// 24 November 2026.
const START: WallTime = WallTime::from_millis(1_795_500_000_000);

/// What one `Advance` may take in wake-ups.
const MOST_TURNS: usize = 50_000;

/// The world.
#[derive(Debug)]
pub struct World {
    pub(super) disk: SimDisk,
    pub(super) clock: SimClock,
    pub(super) network: SimSource,
    pub(super) ledger: Shared,
    pub(super) random: Random,
    pub(super) without_rare: bool,
    pub(super) crash: Crash,
    max_running: usize,
    pub(super) integrity: Integrity,
    pub(super) life: Option<Process>,
}

/// A process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) callers: Callers,
    pub(super) probe: Probe,
    idle: Idle,
    // The last to go: with it go all tasks.
    pub(super) runtime: Runtime,
}

impl World {
    /// The world of this script, before anything has happened.
    pub fn new(script: &Script) -> Self {
        let ledger = Shared::default();
        {
            let mut ledger = ledger.open();
            (ledger.max_running, ledger.latest) = (script.max_running, START);
            ledger.source.truth.network = true;
        }
        let clock = SimClock::new(START);
        Self {
            disk: SimDisk::new(script.seed),
            network: SimSource::new(clock.clone(), ledger.clone()),
            clock,
            ledger,
            random: Random::new(script.seed),
            without_rare: false,
            crash: Crash::Kill,
            max_running: script.max_running,
            integrity: Integrity::WhenSmall,
            life: None,
        }
    }

    /// Starts a process, if none runs; answers whether one does. One that dies while it starts is dead afterwards.
    pub(super) fn start(&mut self) -> bool {
        if self.life.is_some() {
            return true;
        }
        self.ledger.open().new_life(self.clock.mono());
        let troubled = self.disk.has_faults();
        match self.open() {
            Ok(store) => self.run(store, troubled),
            Err(error) => {
                let stopped = self.disk.is_stopped();
                let mut ledger = self.ledger.open();
                ledger.note(format!("the store cannot be opened: {error}"));
                ledger.count("openings that failed");
                let excused = matches!(error, OpenError::Io { .. }) && (stopped || troubled);
                if !excused {
                    ledger.violation(format!("I1: the store cannot be opened: {error}"));
                }
            }
        }
        if !self.must_die() {
            self.check("after the start");
        }
        if self.must_die() {
            self.bury();
        } else if self.life.is_none() {
            // Somebody has seen to the disk.
            self.disk.heal();
            self.disk.set_capacity(u64::MAX);
            self.ledger.open().count("disk mended by hand");
        }
        self.life.is_some()
    }

    fn open(&mut self) -> Result<RedbStore, OpenError> {
        let mut new_uuid = [0; 16];
        new_uuid[..8].copy_from_slice(&self.random.bits().to_le_bytes());
        let opening = Opening { now: self.clock.wall(), new_uuid, program: "simulated".to_owned() };
        let mut options = StoreOptions::default();
        options.reserve_bytes = 16 << 10;
        options.cache_bytes = 1 << 20;
        options.integrity = self.integrity;
        RedbStore::open_on(Box::new(self.disk.clone()), options, opening)
    }

    fn run(&mut self, store: RedbStore, troubled: bool) {
        let facts = store.facts().clone();
        self.ledger.open().note(format!("opened: {:?}", facts.findings));
        let probe = Probe::new(store, self.disk.clone(), self.ledger.clone());
        let (runtime, idle) = Idle::runtime();
        let given = Given { ledger: self.ledger.clone(), clock: self.clock.clone(), probe: probe.clone() };
        let mut builder = SchedulerBuilder::on_store(Box::new(Seen(probe.clone(), facts)))
            .driver(Driver::Caller)
            .detached()
            .clock(self.clock.clone())
            .randomness(SimRandomness::new(self.random.bits()))
            .network_source(self.network.clone())
            .where_unknown(WhereUnknown::new().network(Answer::Hold))
            .max_running(self.max_running)
            .state(given.clone())
            .register::<Plain>()
            .register::<Narrow>()
            .register::<Beat>()
            .only::<Beat>()
            .only::<Plain>()
            .only::<Narrow>();
        if !std::mem::take(&mut self.without_rare) {
            builder = builder.register::<Rare>().only::<Rare>();
        }
        match runtime.block_on(builder.start()) {
            Ok(scheduler) => {
                let callers = Callers { scheduler, world: given };
                self.life = Some(Process { callers, probe, idle, runtime });
                self.settle();
            }
            Err(error) => {
                // A fault that lasts for some calls may have ended by now.
                let excused =
                    troubled || self.disk.has_faults() || self.disk.is_stopped() || self.ledger.open().dead;
                let mut ledger = self.ledger.open();
                ledger.note(format!("the engine did not start: {error}"));
                if !excused {
                    ledger.violation(format!("the engine did not start: {error}"));
                }
            }
        }
    }

    /// Lets the engine do all that it can do now.
    pub(super) fn settle(&mut self) {
        if let Some(life) = &self.life {
            life.runtime.block_on(life.idle.reached());
        }
        let latest = self.clock.wall();
        let mut ledger = self.ledger.open();
        ledger.latest = ledger.latest.max(latest);
        ledger.source.fresh = false;
    }

    /// Begins something on behalf of a caller in the process.
    pub(super) fn with_callers(&mut self, begin: impl FnOnce(&Callers)) {
        if let Some(life) = &self.life {
            let _entered = life.runtime.enter();
            begin(&life.callers);
        }
    }

    /// Lets time pass, waking the engine at every moment that it waits for.
    pub(super) fn advance(&mut self, length: Duration) {
        let mut left = length;
        for _ in 0..MOST_TURNS {
            self.settle();
            if self.must_die() {
                return;
            }
            let next = self.clock.next().filter(|next| *next <= left && self.life.is_some());
            self.clock.pass(next.unwrap_or(left));
            let Some(next) = next else { return self.settle() };
            left -= next;
        }
        self.ledger.open().violation("the engine wakes up again and again".to_owned());
    }

    /// Whether the process has met its end.
    pub(super) fn must_die(&self) -> bool {
        self.disk.is_stopped() || self.ledger.open().die
    }

    /// The process is dead: what is left of it goes, and the disk is as the next one finds it.
    pub(super) fn bury(&mut self) {
        self.disk.freeze_at(0);
        {
            let mut ledger = self.ledger.open();
            (ledger.dead, ledger.die) = (true, false);
            ledger.died();
            let living: Vec<_> = ledger.living.keys().copied().collect();
            ledger.note(format!("the process dies ({:?}), with the bodies of {living:?}", self.crash));
            ledger.count("cycles");
            ledger.count(match self.crash {
                Crash::Kill => "crash: kill",
                Crash::PowerCut => "crash: power cut",
            });
            if !living.is_empty() {
                ledger.count("crashes with living bodies");
            }
        }
        self.life = None;
        self.ledger.open().living.clear();
        let trace = self.disk.trace_hash();
        self.ledger.open().note(format!("disk {trace:016x}"));
        self.disk = match self.crash {
            Crash::Kill => self.disk.for_next_process(),
            Crash::PowerCut => {
                self.clock.boot();
                self.disk.after_power_cut(self.random.bits())
            }
        };
    }

    /// Ends the process in order; answers whether it did not die on the way.
    pub(super) fn shutdown(&mut self, grace: Duration, racing: Option<&Call>) -> bool {
        let Some(life) = &self.life else { return true };
        let scheduler: TaskScheduler = life.callers.scheduler.clone();
        let ledger = self.ledger.clone();
        let (troubled, entered) = (self.disk.has_faults(), life.runtime.enter());
        let ending = tokio::spawn(async move {
            scheduler.shutdown(grace).await;
            let mut ledger = ledger.open();
            if !ledger.dead && !ledger.living.is_empty() {
                let living: Vec<_> = ledger.living.keys().copied().collect();
                ledger.violation(format!("I14: bodies of {living:?} live after the shutdown"));
            }
        });
        drop(entered);
        if let Some(call) = racing {
            self.call(call);
        }
        for _ in 0..MOST_TURNS {
            self.settle();
            if self.must_die() {
                self.bury();
                return false;
            }
            if ending.is_finished() {
                break;
            }
            match self.clock.next() {
                Some(next) => self.clock.pass(next),
                None => break,
            }
        }
        let mut ledger = self.ledger.open();
        if !ending.is_finished() {
            ledger.violation("I14: the shutdown does not end".to_owned());
        }
        if troubled {
            ledger.soil();
        }
        ledger.count("shutdowns");
        ledger.living.clear();
        drop(ledger);
        self.life = None;
        true
    }

    /// One call of `schedule`.
    pub(super) fn call(&mut self, call: &Call) {
        let token = self.ask(call);
        self.with_callers(|callers| callers.schedule(token));
    }

    pub(super) fn ask(&mut self, call: &Call) -> usize {
        let id = call.own_id.then(|| {
            let mut bytes = [0; 10];
            bytes[..8].copy_from_slice(&self.random.bits().to_le_bytes());
            WorkId::from_parts(u64::try_from(self.clock.wall().as_millis()).unwrap_or(0), bytes)
        });
        self.ledger.open().ask(call, id, self.clock.wall())
    }

    /// Compares store and ledger, where the store is well enough to be looked at.
    pub(super) fn check(&mut self, when: &str) {
        let Some(life) = &self.life else { return };
        if let Err(wrong) = life.probe.check()
            && !self.disk.is_stopped()
        {
            self.ledger.open().violation(format!("I15: {wrong} ({when})"));
        }
        if life.callers.has_ended() {
            self.ledger.open().violation(format!("panic: the engine has ended by itself ({when})"));
        }
        if let Some(views) = life.probe.all() {
            let (mut ledger, now) = (self.ledger.open(), self.clock.wall());
            check::check(&mut ledger, &views);
            check::waits(&mut ledger, &views, now, self.clock.mono());
            beat::check(&mut ledger, &views, now);
            check::growth(&mut ledger, &views, self.disk.size());
        }
    }
}
