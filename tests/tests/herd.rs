//! Fault 59: a hundred thousand pieces that are due when the program starts. Claims and memory stay bounded, and no task stands
//! behind another's pieces.
#![cfg(target_os = "linux")]

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use pushe_tasks::clock::{Clock as _, SystemClock};
use pushe_tasks::store::{Changes, Look, Store, StoreError, StoreFacts, Verbs, WorkState};
use pushe_tasks::{
    FromTaskContext as _, Outcome, Schedule, SchedulerBuilder, State, Task, TaskContext, TaskError,
    TaskOptions, TaskScheduler,
};
use pushe_tasks_store::redb::{Opening, RedbStore, StoreOptions};
use pushe_tasks_tests::child;
use pushe_tasks_tests::deadline::soon;
use tokio::sync::Semaphore;

const SLOW: u32 = 80_000;
const QUICK: u32 = 20_000;
const MAX_RUNNING: usize = 8;
/// So much memory, in KiB, may the start take beside the pages that the store keeps.
const MOST_KIB: u64 = 32 << 10;
const CACHE: usize = 8 << 20;

#[derive(Clone)]
struct Stage {
    slow: Arc<AtomicU32>,
    quick: Arc<AtomicU32>,
    gate: Arc<Semaphore>,
    /// Once this many quick pieces have run, it has permits.
    all_quick: Arc<Semaphore>,
    all_slow: Arc<Semaphore>,
}

/// Stands first in the queue, and waits for the gate.
struct Slow;

impl Task for Slow {
    const NAME: &'static str = "Slow";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new().concurrency(4);
    type Input = u32;
    type Output = ();

    async fn perform(_: u32, cx: TaskContext) -> Result<Outcome, TaskError> {
        let State(stage) = State::<Stage>::from_task_context(&cx)?;
        drop(stage.gate.acquire().await?);
        if stage.slow.fetch_add(1, Ordering::SeqCst) + 1 == 2_000 {
            stage.all_slow.add_permits(1);
        }
        Ok(Outcome::SUCCESS)
    }
}

/// Stands behind all of them.
struct Quick;

impl Task for Quick {
    const NAME: &'static str = "Quick";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = u32;
    type Output = ();

    async fn perform(_: u32, cx: TaskContext) -> Result<Outcome, TaskError> {
        let State(stage) = State::<Stage>::from_task_context(&cx)?;
        if stage.quick.fetch_add(1, Ordering::SeqCst) + 1 == QUICK {
            stage.all_quick.add_permits(1);
        }
        Ok(Outcome::SUCCESS)
    }
}

/// Counts what is claimed.
struct Counting {
    store: RedbStore,
    running: Arc<AtomicI64>,
    most_running: Arc<AtomicI64>,
    most_at_once: Arc<AtomicI64>,
}

impl Store for Counting {
    fn write(&mut self, body: &mut dyn FnMut(&mut dyn Verbs)) -> Result<Changes, StoreError> {
        let changes = self.store.write(body)?;
        let count = |running: &dyn Fn(Option<WorkState>, WorkState) -> bool| {
            let moves = changes.moves.iter().filter(|moved| running(moved.from, moved.to));
            i64::try_from(moves.count()).unwrap()
        };
        let begun = count(&|from, to| to == WorkState::Running && from != Some(WorkState::Running));
        let ended = count(&|from, to| from == Some(WorkState::Running) && to != WorkState::Running);
        let running = self.running.fetch_add(begun - ended, Ordering::SeqCst) + begun - ended;
        self.most_running.fetch_max(running, Ordering::SeqCst);
        self.most_at_once.fetch_max(begun, Ordering::SeqCst);
        Ok(changes)
    }

    fn read(&mut self, body: &mut dyn FnMut(&dyn Look)) -> Result<(), StoreError> {
        self.store.read(body)
    }

    fn facts(&self) -> &StoreFacts {
        self.store.facts()
    }
}

/// A figure of this process in KiB.
fn kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|one: char| !one.is_ascii_digit()).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_59_a_hundred_thousand_due_pieces_are_claimed_within_bounds_and_fairly() {
    if let Some(path) = child::path() {
        return start_anew(&path).await;
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let before = TaskScheduler::builder(&path).detached().schedule_only().start().await.unwrap();
    for batch in 0..SLOW / 10_000 {
        let pieces = (0..10_000).map(|n| Schedule::<Slow>::new(batch * 10_000 + n));
        before.schedule_many(pieces).await.unwrap();
    }
    for batch in 0..QUICK / 10_000 {
        let pieces = (0..10_000).map(|n| Schedule::<Quick>::new(batch * 10_000 + n));
        before.schedule_many(pieces).await.unwrap();
    }
    before.shutdown(Duration::ZERO).await;
    // In a process of its own, whose memory nobody has used before.
    let name = "fault_59_a_hundred_thousand_due_pieces_are_claimed_within_bounds_and_fairly";
    let started = child::Process::start(name, &path);
    let line = started.hear();
    writeln!(std::io::stderr().lock(), "MEASURED 100,000 due pieces: {line}").unwrap();
    started.finish();
}

/// The program that finds them.
async fn start_anew(path: &Path) {
    let clock = SystemClock::new();
    let resident = kib("VmRSS:");
    let begun = clock.mono();
    let mut options = StoreOptions::default();
    options.cache_bytes = CACHE;
    let opening = Opening { now: clock.wall(), new_uuid: [1; 16], program: "herd".to_owned() };
    let [running, most_running, most_at_once] = [(); 3].map(|()| Arc::<AtomicI64>::default());
    let store = Counting {
        store: RedbStore::open(path, options, opening).unwrap(),
        running,
        most_running: Arc::clone(&most_running),
        most_at_once: Arc::clone(&most_at_once),
    };
    let none = || Arc::new(Semaphore::new(0));
    let stage = Stage {
        slow: Arc::default(),
        quick: Arc::default(),
        gate: none(),
        all_quick: none(),
        all_slow: none(),
    };
    let builder = SchedulerBuilder::on_store(Box::new(store)).detached().state(stage.clone());
    let builder = builder.register::<Slow>().only::<Slow>().register::<Quick>().only::<Quick>();
    let scheduler = soon("the start", builder.max_running(MAX_RUNNING).start()).await.unwrap();
    let started = clock.mono().since(begun);
    let health = scheduler.health().await.unwrap();
    assert!(health.ready > u64::from(SLOW), "{health:?}");
    soon("all that stands behind what is stuck", stage.all_quick.acquire()).await.unwrap().forget();
    let quick = clock.mono().since(begun);
    assert_eq!(stage.slow.load(Ordering::SeqCst), 0, "the slow ones hold their four permits meanwhile");
    let grown = kib("VmHWM:").saturating_sub(resident);
    stage.gate.add_permits(1);
    soon("the slow ones", stage.all_slow.acquire()).await.unwrap().forget();
    let most = i64::try_from(MAX_RUNNING).unwrap();
    // A row may still say Running although its body has ended: its settle and the claim of the next may fall into two commits.
    assert!(most_running.load(Ordering::SeqCst) <= 2 * most, "{most_running:?} rows said Running at once");
    assert!(most_at_once.load(Ordering::SeqCst) <= most, "{most_at_once:?} were claimed in one transaction");
    let allowed = MOST_KIB + u64::try_from(CACHE >> 10).unwrap();
    assert!(grown <= allowed, "the process grew by {grown} KiB, and {allowed} are allowed");
    soon("the shutdown", scheduler.shutdown(Duration::from_secs(10))).await;
    child::say(&format!(
        "started in {started:?}, 20,000 behind 80,000 stuck ones after {quick:?}, grown by {grown} KiB"
    ));
}
