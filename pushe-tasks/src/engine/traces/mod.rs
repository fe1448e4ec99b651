//! The whole engine under constraints that change as a trace says, on one thread and in paused time.
//!
//! Invariant: everything here is decided by the trace and its seed; a failure can be run again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pushe_tasks_store::{MemoryStore, RescueRequest, Store as _, WorkState};
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::Dispatcher;
use super::executor::{Executor, TokioExecutor};
use super::mailbox::Mailbox;
use super::message::Event;
use super::shared::{Limits, Shared};
use super::writer::Writer;
use crate::clock::paused::Paused;
use crate::clock::{Clock, MonoTime};
use crate::constraint::kinds::{ConstraintKinds, Machine};
use crate::constraint::{
    Manual, NetworkOverride, NetworkSource, NetworkState, Reading, Source, WhereUnknown, publish,
};
use crate::context::TaskContext;
use crate::entry::{Place, TaskEntry};
use crate::extract::{FromTaskContext as _, State, StateMap};
use crate::options::{NetworkType, OnLost, TaskOptions};
use crate::outcome::{Outcome, TaskError};
use crate::random::Randomness;
use crate::registry::Registry;
use crate::schedule::Schedule;
use crate::scheduler::TaskScheduler;
use crate::task::Task;

mod faults;
mod random_traces;
mod release;

/// The network's damping, as CONSTRAINTS states it.
const RISE: Duration = Duration::from_secs(1);
const FALL: Duration = Duration::from_secs(5);

/// A generator with a seed.
#[derive(Debug)]
struct Seeded(Mutex<fastrand::Rng>);

impl Randomness for Seeded {
    fn bits(&self) -> u64 {
        self.0.lock().unwrap().u64(..)
    }
}

/// What a body did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Did {
    Began {
        attempt: u32,
    },
    /// It was asked to stop, and obeyed.
    Stopped,
    Ended,
}

/// What bodies have done, with the time and the raw state at that moment.
#[derive(Clone)]
struct Ledger {
    clock: Arc<Paused>,
    truth: Arc<watch::Sender<bool>>,
    entries: Arc<Mutex<Vec<(Duration, Did, bool)>>>,
}

impl Ledger {
    fn note(&self, did: Did) {
        let entry = (self.clock.mono().since_origin(), did, *self.truth.borrow());
        self.entries.lock().unwrap().push(entry);
    }

    fn all(&self) -> Vec<(Duration, Did, bool)> {
        self.entries.lock().unwrap().clone()
    }

    fn count(&self, did: Did) -> usize {
        self.all().iter().filter(|(_, other, _)| *other == did).count()
    }

    fn begun(&self) -> usize {
        self.all().iter().filter(|(_, did, _)| matches!(did, Did::Began { .. })).count()
    }
}

/// Runs for as long as its input says, in milliseconds, on a network.
struct Send;

impl Task for Send {
    const NAME: &'static str = "Send";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new().network(NetworkType::Connected);
    type Input = u64;
    type Output = ();

    async fn perform(millis: u64, cx: TaskContext) -> Result<Outcome, TaskError> {
        let State(ledger) = State::<Ledger>::from_task_context(&cx)?;
        ledger.note(Did::Began { attempt: cx.attempt() });
        let enough = ledger.clock.mono().plus(Duration::from_millis(millis));
        tokio::select! {
            biased;
            () = cx.cancellation_token().cancelled() => {
                ledger.note(Did::Stopped);
                Err(TaskError::new("stopped"))
            }
            () = ledger.clock.sleep_until(enough) => {
                ledger.note(Did::Ended);
                Ok(Outcome::SUCCESS)
            }
        }
    }
}

/// A running engine with what moves it.
struct World {
    scheduler: TaskScheduler,
    ledger: Ledger,
    network: Manual<NetworkState>,
}

impl World {
    /// An engine on the network that `truth` begins with.
    fn start(met: bool) -> Self {
        let network = Manual::new(state(met));
        Self::on(met, network.clone(), network, 64)
    }

    /// An engine that looks at `source`.
    fn on(
        met: bool,
        network: Manual<NetworkState>,
        source: impl Source<Key = (), State = NetworkState>,
        max_running: u64,
    ) -> Self {
        let paused = Arc::new(Paused::new());
        let clock: Arc<dyn Clock> = paused.clone();
        let randomness: Arc<dyn Randomness> = Arc::new(Seeded(Mutex::new(fastrand::Rng::with_seed(1))));
        let ledger =
            Ledger { clock: paused, truth: Arc::new(watch::Sender::new(met)), entries: Arc::default() };
        let machine = Machine {
            clock: Arc::clone(&clock),
            randomness: Arc::clone(&randomness),
            answers: WhereUnknown::new(),
            store_directory: None,
            validator: None,
            network_override: NetworkOverride::new(),
        };
        let mut kinds = ConstraintKinds::built_in(&machine);
        kinds.add_source::<NetworkSource>(source);
        let kinds = Arc::new(kinds);
        let mut states = StateMap::new();
        states.insert(ledger.clone());
        let place = Place { file: file!(), line: line!(), column: column!() };
        let registry = Registry::new([TaskEntry::of::<Send>(place)]).unwrap();
        let (requests, events) = (Arc::new(Mailbox::new()), Arc::new(Mailbox::new()));
        let mut store = MemoryStore::new([7; 16]);
        let rescue = RescueRequest::new(clock.wall(), None);
        let changes = store.write(&mut |verbs| drop(verbs.rescue(&rescue))).unwrap();
        let shared = Arc::new(Shared::new(
            registry,
            Arc::new(states),
            Limits { payload: 1 << 20, output: 1 << 20 },
            Arc::clone(&clock),
            randomness,
            Arc::clone(&requests),
            Arc::clone(&events),
            Arc::default(),
            store.facts().clone(),
            Arc::clone(&kinds),
        ));
        let _ = events.send(Event::Committed(changes, Vec::new()));
        let writer = Writer::new(Box::new(store), requests, events, clock, Arc::clone(&shared.figures));
        let executor: Arc<dyn Executor> = Arc::new(TokioExecutor::new(tokio::runtime::Handle::current()));
        let grace = Duration::from_secs(10);
        let dispatcher =
            Dispatcher::new(Arc::clone(&shared), Arc::clone(&executor), kinds, max_running, grace, grace);
        tokio::task::spawn_local(writer.run());
        tokio::task::spawn_local(dispatcher.run());
        Self { scheduler: TaskScheduler::new(shared, executor), ledger, network }
    }

    fn set(&self, met: bool) {
        self.ledger.truth.send_replace(met);
        self.network.set(state(met));
    }

    async fn pass(&self, length: Duration) {
        let clock = &self.ledger.clock;
        clock.sleep_until(clock.mono().plus(length)).await;
    }

    async fn schedule(&self, millis: u64, on_lost: OnLost) -> pushe_tasks_store::WorkId {
        Schedule::<Send>::new(millis).on_lost(on_lost).on(&self.scheduler).await.unwrap().id()
    }

    /// Waits until all of these have succeeded, and answers how often an attempt was counted at most.
    async fn finish(&self, work: &[pushe_tasks_store::WorkId]) -> u32 {
        let mut most = 0;
        for id in work {
            assert_eq!(self.scheduler.wait(*id).await.unwrap(), WorkState::Succeeded);
            most = most.max(self.scheduler.info(*id).await.unwrap().attempt);
        }
        most
    }
}

fn state(met: bool) -> NetworkState {
    if met { NetworkState::routed() } else { NetworkState::offline() }
}

/// Runs a body in paused time, with a loop that drives the engine beside it.
fn run<F: Future<Output = ()>>(body: impl FnOnce() -> F) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async { body().await });
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
