//! An engine in the hand of a test: its clock stands still until it is told to move, its store outlives it and can be broken.
//!
//! Invariant: nothing here sleeps. After `settle` everything that could happen without the clock has happened.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use pushe_tasks::clock::WallTime;
use pushe_tasks::constraint::{Manual, NetworkState};
use pushe_tasks::{Driver, SchedulerBuilder, TaskScheduler};
use pushe_tasks_store::{Changes, Look, MemoryStore, Store, StoreError, StoreFacts, Verbs};
use tokio::runtime::Runtime;

use crate::sim::clock::SimClock;
use crate::sim::idle::Idle;
use crate::sim::random::SimRandomness;

/// The wall clock at the beginning: 2027-01-15, 08:00 UTC.
pub const START: WallTime = WallTime::from_millis(1_800_000_000_000);

/// So many moments at which something waits for the clock are taken for an engine that wakes up again and again.
const MOST_MOMENTS: u32 = 100_000;

/// A store in memory that outlives its scheduler.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    store: MemoryStore,
    broken: Option<StoreError>,
    doubts: u32,
}

impl Kept {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses to begin a transaction from now on, or works again.
    pub fn break_with(&self, error: Option<StoreError>) {
        self.inner().broken = error;
    }

    /// Makes the next commits durable that store anything, and says that they are in doubt.
    pub fn doubt(&self, commits: u32) {
        self.inner().doubts = commits;
    }

    /// The store as the next process finds it.
    fn reopen(&self) {
        let mut inner = self.inner();
        inner.store = std::mem::take(&mut inner.store).reopen();
    }
}

impl Store for Kept {
    fn write(&mut self, body: &mut dyn FnMut(&mut dyn Verbs)) -> Result<Changes, StoreError> {
        let mut inner = self.inner();
        if let Some(error) = &inner.broken {
            return Err(error.clone());
        }
        let changes = inner.store.write(body)?;
        if inner.doubts > 0 && !changes.moves.is_empty() {
            inner.doubts -= 1;
            return Err(StoreError::InDoubt("the test".to_owned()));
        }
        Ok(changes)
    }

    fn read(&mut self, body: &mut dyn FnMut(&dyn Look)) -> Result<(), StoreError> {
        self.inner().store.read(body)
    }

    fn facts(&self) -> &StoreFacts {
        static FACTS: StoreFacts = StoreFacts::new("memory", String::new(), [0; 16], 1);
        &FACTS
    }
}

/// A machine with a clock, a network and a store, and a process on it.
#[derive(Debug)]
pub struct Still {
    /// The clock of the engine.
    pub clock: SimClock,
    /// Its network, routed at first.
    pub network: Manual<NetworkState>,
    /// Its store.
    pub store: Kept,
    process: Option<(TaskScheduler, Idle, Runtime)>,
}

impl Still {
    /// A machine without a process.
    pub fn new() -> Self {
        let network = Manual::new(NetworkState::routed());
        Self { clock: SimClock::new(START), network, store: Kept::default(), process: None }
    }

    /// Begins a process, with a scheduler that is set up like this.
    ///
    /// # Panics
    /// Where the scheduler does not start.
    pub fn start(&mut self, set_up: impl FnOnce(SchedulerBuilder) -> SchedulerBuilder) {
        let (runtime, idle) = Idle::runtime();
        let builder = SchedulerBuilder::on_store(Box::new(self.store.clone()))
            .driver(Driver::Caller)
            .detached()
            .clock(self.clock.clone())
            .randomness(SimRandomness::new(1))
            .network_source(self.network.clone());
        let scheduler = runtime.block_on(set_up(builder).start()).expect("it starts");
        self.process = Some((scheduler, idle, runtime));
        self.settle();
    }

    /// The process is gone, without a word.
    pub fn crash(&mut self) {
        self.store.break_with(Some(StoreError::Failed("the process is gone".to_owned())));
        self.process = None;
        self.store.break_with(None);
        self.store.reopen();
    }

    fn process(&self) -> &(TaskScheduler, Idle, Runtime) {
        self.process.as_ref().expect("a process runs")
    }

    /// The scheduler of the process.
    pub fn scheduler(&self) -> &TaskScheduler {
        &self.process().0
    }

    /// Runs a future on the runtime of the process.
    pub fn block<R>(&self, future: impl Future<Output = R>) -> R {
        self.process().2.block_on(future)
    }

    /// Begins something on the runtime of the process.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.process().2.spawn(future));
    }

    /// Lets everything happen that can without the clock.
    pub fn settle(&self) {
        let (_, idle, runtime) = self.process();
        runtime.block_on(idle.reached());
    }

    /// Lets so much time pass, stopping wherever something waits for the clock.
    ///
    /// # Panics
    /// Where the engine wakes up again and again.
    pub fn pass(&self, length: Duration) {
        let mut left = length;
        for _ in 0..MOST_MOMENTS {
            self.settle();
            let next = self.clock.next().filter(|next| *next <= left);
            self.clock.pass(next.unwrap_or(left));
            let Some(next) = next else { return self.settle() };
            left -= next;
        }
        panic!("the engine wakes up again and again");
    }

    /// The moment so many seconds after the beginning.
    pub fn at(&self, seconds: u64) -> SystemTime {
        START.plus(Duration::from_secs(seconds)).into()
    }
}

impl Default for Still {
    fn default() -> Self {
        Self::new()
    }
}
