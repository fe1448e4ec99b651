//! The order in which work starts (S1.21), and work that was not started in time (S1.7, S8.2), on the real engine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pushe_tasks::constraint::{Manual, NetworkState};
use pushe_tasks::{
    FromTaskContext as _, NetworkType, OptionError, Outcome, OutputError, PeriodOptions, Priority, Reason,
    Schedule, ScheduleError, State, Task, TaskContext, TaskError, TaskOptions, WorkState,
};
use pushe_tasks_tests::sim::clock::SimClock;
use pushe_tasks_tests::sim::machine::{Machine, START};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// What has run, in its order.
#[derive(Clone, Default)]
struct Ran(Arc<Mutex<Vec<String>>>);

impl Ran {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Takes a second, one at a time.
struct Note;

impl Task for Note {
    const NAME: &'static str = "Note";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new().concurrency(1);
    type Input = String;
    type Output = ();

    async fn perform(text: String, cx: TaskContext) -> Result<Outcome, TaskError> {
        let State(ran) = State::<Ran>::from_task_context(&cx)?;
        let State(clock) = State::<SimClock>::from_task_context(&cx)?;
        ran.0.lock().unwrap().push(text);
        clock.sleep(SECOND).await;
        Ok(Outcome::SUCCESS)
    }
}

fn machine() -> (Machine, Ran, Manual<NetworkState>) {
    let (clock, ran, network) = (SimClock::new(START), Ran::default(), Manual::new(NetworkState::routed()));
    let (given, source, shown) = (clock.clone(), network.clone(), ran.clone());
    let machine = Machine::new(clock, move |builder| {
        builder
            .network_source(source.clone())
            .state(given.clone())
            .state(shown.clone())
            .register::<Note>()
            .only::<Note>()
    });
    (machine, ran, network)
}

fn note(text: &str) -> Schedule<Note> {
    Schedule::new(text.to_owned())
}

#[test]
fn s1_21_what_is_more_urgent_starts_first_and_nothing_starves() {
    let (machine, ran, _) = machine();
    machine.schedule(note("first"));
    machine.schedule(note("normal"));
    machine.schedule(note("low").priority(Priority::Low));
    machine.schedule(note("high").priority(Priority::High));
    machine.schedule(note("two hours").priority(Priority::Minutes(120)));
    machine.schedule(note("expedited").expedited());
    machine.schedule(note("high, later").priority(Priority::High));
    machine.pass(SECOND * 10);
    let expected = ["first", "two hours", "expedited", "high", "high, later", "normal", "low"];
    assert_eq!(ran.take(), expected);

    // What has waited longer than another's priority goes before it, whatever keeps coming.
    machine.schedule(note("runs"));
    machine.schedule(note("low").priority(Priority::Low));
    for turn in 1..=1_300 {
        machine.schedule(note("normal"));
        machine.schedule(note("normal"));
        machine.pass(SECOND);
        if ran.take().contains(&"low".to_owned()) {
            // Half of those that came within ten minutes before it have run.
            assert!((1_190..=1_210).contains(&turn), "after {turn} s");
            return;
        }
    }
    panic!("it starves");
}

#[test]
fn s1_21_a_priority_makes_nothing_due_sooner() {
    let (machine, ran, _) = machine();
    machine.schedule(note("later").delay(MINUTE).expedited());
    machine.pass(SECOND * 59);
    assert_eq!(ran.take(), [""; 0]);
    machine.pass(SECOND);
    assert_eq!(ran.take(), ["later"]);
}

#[test]
fn s1_7_work_that_waited_too_long_has_failed() {
    let (machine, ran, network) = machine();
    machine.pass(MINUTE * 2);
    network.set(NetworkState::offline());
    let waits = note("waits").network(NetworkType::Connected);
    let waiting = machine.schedule(waits.expires("1h"));
    let unknown = machine.schedule(note("in time").network(NetworkType::Connected).expires("3h"));
    machine.pass(SECOND * 3_599);
    let info = machine.block(machine.scheduler().info(waiting.id())).unwrap();
    assert_eq!(info.state, WorkState::Enqueued);
    assert_eq!(info.expires_at, Some(info.enqueued_at + HOUR));
    machine.pass(SECOND * 2);
    let info = machine.block(machine.scheduler().info(waiting.id())).unwrap();
    assert_eq!((info.state, info.reason), (WorkState::Failed, Some(Reason::Expired)));
    let output = machine.block(waiting.output());
    assert!(matches!(&output, Err(OutputError::Failed { error }) if error.contains("expired")), "{output:?}");
    network.set(NetworkState::routed());
    machine.pass(MINUTE);
    assert_eq!(ran.take(), ["in time"]);
    let info = machine.block(machine.scheduler().info(unknown.id())).unwrap();
    assert_eq!((info.state, info.expires_at), (WorkState::Succeeded, None));
}

#[test]
fn s8_2_nothing_expires_before_the_clock_has_been_steady_for_a_minute() {
    let (mut machine, ran, network) = machine();
    network.set(NetworkState::offline());
    let [lost, kept] = ["lost", "kept"].map(|text| {
        let expires = if text == "lost" { HOUR } else { HOUR * 100 };
        machine.schedule(note(text).network(NetworkType::Connected).expires(expires)).id()
    });
    let state = |machine: &Machine, id| machine.block(machine.scheduler().info(id)).unwrap().state;
    network.set(NetworkState::routed());
    machine.restart_after(HOUR * 2);
    machine.pass(SECOND * 58);
    assert_eq!(
        ran.take(),
        ["kept"],
        "what has expired is not started though it may yet prove that it has not"
    );
    assert_eq!(state(&machine, lost), WorkState::Enqueued);
    machine.pass(SECOND * 3);
    assert_eq!([lost, kept].map(|id| state(&machine, id)), [WorkState::Failed, WorkState::Succeeded]);

    // A jump forward that is taken back in time ends nothing.
    network.set(NetworkState::offline());
    machine.settle();
    let late = machine.schedule(note("late").network(NetworkType::Connected).expires(HOUR)).id();
    machine.clock.jump(5 * 3_600_000);
    machine.pass(SECOND * 31);
    network.set(NetworkState::routed());
    machine.pass(SECOND * 5);
    assert_eq!((state(&machine, late), ran.take()), (WorkState::Enqueued, vec![]));
    machine.clock.jump(-5 * 3_600_000);
    machine.pass(MINUTE);
    assert_eq!((state(&machine, late), ran.take()), (WorkState::Succeeded, vec!["late".to_owned()]));
}

#[test]
fn s1_7_a_slot_that_was_not_begun_in_time_is_left_out() {
    let (machine, ran, network) = machine();
    let hourly = PeriodOptions::every(HOUR);
    machine.pass(MINUTE * 2);
    let beat = note("beat").network(NetworkType::Connected).period(hourly).expires("10m");
    let id = machine.schedule(beat).id();
    machine.pass(MINUTE);
    assert_eq!(ran.take(), ["beat"], "the first");
    network.set(NetworkState::offline());
    machine.pass(HOUR);
    network.set(NetworkState::routed());
    machine.pass(MINUTE);
    assert_eq!(ran.take(), ["beat"], "two minutes late");
    network.set(NetworkState::offline());
    machine.pass(HOUR + MINUTE * 10);
    network.set(NetworkState::routed());
    machine.pass(MINUTE);
    assert_eq!(ran.take(), [""; 0], "twelve minutes late");
    let info = machine.block(machine.scheduler().info(id)).unwrap();
    assert_eq!(info.due, START.plus(MINUTE * 2 + HOUR * 3).into(), "the next slot of the grid");
    machine.pass(HOUR);
    assert_eq!(ran.take(), ["beat"]);
}

#[test]
fn s8_2_a_slot_waits_for_the_clock_before_it_is_left_out() {
    let (mut machine, ran, _) = machine();
    let beat = || note("beat").period(PeriodOptions::every(HOUR * 24)).expires("10m");
    let id = machine.schedule(beat()).id();
    machine.pass(MINUTE);
    assert_eq!(ran.take(), ["beat"]);
    machine.restart_after(HOUR * 30);
    let info = |machine: &Machine| machine.block(machine.scheduler().info(id)).unwrap();
    assert!(info(&machine).due < START.plus(HOUR * 31).into(), "it looks again in a minute");
    machine.pass(MINUTE * 2);
    assert_eq!((info(&machine).due, ran.take()), (START.plus(HOUR * 48).into(), vec![]));
    // Where the clock had only jumped, the slot has its run.
    machine.restart_after(HOUR * 15);
    machine.clock.jump(4 * 3_600_000);
    machine.pass(MINUTE / 2);
    assert_eq!(ran.take(), [""; 0]);
    machine.clock.jump(-4 * 3_600_000);
    machine.pass(HOUR * 2);
    assert_eq!(ran.take(), [""; 0], "it is not due yet");
    machine.pass(HOUR);
    assert_eq!(ran.take(), ["beat"]);
}

#[test]
fn urgency_and_expiry_of_one_call_are_judged() {
    let (machine, ..) = machine();
    let check = |schedule: Schedule<Note>, rule: OptionError| {
        let refused = machine.try_schedule(schedule);
        assert!(matches!(&refused, Err(ScheduleError::Option(said)) if *said == rule), "{refused:?}");
    };
    check(note("x").priority(Priority::Minutes(10_081)), OptionError::PriorityTooFar);
    check(note("x").expires(Duration::ZERO), OptionError::ZeroDuration { option: "expires" });
    check(note("x").expires(Duration::MAX), OptionError::DurationTooLong);
    check(note("x").delay("1h").expires("1h"), OptionError::ExpiresBeforeStart);
    let in_an_hour = START.plus(HOUR).into();
    check(note("x").at(in_an_hour).expires("1h"), OptionError::ExpiresBeforeStart);
}
