//! Runs a script.

use std::time::Duration;

use pushe_tasks::WorkState;
use pushe_tasks::clock::Clock as _;
use pushe_tasks_store::redb::{Call as DiskCall, Effect, Fault, Lasts};

use super::ledger::Ledger;
use super::probe::Stop;
use super::script::{At, Crash, Mode, Op, Script, Trouble};
use super::source::{Reads, Truth, Watches};
use super::world::World;

/// What a long run must have met.
pub const MEETS: &[&str] = &[
    "schedule",
    "race",
    "many",
    "cancel",
    "cancel by id",
    "cancel race",
    "wait",
    "look",
    "advance",
    "days",
    "wall jump",
    "suspend",
    "network",
    "flap",
    "storm of flaps",
    "storms with living bodies on the network",
    "source: watches end",
    "source: watches panic",
    "source: watches are silent",
    "source: watches lie",
    "source: reads panic",
    "source: reads hang",
    "source: reads lie",
    "sources that fail with living bodies on the network",
    "stopped for want of the network",
    "shutdown",
    "crash",
    "crash in recovery",
    "crash in creation",
    "crash in reopening",
    "heal",
    "disk full",
    "task not registered",
    "payloads damaged",
    "fault: sync",
    "fault: sync carried out",
    "fault: write",
    "fault: read",
    "fault: length",
    "fault: any call",
    "crash: kill",
    "crash: power cut",
    "crash at a call of the disk",
    "crash before a commit",
    "crash after a commit",
    "crash at the end of a body",
    "crashes with living bodies",
    "body kills its process",
    "in doubt",
    "drained",
];

/// What a run of a script has shown.
#[derive(Debug)]
pub struct Outcome {
    /// What must not be, oldest first; none where all is well.
    pub violations: Vec<String>,
    /// A hash of all that happened: the same script has the same one, always.
    pub trace: u64,
    /// The last events.
    pub recent: Vec<String>,
    /// How often each thing was done or met.
    pub counts: std::collections::BTreeMap<&'static str, u64>,
}

/// Runs the script to its end, or to the first thing that must not be.
pub fn run(script: &Script) -> Outcome {
    let mut world = World::new(script);
    for op in &script.ops {
        world.ledger.open().note(format!("op {op:?}"));
        world.apply(op);
        if world.must_die() {
            world.bury();
        }
        if !world.ledger.open().violations.is_empty() {
            break;
        }
        world.ledger.open().count(op.name());
    }
    world.finish(script.mode);
    let trace = world.disk.trace_hash();
    world.life = None;
    let mut ledger = std::mem::take(&mut *world.ledger.open());
    ledger.note(format!("disk {trace:016x}"));
    let Ledger { violations, trace, recent, counts, .. } = ledger;
    Outcome { violations, trace, recent: recent.into(), counts }
}

impl World {
    fn apply(&mut self, op: &Op) {
        match op {
            Op::CrashInCreation(crash, call) => return self.die_in_creation(*crash, *call),
            Op::CrashInRecovery(crash, call) => return self.die_in_recovery(*crash, *call),
            Op::Heal => {
                self.disk.heal();
                self.disk.set_capacity(u64::MAX);
            }
            Op::WithoutTask => self.without_rare = true,
            Op::Jump(millis) => {
                self.clock.jump(*millis);
                self.ledger.open().clock_set(pushe_tasks::clock::Clock::wall(&self.clock));
            }
            Op::Suspend(millis) => self.clock.jump(i64::from(*millis)),
            Op::Network(on) => self.set_network(*on),
            Op::Source(watches, reads) => self.set_source(*watches, *reads),
            _ => {}
        }
        if !self.start() {
            return;
        }
        match op {
            Op::Schedule(call) => self.call(call),
            Op::Race(calls) => calls.iter().for_each(|call| self.call(call)),
            Op::Many(calls) => {
                let tokens: Vec<_> = calls.iter().map(|call| self.ask(call)).collect();
                self.with_callers(|callers| callers.schedule_many(tokens));
            }
            Op::Cancel(pick) => self.cancel(*pick),
            Op::CancelKey(key) => {
                for piece in &mut self.ledger.open().pieces {
                    piece.maybe_cancelled |= piece.call.key == Some(*key);
                }
                self.with_callers(|callers| callers.cancel_key(*key));
            }
            Op::CancelRace(pick, call) => {
                self.cancel(*pick);
                self.call(call);
            }
            Op::Wait(pick) => {
                if let Some((token, id)) = self.pick(*pick) {
                    self.with_callers(|callers| callers.wait(token, id));
                }
            }
            Op::Look(pick) => {
                let stuck = self.ledger.open().failing;
                let picked = self.pick(*pick);
                let token = picked.map_or(0, |(token, _)| token);
                self.with_callers(|callers| callers.look(token, picked.map(|(_, id)| id), stuck));
            }
            Op::Advance(millis) => self.advance(Duration::from_millis(u64::from(*millis))),
            Op::Days(days) => {
                // Nobody leaves a program alone for days with a disk that does not work.
                self.disk.heal();
                self.disk.set_capacity(u64::MAX);
                self.set_source(Watches::Tell, Reads::Tell);
                self.advance(Duration::from_secs(u64::from(*days) * 86_400));
            }
            Op::Flap(times) => {
                for time in 0..*times {
                    self.set_network(time % 2 == 1);
                    self.advance(Duration::from_millis(u64::from(time) * 37));
                }
            }
            Op::Storm(times) => {
                if self.lives_on_the_network() {
                    self.ledger.open().count("storms with living bodies on the network");
                }
                for time in 0..*times {
                    self.set_network(time % 2 == 1);
                    self.advance(Duration::from_millis(1));
                    if self.must_die() {
                        break;
                    }
                }
            }
            Op::Shutdown(grace, call) => {
                let ended = self.shutdown(Duration::from_millis(u64::from(*grace)), Some(call));
                let _ = ended && self.start();
            }
            Op::Crash(crash, at) => self.die(*crash, *at),
            Op::CrashInReopen(crash, calls) => {
                self.crash = *crash;
                self.disk.inject(Fault::next(&self.disk, DiskCall::Sync));
                self.disk.freeze_at(self.disk.calls() + 6 + u64::from(*calls));
            }
            Op::Fault(trouble, after, lasts) => self.fault(*trouble, *after, *lasts),
            Op::Full(kilobytes) => {
                let used = self.disk.image().len() as u64;
                self.disk.set_capacity(used + (u64::from(*kilobytes) << 10));
            }
            Op::Rot(pick, bit) => self.rot(*pick, *bit),
            _ => {}
        }
        self.settle();
        if !self.must_die() {
            self.check("after the operation");
        }
    }

    fn die(&mut self, crash: Crash, at: At) {
        self.crash = crash;
        let Some(life) = &self.life else { return };
        match at {
            At::Now => {
                self.settle();
                self.bury();
            }
            At::Call(calls) => {
                self.disk.freeze_at(self.disk.calls() + u64::from(calls));
                self.ledger.open().count("crash at a call of the disk");
            }
            At::BeforeCommit(commits) => life.probe.stop_at(Stop::BeforeCommit(commits)),
            At::AfterCommit(commits) => life.probe.stop_at(Stop::AfterCommit(commits)),
            At::BodyEnd => self.ledger.open().die_at_end = true,
        }
    }

    fn die_in_recovery(&mut self, crash: Crash, call: u32) {
        if self.life.is_some() {
            self.crash = crash;
            self.bury();
        }
        self.disk.freeze_at(self.disk.calls() + u64::from(call));
        self.crash = crash;
        self.start();
    }

    fn die_in_creation(&mut self, crash: Crash, call: u32) {
        if self.disk.image().is_empty() && self.life.is_none() {
            self.crash = crash;
            self.disk.freeze_at(u64::from(call));
            self.start();
        }
    }

    fn pick(&self, pick: u16) -> Option<(usize, pushe_tasks::WorkId)> {
        let ledger = self.ledger.open();
        let known: Vec<_> =
            ledger.pieces.iter().enumerate().filter_map(|(token, piece)| Some((token, piece.id?))).collect();
        known.get(usize::from(pick) % known.len().max(1)).copied()
    }

    fn cancel(&mut self, pick: u16) {
        if let Some((token, id)) = self.pick(pick) {
            self.ledger.open().pieces[token].maybe_cancelled = true;
            self.with_callers(|callers| callers.cancel(id));
        }
    }

    fn set_network(&mut self, on: bool) {
        let truth = self.ledger.open().source.truth;
        self.set_truth(Truth { network: on, ..truth });
    }

    fn set_source(&mut self, watches: Watches, reads: Reads) {
        let truth = self.ledger.open().source.truth;
        let met = [
            match watches {
                Watches::Tell => None,
                Watches::End => Some("source: watches end"),
                Watches::Panic => Some("source: watches panic"),
                Watches::AreSilent => Some("source: watches are silent"),
                Watches::Lie => Some("source: watches lie"),
            },
            match reads {
                Reads::Tell => None,
                Reads::Panic => Some("source: reads panic"),
                Reads::Hang => Some("source: reads hang"),
                Reads::Lie => Some("source: reads lie"),
            },
        ];
        met.into_iter().flatten().for_each(|what| self.ledger.open().count(what));
        let truth = Truth { network: truth.network, watches, reads };
        if !truth.is_well() && self.lives_on_the_network() {
            self.ledger.open().count("sources that fail with living bodies on the network");
        }
        self.set_truth(truth);
    }

    fn set_truth(&mut self, truth: Truth) {
        let now = self.clock.mono();
        self.ledger.open().source.set(truth, now);
        self.network.set(truth);
    }

    /// Whether a body lives that needs the network.
    fn lives_on_the_network(&self) -> bool {
        let ledger = self.ledger.open();
        ledger.living.keys().any(|token| ledger.pieces[*token].call.network)
    }

    fn fault(&mut self, trouble: Trouble, after: u8, lasts: u8) {
        let (call, effect) = match trouble {
            Trouble::Sync => (Some(DiskCall::Sync), Effect::Fails),
            Trouble::SyncDone => (Some(DiskCall::Sync), Effect::CarriedOut),
            Trouble::Write => (Some(DiskCall::Write), Effect::Fails),
            Trouble::Read => (Some(DiskCall::Read), Effect::Fails),
            Trouble::SetLen => (Some(DiskCall::SetLen), Effect::Fails),
            Trouble::Any => (None, Effect::Fails),
        };
        let so_far = call.map_or_else(|| self.disk.calls(), |call| self.disk.calls_of(call));
        let lasts = match lasts {
            0 => Lasts::Forever,
            1 => Lasts::Once,
            calls => Lasts::For(u64::from(calls)),
        };
        let (at, error) = (so_far + u64::from(after), std::io::ErrorKind::Other);
        self.disk.inject(Fault { at, call, lasts, error, effect });
        self.ledger.open().count(match trouble {
            Trouble::Sync => "fault: sync",
            Trouble::SyncDone => "fault: sync carried out",
            Trouble::Write => "fault: write",
            Trouble::Read => "fault: read",
            Trouble::SetLen => "fault: length",
            Trouble::Any => "fault: any call",
        });
    }

    /// The end of the script: faults end, and in liveness mode all work must come to its end.
    fn finish(&mut self, mode: Mode) {
        if !self.ledger.open().violations.is_empty() {
            return;
        }
        self.disk.heal();
        self.disk.set_capacity(u64::MAX);
        self.disk.freeze_at(u64::MAX);
        self.ledger.open().die_at_end = false;
        if mode == Mode::Safety {
            if self.life.is_some() {
                self.bury();
            }
            self.start();
            return self.check("at the end");
        }
        self.set_network(true);
        self.set_source(Watches::Tell, Reads::Tell);
        self.without_rare = false;
        self.drain();
    }

    fn drain(&mut self) {
        // A process in which a crash point stands is replaced by one without.
        if self.life.is_some() && !self.shutdown(Duration::from_secs(10), None) {
            self.disk.heal();
        }
        let bound = self.bound();
        let mut left = bound;
        loop {
            if !self.start() {
                if !self.ledger.open().violations.is_empty() {
                    return;
                }
                continue;
            }
            let turn = Duration::from_secs(600).min(left);
            self.advance(turn);
            if self.must_die() {
                self.bury();
                continue;
            }
            self.check("while it drains");
            let unfinished: Vec<_> = {
                let ledger = self.ledger.open();
                let live = |seen: Option<WorkState>| {
                    seen.is_some_and(|state| !state.is_finished() && state != WorkState::Quarantined)
                };
                ledger
                    .pieces
                    .iter()
                    .enumerate()
                    .filter(|(_, piece)| live(piece.seen))
                    .map(|(n, _)| n)
                    .collect()
            };
            let done = !self.ledger.open().violations.is_empty() || unfinished.is_empty();
            if done {
                break;
            }
            left = left.saturating_sub(turn);
            if left.is_zero() {
                let what = format!("I3: pieces {unfinished:?} have not ended after {bound:?}");
                let records = self.life.as_ref().and_then(|life| life.probe.all()).unwrap_or_default();
                let live = records.iter().filter(|view| !view.record.state.is_finished()).take(3);
                let live: Vec<_> = live.map(|view| &view.record).collect();
                let now = pushe_tasks::clock::Clock::wall(&self.clock);
                return self.ledger.open().violation(format!("{what}; at {now} there is {live:?}"));
            }
        }
        self.ledger.open().count("drained");
    }

    /// How long all work can take, one after another: delays, bodies, graces and back-offs.
    fn bound(&self) -> Duration {
        let ledger = self.ledger.open();
        let millis: u64 = ledger
            .pieces
            .iter()
            .map(|piece| {
                let attempts = piece.call.plan.len() as u64 + 2;
                let steps: u64 = piece
                    .call
                    .plan
                    .iter()
                    .map(|step| u64::from(step.wait) + piece.least_wait(step.end).as_secs() * 1_000 + 1_000)
                    .sum();
                u64::from(piece.call.delay) + steps + attempts * (20_000 + u64::from(piece.call.backoff))
            })
            .sum();
        let behind = ledger.latest.since(pushe_tasks::clock::Clock::wall(&self.clock));
        // Suspects run alone for up to 10 minutes a crash.
        let alone = ledger.counts.get("cycles").copied().unwrap_or(0) * 1_200_000;
        Duration::from_millis(millis + alone + 3_600_000) + behind
    }
}
