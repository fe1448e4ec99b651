//! A machine with a disk and a clock, and a process on it that runs the real engine on the real embedded store.
//!
//! Invariant: time passes only where a test lets it, and never while something is left to do.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::time::Duration;

use pushe_tasks::clock::{Clock as _, WallTime};
use pushe_tasks::{Driver, Receipt, Schedule, ScheduleError, SchedulerBuilder, Task, TaskScheduler};
use pushe_tasks_store::redb::{Opening, RedbStore, SimDisk, StoreOptions};
use tokio::runtime::Runtime;

use super::clock::SimClock;
use super::idle::Idle;
use super::random::SimRandomness;

/// What a program adds to its scheduler's builder: tasks, states, options.
pub type Program = Box<dyn Fn(SchedulerBuilder) -> SchedulerBuilder>;

/// The machine; dropped, its process ends without a word.
pub struct Machine {
    /// Its clock.
    pub clock: SimClock,
    disk: SimDisk,
    program: Program,
    process: Option<Process>,
    lives: u64,
}

struct Process {
    scheduler: TaskScheduler,
    idle: Idle,
    runtime: Runtime,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("clock", &self.clock)
            .field("lives", &self.lives)
            .finish_non_exhaustive()
    }
}

impl Machine {
    /// A machine with an empty disk, on which the program has been started.
    pub fn new(clock: SimClock, program: impl Fn(SchedulerBuilder) -> SchedulerBuilder + 'static) -> Self {
        let program = Box::new(program);
        let mut machine = Self { clock, disk: SimDisk::new(1), program, process: None, lives: 0 };
        machine.start();
        machine
    }

    /// Starts the program again.
    ///
    /// # Panics
    /// Where the store or the scheduler does not start.
    pub fn start(&mut self) {
        self.lives += 1;
        let opening = Opening { now: self.clock.wall(), new_uuid: [7; 16], program: "test".to_owned() };
        let mut options = StoreOptions::default();
        options.reserve_bytes = 16 << 10;
        let store = RedbStore::open_on(Box::new(self.disk.clone()), options, opening).expect("it opens");
        let (runtime, idle) = Idle::runtime();
        let builder = SchedulerBuilder::on_store(Box::new(store))
            .driver(Driver::Caller)
            .detached()
            .clock(self.clock.clone())
            .randomness(SimRandomness::new(self.lives));
        let scheduler = runtime.block_on((self.program)(builder).start()).expect("it starts");
        self.process = Some(Process { scheduler, idle, runtime });
        self.settle();
    }

    /// Another version of the program takes the place of this one, with the next start.
    pub fn install(&mut self, program: impl Fn(SchedulerBuilder) -> SchedulerBuilder + 'static) {
        self.program = Box::new(program);
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("the program runs")
    }

    /// The running scheduler.
    ///
    /// # Panics
    /// Where no process runs.
    pub fn scheduler(&self) -> &TaskScheduler {
        &self.process().scheduler
    }

    /// Lets everything go on that needs no time.
    pub fn settle(&self) {
        if let Some(process) = &self.process {
            process.runtime.block_on(process.idle.reached());
        }
    }

    /// Lets so much time pass, stopping wherever something waits for the clock.
    ///
    /// # Panics
    /// Where the engine wakes up again and again.
    pub fn pass(&self, length: Duration) {
        let mut left = length;
        for _ in 0..100_000 {
            self.settle();
            let next = self.clock.next().filter(|next| *next <= left && self.process.is_some());
            self.clock.pass(next.unwrap_or(left));
            let Some(next) = next else { return self.settle() };
            left -= next;
        }
        panic!("the engine wakes up again and again");
    }

    /// The process is gone, without a word.
    pub fn kill(&mut self) {
        self.disk.freeze_at(0);
        self.process = None;
        self.disk = self.disk.for_next_process();
    }

    /// Kills the process and starts it again after a while.
    pub fn restart_after(&mut self, length: Duration) {
        self.kill();
        self.pass(length);
        self.start();
    }

    /// Runs something on the process to its end.
    ///
    /// # Panics
    /// Where no process runs.
    pub fn block<R>(&self, future: impl Future<Output = R>) -> R {
        self.process().runtime.block_on(future)
    }

    /// Schedules, and lets go on what follows from it at once.
    ///
    /// # Errors
    /// What scheduling answers.
    pub fn try_schedule<T: Task>(&self, schedule: Schedule<T>) -> Result<Receipt<T>, ScheduleError> {
        let receipt = self.block(schedule.on(self.scheduler()).into_future());
        self.settle();
        receipt
    }

    /// Schedules what must be taken.
    ///
    /// # Panics
    /// Where it is refused.
    pub fn schedule<T: Task>(&self, schedule: Schedule<T>) -> Receipt<T> {
        self.try_schedule(schedule).expect("it is taken")
    }
}

/// The moment from which machines count: 28 March 2026, 12:00 UTC.
pub const START: WallTime = WallTime::from_millis(1_774_699_200_000);
