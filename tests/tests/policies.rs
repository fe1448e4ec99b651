//! What scheduling does to unfinished work with the same id (S4), on the real engine.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pushe_tasks::{
    ExistingWorkPolicy, Fail, FromTaskContext as _, Obstacle, Outcome, OutputError, Priority, Reason,
    Receipt, ReceiptKind, RetryOptions, Schedule, ScheduleError, State, Task, TaskContext, TaskError,
    TaskOptions, WorkInfo, WorkState,
};
use pushe_tasks_tests::sim::clock::SimClock;
use pushe_tasks_tests::sim::machine::{Machine, START};

const SECOND: Duration = Duration::from_secs(1);

/// What the next body does, after a second.
#[derive(Clone, Copy, Debug)]
enum Act {
    Fail,
    Err,
}

#[derive(Clone)]
struct Stage {
    clock: SimClock,
    ran: Arc<Mutex<Vec<String>>>,
    acts: Arc<Mutex<VecDeque<Act>>>,
}

impl Stage {
    fn ran(&self) -> Vec<String> {
        std::mem::take(&mut *self.ran.lock().unwrap())
    }

    fn act(&self, acts: &[Act]) {
        self.acts.lock().unwrap().extend(acts);
    }
}

struct Note;

impl Task for Note {
    const NAME: &'static str = "Note";
    const OPTIONS: TaskOptions<Self> =
        TaskOptions::new().retry(RetryOptions::new().delay(Duration::from_secs(10)).jitter(0.0));
    type Input = String;
    type Output = String;

    async fn perform(text: String, cx: TaskContext) -> Result<Outcome<String>, TaskError> {
        let State(stage) = State::<Stage>::from_task_context(&cx)?;
        stage.ran.lock().unwrap().push(text.clone());
        stage.clock.sleep(SECOND).await;
        let act = stage.acts.lock().unwrap().pop_front();
        match act {
            None => Ok(Outcome::Success(text)),
            Some(Act::Fail) => Err(Fail::because("told to").into()),
            Some(Act::Err) => Err(TaskError::new("told to")),
        }
    }
}

struct Other;

impl Task for Other {
    const NAME: &'static str = "Other";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = String;
    type Output = ();

    async fn perform(_: String, _: TaskContext) -> Result<Outcome, TaskError> {
        Ok(Outcome::SUCCESS)
    }
}

fn machine() -> (Machine, Stage) {
    let clock = SimClock::new(START);
    let stage = Stage { clock: clock.clone(), ran: Arc::default(), acts: Arc::default() };
    let given = stage.clone();
    let machine = Machine::new(clock, move |builder| {
        builder.state(given.clone()).register::<Note>().register::<Other>().only::<Note>().only::<Other>()
    });
    (machine, stage)
}

fn note(text: &str, policy: ExistingWorkPolicy) -> Schedule<Note> {
    Schedule::new(text.to_owned()).id("a").policy(policy)
}

fn info(machine: &Machine, receipt: &Receipt<Note>) -> WorkInfo {
    machine.block(machine.scheduler().info(receipt.id())).unwrap()
}

#[test]
fn s4_7_work_appended_after_success_runs_once_that_has_come() {
    let (machine, stage) = machine();
    stage.act(&[Act::Err]);
    let then = |text| note(text, ExistingWorkPolicy::AppendAfterSuccess);
    let [first, second, third] = ["first", "second", "third"].map(|text| machine.schedule(then(text)));
    assert_eq!(*first.kind(), ReceiptKind::New);
    assert_eq!(*third.kind(), ReceiptKind::Appended { after: second.id() });
    let standing = machine.block(machine.scheduler().explain(third.id())).unwrap();
    assert!(
        matches!(standing.obstacles[..], [Obstacle::Success { of, .. }] if of == second.id()),
        "{standing}"
    );
    machine.pass(SECOND * 20);
    assert_eq!(stage.ran(), ["first", "first", "second", "third"]);
    assert_eq!(machine.block(third.output()).unwrap(), "third");
}

#[test]
fn s4_7_a_failure_fails_all_that_was_appended_to_it() {
    let (machine, stage) = machine();
    stage.act(&[Act::Fail]);
    let then = |text| note(text, ExistingWorkPolicy::AppendAfterSuccess);
    let [first, second, third] = ["first", "second", "third"].map(|text| machine.schedule(then(text)));
    machine.pass(SECOND * 5);
    assert_eq!(stage.ran(), ["first"]);
    assert_eq!(info(&machine, &first).reason, Some(Reason::Fail));
    for receipt in [&second, &third] {
        let info = info(&machine, receipt);
        assert_eq!((info.state, info.reason), (WorkState::Failed, Some(Reason::Prerequisite)));
        let output = machine.block(receipt.output());
        assert!(
            matches!(&output, Err(OutputError::Failed { error }) if error.contains("before it")),
            "{output:?}"
        );
    }
    assert_eq!(*machine.schedule(then("again")).kind(), ReceiptKind::New, "the name is not poisoned");
    machine.pass(SECOND * 5);
    assert_eq!(stage.ran(), ["again"]);
}

#[test]
fn s4_7_a_cancel_cancels_all_that_was_appended_to_it() {
    let (machine, stage) = machine();
    let then = |text| note(text, ExistingWorkPolicy::AppendAfterSuccess);
    let [first, second, third] = ["first", "second", "third"].map(|text| machine.schedule(then(text)));
    machine.block(machine.scheduler().cancel(second.id())).unwrap();
    machine.pass(SECOND * 5);
    assert_eq!(stage.ran(), ["first"]);
    assert_eq!(machine.block(first.output()).unwrap(), "first");
    assert!(matches!(machine.block(third.output()), Err(OutputError::Cancelled)));
    assert_eq!(info(&machine, &third).reason, Some(Reason::Prerequisite));
}

#[test]
fn s4_8_an_id_of_another_task_is_refused() {
    let (machine, _) = machine();
    let other = machine.schedule(Schedule::<Other>::new(String::new()).id("a").delay(SECOND));
    let policies = [ExistingWorkPolicy::Keep, ExistingWorkPolicy::AppendAfterSuccess];
    for policy in policies {
        let refused = machine.try_schedule(note("x", policy));
        let holds = |error: &ScheduleError| matches!(error, ScheduleError::IdHeldBy { task, holder, .. } if task == "Other" && *holder == other.id());
        assert!(refused.as_ref().is_err_and(holds), "{policy:?}: {refused:?}");
    }
}

#[test]
fn s4_9_keep_says_whether_the_options_differ() {
    let (machine, _) = machine();
    let keep = |text| note(text, ExistingWorkPolicy::Keep);
    let first = machine.schedule(keep("first").expires("1h").priority(Priority::High));
    let check = |schedule: Schedule<Note>, options_differ| {
        let kept = machine.schedule(schedule);
        let state = WorkState::Running;
        assert_eq!(*kept.kind(), ReceiptKind::Kept { state, options_differ });
        assert_eq!(kept.id(), first.id());
    };
    let same = |text| keep(text).expires("1h").priority(Priority::High);
    check(same("the input is no option"), false);
    check(same("x").priority(Priority::Low), true);
    check(same("x").expires("2h"), true);
    check(same("x").timeout("1s"), true);
    check(same("x").retry(RetryOptions::new()), true);
    check(same("x").network(pushe_tasks::NetworkType::Connected), true);
}
