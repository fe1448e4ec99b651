//! Steering a scheduler from outside (S9.1): tasks written by hand, on the store in memory and on a file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pushe_tasks::{
    CallError, FromTaskContext, Obstacle, OptionError, Outcome, Paused, RetryOptions, RunOn, Schedule,
    ScheduleError, SchedulerBuilder, State, StopReason, Task, TaskContext, TaskError, TaskOptions,
    TaskScheduler, WorkQuery, WorkSet, WorkState,
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
    failed: Arc<AtomicU32>,
}

impl Gate {
    fn new() -> Self {
        let closed = || Arc::new(Semaphore::new(0));
        Self { begun: closed(), open: closed(), failed: Arc::default() }
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

/// Fails as often as it is told to, and then succeeds; retried after an hour.
struct Flaky;

impl Task for Flaky {
    const NAME: &'static str = "Flaky";
    const OPTIONS: TaskOptions<Self> =
        TaskOptions::new().retry(RetryOptions::new().delay(Duration::from_secs(3600)).max_attempts(2));
    type Input = u32;
    type Output = ();

    async fn perform(failures: u32, cx: TaskContext) -> Result<Outcome<()>, TaskError> {
        let State(gate) = State::<Gate>::from_task_context(&cx)?;
        gate.begun.add_permits(1);
        let failed = gate.failed.fetch_add(1, Ordering::SeqCst);
        if failed < failures { Err(TaskError::new("not yet")) } else { Ok(Outcome::Success(())) }
    }
}

/// Blocks its thread until the test lets it end, whatever it is told.
struct Stuck;

impl Task for Stuck {
    const NAME: &'static str = "Stuck";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new().run_on(RunOn::Blocking);
    type Input = ();
    type Output = ();

    async fn perform((): (), cx: TaskContext) -> Result<Outcome<()>, TaskError> {
        let State(gate) = State::<Gate>::from_task_context(&cx)?;
        gate.begun.add_permits(1);
        loop {
            if let Ok(opened) = gate.open.try_acquire() {
                opened.forget();
                break;
            }
            std::thread::yield_now();
        }
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
        .stop_grace(Duration::ZERO)
        .register::<Gated>()
        .register::<Quick>()
        .register::<Flaky>()
        .register::<Stuck>()
        .only::<Gated>()
        .only::<Quick>()
        .only::<Flaky>()
        .only::<Stuck>()
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

#[tokio::test]
async fn s1_16_failed_work_runs_again_when_it_is_requeued() {
    let gate = Gate::new();
    let scheduler = start(&gate).await;
    let receipt = Schedule::<Flaky>::new(2).id("the id").on(&scheduler).await.unwrap();
    gate.begun().await;
    // The first attempt has ended or is about to: the second starts an hour later, or now.
    loop {
        match scheduler.retry_now("the id").await {
            Ok(moved) => break assert_eq!(moved, [receipt.id()]),
            Err(CallError::NotFound) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(soon("the work ends", scheduler.wait(receipt.id())).await.unwrap(), WorkState::Failed);
    let refused = scheduler.retry_now(receipt.id()).await;
    assert!(matches!(refused, Err(CallError::WrongState { state: WorkState::Failed, .. })), "{refused:?}");
    let other = Schedule::<Gated>::new(()).id("the id").on(&scheduler).await.unwrap();
    let refused = scheduler.requeue(receipt.id()).await;
    assert!(
        matches!(&refused, Err(CallError::IdBusy { holder, .. }) if *holder == other.id()),
        "{refused:?}"
    );
    gate.open.add_permits(1);
    soon("the other ends", other.output()).await.unwrap();
    scheduler.requeue(receipt.id()).await.unwrap();
    soon("the work ends", receipt.output()).await.unwrap();
    let info = scheduler.info(receipt.id()).await.unwrap();
    assert_eq!((info.attempt, info.history.len()), (1, 3), "its attempts begin anew, its history stays");
    let refused = scheduler.discard(receipt.id()).await;
    assert!(matches!(refused, Err(CallError::WrongState { .. })), "{refused:?}");
    end(&scheduler).await;
}

#[tokio::test]
async fn s9_1_cancel_and_wait_answers_when_the_body_has_ended() {
    let gate = Gate::new();
    let scheduler = start(&gate).await;
    let receipt = Schedule::<Gated>::new(()).id("the id").on(&scheduler).await.unwrap();
    gate.begun().await;
    let cancelled = soon("the body ends", scheduler.cancel_and_wait("the id")).await.unwrap();
    assert_eq!((cancelled.works, cancelled.still_running), (vec![receipt.id()], Vec::new()));
    assert_eq!(scheduler.health().await.unwrap().running, 0);
    assert_eq!(scheduler.info(receipt.id()).await.unwrap().state, WorkState::Cancelled);
    let again = soon("nothing is waited for", scheduler.cancel_and_wait(receipt.id())).await.unwrap();
    assert_eq!((again.works.len(), again.still_running.len()), (0, 0));
    end(&scheduler).await;
}

#[tokio::test]
async fn s9_1_cancel_and_wait_names_a_body_that_nobody_can_stop() {
    let gate = Gate::new();
    let scheduler = start(&gate).await;
    let receipt = Schedule::<Stuck>::new(()).on(&scheduler).await.unwrap();
    gate.begun().await;
    let cancelled = soon("it is given up", scheduler.cancel_and_wait(receipt.id())).await.unwrap();
    assert_eq!(cancelled.still_running, [receipt.id()]);
    gate.open.add_permits(1);
    let ended = async {
        while !scheduler.health().await.unwrap().zombies.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    soon("its end is noticed", ended).await;
    end(&scheduler).await;
}

#[tokio::test]
async fn s9_2_work_is_found_by_what_it_is_in_pages() {
    let gate = Gate::new();
    let scheduler = start(&gate).await;
    scheduler.pause().await.unwrap();
    let mut tagged = Vec::new();
    for number in 0..5 {
        let piece = Schedule::<Gated>::new(()).tag("red").tag(if number == 3 { "rare" } else { "red" });
        tagged.push(piece.on(&scheduler).await.unwrap().id());
    }
    let plain = Schedule::<Quick>::new(()).id("the id").on(&scheduler).await.unwrap().id();
    let red = WorkQuery::new().tag("red").limit(2);
    let (mut query, mut seen) = (red.clone(), Vec::new());
    loop {
        let page = scheduler.query(&query).await.unwrap();
        seen.extend(page.works.iter().map(|work| work.id));
        assert!(page.works.iter().all(|work| work.tags[0] == "red"));
        let Some(next) = page.next else { break };
        query = query.after(next);
    }
    assert_eq!(seen, tagged);
    let found = |query: WorkQuery| {
        let scheduler = scheduler.clone();
        async move {
            let page = scheduler.query(&query).await.unwrap();
            page.works.into_iter().map(|work| work.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(found(WorkQuery::new().tag("rare")).await, [tagged[3]]);
    assert_eq!(found(red.newest_first()).await, [tagged[4], tagged[3]]);
    // An alias names the task, and a task id its work.
    assert_eq!(found(WorkQuery::new().task("Gated of old")).await, tagged);
    assert_eq!(found(WorkQuery::new().task_id("the id")).await, [plain]);
    assert_eq!(found(WorkQuery::new().id(plain).state(WorkState::Enqueued)).await, [plain]);
    assert_eq!(found(WorkQuery::new().id(plain).state(WorkState::Running)).await, []);
    assert_eq!(scheduler.list(&[], 4).await.unwrap().len(), 4);
    for refused in [WorkQuery::new().limit(0), WorkQuery::new().limit(1_001)] {
        let refused = scheduler.query(&refused).await;
        assert!(matches!(refused, Err(CallError::Invalid { .. })), "{refused:?}");
    }
    end(&scheduler).await;
}

#[tokio::test]
async fn s9_1_work_is_cancelled_by_tag_by_query_and_all_of_it() {
    let gate = Gate::new();
    let scheduler = start(&gate).await;
    let running = Schedule::<Gated>::new(()).tag("red").on(&scheduler).await.unwrap();
    gate.begun().await;
    scheduler.pause().await.unwrap();
    let mut waiting = Vec::new();
    for number in 0..2_500 {
        let piece = Schedule::<Quick>::new(()).tag(if number % 2 == 0 { "even" } else { "odd" });
        waiting.push(piece);
    }
    let receipts = scheduler.schedule_many(waiting).await.unwrap();
    let red = soon("it is carried out", scheduler.cancel_and_wait(WorkSet::Tag("red".to_owned()))).await;
    assert_eq!(red.unwrap().works, [running.id()]);
    let info = scheduler.info(running.id()).await.unwrap();
    assert_eq!(info.stop_reason(), Some(StopReason::Cancelled));
    let query = WorkQuery::new().tag("even").state(WorkState::Running);
    assert_eq!(scheduler.cancel(query).await.unwrap(), [], "none of it runs");
    let even = scheduler.cancel(WorkQuery::new().tag("even").limit(1)).await.unwrap();
    assert_eq!(even.len(), 1_250, "the limit of its pages does not count");
    let rest = scheduler.cancel(WorkSet::All).await.unwrap();
    let odd: Vec<_> = receipts.iter().skip(1).step_by(2).map(pushe_tasks::Receipt::id).collect();
    assert_eq!(rest, odd);
    end(&scheduler).await;
}

#[tokio::test]
async fn s6_4_tags_are_judged_by_the_call() {
    let gate = Gate::new();
    let scheduler = start(&gate).await;
    scheduler.pause().await.unwrap();
    let refused = |piece: Schedule<Quick>| {
        let piece = piece.on(&scheduler);
        async move {
            match piece.await {
                Err(ScheduleError::Option(rule)) => rule,
                other => panic!("{other:?}"),
            }
        }
    };
    let tags = |count: usize| {
        (0..count).fold(Schedule::<Quick>::new(()), |piece, number| piece.tag(number.to_string()))
    };
    assert_eq!(refused(tags(1).tag("")).await, OptionError::TagEmpty);
    assert_eq!(refused(tags(1).tag("x".repeat(129))).await, OptionError::TagTooLong { bytes: 129 });
    assert_eq!(refused(tags(33)).await, OptionError::TooManyTags { tags: 33 });
    assert!(scheduler.list(&[], 9).await.unwrap().is_empty(), "nothing was stored");
    let most = tags(32).tag("0").tag("x".repeat(128));
    assert_eq!(refused(most).await, OptionError::TooManyTags { tags: 33 });
    let stored = tags(31).tag("0").tag("x".repeat(128)).on(&scheduler).await.unwrap();
    assert_eq!(scheduler.info(stored.id()).await.unwrap().tags.len(), 32);
    end(&scheduler).await;
}
