//! What a process leaves behind, by a kill or in order, is what the next one finds (SEMANTICS S1.12, S1.19, S7).

use std::collections::BTreeSet;
use std::future::Future as _;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use pushe_tasks::clock::{Clock, MonoTime, SystemClock};
use pushe_tasks::{
    CallError, FromTaskContext as _, Obstacle, OpenError, Outcome, Schedule, ScheduleError, SchedulerBuilder,
    StartError, State, StopReason, Task, TaskContext, TaskError, TaskOptions, TaskScheduler, WorkId,
    WorkState,
};
use pushe_tasks_tests::child;
use pushe_tasks_tests::deadline::soon;
use tokio::sync::mpsc;

/// What a body does after it has said that it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Hangs and hears nothing.
    Hang,
    /// Goes on until it is told to stop.
    Obey,
    Succeed,
}

/// What the bodies of one engine do, and whom they tell.
#[derive(Clone)]
struct Stage {
    then: Then,
    clock: Arc<SystemClock>,
    say: mpsc::UnboundedSender<Began>,
}

/// A body began.
#[derive(Clone, Copy, Debug)]
struct Began {
    number: u32,
    attempt: u32,
    at: MonoTime,
}

fn stage(then: Then) -> (Stage, mpsc::UnboundedReceiver<Began>) {
    let (say, heard) = mpsc::unbounded_channel();
    (Stage { then, clock: Arc::default(), say }, heard)
}

/// Makes a task whose body does what the stage says, under a name and aliases of its own.
macro_rules! task {
    ($task:ident, $name:literal $(, $alias:literal)*) => {
        struct $task;

        impl Task for $task {
            const NAME: &'static str = $name;
            const ALIASES: &'static [&'static str] = &[$($alias),*];
            const OPTIONS: TaskOptions<Self> = TaskOptions::new();
            type Input = u32;
            type Output = u32;

            async fn perform(number: u32, cx: TaskContext) -> Result<Outcome<u32>, TaskError> {
                act(number, cx).await
            }
        }
    };
}

async fn act(number: u32, cx: TaskContext) -> Result<Outcome<u32>, TaskError> {
    let State(stage) = State::<Stage>::from_task_context(&cx)?;
    let _ = stage.say.send(Began { number, attempt: cx.attempt(), at: stage.clock.mono() });
    match stage.then {
        Then::Hang => std::future::pending().await,
        Then::Succeed => Ok(Outcome::Success(number)),
        Then::Obey => {
            cx.cancellation_token().cancelled().await;
            assert_eq!(cx.stop_reason(), Some(StopReason::Shutdown));
            Err(TaskError::new("stopped"))
        }
    }
}

task!(Upload, "Upload");
task!(Old, "Old");
task!(Renamed, "Renamed");
task!(New, "New", "Renamed");

fn builder(path: &Path, stage: &Stage) -> SchedulerBuilder {
    TaskScheduler::builder(path)
        .detached()
        .state(stage.clone())
        .max_running(10)
        .register::<Upload>()
        .only::<Upload>()
}

async fn start(builder: SchedulerBuilder) -> TaskScheduler {
    soon("the start", builder.start()).await.unwrap()
}

async fn end(scheduler: &TaskScheduler) {
    let report = soon("the shutdown", scheduler.shutdown(Duration::from_secs(5))).await;
    assert!(report.still_running().is_empty());
}

/// Schedules 100 pieces, of which 10 run, and says so.
async fn run_until_killed(path: &Path) {
    let (stage, mut heard) = stage(Then::Hang);
    let scheduler = start(builder(path, &stage)).await;
    scheduler.schedule_many((0..100).map(Schedule::<Upload>::new)).await.unwrap();
    for _ in 0..10 {
        let began = soon("ten bodies", heard.recv()).await.unwrap();
        child::say(&began.number.to_string());
    }
    child::wait_for_parent();
}

#[tokio::test]
async fn s1_12_a_killed_process_loses_nothing_and_its_attempts_run_at_once() {
    let name = "s1_12_a_killed_process_loses_nothing_and_its_attempts_run_at_once";
    if let Some(path) = child::path() {
        return run_until_killed(&path).await;
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let killed = child::Process::start(name, &path);
    let interrupted: BTreeSet<u32> = (0..10).map(|_| killed.hear().parse().unwrap()).collect();
    assert_eq!(interrupted.len(), 10);
    killed.kill();

    let (stage, mut heard) = stage(Then::Succeed);
    let before = stage.clock.mono();
    let scheduler = start(builder(&path, &stage)).await;
    let mut seen = BTreeSet::new();
    let mut longest = Duration::ZERO;
    for _ in 0..100 {
        let began = soon("a body", heard.recv()).await.unwrap();
        assert!(seen.insert(began.number), "piece {} runs once", began.number);
        assert_eq!(began.attempt, 1, "an interruption burns no attempt");
        if interrupted.contains(&began.number) {
            longest = longest.max(began.at.since(before));
        }
    }
    assert!(longest <= Duration::from_secs(1), "the interrupted ones begin within 1 s, not {longest:?}");
    eprint_measured(&format!("from the call of `start` to the last of 10 interrupted bodies: {longest:?}"));
    for info in scheduler.list(&[], 200).await.unwrap() {
        assert_eq!(soon("a piece", scheduler.wait(info.id)).await.unwrap(), WorkState::Succeeded);
    }
    let all = scheduler.list(&[WorkState::Succeeded], 200).await.unwrap();
    assert_eq!(all.len(), 100);
    assert!(all.iter().all(|info| info.attempt == 1 && info.history.last().unwrap().attempt == 1));
    end(&scheduler).await;
}

#[tokio::test]
async fn s1_19_work_of_a_task_that_the_program_lacks_is_kept_and_reported() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let (stage, mut heard) = stage(Then::Succeed);
    let first = start(builder(&path, &stage).schedule_only()).await;
    let old = Schedule::<Old>::new(1).id("old").on(&first).await.unwrap().id();
    let renamed = Schedule::<Renamed>::new(2).on(&first).await.unwrap().id();
    let upload = Schedule::<Upload>::new(3).on(&first).await.unwrap().id();
    end(&first).await;

    let second = start(builder(&path, &stage)).await;
    assert_eq!(soon("what is registered", second.wait(upload)).await.unwrap(), WorkState::Succeeded);
    let health = second.health().await.unwrap();
    let lacked: Vec<_> = health.no_handler.iter().map(|(task, count)| (task.as_str(), *count)).collect();
    assert_eq!((lacked, health.ready), (vec![("Old", 1), ("Renamed", 1)], 0));
    for (work, task) in [(old, "Old"), (renamed, "Renamed")] {
        let standing = second.explain(work).await.unwrap();
        let [Obstacle::NoHandler { task: lacked, .. }] = standing.obstacles.as_slice() else {
            panic!("{standing:?}")
        };
        assert_eq!(lacked, task);
        let text = format!("waits for a task named `{task}`, which this program does not register (for ");
        assert!(standing.to_string().starts_with(&text), "{standing}");
    }
    end(&second).await;

    let third = builder(&path, &stage).register::<Old>().only::<Old>().register::<New>().only::<New>();
    let third = start(third).await;
    for work in [old, renamed] {
        assert_eq!(soon("what is registered now", third.wait(work)).await.unwrap(), WorkState::Succeeded);
        assert_eq!(third.info(work).await.unwrap().attempt, 1);
    }
    assert!(third.health().await.unwrap().no_handler.is_empty());
    end(&third).await;
    drop((first, second, third, stage));
    let mut numbers = Vec::new();
    while let Some(began) = heard.recv().await {
        numbers.push(began.number);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3]);
}

/// Shuts down while ten bodies run, and starts again.
async fn stopped_in_the_middle(then: Then, grace: Duration) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let (acting, mut heard) = stage(then);
    let first = start(builder(&path, &acting)).await;
    first.schedule_many((0..30).map(Schedule::<Upload>::new)).await.unwrap();
    let mut stopped = BTreeSet::new();
    for _ in 0..10 {
        stopped.insert(soon("a body", heard.recv()).await.unwrap().number);
    }
    assert!(soon("the shutdown", first.shutdown(grace)).await.still_running().is_empty());
    assert!(heard.try_recv().is_err(), "nothing more has begun");

    let (acting, mut heard) = stage(Then::Succeed);
    let second = start(builder(&path, &acting)).await;
    let mut all = BTreeSet::new();
    for index in 0..30 {
        let began = soon("a body", heard.recv()).await.unwrap();
        assert_eq!(began.attempt, 1, "the attempt was given back");
        assert!(index >= 10 || stopped.contains(&began.number), "what was stopped runs first");
        all.insert(began.number);
    }
    assert_eq!(all.len(), 30);
    for info in second.list(&[], 100).await.unwrap() {
        assert_eq!(soon("a piece", second.wait(info.id)).await.unwrap(), WorkState::Succeeded);
        assert_eq!(info.interruptions, 0, "a shutdown charges nobody");
    }
    end(&second).await;
}

#[tokio::test]
async fn s7_4_a_shutdown_gives_back_the_attempts_of_bodies_that_obey() {
    stopped_in_the_middle(Then::Obey, Duration::from_secs(30)).await;
}

#[tokio::test]
async fn s7_4_a_shutdown_gives_back_the_attempts_of_bodies_that_it_drops() {
    stopped_in_the_middle(Then::Hang, Duration::from_millis(10)).await;
}

#[tokio::test]
async fn s7_4_a_shutdown_shortens_a_grace_that_was_given_before() {
    let (acting, mut heard) = stage(Then::Hang);
    let builder = TaskScheduler::in_memory().detached().state(acting).register::<Upload>().only::<Upload>();
    let scheduler = start(builder.stop_grace(Duration::from_secs(3_600))).await;
    let work = Schedule::<Upload>::new(0).on(&scheduler).await.unwrap();
    soon("a body", heard.recv()).await.unwrap();
    assert_eq!(scheduler.cancel(work.id()).await.unwrap(), [work.id()]);
    assert_eq!(soon("the cancelled piece", work.wait()).await.unwrap(), WorkState::Cancelled);
    let report = soon("the shutdown", scheduler.shutdown(Duration::from_millis(10))).await;
    assert!(report.still_running().is_empty());
}

/// Schedules until it is refused; answers what was acknowledged.
async fn schedule_until_refused(
    scheduler: TaskScheduler,
    acknowledged: mpsc::UnboundedSender<()>,
) -> Vec<WorkId> {
    let mut ids = Vec::new();
    loop {
        match Schedule::<Upload>::new(0).on(&scheduler).await {
            Ok(receipt) => ids.push(receipt.id()),
            Err(ScheduleError::ShuttingDown) => return ids,
            Err(error) => panic!("neither stored nor refused: {error}"),
        }
        let _ = acknowledged.send(());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_4_what_was_acknowledged_before_a_shutdown_is_there_after_it() {
    for round in 0..20 {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("tasks.redb");
        let (acting, _begun) = stage(Then::Succeed);
        let first = start(builder(&path, &acting).schedule_only()).await;
        let (acknowledged, mut heard) = mpsc::unbounded_channel();
        let callers: Vec<_> = (0..50)
            .map(|_| tokio::spawn(schedule_until_refused(first.clone(), acknowledged.clone())))
            .collect();
        for _ in 0..=50 + round * 7 {
            soon("an acknowledged call", heard.recv()).await.unwrap();
        }
        end(&first).await;
        let mut ids = BTreeSet::new();
        for caller in callers {
            ids.extend(soon("the answer to the last call", caller).await.unwrap());
        }
        let second = start(builder(&path, &acting).schedule_only()).await;
        let stored = second.list(&[], usize::MAX).await.unwrap();
        assert!(stored.iter().map(|info| info.id).eq(ids.iter().copied()), "neither more nor less is stored");
        end(&second).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_4_every_call_that_races_with_a_shutdown_is_answered() {
    for _ in 0..200 {
        let scheduler = start(TaskScheduler::in_memory().detached().schedule_only()).await;
        let callers: Vec<_> = (0..4)
            .map(|_| {
                let scheduler = scheduler.clone();
                tokio::spawn(async move {
                    loop {
                        match scheduler.health().await {
                            Ok(_) => {}
                            Err(CallError::Stopped) => break,
                            Err(error) => panic!("{error}"),
                        }
                        match scheduler.info("nothing").await {
                            Err(CallError::NotFound) => {}
                            Err(CallError::Stopped) => break,
                            other => panic!("{other:?}"),
                        }
                    }
                })
            })
            .collect();
        scheduler.health().await.unwrap();
        end(&scheduler).await;
        for caller in callers {
            soon("an answer", caller).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_start_that_is_dropped_leaves_no_scheduler_running() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let (acting, _begun) = stage(Then::Succeed);
    for round in 0..60 {
        let mut starting = Box::pin(builder(&path, &acting).start());
        let polled = std::future::poll_fn(|cx| Poll::Ready(starting.as_mut().poll(cx).is_ready()));
        assert!(!polled.await, "the store is not open at once");
        // Meanwhile the store is being opened, or is open and nobody has asked.
        for _ in 0..round * 20 {
            std::thread::yield_now();
        }
        drop(starting);
        let again = async {
            loop {
                match builder(&path, &acting).start().await {
                    Ok(scheduler) => return scheduler,
                    Err(StartError::Open(OpenError::InUse { .. })) => tokio::task::yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        end(&soon("a file that is free again", again).await).await;
    }
}

#[test]
fn a_runtime_that_ends_takes_its_scheduler_with_it() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (acting, mut heard) = stage(Then::Hang);
    let first = runtime();
    let (scheduler, work) = first.block_on(async {
        let scheduler = start(builder(&path, &acting)).await;
        let work = Schedule::<Upload>::new(7).on(&scheduler).await.unwrap().id();
        soon("a body", heard.recv()).await.unwrap();
        (scheduler, work)
    });
    drop(first);
    runtime().block_on(async {
        soon("the end of the scheduler", scheduler.stopped()).await;
        let (acting, mut heard) = stage(Then::Succeed);
        let second = start(builder(&path, &acting)).await;
        let began = soon("the body", heard.recv()).await.unwrap();
        assert_eq!((began.number, began.attempt), (7, 1));
        assert_eq!(soon("the piece", second.wait(work)).await.unwrap(), WorkState::Succeeded);
        assert_eq!(second.info(work).await.unwrap().interruptions, 0);
        end(&second).await;
    });
}

/// Writes past the capture of the test harness.
fn eprint_measured(line: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "MEASURED {line}").expect("a place for a measurement");
}
