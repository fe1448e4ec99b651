//! What runs when attempts are exhausted (S2.4), and how long finished work is kept (S9.5), on the real engine.

use std::sync::Mutex;
use std::time::Duration;

use pushe_tasks::{
    CallError, Fail, FromTaskContext as _, Outcome, PeriodOptions, Reason, RetryOptions, Schedule, State,
    Task, TaskContext, TaskError, TaskOptions, WorkState,
};
use pushe_tasks_tests::sim::clock::SimClock;
use pushe_tasks_tests::sim::machine::{Machine, START};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// Hooks take no context: what they were given stands here, by the input.
static GIVEN_UP: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

fn given_up(input: &str) -> Vec<String> {
    let mut all = GIVEN_UP.lock().unwrap();
    let (own, others): (Vec<_>, Vec<_>) = all.drain(..).partition(|(given, _)| given == input);
    *all = others;
    own.into_iter().map(|(_, error)| error).collect()
}

/// Ends as the last word of its input says.
struct Try;

impl Task for Try {
    const NAME: &'static str = "Try";
    const ALIASES: &'static [&'static str] = &["Attempt"];
    const OPTIONS: TaskOptions<Self> = TaskOptions::<Self>::new()
        .retry(RetryOptions::new().max_attempts(2).delay(SECOND).jitter(0.0))
        .retain(HOUR)
        .on_exhausted(|input, error| {
            Box::pin(async move {
                let mut all = GIVEN_UP.lock().unwrap();
                let again =
                    input.contains("hook fails once") && !all.iter().any(|(given, _)| *given == input);
                all.push((input, error));
                if again { Err(TaskError::new("not yet")) } else { Ok(Outcome::SUCCESS) }
            })
        });
    type Input = String;
    type Output = ();

    async fn perform(input: String, cx: TaskContext) -> Result<Outcome, TaskError> {
        let State(clock) = State::<SimClock>::from_task_context(&cx)?;
        clock.sleep(SECOND).await;
        match input.rsplit(' ').next() {
            Some("errs") => Err(TaskError::new(format!("attempt {}", cx.attempt()))),
            Some("panics") => panic!("attempt {}", cx.attempt()),
            Some("fails") => Err(Fail::because("told to").into()),
            _ => Ok(Outcome::SUCCESS),
        }
    }
}

/// The same task in a later version, which answers exhausted attempts no longer and keeps nothing so short.
struct Plain;

impl Task for Plain {
    const NAME: &'static str = "Try";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = String;
    type Output = ();

    async fn perform(_: String, _: TaskContext) -> Result<Outcome, TaskError> {
        Ok(Outcome::SUCCESS)
    }
}

fn machine() -> Machine {
    let clock = SimClock::new(START);
    let given = clock.clone();
    Machine::new(clock, move |builder| builder.state(given.clone()).register::<Try>().only::<Try>())
}

fn tries(text: &str) -> Schedule<Try> {
    Schedule::new(text.to_owned())
}

fn tasks(machine: &Machine) -> Vec<(String, WorkState)> {
    let all = machine.block(machine.scheduler().list(&[], 99)).unwrap();
    all.into_iter().map(|info| (info.task, info.state)).collect()
}

#[test]
fn s2_4_exhausted_attempts_are_answered_by_work_of_its_own() {
    let machine = machine();
    machine.schedule(tries("1 errs"));
    machine.schedule(tries("1 panics"));
    machine.pass(SECOND * 2 + SECOND / 2);
    assert_eq!(tasks(&machine).len(), 2, "not before the last attempt has ended");
    machine.pass(SECOND * 3);
    assert_eq!(given_up("1 errs"), ["attempt 2"]);
    assert_eq!(given_up("1 panics"), ["attempt 2"]);
    let mut all = tasks(&machine);
    all.sort();
    let own = |name: &str, state| (name.to_owned(), state);
    let (failed, done) = (own("Try", WorkState::Failed), own("Try/exhausted", WorkState::Succeeded));
    assert_eq!(all, [failed.clone(), failed, done.clone(), done]);
}

#[test]
fn s2_4_nothing_answers_what_failed_at_once_expired_or_was_cancelled() {
    let machine = machine();
    machine.schedule(tries("2 fails"));
    let cancelled = machine.schedule(tries("2 errs")).id();
    machine.schedule(tries("2 ok"));
    machine.block(machine.scheduler().cancel(cancelled)).unwrap();
    machine.pass(SECOND * 10);
    assert!(tasks(&machine).iter().all(|(task, _)| task == "Try"), "{:?}", tasks(&machine));
}

#[test]
fn s2_4_a_follow_up_is_retried_and_survives_a_crash() {
    let mut machine = machine();
    machine.schedule(tries("3 hook fails once errs"));
    machine.pass(SECOND * 4);
    assert_eq!(given_up("another"), [""; 0]);
    machine.restart_after(SECOND);
    machine.pass(SECOND * 60);
    assert_eq!(given_up("3 hook fails once errs"), ["attempt 2", "attempt 2"]);
}

#[test]
fn s2_4_each_period_whose_attempts_are_exhausted_is_answered() {
    let machine = machine();
    machine.schedule(tries("4 errs").period(PeriodOptions::every(HOUR)));
    machine.pass(HOUR + SECOND * 10);
    assert_eq!(given_up("4 errs"), ["attempt 2", "attempt 2"]);
}

#[test]
fn s2_4_work_that_was_given_a_new_input_is_not_exhausted() {
    let machine = machine();
    let update = |text: &str| tries(text).id("a").policy(pushe_tasks::ExistingWorkPolicy::Update);
    machine.schedule(update("5 errs"));
    machine.pass(SECOND * 2);
    machine.pass(SECOND / 2);
    machine.schedule(update("5 ok"));
    machine.pass(SECOND * 20);
    assert_eq!(given_up("5 errs"), [""; 0]);
    assert_eq!(tasks(&machine), [("Try".to_owned(), WorkState::Succeeded)]);
}

#[test]
fn s1_19_a_follow_up_is_kept_where_its_task_answers_no_longer() {
    let mut machine = machine();
    let text = "6 hook fails once errs";
    machine.schedule(tries(text));
    machine.pass(SECOND * 5);
    assert_eq!(given_up("another"), [""; 0]);
    machine.install(|builder| builder.register::<Plain>().only::<Plain>());
    machine.restart_after(SECOND);
    machine.pass(SECOND * 60);
    let kept = ("Try/exhausted".to_owned(), WorkState::Enqueued);
    assert!(tasks(&machine).contains(&kept), "{:?}", tasks(&machine));
    assert_eq!(given_up(text), ["attempt 2"]);
}

#[test]
fn s9_5_a_task_says_how_long_its_finished_work_is_kept() {
    let machine = machine();
    let [done, failed] = ["7 ok", "7 fails"].map(|text| machine.schedule(tries(text)).id());
    machine.pass(SECOND * 5);
    let found = machine.block(machine.scheduler().info(failed)).unwrap();
    assert_eq!((found.state, found.reason), (WorkState::Failed, Some(Reason::Fail)));
    machine.pass(SECOND * 3_590);
    assert!(machine.block(machine.scheduler().info(done)).is_ok());
    machine.pass(SECOND * 20);
    for id in [done, failed] {
        let gone = machine.block(machine.scheduler().info(id));
        assert!(matches!(gone, Err(CallError::NotFound)), "{gone:?}");
    }
}
