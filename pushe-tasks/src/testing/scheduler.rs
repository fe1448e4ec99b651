//! The scheduler of a test: one process after another on the same store, clock and device.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use pushe_tasks_store::{Attempt, Moved, WorkState};

use super::clock::TestClock;
use super::current::Current;
use super::device::Device;
use super::drain::{Drained, drain};
use super::life::Life;
use super::random::SeededRandomness;
use super::setup::TestSetup;
use super::store::Memory;
use crate::clock::{Clock, MonoTime};
use crate::context::{Given, Reports, TaskContext};
use crate::engine::message::Event;
use crate::info::WorkInfo;
use crate::outcome::{Outcome, TaskError};
use crate::random::Randomness;
use crate::scheduler::{TaskScheduler, within};
use crate::task::Task;
use crate::{SchedulerBuilder, codec};

/// In so long everything that may happen at one moment has happened: timers of tokio have no finer grain.
const MOMENT: Duration = Duration::from_millis(1);

/// The scheduler of a test.
///
/// It is a [`TaskScheduler`] too: whatever can be asked of one can be asked of it. It is the one that calls of its thread
/// use where they name none. Dropping it ends it as a crash would.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
/// use pushe_tasks::testing::TestScheduler;
/// use std::time::Duration;
///
/// #[pushe_task(every = "1d")]
/// async fn tidy_up_daily() {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut test = TestScheduler::setup().builder(|builder| builder.only::<TidyUpDaily>()).start().await;
/// TidyUpDaily::schedule().await?;
/// test.advance(Duration::from_secs(7 * 86_400)).await;
/// test.crash_and_reopen().await;
/// assert_eq!(test.info("TidyUpDaily").await?.history.len(), 8);
/// # Ok(())
/// # }
/// ```
pub struct TestScheduler {
    setup: TestSetup,
    clock: TestClock,
    device: Device,
    pub(super) memory: Memory,
    randomness: Arc<SeededRandomness>,
    process: Process,
    /// The moment that the test has asked for so far: what `advance` counts from.
    reached: Cell<MonoTime>,
    /// How many moves the last drain has reported.
    pub(super) reported: Cell<usize>,
}

/// One process.
struct Process {
    // It goes before the scheduler, so that nobody finds one that has ended.
    _current: Current,
    scheduler: TaskScheduler,
    life: Life,
}

/// The seeded numbers, which go on from process to process.
#[derive(Debug)]
struct Chance(Arc<SeededRandomness>);

impl Randomness for Chance {
    fn bits(&self) -> u64 {
        self.0.bits()
    }
}

/// Setting up.
impl TestScheduler {
    /// A scheduler of all annotated tasks of this program.
    ///
    /// # Panics
    /// As [`TestSetup::start`].
    pub async fn start() -> Self {
        Self::setup().start().await
    }

    /// Begins to set one up.
    pub fn setup() -> TestSetup {
        TestSetup::new()
    }

    pub(super) async fn begin(setup: TestSetup) -> Self {
        let (clock, device) = (TestClock::new(setup.now), Device::new());
        let randomness = Arc::new(SeededRandomness::new(setup.seed));
        let uuid = [randomness.bits().to_be_bytes(), randomness.bits().to_be_bytes()].concat();
        let memory = Memory::new(uuid.try_into().unwrap_or_default());
        let process = process(&setup, &clock, &device, &memory, &randomness).await;
        let reached = clock.mono().into();
        Self { setup, clock, device, memory, randomness, process, reached, reported: Cell::new(0) }
    }

    async fn start_again(&mut self) {
        self.memory.reopen();
        self.process = process(&self.setup, &self.clock, &self.device, &self.memory, &self.randomness).await;
    }
}

async fn process(
    setup: &TestSetup,
    clock: &TestClock,
    device: &Device,
    memory: &Memory,
    randomness: &Arc<SeededRandomness>,
) -> Process {
    let life = Life::new(setup.by_hand);
    let builder = device.fit(SchedulerBuilder::on_store(memory.seat()));
    let builder = setup.changes.iter().fold(builder, |builder, change| change(builder));
    let builder = builder.clock(clock.clone()).randomness(Chance(Arc::clone(randomness))).detached();
    let builder = builder.life(life.clone());
    let scheduler = match builder.start().await {
        Ok(scheduler) => scheduler,
        Err(error) => panic!("the scheduler of this test does not start: {error}"),
    };
    Process { _current: Current::enter(scheduler.clone()), scheduler, life }
}

/// Time.
impl TestScheduler {
    /// The clock.
    pub const fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// Lets so much time pass, with all that happens in it.
    ///
    /// Whatever falls due up to that moment has been done as far as it goes when this returns; that takes one virtual
    /// millisecond more, which the next call does not count again.
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves time where it is.
    pub async fn advance(&self, length: Duration) {
        // What was awaited in between may have taken time of its own.
        let from = if self.clock.mono().since(self.reached.get()) <= MOMENT {
            self.reached.get()
        } else {
            self.clock.mono()
        };
        self.reached.set(from.plus(length));
        self.clock.pass_until(self.reached.get()).await;
        self.settle().await;
    }

    /// Lets time pass until the engine has done something: up to the next end of a body that is stored, or to the next moment
    /// that the engine waits for. Answers how long that was; `None` where it waits for nothing and no body runs.
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves time where it is.
    pub async fn advance_to_next(&self) -> Option<Duration> {
        self.settle().await;
        let before = self.clock.mono();
        let mut commits = self.memory.commits();
        let next = self.clock.next_moment();
        let waits = async {
            match next {
                Some(moment) => self.clock.pass_until(moment).await,
                None => std::future::pending().await,
            }
        };
        if next.is_none() && self.memory.list(&[WorkState::Running]).is_empty() {
            return None;
        }
        tokio::select! {
            biased;
            _ = commits.changed() => {}
            () = waits => {}
        }
        self.settle().await;
        Some(self.clock.mono().since(before))
    }

    /// Lets everything happen that can happen now; one virtual millisecond passes.
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves time where it is.
    pub async fn settle(&self) {
        let now = self.clock.mono();
        self.clock.pass_until(now.plus(MOMENT)).await;
        // A test that only settles stands still.
        if now.since(self.reached.get()) > MOMENT {
            self.reached.set(now);
        }
    }

    /// The machine sleeps for so long: the wall clock goes on, the monotonic one and everything else stands still.
    pub async fn suspend(&self, length: Duration) {
        self.clock.jump(length);
        self.settle().await;
    }

    /// Lets time pass until every piece of work that runs once has ended, or until what is left waits for something that time
    /// does not bring: a constraint, a missing task, a person. Periodic work goes on meanwhile and is not waited for.
    ///
    /// It gives up after 30 virtual days, as it must where work is retried for ever.
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves time where it is.
    pub async fn drain(&self) -> Drained {
        drain(self).await
    }
}

/// Running.
impl TestScheduler {
    /// Runs the next piece that may start now, of a scheduler that starts nothing [by hand](TestSetup::by_hand), to the end of
    /// its attempt; answers the piece as it stands then, or `None` where nothing may start now.
    ///
    /// # Panics
    /// Where the scheduler starts work by itself.
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves the body running.
    pub async fn run_one(&self) -> Option<WorkInfo> {
        assert!(self.setup.by_hand, "this scheduler starts work by itself; set it up with `.by_hand()`");
        self.settle().await;
        let seen = self.memory.moves().len();
        self.allow(1);
        self.settle().await;
        let started =
            self.memory.moves()[seen..].iter().find(|moved| moved.to == WorkState::Running).cloned();
        let Some(Moved { attempt, .. }) = started else {
            self.allow(0);
            return None;
        };
        let mut commits = self.memory.commits();
        let ended =
            |moved: &Moved| moved.attempt.work == attempt.work && moved.from == Some(WorkState::Running);
        while !self.memory.moves()[seen..].iter().any(ended) {
            // The memory outlives this wait, and with it the sender.
            let _ = commits.changed().await;
        }
        self.settle().await;
        self.info(attempt.work).await.ok()
    }

    /// How many pieces may start from now on.
    fn allow(&self, starts: u64) {
        let _ = self.process.scheduler.shared().events.send(Event::Allow(starts));
    }

    /// Makes one attempt of a task at this input, with the states of this scheduler and without storing anything; what its
    /// body schedules goes to this scheduler.
    ///
    /// The input is encoded and decoded as it would be on its way through the store.
    ///
    /// # Errors
    /// What the body answers, and an input that cannot be stored.
    pub async fn perform<T: Task>(&self, input: T::Input) -> Result<Outcome<T::Output>, TaskError> {
        let shared = self.process.scheduler.shared();
        let input = codec::decode(&codec::encode(&input)?)?;
        let work = shared.ids.next(self.clock.wall(), &*shared.randomness);
        let context = TaskContext::new(
            Attempt { work, claim: 1 },
            Given { number: 1, ..Given::default() },
            Arc::clone(&shared.states),
            Arc::default(),
            Reports { writer: Arc::clone(&shared.requests), room: Arc::clone(&shared.side_room) },
            Some(self.process.scheduler.clone()),
        );
        within(Some(self.process.scheduler.clone()), T::perform(input, context)).await
    }
}

/// The device and the process.
impl TestScheduler {
    /// The levers of the device.
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// Kills the process at this moment, with all bodies that run, and starts the next one on what had been stored.
    ///
    /// Handles of the scheduler that was killed, receipts among them, answer that it has stopped. What a body shares with the
    /// test lives on, as a server beside a crashed program would.
    ///
    /// # Panics
    /// Where the next process cannot be started.
    pub async fn crash_and_reopen(&mut self) {
        let shared = self.process.scheduler.shared();
        shared.end();
        self.process.life.kill().await;
        shared.requests.close();
        shared.events.close();
        self.start_again().await;
    }

    /// Shuts the process down in order, with this grace for its bodies, and starts the next one.
    ///
    /// # Panics
    /// Where the next process cannot be started.
    pub async fn restart(&mut self, grace: Duration) {
        self.process.scheduler.shutdown(grace).await;
        self.start_again().await;
    }
}

impl Deref for TestScheduler {
    type Target = TaskScheduler;

    fn deref(&self) -> &TaskScheduler {
        &self.process.scheduler
    }
}

impl fmt::Debug for TestScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestScheduler").field("clock", &self.clock).finish_non_exhaustive()
    }
}
