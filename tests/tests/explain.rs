//! Every reason why work may stand still is produced, and read from `explain` with since when it is there (S9.3).

use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use pushe_tasks::clock::Clock as _;
use pushe_tasks::constraint::NetworkState;
use pushe_tasks::{
    ExistingWorkPolicy, Fail, FromTaskContext as _, NetworkType, Obstacle, Outcome, Reason, RetryOptions,
    RunOn, Schedule, SchedulerBuilder, Standing, State, StopReason, Task, TaskContext, TaskError,
    TaskOptions, Warning, WorkId, WorkState,
};
use pushe_tasks_store::StoreError;
use pushe_tasks_tests::still::Still;
use tokio::sync::Semaphore;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// What bodies wait for.
#[derive(Clone)]
struct Gates {
    gate: Arc<Semaphore>,
    blocking: Arc<Mutex<Option<blocking::Receiver<()>>>>,
    said: blocking::Sender<&'static str>,
}

/// Waits until it is let go.
struct Gated;

impl Task for Gated {
    const NAME: &'static str = "Gated";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = ();
    type Output = ();

    async fn perform((): (), cx: TaskContext) -> Result<Outcome, TaskError> {
        wait(&cx).await
    }
}

/// Waits too, and never two of it at once.
struct Single;

impl Task for Single {
    const NAME: &'static str = "Single";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new().concurrency(1);
    type Input = ();
    type Output = ();

    async fn perform((): (), cx: TaskContext) -> Result<Outcome, TaskError> {
        wait(&cx).await
    }
}

/// Hears nothing of being stopped.
struct Deaf;

impl Task for Deaf {
    const NAME: &'static str = "Deaf";
    const OPTIONS: TaskOptions<Self> =
        TaskOptions::new().run_on(RunOn::Blocking).timeout(MINUTE).retry(RetryOptions::new().jitter(0.0));
    type Input = ();
    type Output = ();

    async fn perform((): (), cx: TaskContext) -> Result<Outcome, TaskError> {
        let State(gates) = State::<Gates>::from_task_context(&cx)?;
        let gate = gates.blocking.lock().unwrap().take();
        gates.said.send("begun")?;
        // The end of the test is as good as a word.
        gate.map(|gate| gate.recv());
        Ok(Outcome::SUCCESS)
    }
}

/// A task whose input is not what was stored.
struct Reads;

impl Task for Reads {
    const NAME: &'static str = "Reads";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = String;
    type Output = ();

    async fn perform(_: String, _: TaskContext) -> Result<Outcome, TaskError> {
        Err(Fail::because("it has no input").into())
    }
}

/// The same stored name with another input.
struct Writes;

impl Task for Writes {
    const NAME: &'static str = "Reads";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = u8;
    type Output = ();

    async fn perform(_: u8, _: TaskContext) -> Result<Outcome, TaskError> {
        Ok(Outcome::SUCCESS)
    }
}

async fn wait(cx: &TaskContext) -> Result<Outcome, TaskError> {
    let State(gates) = State::<Gates>::from_task_context(cx)?;
    let stopped = cx.cancellation_token().cancelled();
    tokio::select! {
        biased;
        () = stopped => Err(TaskError::new("stopped")),
        permit = gates.gate.acquire() => {
            permit?.forget();
            Ok(Outcome::SUCCESS)
        }
    }
}

struct World {
    still: Still,
    gates: Gates,
    said: blocking::Receiver<&'static str>,
    release: blocking::Sender<()>,
}

impl World {
    fn start() -> Self {
        Self::start_with(|builder| builder)
    }

    fn start_with(set_up: impl FnOnce(SchedulerBuilder) -> SchedulerBuilder) -> Self {
        let (say, said) = blocking::channel();
        let (release, released) = blocking::channel();
        let blocking = Arc::new(Mutex::new(Some(released)));
        let gates = Gates { gate: Arc::new(Semaphore::new(0)), blocking, said: say };
        let mut world = Self { still: Still::new(), gates, said, release };
        world.begin(set_up);
        world
    }

    fn begin(&mut self, set_up: impl FnOnce(SchedulerBuilder) -> SchedulerBuilder) {
        let gates = self.gates.clone();
        self.still.start(|builder| {
            let builder = builder.state(gates).register::<Gated>().register::<Single>().register::<Deaf>();
            set_up(
                builder.register::<Reads>().only::<Gated>().only::<Single>().only::<Deaf>().only::<Reads>(),
            )
        });
    }

    fn pass(&self, length: Duration) {
        self.still.pass(length);
    }

    fn schedule<T: Task>(&self, schedule: Schedule<T>) -> WorkId {
        let receipt = self.still.block(schedule.on(self.still.scheduler()).into_future()).unwrap();
        self.still.settle();
        receipt.id()
    }

    fn gated(&self) -> WorkId {
        self.schedule(Schedule::<Gated>::new(()))
    }

    fn standing(&self, work: WorkId) -> Standing {
        let standing = self.still.block(self.still.scheduler().explain(work)).unwrap();
        assert_eq!(standing.at, SystemTime::from(self.still.clock.wall()));
        standing
    }

    /// The one obstacle of an Enqueued piece, its text, and the second since which it is there.
    fn only(&self, work: WorkId) -> (Obstacle, String, u64) {
        let standing = self.standing(work);
        let [obstacle] = standing.obstacles.as_slice() else { panic!("{standing:?}") };
        let since = obstacle.since().duration_since(self.still.at(0)).unwrap().as_secs();
        (obstacle.clone(), standing.to_string(), since)
    }
}

#[test]
fn s9_3_time() {
    let world = World::start();
    world.pass(SECOND);
    let delayed = world.schedule(Schedule::<Gated>::new(()).delay("1m"));
    let fixed = world.schedule(Schedule::<Gated>::new(()).at(world.still.at(61)));
    world.pass(10 * SECOND);
    for work in [delayed, fixed] {
        let (obstacle, text, since) = world.only(work);
        assert_eq!(obstacle, Obstacle::Time { until: world.still.at(61), since: world.still.at(1) });
        assert_eq!((text.as_str(), since), ("waits for its time, in 50.0 s", 1));
    }
    world.pass(MINUTE);
    assert_eq!(world.standing(delayed).state, WorkState::Running);
}

#[test]
fn s9_3_a_back_off_counts_from_the_end_of_the_attempt() {
    let world = World::start();
    let retry = RetryOptions::new().delay(MINUTE).jitter(0.0);
    let work = world.schedule(Schedule::<Single>::new(()).retry(retry).timeout("5s"));
    world.pass(7 * SECOND);
    let (obstacle, ..) = world.only(work);
    assert_eq!(obstacle, Obstacle::Time { until: world.still.at(65), since: world.still.at(5) });
}

#[test]
fn s9_3_a_constraint_with_its_reading_and_since_when_it_is_lost() {
    let world = World::start();
    let needs = || Schedule::<Gated>::new(()).network(NetworkType::Connected);
    world.schedule(needs());
    world.pass(10 * SECOND);
    world.still.network.set(NetworkState::offline());
    world.pass(5 * SECOND);
    let waiting = world.schedule(needs());
    world.pass(2 * SECOND);
    let (obstacle, text, since) = world.only(waiting);
    let Obstacle::Constraint { kind, constraint, reading, .. } = &obstacle else { panic!("{obstacle:?}") };
    assert_eq!((kind.as_str(), constraint.as_str(), since), ("network", "network: Connected", 10));
    assert!(reading.as_deref().is_some_and(|reading| reading.contains("NetworkState")), "{reading:?}");
    assert!(text.starts_with("waits for network: Connected (") && text.ends_with(", for 7 s)"), "{text}");
}

#[test]
fn s9_3_the_permits_of_its_task() {
    let world = World::start();
    let single = || world.schedule(Schedule::<Single>::new(()));
    let running = single();
    world.pass(3 * SECOND);
    let (second, third) = (single(), single());
    world.pass(4 * SECOND);
    let obstacle =
        |since| Obstacle::Concurrency { task: "Single".to_owned(), limit: 1, since: world.still.at(since) };
    assert_eq!(world.only(second).0, obstacle(3));
    assert_eq!(world.only(second).1, "waits for one of the 1 permits of `Single` (for 4 s)");
    // The first of them goes, the next takes its permit, and there is still more work than permits.
    world.gates.gate.add_permits(1);
    world.still.settle();
    assert_eq!(world.standing(running).state, WorkState::Succeeded);
    assert_eq!(world.standing(second).state, WorkState::Running);
    assert_eq!(world.only(third).0, obstacle(3));
    // When nothing waits any more, the next wait is a new one.
    world.gates.gate.add_permits(1);
    world.pass(10 * SECOND);
    let fourth = single();
    assert_eq!(world.only(fourth).0, obstacle(17));
}

#[test]
fn s9_3_the_places_of_the_scheduler() {
    let world = World::start_with(|builder| builder.max_running(1));
    world.gated();
    world.pass(2 * SECOND);
    let waiting = world.gated();
    world.pass(SECOND);
    assert_eq!(world.only(waiting).0, Obstacle::MaxRunning { limit: 1, since: world.still.at(2) });
    let both = world.schedule(Schedule::<Single>::new(()));
    assert_eq!(world.standing(both).obstacles.len(), 1, "it has its permit, and no place");
}

#[test]
fn s9_3_a_release_that_is_spread() {
    let world = World::start_with(|builder| builder.max_running(1_000));
    world.still.network.set(NetworkState::offline());
    let needs = || Schedule::<Gated>::new(()).network(NetworkType::Connected);
    // More than may run at once would not be spread: the permits are the first ones.
    let all: Vec<_> = (0..1_100).map(|_| needs()).collect();
    let receipts = world.still.block(world.still.scheduler().schedule_many(all)).unwrap();
    world.pass(5 * SECOND);
    world.still.network.set(NetworkState::routed());
    world.pass(2 * SECOND);
    let last = receipts.last().unwrap().id();
    let full = world.standing(last).obstacles;
    assert!(matches!(full[..], [Obstacle::MaxRunning { .. }]), "{full:?}");
    world.gates.gate.add_permits(1_000);
    world.still.settle();
    let (obstacle, text, _) = world.only(last);
    let Obstacle::Spread { until, since } = obstacle else { panic!("{obstacle:?}") };
    // Ten doublings; the wall clock is kept in milliseconds.
    assert_eq!(until.duration_since(since).unwrap().as_millis().div_ceil(10), 2_000);
    assert!(text.contains("its turn among the much work"), "{text}");
    world.gates.gate.add_permits(1_000);
    world.pass(20 * SECOND);
    assert_eq!(world.standing(last).state, WorkState::Succeeded);
}

#[test]
fn s1_19_s9_3_no_handler() {
    let mut world = World::start_with(SchedulerBuilder::schedule_only);
    let work = world.gated();
    world.pass(SECOND);
    let no_handler = |since| Obstacle::NoHandler { task: "Gated".to_owned(), since };
    assert_eq!(world.only(work).0, no_handler(world.still.at(0)));
    world.still.crash();
    world.begin(SchedulerBuilder::schedule_only);
    world.pass(SECOND);
    assert_eq!(world.only(work).0, no_handler(world.still.at(1)), "since this process knows");
}

#[test]
fn s9_1_s9_3_paused() {
    let mut world = World::start_with(SchedulerBuilder::schedule_only);
    let work = world.gated();
    world.pass(SECOND);
    world.still.block(world.still.scheduler().pause_task("Gated")).unwrap();
    world.pass(SECOND);
    let paused = Obstacle::Paused { task: Some("Gated".to_owned()), since: world.still.at(1) };
    let obstacles = world.standing(work).obstacles;
    assert!(
        obstacles.len() == 2 && obstacles.contains(&paused),
        "no handler is told beside it: {obstacles:?}"
    );
    world.still.crash();
    world.begin(|builder| builder);
    assert_eq!(world.only(work).0, paused);
    assert!(world.only(work).1.ends_with(" (for 1 s)"), "{}", world.only(work).1);
    world.still.block(world.still.scheduler().resume_task("Gated")).unwrap();
    world.still.settle();
    assert_eq!(world.standing(work).state, WorkState::Running);
}

#[test]
fn s9_3_blocked_behind_work_and_behind_a_body() {
    let world = World::start();
    let piece = |policy| Schedule::<Gated>::new(()).id("one").policy(policy);
    let first = world.schedule(piece(ExistingWorkPolicy::Append));
    world.pass(SECOND);
    let second = world.schedule(piece(ExistingWorkPolicy::Append));
    assert_eq!(world.only(second).0, Obstacle::EarlierWork { since: world.still.at(1) });
    assert_eq!(world.standing(second).state, WorkState::Blocked);
    world.gates.gate.add_permits(2);
    world.still.settle();
    assert_eq!(world.standing(first).to_string(), "is Succeeded");

    let deaf = |policy| Schedule::<Deaf>::new(()).id("deaf").policy(policy);
    world.schedule(deaf(ExistingWorkPolicy::Append));
    assert_eq!(world.said.recv(), Ok("begun"));
    world.pass(SECOND);
    let instead = world.schedule(deaf(ExistingWorkPolicy::Replace));
    assert_eq!(world.only(instead).0, Obstacle::EarlierBody { since: world.still.at(2) });
    drop(world.release);
}

#[test]
fn s9_3_its_own_body() {
    let world = World::start();
    let work = world.schedule(Schedule::<Deaf>::new(()));
    assert_eq!(world.said.recv(), Ok("begun"));
    // The first poll came from another thread, and with it the beginning of the timeout.
    world.still.settle();
    world.pass(MINUTE);
    let standing = world.standing(work);
    let running = standing.running.unwrap();
    assert_eq!((running.number, running.since), (1, world.still.at(0)));
    assert_eq!(running.stopping, Some(StopReason::Timeout), "{standing}");
    // After its grace of 10 s, and the second in which it does not hear that it is dropped, it is given up.
    world.pass(41 * SECOND);
    let standing = world.standing(work);
    let own_body = Obstacle::OwnBody { since: world.still.at(71) };
    assert!(standing.obstacles.contains(&own_body), "{standing:?}");
    drop(world.release);
}

#[test]
fn s7_3_s9_3_suspects() {
    let mut world = World::start();
    let pieces = [world.gated(), world.gated()];
    for _ in 0..2 {
        world.still.crash();
        world.begin(|builder| builder);
    }
    world.still.clock.pass(SECOND);
    let others = world.gated();
    let suspect = world.still.block(world.still.scheduler().health()).unwrap().alone.unwrap();
    let (since, until) = (world.still.at(0), world.still.at(30));
    assert_eq!(world.only(others).0, Obstacle::Suspect { work: suspect, until, since });
    // Both have been found running, and the other one waits for the end of the first.
    let other = pieces.into_iter().find(|piece| *piece != suspect).unwrap();
    assert_eq!(world.only(other).0, Obstacle::Alone { crashes: 2, bodies: 1, since });
    world.pass(30 * SECOND);
    assert_eq!(world.standing(others).state, WorkState::Running);
    let bodies = world.only(other).0;
    assert_eq!(bodies, Obstacle::Alone { crashes: 2, bodies: 2, since });
}

#[test]
fn s1_13_s9_3_set_aside() {
    let mut world = World::start_with(SchedulerBuilder::schedule_only);
    let work = world.schedule(Schedule::<Writes>::new(7));
    world.still.crash();
    world.still.clock.pass(SECOND);
    world.begin(|builder| builder);
    world.pass(SECOND);
    let (obstacle, text, since) = world.only(work);
    let Obstacle::Quarantined { reason: Some(Reason::Payload), error: Some(error), .. } = obstacle else {
        panic!("{obstacle:?}")
    };
    assert!(!error.is_empty() && text.contains(&error) && since == 1, "{text}");
}

#[test]
fn s9_3_the_store() {
    let world = World::start();
    let running = world.gated();
    let waiting = world.schedule(Schedule::<Gated>::new(()).delay("1h"));
    world.pass(5 * SECOND);
    world.still.store.break_with(Some(StoreError::Failed("the disk is gone".to_owned())));
    world.gates.gate.add_permits(1);
    world.pass(20 * SECOND);
    let obstacles = world.standing(waiting).obstacles;
    let [Obstacle::Time { .. }, Obstacle::Store { why, since }] = obstacles.as_slice() else {
        panic!("{obstacles:?}")
    };
    assert!(why.contains("the disk is gone"), "{why}");
    assert_eq!(*since, world.still.at(5), "however often it was tried since");
    world.still.store.break_with(None);
    world.pass(10 * SECOND);
    assert!(matches!(world.only(waiting).0, Obstacle::Time { .. }));
    assert_eq!(world.standing(running).state, WorkState::Succeeded);
}

#[test]
fn s9_3_a_shutdown() {
    let world = World::start();
    world.gated();
    let waiting = world.schedule(Schedule::<Gated>::new(()).delay("1h"));
    world.schedule(Schedule::<Deaf>::new(()));
    assert_eq!(world.said.recv(), Ok("begun"));
    world.pass(2 * SECOND);
    let scheduler = world.still.scheduler().clone();
    let ending = scheduler.clone();
    // A body that does not hear it keeps the engine up for its grace.
    world.still.spawn(async move { drop(ending.shutdown(MINUTE).await) });
    world.pass(3 * SECOND);
    let obstacles = world.standing(waiting).obstacles;
    let shutdown = Obstacle::Shutdown { since: world.still.at(2) };
    assert_eq!(obstacles.last(), Some(&shutdown), "{obstacles:?}");
    drop(world.release);
}

#[test]
fn s9_3_attempts_that_are_given_back_again_and_again_are_warned_of() {
    let world = World::start();
    let work = world.schedule(Schedule::<Gated>::new(()).network(NetworkType::Connected));
    for lost in 0..21_u32 {
        world.still.network.set(NetworkState::routed());
        world.pass(40 * SECOND);
        let standing = world.standing(work);
        assert_eq!(standing.state, WorkState::Running, "after {lost}");
        assert_eq!(standing.warnings.is_empty(), lost < 20, "after {lost}: {standing}");
        world.still.network.set(NetworkState::offline());
        world.pass(40 * SECOND);
    }
    let standing = world.standing(work);
    let reason = Some(StopReason::ConstraintLost);
    assert_eq!(standing.warnings, [Warning::GivenBack { attempts: 21, reason }]);
    assert!(
        standing.to_string().ends_with("; 21 attempts in a row were given back, and none has ended"),
        "{standing}"
    );
    // One that ends by itself ends the warning.
    world.still.network.set(NetworkState::routed());
    world.gates.gate.add_permits(1);
    world.pass(40 * SECOND);
    assert!(world.standing(work).warnings.is_empty());
}
