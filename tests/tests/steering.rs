//! Steering a scheduler from outside (S9.1): tasks written by hand, on the store in memory and on a file.

use std::sync::Arc;
use std::time::Duration;

use pushe_tasks::{
    CallError, FromTaskContext, Obstacle, Outcome, Paused, Schedule, SchedulerBuilder, State, Task,
    TaskContext, TaskError, TaskOptions, TaskScheduler, WorkState,
};
use pushe_tasks_tests::deadline::soon;
use tokio::sync::Semaphore;

/// Ends when the test lets it.
struct Gated;

/// What bodies of `Gated` wait for, and a permit for each that has begun.
#[derive(Clone)]
struct Gate {
    begun: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    fn new() -> Self {
        let closed = || Arc::new(Semaphore::new(0));
        Self { begun: closed(), open: closed() }
    }

    async fn begun(&self) {
        soon("a body begins", self.begun.acquire()).await.unwrap().forget();
    }
}

impl Task for Gated {
    const NAME: &'static str = "Gated";
    const ALIASES: &'static [&'static str] = &["Gated of old"];
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = ();
    type Output = ();

    async fn perform((): (), cx: TaskContext) -> Result<Outcome<()>, TaskError> {
        let State(gate) = State::<Gate>::from_task_context(&cx)?;
        gate.begun.add_permits(1);
        gate.open.acquire().await.unwrap().forget();
        Ok(Outcome::Success(()))
    }
}

/// Another task, which ends at once.
struct Quick;

impl Task for Quick {
    const NAME: &'static str = "Quick";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = ();
    type Output = ();

    async fn perform((): (), _: TaskContext) -> Result<Outcome<()>, TaskError> {
        Ok(Outcome::Success(()))
    }
}

fn set_up(builder: SchedulerBuilder, gate: &Gate) -> SchedulerBuilder {
    builder
        .detached()
        .state(gate.clone())
        .register::<Gated>()
        .register::<Quick>()
        .only::<Gated>()
        .only::<Quick>()
}

async fn start(gate: &Gate) -> TaskScheduler {
    set_up(TaskScheduler::in_memory(), gate).start().await.unwrap()
}

async fn end(scheduler: &TaskScheduler) {
    assert!(scheduler.shutdown(Duration::from_secs(5)).await.still_running().is_empty());
}

#[tokio::test]
async fn s9_1_paused_work_says_why_it_does_not_start_and_goes_on_at_resume() {
    let gate = Gate::new();
    let scheduler = start(&gate).await;
    let running = Schedule::<Gated>::new(()).on(&scheduler).await.unwrap();
    gate.begun().await;
    scheduler.pause().await.unwrap();
    let waiting = Schedule::<Gated>::new(()).on(&scheduler).await.unwrap();
    gate.open.add_permits(1);
    assert_eq!(
        soon("the work ends", scheduler.wait(running.id())).await.unwrap(),
        WorkState::Succeeded,
        "it goes on"
    );
    let since = scheduler.paused().await.unwrap().all.unwrap();
    let standing = scheduler.explain(waiting.id()).await.unwrap();
    assert_eq!(standing.obstacles, [Obstacle::Paused { task: None, since }]);
    assert!(standing.to_string().starts_with("waits for `resume()`"), "{standing}");
    scheduler.resume().await.unwrap();
    gate.begun().await;
    assert_eq!(scheduler.paused().await.unwrap(), Paused::default());
    gate.open.add_permits(1);
    soon("the work ends", waiting.output()).await.unwrap();
    end(&scheduler).await;
}

#[tokio::test]
async fn s9_1_a_task_is_paused_alone_and_under_all_its_names() {
    let gate = Gate::new();
    let scheduler = start(&gate).await;
    scheduler.pause_task("Gated of old").await.unwrap();
    let paused = scheduler.paused().await.unwrap();
    assert_eq!(paused.tasks.keys().collect::<Vec<_>>(), ["Gated", "Gated of old"]);
    let held = Schedule::<Gated>::new(()).on(&scheduler).await.unwrap();
    let quick = Schedule::<Quick>::new(()).on(&scheduler).await.unwrap();
    soon("the work ends", quick.output()).await.unwrap();
    let standing = scheduler.explain(held.id()).await.unwrap();
    assert!(standing.to_string().starts_with("waits for `resume_task(\"Gated\")`"), "{standing}");
    scheduler.resume_task("Gated").await.unwrap();
    gate.begun().await;
    gate.open.add_permits(1);
    soon("the work ends", held.output()).await.unwrap();
    for name in [String::new(), "n".repeat(513)] {
        let refused = scheduler.pause_task(&name).await;
        assert!(matches!(refused, Err(CallError::Invalid { .. })), "{refused:?}");
    }
    end(&scheduler).await;
}

#[tokio::test]
async fn s9_1_a_pause_holds_over_a_restart_and_for_names_that_come_later() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.redb");
    let gate = Gate::new();
    // A program that knows the task by its old name alone.
    let before = TaskScheduler::builder(&path).detached().schedule_only().start().await.unwrap();
    before.pause_task("Gated of old").await.unwrap();
    end(&before).await;

    let scheduler = set_up(TaskScheduler::builder(&path), &gate).start().await.unwrap();
    let paused = scheduler.paused().await.unwrap();
    assert_eq!(paused.tasks.keys().collect::<Vec<_>>(), ["Gated", "Gated of old"]);
    let held = Schedule::<Gated>::new(()).on(&scheduler).await.unwrap();
    let quick = Schedule::<Quick>::new(()).on(&scheduler).await.unwrap();
    soon("the work ends", quick.output()).await.unwrap();
    assert_eq!(gate.begun.available_permits(), 0);
    scheduler.resume_task("Gated").await.unwrap();
    gate.open.add_permits(1);
    soon("the work ends", held.output()).await.unwrap();
    end(&scheduler).await;
}
