//! What a program schedules at its start (S5.5): versions of one program, one after the other, on one disk.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pushe_tasks::{
    FromTaskContext as _, Outcome, PeriodOptions, Reason, Schedule, SchedulerBuilder, State, Task,
    TaskContext, TaskError, TaskOptions, WorkInfo, WorkState,
};
use pushe_tasks_tests::sim::clock::SimClock;
use pushe_tasks_tests::sim::machine::{Machine, START};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// Which versions ran, each with the number of its slot.
type Ran = Arc<Mutex<Vec<(&'static str, u64)>>>;

fn note(version: &'static str, cx: &TaskContext) -> Result<Outcome, TaskError> {
    let State(ran) = State::<Ran>::from_task_context(cx)?;
    ran.lock().unwrap().push((version, cx.slot().map_or(0, |slot| slot.number)));
    Ok(Outcome::SUCCESS)
}

/// One version of the task `Beat`.
macro_rules! version {
    ($type:ident, $options:expr) => {
        struct $type;

        impl Task for $type {
            const NAME: &'static str = "Beat";
            const OPTIONS: TaskOptions<Self> = $options;
            type Input = ();
            type Output = ();

            async fn perform((): (), cx: TaskContext) -> Result<Outcome, TaskError> {
                note(stringify!($type), &cx)
            }
        }
    };
}

version!(Hourly, TaskOptions::new().period(PeriodOptions::every(HOUR)).automatic());
version!(Faster, TaskOptions::new().period(PeriodOptions::every(MINUTE)).automatic());
version!(Renamed, TaskOptions::new().id("other").period(PeriodOptions::every(HOUR)).automatic());
version!(ByCall, TaskOptions::new().period(PeriodOptions::every(HOUR)));

/// Another task, under the id that an automatic one would take.
struct InTheWay;

impl Task for InTheWay {
    const NAME: &'static str = "InTheWay";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new().id("Beat");
    type Input = ();
    type Output = ();

    async fn perform((): (), _: TaskContext) -> Result<Outcome, TaskError> {
        Ok(Outcome::SUCCESS)
    }
}

fn program<T: Task>(ran: &Ran) -> impl Fn(SchedulerBuilder) -> SchedulerBuilder + 'static {
    let ran = Arc::clone(ran);
    move |builder| {
        let builder = builder.state(Arc::clone(&ran)).register::<T>().register::<InTheWay>();
        builder.only::<T>().only::<InTheWay>()
    }
}

fn machine<T: Task>() -> (Machine, Ran) {
    let ran = Ran::default();
    (Machine::new(SimClock::new(START), program::<T>(&ran)), ran)
}

fn take(ran: &Ran) -> Vec<(&'static str, u64)> {
    std::mem::take(&mut *ran.lock().unwrap())
}

fn info(machine: &Machine, task_id: &str) -> WorkInfo {
    machine.block(machine.scheduler().info(task_id)).unwrap()
}

#[test]
fn s5_5_automatic_work_is_scheduled_at_the_start_and_keeps_its_grid() {
    let (mut machine, ran) = machine::<Hourly>();
    assert_eq!(take(&ran), [("Hourly", 0)]);
    let first = info(&machine, "Beat");
    assert_eq!((first.generation, first.due), (1, START.plus(HOUR).into()));
    machine.restart_after(MINUTE * 50);
    let second = info(&machine, "Beat");
    assert_eq!((second.id, second.generation, second.due), (first.id, 2, first.due));
    assert_eq!(take(&ran), [], "the grid is kept");
    machine.pass(MINUTE * 70);
    assert_eq!(take(&ran), [("Hourly", 1), ("Hourly", 2)]);
    assert_eq!(machine.block(machine.scheduler().list(&[], 9)).unwrap().len(), 1);
}

#[test]
fn s5_5_another_period_begins_another_grid() {
    let (mut machine, ran) = machine::<Hourly>();
    take(&ran);
    machine.install(program::<Faster>(&ran));
    machine.restart_after(MINUTE * 10);
    assert_eq!(take(&ran), [("Faster", 2)], "at once, as the first run of a period");
    machine.pass(MINUTE * 2);
    assert_eq!(take(&ran), [("Faster", 3), ("Faster", 4)]);
}

#[test]
fn s5_5_what_is_automatic_no_longer_is_cancelled_where_it_is_run() {
    let (mut machine, ran) = machine::<Hourly>();
    let id = info(&machine, "Beat").id;
    let state = |machine: &Machine| {
        let info = machine.block(machine.scheduler().info(id)).unwrap();
        (info.state, info.reason)
    };
    // A program that does not run it leaves it alone.
    machine.install(SchedulerBuilder::schedule_only);
    machine.restart_after(HOUR * 2);
    machine.install(program::<InTheWay>(&ran));
    machine.restart_after(MINUTE);
    assert_eq!(state(&machine), (WorkState::Enqueued, None));
    take(&ran);
    machine.install(program::<ByCall>(&ran));
    machine.restart_after(MINUTE);
    assert_eq!(state(&machine), (WorkState::Cancelled, Some(Reason::NoLongerAutomatic)));
    assert_eq!(take(&ran), [], "though it was due");
    // What a call schedules stays.
    let called = machine.schedule(Schedule::<ByCall>::new(())).id();
    machine.restart_after(MINUTE);
    assert_eq!(machine.block(machine.scheduler().info(called)).unwrap().state, WorkState::Enqueued);
}

#[test]
fn s5_5_under_another_id_the_old_work_is_cancelled() {
    let (mut machine, ran) = machine::<Hourly>();
    let id = info(&machine, "Beat").id;
    machine.install(program::<Renamed>(&ran));
    machine.restart_after(MINUTE);
    let old = machine.block(machine.scheduler().info(id)).unwrap();
    assert_eq!((old.state, old.reason), (WorkState::Cancelled, Some(Reason::NoLongerAutomatic)));
    assert_eq!(info(&machine, "other").state, WorkState::Enqueued);
}

#[test]
fn s5_5_what_is_in_the_way_keeps_nothing_from_starting() {
    let (mut machine, ran) = machine::<InTheWay>();
    let holder = machine.schedule(Schedule::<InTheWay>::new(()).delay("1h")).id();
    machine.install(program::<Hourly>(&ran));
    machine.restart_after(MINUTE);
    assert_eq!((info(&machine, "Beat").id, take(&ran)), (holder, vec![]));
    machine.pass(HOUR);
    machine.restart_after(MINUTE);
    assert_eq!(take(&ran), [("Hourly", 0)], "with the next start");
}
