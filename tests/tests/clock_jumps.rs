//! Clocks that jump and machines that sleep, as delayed and periodic work sees them (faults 23, 24, 26).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pushe_tasks::clock::{Clock as _, WallTime};
use pushe_tasks::{
    Driver, FromTaskContext as _, Outcome, PeriodOptions, Schedule, SchedulerBuilder, State, Task,
    TaskContext, TaskError, TaskOptions, TaskScheduler,
};
use pushe_tasks_store::redb::{Opening, RedbStore, SimDisk, StoreOptions};
use pushe_tasks_tests::sim::clock::SimClock;
use pushe_tasks_tests::sim::idle::Idle;
use pushe_tasks_tests::sim::random::SimRandomness;
use tokio::runtime::Runtime;

const HOUR: u64 = 3_600;
const YEAR: u64 = 365 * 24 * HOUR;

/// 24 November 2026.
const START: WallTime = WallTime::from_millis(1_795_500_000_000);

/// Which pieces have run, with the number of their slot.
type Ran = Arc<Mutex<Vec<(u64, u64)>>>;

/// Notes that it ran.
struct Note;

impl Task for Note {
    const NAME: &'static str = "Note";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = u64;
    type Output = ();

    async fn perform(number: u64, cx: TaskContext) -> Result<Outcome, TaskError> {
        let State(ran) = State::<Ran>::from_task_context(&cx)?;
        ran.lock().unwrap().push((number, cx.slot().map_or(0, |slot| slot.number)));
        Ok(Outcome::SUCCESS)
    }
}

struct Machine {
    clock: SimClock,
    disk: SimDisk,
    ran: Ran,
    process: Option<(TaskScheduler, Idle, Runtime)>,
}

impl Machine {
    fn new() -> Self {
        let clock = SimClock::new(START);
        let mut machine = Self { clock, disk: SimDisk::new(1), ran: Arc::default(), process: None };
        machine.start();
        machine
    }

    fn start(&mut self) {
        let opening = Opening { now: self.clock.wall(), new_uuid: [7; 16], program: "test".to_owned() };
        let mut options = StoreOptions::default();
        options.reserve_bytes = 16 << 10;
        let store = RedbStore::open_on(Box::new(self.disk.clone()), options, opening).unwrap();
        let (runtime, idle) = Idle::runtime();
        let builder = SchedulerBuilder::on_store(Box::new(store)).driver(Driver::Caller).detached();
        let builder = builder.clock(self.clock.clone()).randomness(SimRandomness::new(1));
        let builder = builder.state(Arc::clone(&self.ran)).register::<Note>().only::<Note>();
        let scheduler = runtime.block_on(builder.start()).unwrap();
        self.process = Some((scheduler, idle, runtime));
        self.settle();
    }

    fn settle(&self) {
        if let Some((_, idle, runtime)) = &self.process {
            runtime.block_on(idle.reached());
        }
    }

    fn schedule(&self, schedule: Schedule<Note>) {
        let (scheduler, _, runtime) = self.process.as_ref().unwrap();
        runtime.block_on(schedule.on(scheduler).into_future()).unwrap();
        self.settle();
    }

    /// Lets so many seconds pass, stopping wherever something waits for the clock.
    fn pass(&self, length: u64) {
        let mut left = Duration::from_secs(length);
        for _ in 0..10_000 {
            self.settle();
            let next = self.clock.next().filter(|next| *next <= left);
            self.clock.pass(next.unwrap_or(left));
            let Some(next) = next else { return self.settle() };
            left -= next;
        }
        panic!("the engine wakes up again and again");
    }

    /// The wall clock moves by so many seconds, while the monotonic one stands still.
    fn jump(&self, seconds: i64) {
        self.clock.jump(seconds * 1_000);
        self.settle();
    }

    fn kill(&mut self) {
        self.disk.freeze_at(0);
        self.process = None;
        self.disk = self.disk.for_next_process();
    }

    /// What has run since it was last asked, sorted.
    fn ran(&self) -> Vec<(u64, u64)> {
        let mut ran = std::mem::take(&mut *self.ran.lock().unwrap());
        ran.sort_unstable();
        ran
    }
}

fn seconds(count: u64) -> i64 {
    i64::try_from(count).unwrap()
}

fn delayed(hours: u64) -> Schedule<Note> {
    Schedule::new(hours).delay(Duration::from_secs(hours * HOUR))
}

#[test]
fn fault_23_a_clock_that_is_set_on_makes_every_delay_due_once() {
    let machine = Machine::new();
    for hours in 1..=300 {
        machine.schedule(delayed(hours));
    }
    machine.pass(30 * 60);
    assert_eq!(machine.ran(), []);
    machine.jump(seconds(YEAR));
    machine.pass(1);
    assert_eq!(
        machine.ran(),
        (1..=300).map(|hours| (hours, 0)).collect::<Vec<_>>(),
        "at once, each of them once"
    );
    machine.pass(400 * HOUR);
    assert_eq!(machine.ran(), [], "and never again");
}

#[test]
fn fault_24_a_clock_that_is_set_back_makes_no_delay_longer() {
    for while_down in [false, true] {
        let mut machine = Machine::new();
        machine.schedule(delayed(1));
        machine.schedule(delayed(5));
        machine.pass(30 * 60);
        if while_down {
            machine.kill();
            machine.jump(-seconds(YEAR));
            machine.start();
        } else {
            machine.jump(-seconds(YEAR));
        }
        // A delay may begin anew, and is never longer than it was to be.
        machine.pass(HOUR + 1);
        assert_eq!(machine.ran(), [(1, 0)], "while down: {while_down}");
        machine.pass(4 * HOUR);
        assert_eq!(machine.ran(), [(5, 0)], "while down: {while_down}");
    }
}

#[test]
fn fault_26_after_a_sleep_of_hours_what_is_due_runs_once() {
    let machine = Machine::new();
    for hours in [1, 7, 9] {
        machine.schedule(delayed(hours));
    }
    machine.schedule(Schedule::new(100).id("hourly").period(PeriodOptions::every(Duration::from_secs(HOUR))));
    machine.pass(60);
    assert_eq!(machine.ran(), [(100, 0)]);
    machine.jump(seconds(8 * HOUR));
    machine.pass(30);
    assert_eq!(machine.ran(), [(1, 0), (7, 0), (100, 8)], "what fell due, and one run of the period");
    machine.pass(2 * HOUR);
    assert_eq!(machine.ran(), [(9, 0), (100, 9), (100, 10)]);
}
