//! The engine from outside, on the store in memory: tasks written by hand, so that nothing here depends on the attribute.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use pushe_tasks::constraint::{Manual, NetworkState};
use pushe_tasks::store::{Changes, Look, MemoryStore, Store, StoreError, StoreFacts, Verbs};
use pushe_tasks::{
    ExistingWorkPolicy, FromTaskContext, NetworkType, Outcome, ReceiptKind, RetryOptions, RunOn, Schedule,
    ScheduleError, SchedulerBuilder, State, StopReason, Task, TaskContext, TaskError, TaskOptions,
    TaskScheduler, WorkState,
};
use pushe_tasks_tests::deadline::soon;
use tokio::sync::{Notify, Semaphore, mpsc};

const SHORT: RetryOptions = RetryOptions::new().delay(Duration::from_millis(1)).jitter(0.0);

/// What bodies tell the test, and what the test tells them.
#[derive(Clone, Default)]
struct Stage {
    attempts: Arc<AtomicU32>,
    living: Arc<AtomicU32>,
    most_living: Arc<AtomicU32>,
    started: Arc<Notify>,
    gate: Option<Arc<Semaphore>>,
    said: Option<mpsc::UnboundedSender<String>>,
}

impl Stage {
    fn gated() -> Self {
        Self { gate: Some(Arc::new(Semaphore::new(0))), ..Self::default() }
    }

    fn open(&self, bodies: usize) {
        self.gate.as_ref().unwrap().add_permits(bodies);
    }

    async fn enter(&self) {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        let living = self.living.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_living.fetch_max(living, Ordering::SeqCst);
        self.started.notify_one();
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        self.living.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Doubles a number; fails as often as it is told to before that.
struct Double;

impl Task for Double {
    const NAME: &'static str = "Double";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new().retry(SHORT);
    type Input = (u32, u32);
    type Output = u32;

    async fn perform((number, failures): (u32, u32), cx: TaskContext) -> Result<Outcome<u32>, TaskError> {
        let State(stage) = State::<Stage>::from_task_context(&cx)?;
        stage.enter().await;
        if cx.attempt() <= failures {
            return Err(TaskError::new(format!("failure {}", cx.attempt())));
        }
        Ok(Outcome::Success(number * 2))
    }
}

async fn start(stage: &Stage) -> TaskScheduler {
    builder(stage).start().await.unwrap()
}

fn builder(stage: &Stage) -> SchedulerBuilder {
    TaskScheduler::in_memory()
        .detached()
        .state(stage.clone())
        .register::<Double>()
        .register::<Slow>()
        .register::<Stuck>()
        .register::<Panics>()
        .only::<Double>()
        .only::<Slow>()
        .only::<Stuck>()
        .only::<Panics>()
}

async fn end(scheduler: &TaskScheduler) {
    assert!(scheduler.shutdown(Duration::from_secs(5)).await.still_running().is_empty());
}

#[tokio::test]
async fn work_runs_and_its_output_is_typed() {
    let stage = Stage::default();
    let scheduler = start(&stage).await;
    let receipt = Schedule::<Double>::new((21, 0)).on(&scheduler).await.unwrap();
    assert_eq!(*receipt.kind(), ReceiptKind::New);
    assert_eq!(receipt.output().await.unwrap(), 42);
    assert_eq!(scheduler.info(receipt.id()).await.unwrap().state, WorkState::Succeeded);
    end(&scheduler).await;
}

#[tokio::test]
async fn s1_8_a_failing_attempt_is_retried_with_back_off() {
    let stage = Stage::default();
    let scheduler = start(&stage).await;
    let receipt = Schedule::<Double>::new((1, 3)).on(&scheduler).await.unwrap();
    assert_eq!(receipt.output().await.unwrap(), 2);
    let info = scheduler.info(receipt.id()).await.unwrap();
    assert_eq!((info.attempt, info.history.len()), (4, 4));
    assert_eq!(info.last_error(), Some("failure 3"));
    for pair in info.history.windows(2) {
        assert!(pair[1].started >= pair[0].ended, "{pair:?}");
    }
    end(&scheduler).await;
}

#[tokio::test]
async fn s2_1_max_attempts_ends_in_failure() {
    let stage = Stage::default();
    let scheduler = start(&stage).await;
    let schedule = Schedule::<Double>::new((1, 99)).retry(SHORT.max_attempts(2)).on(&scheduler);
    let error = schedule.await.unwrap().output().await.unwrap_err();
    assert_eq!(error.to_string(), "the work failed: failure 2");
    assert_eq!(stage.attempts.load(Ordering::SeqCst), 2);
    end(&scheduler).await;
}

#[tokio::test]
async fn s4_1_ten_thousand_racing_calls_with_one_id_leave_one_piece() {
    let stage = Stage::default();
    let network = Manual::new(NetworkState::offline());
    let scheduler = builder(&stage).network_source(network.clone()).start().await.unwrap();
    let calls: Vec<_> = (0..10_000)
        .map(|number| {
            let schedule = Schedule::<Double>::new((number, 0))
                .id("one")
                .policy(ExistingWorkPolicy::Keep)
                .network(NetworkType::Connected)
                .on(&scheduler);
            tokio::spawn(schedule.into_future())
        })
        .collect();
    let mut ids = Vec::new();
    let mut new = 0;
    for call in calls {
        let receipt = call.await.unwrap().unwrap();
        new += u32::from(*receipt.kind() == ReceiptKind::New);
        ids.push(receipt.id());
    }
    ids.dedup();
    assert_eq!((ids.len(), new), (1, 1));
    let stored = scheduler.list(&[], 10).await.unwrap();
    assert_eq!((stored.len(), stored[0].state), (1, WorkState::Enqueued));
    let standing = scheduler.explain("one").await.unwrap();
    assert!(standing.to_string().starts_with("waits for network: Connected"), "{standing}");
    network.set(NetworkState::routed());
    assert_eq!(scheduler.wait("one").await.unwrap(), WorkState::Succeeded);
    end(&scheduler).await;
}

/// Waits until the test lets it go.
struct Slow;

impl Task for Slow {
    const NAME: &'static str = "Slow";
    const OPTIONS: TaskOptions<Self> =
        TaskOptions::new().retry(SHORT).concurrency(2).id("slow").policy(ExistingWorkPolicy::Replace);
    type Input = u32;
    type Output = (u32, u32);

    async fn perform(number: u32, cx: TaskContext) -> Result<Outcome<(u32, u32)>, TaskError> {
        let State(stage) = State::<Stage>::from_task_context(&cx)?;
        tokio::select! {
            () = stage.enter() => Ok(Outcome::Success((number, cx.attempt()))),
            () = cx.cancellation_token().cancelled() => {
                stage.living.fetch_sub(1, Ordering::SeqCst);
                if let Some(said) = &stage.said {
                    let _ = said.send(format!("{number}: {:?}", cx.stop_reason().unwrap()));
                }
                Err(TaskError::new("stopped"))
            }
        }
    }
}

#[tokio::test]
async fn s4_4_replace_cancels_a_running_piece_and_waits_for_its_body() {
    let (said, mut heard) = mpsc::unbounded_channel();
    let stage = Stage { said: Some(said), ..Stage::gated() };
    let scheduler = start(&stage).await;
    let first = Schedule::<Slow>::new(1).on(&scheduler).await.unwrap();
    stage.started.notified().await;
    let second = Schedule::<Slow>::new(2).on(&scheduler).await.unwrap();
    assert_eq!(*second.kind(), ReceiptKind::Replaced(vec![first.id()]));
    assert_eq!(first.wait().await.unwrap(), WorkState::Cancelled);
    assert_eq!(heard.recv().await.unwrap(), format!("1: {:?}", StopReason::Replaced));
    stage.started.notified().await;
    stage.open(1);
    assert_eq!(second.output().await.unwrap(), (2, 1));
    assert_eq!(stage.most_living.load(Ordering::SeqCst), 1);
    end(&scheduler).await;
}

#[tokio::test]
async fn s10_1_concurrency_bounds_the_bodies_of_a_task() {
    let stage = Stage::gated();
    let scheduler = start(&stage).await;
    let batch = (0..20).map(|number| Schedule::<Slow>::new(number).id(format!("slow/{number}")));
    let receipts = scheduler.schedule_many(batch).await.unwrap();
    while stage.living.load(Ordering::SeqCst) < 2 {
        stage.started.notified().await;
    }
    stage.open(20);
    for receipt in receipts {
        receipt.output().await.unwrap();
    }
    assert_eq!(stage.most_living.load(Ordering::SeqCst), 2);
    end(&scheduler).await;
}

#[tokio::test]
async fn s1_10_a_lost_network_stops_the_body_and_gives_the_attempt_back() {
    let (said, mut heard) = mpsc::unbounded_channel();
    let stage = Stage { said: Some(said), ..Stage::gated() };
    let network = Manual::new(NetworkState::routed());
    let scheduler = builder(&stage).network_source(network.clone()).start().await.unwrap();
    let work = Schedule::<Slow>::new(1).network(NetworkType::Connected).on(&scheduler).await.unwrap();
    stage.started.notified().await;
    network.set(NetworkState::offline());
    assert_eq!(heard.recv().await.unwrap(), format!("1: {:?}", StopReason::ConstraintLost));
    network.set(NetworkState::routed());
    stage.started.notified().await;
    stage.open(1);
    assert_eq!(work.output().await.unwrap(), (1, 1), "the attempt was given back");
    end(&scheduler).await;
}

/// Holds its thread and hears nothing.
struct Stuck;

static RELEASE: std::sync::Mutex<Option<std::sync::mpsc::Receiver<()>>> = std::sync::Mutex::new(None);

impl Task for Stuck {
    const NAME: &'static str = "Stuck";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new()
        .run_on(RunOn::Blocking)
        .timeout(Duration::from_millis(10))
        .retry(SHORT.max_attempts(1));
    type Input = ();
    type Output = ();

    async fn perform((): (), _: TaskContext) -> Result<Outcome, TaskError> {
        let release = RELEASE.lock().unwrap().take().unwrap();
        let _ = release.recv();
        Ok(Outcome::SUCCESS)
    }
}

#[tokio::test]
async fn s2_3_a_blocking_body_that_goes_on_is_a_zombie() {
    let (release, gate) = std::sync::mpsc::channel();
    *RELEASE.lock().unwrap() = Some(gate);
    let scheduler = builder(&Stage::default()).stop_grace(Duration::from_millis(10)).start().await.unwrap();
    let work = Schedule::<Stuck>::new(()).on(&scheduler).await.unwrap();
    assert_eq!(work.wait().await.unwrap(), WorkState::Failed);
    let health = scheduler.health().await.unwrap();
    assert_eq!(health.zombies, [(work.id(), "Stuck".to_owned())]);
    assert_eq!(health.running, 0);
    let report = scheduler.shutdown(Duration::ZERO).await;
    assert_eq!(report.still_running(), ["Stuck"]);
    release.send(()).unwrap();
}

/// Panics at its first attempt.
struct Panics;

impl Task for Panics {
    const NAME: &'static str = "Panics";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new().retry(SHORT);
    type Input = ();
    type Output = ();

    async fn perform((): (), cx: TaskContext) -> Result<Outcome, TaskError> {
        assert!(cx.attempt() > 1, "the first attempt panics");
        Ok(Outcome::SUCCESS)
    }
}

#[tokio::test]
async fn s2_2_a_panic_is_an_attempt_that_ended_in_retry() {
    let scheduler = start(&Stage::default()).await;
    let work = Schedule::<Panics>::new(()).on(&scheduler).await.unwrap();
    work.output().await.unwrap();
    assert_eq!(scheduler.info(work.id()).await.unwrap().last_error(), Some("the first attempt panics"));
    end(&scheduler).await;
}

#[tokio::test]
async fn s1_14_cancel_signals_the_body_and_fences_its_result() {
    let (said, mut heard) = mpsc::unbounded_channel();
    let stage = Stage { said: Some(said), ..Stage::gated() };
    let scheduler = start(&stage).await;
    let work = Schedule::<Slow>::new(1).on(&scheduler).await.unwrap();
    stage.started.notified().await;
    assert_eq!(scheduler.cancel("slow").await.unwrap(), [work.id()]);
    assert_eq!(heard.recv().await.unwrap(), format!("1: {:?}", StopReason::Cancelled));
    assert_eq!(work.wait().await.unwrap(), WorkState::Cancelled);
    end(&scheduler).await;
    let late = Schedule::<Slow>::new(1).on(&scheduler).await.unwrap_err();
    assert!(late.to_string().starts_with("the scheduler is shutting down"), "{late}");
}

#[tokio::test]
async fn a_delayed_piece_waits_for_its_time() {
    let scheduler = start(&Stage::default()).await;
    let now = std::time::SystemTime::UNIX_EPOCH;
    let work = Schedule::<Double>::new((1, 0)).delay("50ms").on(&scheduler).await.unwrap();
    let past = Schedule::<Double>::new((2, 0)).at(now).on(&scheduler).await.unwrap();
    assert_eq!(past.output().await.unwrap(), 4);
    assert_eq!(work.output().await.unwrap(), 2);
    let info = scheduler.info(work.id()).await.unwrap();
    assert!(info.history[0].started >= info.due);
    end(&scheduler).await;
}

/// A store in memory, with something in the way of its n-th write (the first is that of opening).
struct Meddled<F>(MemoryStore, u32, F);

impl<F: FnMut(u32, &mut MemoryStore) -> Result<(), StoreError> + Send> Store for Meddled<F> {
    fn write(&mut self, body: &mut dyn FnMut(&mut dyn Verbs)) -> Result<Changes, StoreError> {
        self.1 += 1;
        (self.2)(self.1, &mut self.0)?;
        self.0.write(body)
    }

    fn read(&mut self, body: &mut dyn FnMut(&dyn Look)) -> Result<(), StoreError> {
        self.0.read(body)
    }

    fn facts(&self) -> &StoreFacts {
        self.0.facts()
    }
}

fn meddled<F>(meddle: F) -> SchedulerBuilder
where
    F: FnMut(u32, &mut MemoryStore) -> Result<(), StoreError> + Send + 'static,
{
    SchedulerBuilder::on_store(Box::new(Meddled(MemoryStore::default(), 0, meddle))).detached()
}

#[tokio::test]
async fn a_store_that_panics_stops_the_engine_and_leaves_nobody_waiting() {
    let builder = meddled(|write, _| {
        assert!(write < 2, "the store panics");
        Ok(())
    });
    let scheduler = builder.schedule_only().start().await.unwrap();
    Schedule::<Double>::new((1, 0)).on(&scheduler).await.unwrap_err();
    scheduler.stopped().await;
    scheduler.health().await.unwrap_err();
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_store_that_cannot_begin_a_transaction_is_told_to_callers_and_not_hammered() {
    let (stage, broken, writes) =
        (Stage::gated(), Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let (is_broken, count) = (Arc::clone(&broken), Arc::clone(&writes));
    let builder = meddled(move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        let refused = || Err(StoreError::Failed("it does not open".to_owned()));
        if is_broken.load(Ordering::SeqCst) { refused() } else { Ok(()) }
    });
    let scheduler = builder.state(stage.clone()).register::<Double>().only::<Double>().start().await.unwrap();
    let work = Schedule::<Double>::new((21, 0)).on(&scheduler).await.unwrap();
    stage.started.notified().await;
    broken.store(true, Ordering::SeqCst);
    let before = writes.load(Ordering::SeqCst);
    for _ in 0..5 {
        let refused = soon("a refusal", Schedule::<Double>::new((1, 0)).on(&scheduler).into_future()).await;
        assert!(matches!(refused, Err(ScheduleError::Indeterminate { .. })), "{refused:?}");
    }
    stage.open(9);
    // The end of the body is held; the store is asked again with a pause that doubles.
    soon("the end to be held", async {
        while scheduler.health().await.unwrap().held_settles == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let asked = writes.load(Ordering::SeqCst) - before;
    assert!(asked < 20, "the store was asked {asked} times for 6 requests");
    broken.store(false, Ordering::SeqCst);
    assert_eq!(soon("the output", work.output()).await.unwrap(), 42);
    assert_eq!(stage.attempts.load(Ordering::SeqCst), 1);
    end(&scheduler).await;
}

#[tokio::test]
async fn a_commit_that_fails_loses_nothing_and_runs_nothing_twice() {
    let mut failures = 0;
    for fails_at in 2..12 {
        let stage = Stage::default();
        let builder = meddled(move |write, store| {
            if write == fails_at {
                store.fail_next(StoreError::Undone("the test".to_owned()));
            }
            Ok(())
        });
        let builder = builder.state(stage.clone()).register::<Double>().only::<Double>();
        let scheduler = builder.start().await.unwrap();
        for number in 0..3 {
            let receipt = loop {
                match Schedule::<Double>::new((number, 0)).on(&scheduler).await {
                    Ok(receipt) => break receipt,
                    Err(error) => {
                        failures += 1;
                        assert_eq!(error.to_string(), "the store refused the work: the test");
                    }
                }
            };
            assert_eq!(
                soon("an output", receipt.output()).await.unwrap(),
                number * 2,
                "failing at {fails_at}"
            );
        }
        assert_eq!(stage.attempts.load(Ordering::SeqCst), 3, "failing at {fails_at}");
        end(&scheduler).await;
    }
    assert!(failures > 0, "some of the failures met a caller");
}

/// Shuts its own scheduler down.
struct LastOne;

impl Task for LastOne {
    const NAME: &'static str = "LastOne";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = ();
    type Output = ();

    async fn perform((): (), cx: TaskContext) -> Result<Outcome, TaskError> {
        cx.scheduler().shutdown(Duration::from_secs(5)).await;
        Ok(Outcome::SUCCESS)
    }
}

#[tokio::test]
async fn a_body_that_shuts_its_scheduler_down_does_not_wait_for_itself() {
    let scheduler = TaskScheduler::in_memory().detached();
    let scheduler = scheduler.register::<LastOne>().only::<LastOne>().start().await.unwrap();
    let work = Schedule::<LastOne>::new(()).on(&scheduler).await.unwrap();
    // It succeeds, which it could not if it waited for its own end.
    assert_eq!(work.wait().await.unwrap(), WorkState::Succeeded);
    scheduler.stopped().await;
}
