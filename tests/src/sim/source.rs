//! The network as the engine is told of it: what is so, or what a broken source makes of it.
//!
//! Invariant: what it has told by its watch is written down when it is told, so that a start can be judged by what the
//! engine could know.

use std::sync::Arc;

use pushe_tasks::clock::{Clock as _, MonoTime};
use pushe_tasks::constraint::{NetworkState, Reading, Source, publish};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::clock::SimClock;
use super::ledger::Shared;

/// What watches of the source do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Watches {
    /// They tell what is so.
    #[default]
    Tell,
    /// They end, the present one and each new one.
    End,
    /// They panic, likewise.
    Panic,
    /// They tell nothing more.
    AreSilent,
    /// They tell of a network, whatever is so.
    Lie,
}

/// What comes of reading the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reads {
    /// What is so.
    #[default]
    Tell,
    /// A panic.
    Panic,
    /// Nothing, ever.
    Hang,
    /// That there is no network, whatever is so.
    Lie,
}

/// What is so, and how the source is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Whether there is a network.
    pub network: bool,
    /// What its watches do.
    pub watches: Watches,
    /// What comes of its reads.
    pub reads: Reads,
}

impl Truth {
    /// Whether nothing is wrong with the source.
    pub fn is_well(self) -> bool {
        self.watches == Watches::Tell && self.reads == Reads::Tell
    }
}

/// The source. Clones are the same source.
#[derive(Clone, Debug)]
pub struct SimSource {
    truth: Arc<watch::Sender<Truth>>,
    clock: SimClock,
    ledger: Shared,
}

impl SimSource {
    /// A source that is well, with a network.
    pub fn new(clock: SimClock, ledger: Shared) -> Self {
        let truth = Truth { network: true, ..Truth::default() };
        Self { truth: Arc::new(watch::Sender::new(truth)), clock, ledger }
    }

    /// Changes what is so.
    pub fn set(&self, truth: Truth) {
        self.truth.send_if_modified(|last| std::mem::replace(last, truth) != truth);
    }

    fn say(&self, out: &watch::Sender<Reading<NetworkState>>, network: bool) {
        self.ledger.open().source.said = Some(network);
        self.ledger.open().source.dead_since = None;
        publish(out, Reading::Known(state(network)));
    }

    fn dies(&self) {
        let now = self.clock.mono();
        self.ledger.open().source.dead_since.get_or_insert(now);
    }
}

const fn state(network: bool) -> NetworkState {
    if network { NetworkState::routed() } else { NetworkState::offline() }
}

impl Source for SimSource {
    type Key = ();
    type State = NetworkState;

    async fn read(&self, (): &()) -> Reading<NetworkState> {
        let truth = *self.truth.borrow();
        match truth.reads {
            Reads::Tell => Reading::Known(state(truth.network)),
            Reads::Lie => Reading::Known(state(false)),
            // Without a word from the panic hook.
            Reads::Panic => std::panic::resume_unwind(Box::new("scripted")),
            Reads::Hang => std::future::pending().await,
        }
    }

    async fn watch(&self, (): (), out: watch::Sender<Reading<NetworkState>>) {
        let mut seen = self.truth.subscribe();
        loop {
            let truth = *seen.borrow_and_update();
            match truth.watches {
                Watches::Tell => self.say(&out, truth.network),
                Watches::Lie => self.say(&out, true),
                Watches::AreSilent => {}
                Watches::End => return self.dies(),
                Watches::Panic => {
                    self.dies();
                    std::panic::resume_unwind(Box::new("scripted"));
                }
            }
            if seen.changed().await.is_err() {
                return;
            }
        }
    }
}

/// What the ledger knows of the source.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// What is so, and how the source is.
    pub truth: Truth,
    /// Whether the network went away while the engine has not had its turn since.
    pub fresh: bool,
    /// Since when there has been no network.
    pub gone_since: Option<MonoTime>,
    /// What a watch of this process has told last.
    pub said: Option<bool>,
    /// Since when every watch has died.
    pub dead_since: Option<MonoTime>,
    /// Until then a read that hangs may go on, which began before reads were well again.
    pub blind_until: MonoTime,
    /// From then on the engine has had time to find the source well again.
    pub trusted_from: MonoTime,
}

/// The last reading of a dead source counts so long, and a read that hangs takes a second of it.
const LAST_READING: std::time::Duration = std::time::Duration::from_secs(32);
/// A read that hangs is waited for so long.
const HANGS: std::time::Duration = std::time::Duration::from_secs(1);
/// A source that is well again is begun anew within a minute, and has to last for half of one.
const RECOVERY: std::time::Duration = std::time::Duration::from_secs(120);
/// So long the network is lost before work is stopped.
const FALL: std::time::Duration = std::time::Duration::from_secs(5);

impl Told {
    /// Something has changed at this moment.
    pub fn set(&mut self, truth: Truth, now: MonoTime) {
        if self.truth.network && !truth.network {
            (self.fresh, self.gone_since) = (true, Some(now));
        } else if truth.network {
            (self.fresh, self.gone_since) = (false, None);
        }
        if self.truth.reads == Reads::Hang && truth.reads != Reads::Hang {
            self.blind_until = now.plus(HANGS);
        }
        if !self.truth.is_well() && truth.is_well() {
            self.trusted_from = now.plus(RECOVERY);
        }
        self.truth = truth;
    }

    /// A new process begins to watch, at this moment of a clock that may have begun anew.
    pub fn new_life(&mut self, now: MonoTime) {
        let gone_since = (!self.truth.network).then_some(now);
        *self = Self { truth: self.truth, gone_since, trusted_from: now, ..Self::default() };
    }

    /// Whether work that needs the network may begin now, by what the engine can know.
    pub fn lets_begin(&self, now: MonoTime) -> bool {
        let is_read = now > self.blind_until;
        match self.truth.reads {
            Reads::Tell if is_read => self.truth.network || self.fresh,
            Reads::Lie if is_read => false,
            // Nothing contradicts what was told last.
            _ => {
                let counts = self.dead_since.is_none_or(|dead| now.since(dead) <= LAST_READING);
                counts && self.said.unwrap_or(false)
            }
        }
    }

    /// Whether a body may be asked to stop now for want of the network.
    pub fn lets_stop(&self, now: MonoTime) -> bool {
        let is_trusted = self.truth.is_well() && now >= self.trusted_from;
        !is_trusted || self.gone_since.is_some_and(|since| now.since(since) >= FALL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> MonoTime {
        MonoTime::from_origin(std::time::Duration::from_secs(seconds))
    }

    #[test]
    fn a_start_is_judged_by_what_could_be_known() {
        let well = Truth { network: true, ..Truth::default() };
        let mut told = Told { truth: well, said: Some(true), ..Told::default() };
        assert!(told.lets_begin(at(1)));
        // It goes while nobody has had a turn.
        told.set(Truth { network: false, ..well }, at(2));
        assert!(told.lets_begin(at(2)));
        told.fresh = false;
        assert!(!told.lets_begin(at(2)));
        // A lie of the watch is found out by the read, and a lie of the read holds.
        told.set(Truth { network: false, watches: Watches::Lie, ..well }, at(3));
        assert!(!told.lets_begin(at(3)));
        told.set(Truth { reads: Reads::Lie, ..well }, at(4));
        assert!(!told.lets_begin(at(4)));
        // What was told last counts for a while.
        told.set(Truth { watches: Watches::End, reads: Reads::Hang, network: false }, at(5));
        told.dead_since = Some(at(5));
        assert!(told.lets_begin(at(35)) && !told.lets_begin(at(38)));
        told.said = Some(false);
        assert!(!told.lets_begin(at(35)));
        // A read that hung may end a second after reads are well.
        told.set(well, at(39));
        assert!(!told.lets_begin(at(40)) && told.lets_begin(at(41)));
    }

    #[test]
    fn a_stop_needs_a_loss_that_has_lasted() {
        let well = Truth { network: true, ..Truth::default() };
        let mut told = Told { truth: well, ..Told::default() };
        assert!(!told.lets_stop(at(100)));
        told.set(Truth { network: false, ..well }, at(100));
        assert!(!told.lets_stop(at(104)) && told.lets_stop(at(105)));
        told.set(well, at(106));
        assert!(!told.lets_stop(at(107)));
        told.set(Truth { watches: Watches::End, ..well }, at(110));
        assert!(told.lets_stop(at(111)));
        told.set(well, at(112));
        assert!(told.lets_stop(at(231)) && !told.lets_stop(at(232)));
    }
}
