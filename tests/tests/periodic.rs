//! Periodic work on the real engine and the real embedded store, on a clock and a disk that the test holds in its hand (S5, S8).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use pushe_tasks::clock::{Clock as _, WallTime};
use pushe_tasks::constraint::{Manual, NetworkState};
use pushe_tasks::{
    Driver, ExistingWorkPolicy, Fail, FromTaskContext as _, Missed, NetworkType, OptionError, Outcome,
    PeriodOptions, Reason, Receipt, ReceiptKind, RetryOptions, Schedule, ScheduleError, SchedulerBuilder,
    State, Task, TaskContext, TaskError, TaskOptions, TaskScheduler, WorkInfo, WorkState,
};
use pushe_tasks_store::redb::{Opening, RedbStore, SimDisk, StoreOptions};
use pushe_tasks_tests::sim::clock::SimClock;
use pushe_tasks_tests::sim::idle::Idle;
use pushe_tasks_tests::sim::random::SimRandomness;
use tokio::runtime::Runtime;

const SECOND: u64 = 1;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// 28 March 2026, 12:00 UTC: the day before Berlin's gap.
const START: WallTime = WallTime::from_millis(1_774_699_200_000);

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const HOURLY: PeriodOptions = PeriodOptions::every(seconds(HOUR));

/// One run: seconds after the start, number of its slot, seconds of its slot after the start, missed slots, attempt.
type Ran = (i64, u64, i64, u64, u32);

/// What the next body does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Take(u64),
    Fail,
    Err,
    Panic,
}

#[derive(Clone)]
struct Stage {
    clock: SimClock,
    ran: Arc<Mutex<Vec<Ran>>>,
    acts: Arc<Mutex<VecDeque<Act>>>,
}

/// Tells of its run, and does what it is told to.
struct Beat;

impl Task for Beat {
    const NAME: &'static str = "Beat";
    const OPTIONS: TaskOptions<Self> =
        TaskOptions::new().retry(RetryOptions::new().delay(seconds(10 * MINUTE)).jitter(0.0));
    type Input = ();
    type Output = u8;

    async fn perform((): (), cx: TaskContext) -> Result<Outcome<u8>, TaskError> {
        let State(stage) = State::<Stage>::from_task_context(&cx)?;
        let slot = cx.slot();
        let at = slot.map_or(START, |slot| WallTime::from(slot.at));
        let ran = (
            since(stage.clock.wall()),
            slot.map_or(0, |slot| slot.number),
            since(at),
            cx.missed_slots(),
            cx.attempt(),
        );
        stage.ran.lock().unwrap().push(ran);
        let act = stage.acts.lock().unwrap().pop_front();
        match act {
            None => {}
            Some(Act::Take(length)) => stage.clock.sleep(seconds(length)).await,
            Some(Act::Fail) => return Err(Fail::because("told to").into()),
            Some(Act::Err) => return Err(TaskError::new("told to")),
            Some(Act::Panic) => panic!("told to"),
        }
        Ok(Outcome::Success(1))
    }
}

/// Other work, which wakes the engine.
struct Other;

impl Task for Other {
    const NAME: &'static str = "Other";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = ();
    type Output = ();

    async fn perform((): (), _: TaskContext) -> Result<Outcome, TaskError> {
        Ok(Outcome::SUCCESS)
    }
}

fn since(moment: WallTime) -> i64 {
    (moment.as_millis() - START.as_millis()).div_euclid(1_000)
}

/// A machine with a disk and a clock, and a process on it.
struct Machine {
    clock: SimClock,
    disk: SimDisk,
    network: Manual<NetworkState>,
    stage: Stage,
    process: Option<(TaskScheduler, Idle, Runtime)>,
    lives: u64,
}

impl Machine {
    fn new() -> Self {
        let clock = SimClock::new(START);
        let stage = Stage { clock: clock.clone(), ran: Arc::default(), acts: Arc::default() };
        let network = Manual::new(NetworkState::routed());
        let mut machine = Self { clock, disk: SimDisk::new(1), network, stage, process: None, lives: 0 };
        machine.start();
        machine
    }

    fn start(&mut self) {
        self.lives += 1;
        let opening = Opening { now: self.clock.wall(), new_uuid: [7; 16], program: "test".to_owned() };
        let mut options = StoreOptions::default();
        options.reserve_bytes = 16 << 10;
        let store = RedbStore::open_on(Box::new(self.disk.clone()), options, opening).unwrap();
        let (runtime, idle) = Idle::runtime();
        let builder = SchedulerBuilder::on_store(Box::new(store))
            .driver(Driver::Caller)
            .detached()
            .clock(self.clock.clone())
            .randomness(SimRandomness::new(self.lives))
            .network_source(self.network.clone())
            .state(self.stage.clone())
            .register::<Beat>()
            .register::<Other>()
            .only::<Beat>()
            .only::<Other>();
        let scheduler = runtime.block_on(builder.start()).unwrap();
        self.process = Some((scheduler, idle, runtime));
        self.settle();
    }

    fn process(&self) -> &(TaskScheduler, Idle, Runtime) {
        self.process.as_ref().unwrap()
    }

    fn settle(&self) {
        if let Some((_, idle, runtime)) = &self.process {
            runtime.block_on(idle.reached());
        }
    }

    /// Lets so many seconds pass, stopping wherever something waits for the clock.
    fn pass(&self, length: u64) {
        let mut left = seconds(length);
        for _ in 0..10_000 {
            self.settle();
            let next = self.clock.next().filter(|next| *next <= left && self.process.is_some());
            self.clock.pass(next.unwrap_or(left));
            let Some(next) = next else { return self.settle() };
            left -= next;
        }
        panic!("the engine wakes up again and again");
    }

    /// The process is gone, without a word.
    fn kill(&mut self) {
        self.disk.freeze_at(0);
        self.process = None;
        self.disk = self.disk.for_next_process();
    }

    fn restart_after(&mut self, length: u64) {
        self.kill();
        self.pass(length);
        self.start();
    }

    fn act(&self, acts: &[Act]) {
        self.stage.acts.lock().unwrap().extend(acts);
    }

    /// What has run since it was last asked.
    fn ran(&self) -> Vec<Ran> {
        std::mem::take(&mut *self.stage.ran.lock().unwrap())
    }

    fn block<R>(&self, future: impl Future<Output = R>) -> R {
        self.process().2.block_on(future)
    }

    fn try_schedule(&self, schedule: Schedule<Beat>) -> Result<Receipt<Beat>, ScheduleError> {
        let receipt = self.block(schedule.on(&self.process().0).into_future());
        self.settle();
        receipt
    }

    fn schedule(&self, period: PeriodOptions) -> Receipt<Beat> {
        self.try_schedule(Schedule::new(()).period(period)).unwrap()
    }

    /// Schedules other work, which runs at once.
    fn other(&self) {
        self.block(Schedule::<Other>::new(()).on(&self.process().0).into_future()).unwrap();
        self.settle();
    }

    fn info(&self) -> WorkInfo {
        self.block(self.process().0.info("Beat")).unwrap()
    }
}

fn hours(count: u64) -> i64 {
    i64::try_from(count * HOUR).unwrap()
}

fn minutes(count: u64) -> i64 {
    i64::try_from(count * MINUTE).unwrap()
}

/// Runs in time, without misses, of these slots of an hourly grid.
fn on_the_hour(slots: std::ops::RangeInclusive<u64>) -> Vec<Ran> {
    slots.map(|slot| (hours(slot), slot, hours(slot), 0, 1)).collect()
}

#[test]
fn s5_1_runs_begin_on_the_grid_however_long_they_take() {
    let machine = Machine::new();
    let receipt = machine.schedule(HOURLY);
    assert_eq!(*receipt.kind(), ReceiptKind::New);
    assert_eq!(machine.ran(), on_the_hour(0..=0), "the first one at once");
    machine.act(&[Act::Take(20 * MINUTE), Act::Take(59 * MINUTE)]);
    machine.pass(4 * HOUR);
    assert_eq!(machine.ran(), on_the_hour(1..=4));
    let info = machine.info();
    assert_eq!((info.state, info.attempt, info.task_id.as_deref()), (WorkState::Enqueued, 1, Some("Beat")));
    assert_eq!(info.due, SystemTime::from(START.plus(seconds(5 * HOUR))));
}

#[test]
fn s5_1_the_grid_is_kept_over_restarts() {
    let mut machine = Machine::new();
    machine.schedule(HOURLY);
    machine.pass(90 * MINUTE);
    machine.restart_after(10 * MINUTE);
    machine.pass(80 * MINUTE);
    assert_eq!(machine.ran(), on_the_hour(0..=3));
}

#[test]
fn s5_1_a_flexible_run_goes_along_with_other_work_or_ends_its_window() {
    let machine = Machine::new();
    machine.schedule(HOURLY.flex(seconds(10 * MINUTE)));
    assert_eq!(machine.ran(), []);
    machine.pass(49 * MINUTE);
    machine.other();
    assert_eq!(machine.ran(), [], "its window is not open");
    machine.pass(3 * MINUTE);
    machine.other();
    assert_eq!(machine.ran(), [(minutes(52), 1, hours(1), 0, 1)]);
    machine.pass(2 * HOUR);
    assert_eq!(machine.ran(), on_the_hour(2..=2));
}

#[test]
fn s5_1_a_run_too_soon_after_the_last_start_is_left_out() {
    let machine = Machine::new();
    machine.network.set(NetworkState::offline());
    machine.settle();
    let schedule =
        Schedule::new(()).period(HOURLY.min_gap(seconds(30 * MINUTE))).network(NetworkType::Connected);
    machine.try_schedule(schedule).unwrap();
    machine.pass(40 * MINUTE);
    machine.network.set(NetworkState::routed());
    machine.pass(3 * HOUR);
    let ran = machine.ran();
    assert_eq!(ran.iter().map(|ran| ran.1).collect::<Vec<_>>(), [0, 2, 3], "{ran:?}");
}

#[test]
fn s5_2_cron_follows_the_clock_on_the_wall() {
    let mut machine = Machine::new();
    let nightly = PeriodOptions::cron("30 2 * * *").tz("Europe/Berlin");
    machine.schedule(nightly);
    machine.pass(DAY);
    machine.restart_after(SECOND);
    machine.pass(2 * DAY);
    // 29 March at 3:00 instead of 2:30, then 2:30 summer time.
    let at = [hours(13), hours(36) + minutes(30), hours(60) + minutes(30)];
    let expected: Vec<Ran> = (0..).zip(at).map(|(slot, at)| (at, slot, at, 0, 1)).collect();
    assert_eq!(machine.ran(), expected);
}

#[test]
fn s5_3_slots_missed_while_nothing_ran_are_made_up_for_as_the_option_says() {
    let check = |missed, expected: &[Ran]| {
        let mut machine = Machine::new();
        machine.schedule(HOURLY.missed(missed));
        machine.pass(MINUTE);
        assert_eq!(machine.ran(), on_the_hour(0..=0));
        machine.restart_after(3 * HOUR + 20 * MINUTE);
        machine.pass(SECOND);
        let late = hours(3) + minutes(21);
        let first: Vec<Ran> =
            expected.iter().map(|(_, slot, at, missed, n)| (late, *slot, *at, *missed, *n)).collect();
        assert_eq!(machine.ran(), first, "{missed:?}");
        machine.pass(HOUR);
        assert_eq!(machine.ran(), on_the_hour(4..=4), "{missed:?}");
    };
    check(Missed::Once, &[(0, 3, hours(3), 3, 1)]);
    check(Missed::Skip, &[]);
    check(Missed::All, &[(0, 1, hours(1), 1, 1), (0, 2, hours(2), 1, 1), (0, 3, hours(3), 1, 1)]);
}

#[test]
fn s5_3_slots_missed_for_a_constraint_are_one_run() {
    let machine = Machine::new();
    let schedule = Schedule::new(()).period(HOURLY).network(NetworkType::Connected);
    machine.try_schedule(schedule).unwrap();
    machine.pass(MINUTE);
    machine.network.set(NetworkState::offline());
    machine.pass(5 * HOUR);
    assert_eq!(machine.ran(), on_the_hour(0..=0));
    machine.network.set(NetworkState::routed());
    machine.pass(MINUTE);
    let ran = machine.ran();
    assert_eq!(ran.iter().map(|ran| (ran.1, ran.3)).collect::<Vec<_>>(), [(5, 5)], "{ran:?}");
}

#[test]
fn s5_4_a_body_that_outlasts_its_period_is_never_beside_another() {
    let machine = Machine::new();
    machine.act(&[Act::Take(2 * HOUR + 30 * MINUTE)]);
    machine.schedule(HOURLY);
    machine.pass(3 * HOUR);
    let late = (hours(2) + minutes(30), 2, hours(2), 2, 1);
    assert_eq!(machine.ran(), [on_the_hour(0..=0), vec![late], on_the_hour(3..=3)].concat());
}

#[test]
fn s5_4_no_failure_ends_more_than_its_period() {
    let machine = Machine::new();
    machine.act(&[Act::Fail, Act::Panic]);
    machine.schedule(HOURLY);
    assert_eq!(machine.ran(), on_the_hour(0..=0));
    machine.pass(HOUR);
    machine.pass(10 * MINUTE);
    // The panic is an attempt that ended in retry, and its back-off comes before the next slot.
    let again = (hours(1) + minutes(10), 1, hours(1), 0, 2);
    assert_eq!(machine.ran(), [on_the_hour(1..=1), vec![again]].concat());
    machine.pass(50 * MINUTE);
    assert_eq!(machine.ran(), on_the_hour(2..=2));
    assert_eq!(machine.info().last_error().map(|text| text.contains("told to")), Some(true));
}

#[test]
fn s5_4_a_back_off_that_passes_the_next_slot_is_replaced_by_it() {
    let machine = Machine::new();
    machine.act(&[Act::Err, Act::Err, Act::Err]);
    machine.schedule(HOURLY);
    machine.pass(70 * MINUTE);
    // After 10 and 20 more minutes, and then not after 40.
    let attempts = [
        (0, 0, 0, 0, 1),
        (minutes(10), 0, 0, 0, 2),
        (minutes(30), 0, 0, 0, 3),
        (hours(1), 1, hours(1), 0, 1),
    ];
    assert_eq!(machine.ran(), attempts);
}

#[test]
fn s5_4_so_many_failed_periods_in_a_row_end_the_work() {
    let machine = Machine::new();
    machine.act(&[Act::Fail, Act::Fail, Act::Take(SECOND), Act::Fail, Act::Fail, Act::Fail]);
    machine.schedule(HOURLY.stop_after(3));
    machine.pass(4 * HOUR);
    assert_eq!(machine.info().state, WorkState::Enqueued);
    machine.pass(4 * HOUR);
    assert_eq!(machine.ran().len(), 6);
    let info = machine.info();
    assert_eq!((info.state, info.reason), (WorkState::Failed, Some(Reason::Periods)));
}

#[test]
fn s4_10_periodic_work_bears_its_tasks_name_and_is_kept() {
    let machine = Machine::new();
    let first = machine.schedule(HOURLY);
    machine.pass(MINUTE);
    let second = machine.schedule(HOURLY);
    assert_eq!(second.id(), first.id());
    assert!(matches!(second.kind(), ReceiptKind::Kept { .. }), "{:?}", second.kind());
    let replaced = machine.try_schedule(Schedule::new(()).period(HOURLY).policy(ExistingWorkPolicy::Replace));
    assert_ne!(replaced.unwrap().id(), first.id());
    let append = Schedule::new(()).period(HOURLY).policy(ExistingWorkPolicy::Append);
    let refused = machine.try_schedule(append).unwrap_err();
    assert!(matches!(refused, ScheduleError::Option(OptionError::AppendPeriodic)), "{refused:?}");
    let once =
        machine.try_schedule(Schedule::new(()).id("Beat").policy(ExistingWorkPolicy::Keep)).unwrap_err();
    assert!(matches!(once, ScheduleError::KindDiffers { periodic: true, .. }), "{once:?}");
}

#[test]
fn s5_4_cancel_ends_it() {
    let machine = Machine::new();
    machine.schedule(HOURLY);
    machine.block(machine.process().0.cancel("Beat")).unwrap();
    machine.pass(3 * HOUR);
    assert_eq!(machine.ran().len(), 1);
    assert_eq!(machine.info().state, WorkState::Cancelled);
}

#[test]
fn s5_6_the_next_run_alone_is_at_another_time() {
    let machine = Machine::new();
    machine.schedule(HOURLY);
    machine.ran();
    let at = START.plus(seconds(25 * MINUTE));
    let answer = machine.block(machine.process().0.next_run_override("Beat", Some(at.into())));
    assert_eq!(answer.unwrap().len(), 1);
    machine.pass(2 * HOUR);
    let early = (minutes(25), 1, hours(1), 0, 1);
    assert_eq!(machine.ran(), [vec![early], on_the_hour(2..=2)].concat());
    // A later time than its slot misses nothing: it was asked for.
    let late = START.plus(seconds(4 * HOUR + 25 * MINUTE));
    machine.block(machine.process().0.next_run_override("Beat", Some(late.into()))).unwrap();
    machine.pass(3 * HOUR);
    let ran = (hours(4) + minutes(25), 4, hours(4), 0, 1);
    assert_eq!(machine.ran(), [vec![ran], on_the_hour(5..=5)].concat());
    let nobody = machine.block(machine.process().0.next_run_override("nobody", Some(at.into())));
    assert!(nobody.is_err());
}

#[test]
fn s8_1_a_clock_that_is_set_back_makes_nothing_wait_longer_than_it_was_to() {
    let machine = Machine::new();
    machine.schedule(HOURLY);
    machine.pass(30 * MINUTE);
    machine.ran();
    machine.clock.jump(-i64::try_from(10 * DAY).unwrap() * 1_000);
    machine.pass(HOUR);
    let ran = machine.ran();
    // The slot keeps its number, and comes an hour after the jump at the latest.
    assert_eq!(ran.iter().map(|ran| (ran.1, ran.3)).collect::<Vec<_>>(), [(1, 0)], "{ran:?}");
    machine.pass(HOUR);
    let ran = machine.ran();
    assert_eq!(ran.iter().map(|ran| ran.1).collect::<Vec<_>>(), [2], "{ran:?}");
}

#[test]
fn s8_1_a_clock_that_was_set_back_while_nothing_ran_is_noticed() {
    let mut machine = Machine::new();
    machine.schedule(HOURLY);
    machine.pass(30 * MINUTE);
    machine.ran();
    machine.kill();
    machine.clock.jump(-i64::try_from(10 * DAY).unwrap() * 1_000);
    machine.start();
    machine.pass(HOUR);
    let ran = machine.ran();
    assert_eq!(ran.iter().map(|ran| (ran.1, ran.3)).collect::<Vec<_>>(), [(1, 0)], "{ran:?}");
}

#[test]
fn s8_2_a_clock_that_is_set_on_makes_one_run_of_what_was_missed() {
    let machine = Machine::new();
    machine.schedule(HOURLY);
    machine.pass(30 * MINUTE);
    machine.ran();
    machine.clock.jump(i64::try_from(365 * DAY).unwrap() * 1_000);
    machine.pass(MINUTE);
    let ran = machine.ran();
    assert_eq!(ran.iter().map(|ran| (ran.1, ran.3)).collect::<Vec<_>>(), [(8_760, 8_760)], "{ran:?}");
}

#[test]
fn s8_2_records_are_kept_for_a_minute_after_a_jump() {
    let machine = Machine::new();
    let receipt = machine.try_schedule(Schedule::new(())).unwrap();
    let is_there = || machine.block(machine.process().0.info(receipt.id())).is_ok();
    machine.pass(2 * MINUTE);
    assert!(is_there());
    machine.clock.jump(i64::try_from(365 * DAY).unwrap() * 1_000);
    // An engine that has nothing to wait for notices when it is next spoken to.
    machine.other();
    machine.pass(59);
    assert!(is_there(), "nobody knows yet whether the clock is right");
    machine.pass(2 * MINUTE);
    assert!(!is_there(), "its day is over");
}
