//! A disk that takes long: callers wait, the engine does not, and memory stays bounded.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use pushe_tasks::store::{Changes, Look, MemoryStore, Store, StoreError, StoreFacts, Verbs};
use pushe_tasks::{
    FromTaskContext, Liveness, Outcome, Schedule, SchedulerBuilder, State, Task, TaskContext, TaskError,
    TaskOptions, TaskScheduler, WorkState,
};
use pushe_tasks_tests::deadline::soon;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

/// The most requests of callers in the queue, as the documents of `Health` say.
const MOST: usize = 1_024;

/// Lets commits through one by one, or all of them.
#[derive(Debug, Default)]
struct Sluice {
    commits: Mutex<u64>,
    moved: Condvar,
}

impl Sluice {
    fn let_through(&self, commits: u64) {
        let mut left = self.commits.lock().unwrap();
        *left = left.saturating_add(commits);
        self.moved.notify_all();
    }

    fn shut(&self) {
        *self.commits.lock().unwrap() = 0;
    }

    fn pass(&self) {
        let mut left = self.commits.lock().unwrap();
        while *left == 0 {
            left = self.moved.wait(left).unwrap();
        }
        *left -= 1;
    }
}

/// A store whose commits take as long as the sluice says.
struct Slow {
    inner: MemoryStore,
    sluice: Arc<Sluice>,
    /// The number of the newest commit.
    commits: Arc<AtomicU64>,
}

impl Store for Slow {
    fn write(&mut self, body: &mut dyn FnMut(&mut dyn Verbs)) -> Result<Changes, StoreError> {
        let changes = self.inner.write(body)?;
        // A transaction that wrote nothing asks nothing of the disk.
        if self.commits.swap(changes.commit, Ordering::SeqCst) != changes.commit {
            self.sluice.pass();
        }
        Ok(changes)
    }

    fn read(&mut self, body: &mut dyn FnMut(&dyn Look)) -> Result<(), StoreError> {
        self.inner.read(body)
    }

    fn facts(&self) -> &StoreFacts {
        self.inner.facts()
    }
}

/// What bodies tell the test, and what the test tells them.
#[derive(Clone)]
struct Stage {
    started: Arc<Notify>,
    gate: Arc<Semaphore>,
}

/// Runs until it is let go, and then reports so often.
struct Gated;

impl Task for Gated {
    const NAME: &'static str = "Gated";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = u32;
    type Output = ();

    async fn perform(reports: u32, cx: TaskContext) -> Result<Outcome<()>, TaskError> {
        let State(stage) = State::<Stage>::from_task_context(&cx)?;
        stage.started.notify_one();
        stage.gate.acquire().await?.forget();
        for report in 0..reports {
            cx.progress(&report).await?;
        }
        Ok(Outcome::Success(()))
    }
}

/// Nobody runs it here.
struct Idle;

impl Task for Idle {
    const NAME: &'static str = "Idle";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = Vec<u8>;
    type Output = ();

    async fn perform(_: Vec<u8>, _: TaskContext) -> Result<Outcome<()>, TaskError> {
        Ok(Outcome::Success(()))
    }
}

struct World {
    scheduler: TaskScheduler,
    sluice: Arc<Sluice>,
    commits: Arc<AtomicU64>,
    stage: Stage,
}

impl World {
    async fn new() -> Self {
        let sluice = Arc::<Sluice>::default();
        let commits = Arc::<AtomicU64>::default();
        let store = Slow {
            inner: MemoryStore::default(),
            sluice: Arc::clone(&sluice),
            commits: Arc::clone(&commits),
        };
        let stage = Stage { started: Arc::default(), gate: Arc::new(Semaphore::new(0)) };
        // The opening transaction.
        sluice.let_through(1);
        let builder = SchedulerBuilder::on_store(Box::new(store)).detached().register::<Gated>();
        let scheduler = builder.only::<Gated>().state(stage.clone()).start().await.unwrap();
        Self { scheduler, sluice, commits, stage }
    }

    /// Starts a body and waits until it runs.
    async fn body(&self, reports: u32) -> pushe_tasks::Receipt<Gated> {
        self.sluice.let_through(u64::MAX);
        let receipt = Schedule::<Gated>::new(reports).on(&self.scheduler).await.unwrap();
        soon("the body's start", self.stage.started.notified()).await;
        self.sluice.shut();
        receipt
    }

    async fn until(&self, holds: impl Fn(&pushe_tasks::Health) -> bool) -> pushe_tasks::Health {
        soon("such a health", async {
            loop {
                let health = self.scheduler.health().await.unwrap();
                if holds(&health) {
                    return health;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    async fn end(self) {
        self.sluice.let_through(u64::MAX);
        self.scheduler.shutdown(Duration::from_secs(10)).await;
    }
}

/// Fault 11: a million calls against a disk that does not move.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_11_a_million_calls_against_a_slow_disk_wait_and_no_settle_starves() {
    const CALLERS: usize = 20_000;
    const CALLS: usize = 50;
    let world = World::new().await;
    let body = world.body(0).await;
    let (scheduled, deepest) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (scheduler, scheduled) = (world.scheduler.clone(), Arc::clone(&scheduled));
        callers.spawn(async move {
            for _ in 0..CALLS {
                Schedule::<Idle>::new(vec![7; 64]).on(&scheduler).await.unwrap();
                scheduled.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    // One group is with the disk; behind it the room is full, and all others wait outside.
    let health = world.until(|health| health.callers_waiting == CALLERS - MOST).await;
    assert!(health.queue_depth <= MOST + 16, "{}", health.queue_depth);
    assert_eq!(scheduled.load(Ordering::Relaxed), 0);

    // The body ends now: its settle stands in no line, and is durable with the next group.
    world.stage.gate.add_permits(1);
    // A dispatcher that is too busy to answer tells nothing of what runs.
    world.until(|health| health.dispatcher == Liveness::Alive && health.running == 0).await;
    let before = world.commits.load(Ordering::SeqCst);
    world.sluice.let_through(2);
    let state = soon("the end of the work", world.scheduler.wait(body.id())).await.unwrap();
    assert_eq!(state, WorkState::Succeeded);
    assert!(world.commits.load(Ordering::SeqCst) <= before + 2, "within two commits");

    // Now the disk moves, and all of them are stored.
    let watch = {
        let (scheduler, deepest) = (world.scheduler.clone(), Arc::clone(&deepest));
        tokio::spawn(async move {
            while let Ok(health) = scheduler.health().await {
                deepest.fetch_max(health.queue_depth, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        })
    };
    world.sluice.let_through(u64::MAX / 2);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    assert_eq!(scheduled.load(Ordering::Relaxed), CALLERS * CALLS);
    // Beside what callers queued there is only what the dispatcher tells.
    assert!(deepest.load(Ordering::Relaxed) <= MOST + 16, "{}", deepest.load(Ordering::Relaxed));
    let health = world.scheduler.health().await.unwrap();
    assert_eq!(health.no_handler.get("Idle"), Some(&((CALLERS * CALLS) as u64)));
    world.end().await;
    watch.await.unwrap();
}

#[tokio::test]
async fn large_calls_fill_the_room_by_their_bytes() {
    let world = World::new().await;
    let mut callers = JoinSet::new();
    // 64 MiB are the room, and each of these takes 1 MiB of payload and some more.
    for _ in 0..70 {
        let scheduler = world.scheduler.clone();
        callers.spawn(
            async move { Schedule::<Idle>::new(vec![7; (1 << 20) - 16]).on(&scheduler).await.unwrap() },
        );
    }
    let health = world.until(|health| health.callers_waiting == 70 - 63).await;
    assert!(health.queue_depth <= 63 + 16, "{}", health.queue_depth);
    world.sluice.let_through(u64::MAX / 2);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    world.end().await;
}

#[tokio::test]
async fn a_caller_that_gives_up_while_it_waits_stores_nothing_and_takes_no_room() {
    let world = World::new().await;
    let mut callers = JoinSet::new();
    for _ in 0..MOST {
        let scheduler = world.scheduler.clone();
        callers.spawn(async move { Schedule::<Idle>::new(Vec::new()).on(&scheduler).await.unwrap() });
    }
    let full = |health: &pushe_tasks::Health, waiting| health.callers_waiting == waiting;
    let scheduler = world.scheduler.clone();
    let waiter = tokio::spawn(async move { Schedule::<Idle>::new(vec![1]).on(&scheduler).await.unwrap() });
    world.until(|health| full(health, 1)).await;
    waiter.abort();
    assert!(waiter.await.unwrap_err().is_cancelled());
    world.until(|health| full(health, 0)).await;
    // From a thread of its own, blocking, it waits too and is stored in its turn.
    let scheduler = world.scheduler.clone();
    let blocking =
        std::thread::spawn(move || Schedule::<Idle>::new(vec![2]).on(&scheduler).blocking().unwrap());
    world.until(|health| full(health, 1)).await;
    world.sluice.let_through(u64::MAX / 2);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    blocking.join().unwrap();
    let stored = world.scheduler.list(&[], usize::MAX).await.unwrap().len();
    assert_eq!(stored, MOST + 1, "what was given up is not among them");
    world.end().await;
}

#[tokio::test]
async fn a_call_that_waits_for_room_learns_of_a_shutdown() {
    let world = World::new().await;
    let mut callers = JoinSet::new();
    for _ in 0..2 * MOST {
        let scheduler = world.scheduler.clone();
        callers.spawn(async move { Schedule::<Idle>::new(Vec::new()).on(&scheduler).await.is_ok() });
    }
    world.until(|health| health.callers_waiting == MOST).await;
    let sluice = Arc::clone(&world.sluice);
    world.end().await;
    sluice.let_through(1);
    let mut ends = 0;
    while let Some(ended) = soon("an answer to every call", callers.join_next()).await {
        // Stored or refused, and never left waiting.
        ended.unwrap();
        ends += 1;
    }
    assert_eq!(ends, 2 * MOST);
}

#[tokio::test]
async fn reports_of_progress_wait_for_room_of_their_own() {
    let world = World::new().await;
    let body = world.body(5_000).await;
    world.stage.gate.add_permits(1);
    // The disk holds the first group of reports; the body waits with the others, however long it is given to report them.
    for _ in 0..5 {
        let health = world.scheduler.health().await.unwrap();
        assert!(health.queue_depth <= MOST + 16, "{}", health.queue_depth);
        assert_eq!(health.callers_waiting, 0);
        tokio::task::yield_now().await;
    }
    world.sluice.let_through(u64::MAX / 2);
    assert_eq!(
        soon("the end of the work", world.scheduler.wait(body.id())).await.unwrap(),
        WorkState::Succeeded
    );
    world.end().await;
}
