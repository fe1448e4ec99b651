//! Calls that race with the ends of attempts, and bodies that do what bodies should not: one winner, told to all alike.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use pushe_tasks::{
    AttemptEnd, ExistingWorkPolicy, FromTaskContext, Outcome, ReceiptKind, RetryOptions, Schedule, State,
    Task, TaskContext, TaskError, TaskOptions, TaskScheduler, WorkState,
};
use pushe_tasks_tests::child;
use pushe_tasks_tests::deadline::soon;

/// How many bodies live, and how many have lived at once at the most.
#[derive(Clone, Default)]
struct Stage {
    living: Arc<AtomicU32>,
    most: Arc<AtomicU32>,
    freed: Arc<AtomicBool>,
}

struct Living(Stage);

impl Living {
    fn new(stage: Stage) -> Self {
        let living = stage.living.fetch_add(1, Ordering::SeqCst) + 1;
        stage.most.fetch_max(living, Ordering::SeqCst);
        Self(stage)
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.0.living.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
enum Deed {
    /// Ends after so many turns of the runtime.
    Yield(u32),
    /// Blocks its thread until it is freed.
    Spin,
    /// Ends when it is asked to, or never.
    Hang,
    /// Schedules another piece under its own task id, with this policy.
    Again(u8),
}

struct Act;

impl Task for Act {
    const NAME: &'static str = "Act";
    const OPTIONS: TaskOptions<Self> =
        TaskOptions::new().retry(RetryOptions::new().delay(Duration::from_secs(3_600)));
    type Input = Deed;
    type Output = ();

    async fn perform(deed: Deed, cx: TaskContext) -> Result<Outcome, TaskError> {
        let State(stage) = State::<Stage>::from_task_context(&cx)?;
        let _living = Living::new(stage.clone());
        match deed {
            Deed::Yield(turns) => {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            }
            Deed::Spin => {
                child_or_nobody("spins");
                while !stage.freed.load(Ordering::SeqCst) {
                    std::hint::spin_loop();
                }
            }
            Deed::Hang => {
                child_or_nobody("hangs");
                std::future::pending::<()>().await;
            }
            Deed::Again(policy) => {
                let policy = POLICIES[usize::from(policy)];
                let receipt = Schedule::<Act>::new(Deed::Yield(0)).id("self").policy(policy).await?;
                let kept = receipt.id() == cx.work_id();
                assert_eq!(kept, policy == ExistingWorkPolicy::Keep, "{:?}", receipt.kind());
                if policy == ExistingWorkPolicy::Replace {
                    cx.cancellation_token().cancelled().await;
                }
            }
        }
        Ok(Outcome::Success(()))
    }
}

const POLICIES: [ExistingWorkPolicy; 3] =
    [ExistingWorkPolicy::Keep, ExistingWorkPolicy::Append, ExistingWorkPolicy::Replace];

fn child_or_nobody(line: &str) {
    if child::path().is_some() {
        child::say(line);
    }
}

async fn start(stage: &Stage) -> TaskScheduler {
    let builder = TaskScheduler::in_memory().detached().state(stage.clone());
    builder.register::<Act>().only::<Act>().start().await.unwrap()
}

async fn end(scheduler: &TaskScheduler) {
    assert!(scheduler.shutdown(Duration::from_secs(5)).await.still_running().is_empty());
}

/// Fault 48: a cancel that races with the end of an attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_14_a_cancel_that_races_with_an_end_has_one_winner_told_to_all() {
    let scheduler = start(&Stage::default()).await;
    let (mut cancelled, mut succeeded) = (0, 0);
    for round in 0..400 {
        let work = scheduler.schedule_task(Act::OPTIONS, Deed::Yield(round % 20)).await.unwrap();
        let waits = tokio::spawn({
            let (scheduler, id) = (scheduler.clone(), work.id());
            async move { scheduler.wait(id).await.unwrap() }
        });
        for _ in 0..round % 40 {
            tokio::task::yield_now().await;
        }
        let moved = scheduler.cancel(work.id()).await.unwrap();
        let told = soon("the end", waits).await.unwrap();
        let stored = scheduler.info(work.id()).await.unwrap().state;
        let expected = if moved.is_empty() { WorkState::Succeeded } else { WorkState::Cancelled };
        assert_eq!((told, stored), (expected, expected), "round {round}");
        if moved.is_empty() { succeeded += 1 } else { cancelled += 1 }
    }
    assert!(cancelled > 0, "of 400 cancels none came first; {succeeded} ends did");
    end(&scheduler).await;
}

/// Fault 45: Keep and Replace that race with ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s4_1_policies_that_race_with_ends_leave_one_body_and_lose_nothing() {
    let stage = Stage::default();
    let scheduler = start(&stage).await;
    for policy in POLICIES {
        let racing = (0..8).map(|caller| {
            let scheduler = scheduler.clone();
            tokio::spawn(async move {
                let mut receipts = Vec::new();
                for round in 0..40 {
                    let piece =
                        Schedule::<Act>::new(Deed::Yield((caller + round) % 7)).id("one").policy(policy);
                    receipts.push(piece.on(&scheduler).await.unwrap());
                }
                receipts
            })
        });
        let racing: Vec<_> = racing.collect();
        for caller in racing {
            for receipt in soon("a caller", caller).await.unwrap() {
                let state = soon("the end of a piece", receipt.wait()).await.unwrap();
                let replaced = policy == ExistingWorkPolicy::Replace && state == WorkState::Cancelled;
                assert!(state == WorkState::Succeeded || replaced, "{policy:?}: {state}");
                assert!(
                    policy != ExistingWorkPolicy::Append
                        || !matches!(receipt.kind(), ReceiptKind::Kept { .. })
                );
            }
        }
    }
    assert_eq!(stage.most.load(Ordering::SeqCst), 1, "never two bodies under one id");
    end(&scheduler).await;
}

/// Fault 46: a body that schedules under its own task id.
#[tokio::test]
async fn s4_4_a_body_that_schedules_under_its_own_id_does_not_wait_for_itself() {
    let scheduler = start(&Stage::default()).await;
    for (number, policy) in (0_u8..).zip(POLICIES) {
        let first = Schedule::<Act>::new(Deed::Again(number)).id("self").on(&scheduler).await.unwrap();
        let ended = soon("the first", first.wait()).await.unwrap();
        let replaced = policy == ExistingWorkPolicy::Replace;
        assert_eq!(ended, if replaced { WorkState::Cancelled } else { WorkState::Succeeded });
        assert_eq!(
            soon("the last", scheduler.wait("self")).await.unwrap(),
            WorkState::Succeeded,
            "{policy:?}"
        );
    }
    end(&scheduler).await;
}

/// Fault 31: a body that never ends.
#[tokio::test]
async fn s2_2_a_body_that_never_ends_is_dropped_after_its_timeout() {
    let stage = Stage::default();
    let builder =
        TaskScheduler::in_memory().detached().state(stage.clone()).stop_grace(Duration::from_millis(5));
    let scheduler = builder.register::<Act>().only::<Act>().start().await.unwrap();
    let work =
        Schedule::<Act>::new(Deed::Hang).timeout(Duration::from_millis(20)).on(&scheduler).await.unwrap();
    let info = soon("the timeout", async {
        loop {
            let info = scheduler.info(work.id()).await.unwrap();
            if !info.history.is_empty() {
                return info;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(
        (info.state, info.history[0].end, info.attempt),
        (WorkState::Enqueued, AttemptEnd::TimedOut, 2)
    );
    assert_eq!(stage.living.load(Ordering::SeqCst), 0, "nothing of it lives");
    end(&scheduler).await;
}

/// Fault 30: a body that blocks the only thread of the runtime.
#[test]
fn a_body_that_blocks_its_runtime_stops_neither_timers_nor_callers() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let stage = Stage::default();
    let scheduler = runtime.block_on(start(&stage));
    scheduler.schedule_blocking(Act::OPTIONS, Deed::Spin).unwrap();
    while stage.living.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    // Its runtime polls nothing any more. Callers are answered, from the store and from the dispatcher.
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    other.block_on(async {
        let work = soon("the store", scheduler.schedule_task(Act::OPTIONS, Deed::Yield(0))).await.unwrap();
        let health = soon("the dispatcher", scheduler.health()).await.unwrap();
        assert!(health.running >= 1, "{health:?}");
        stage.freed.store(true, Ordering::SeqCst);
        assert_eq!(soon("the other piece", work.wait()).await.unwrap(), WorkState::Succeeded);
        end(&scheduler).await;
    });
}

async fn run_until_terminated(path: &Path) {
    let builder =
        TaskScheduler::builder(path).detached().state(Stage::default()).register::<Act>().only::<Act>();
    let builder = builder.stop_grace(Duration::from_millis(20)).stop_on_signals();
    let scheduler = builder.start().await.unwrap();
    scheduler.schedule_task(Act::OPTIONS, Deed::Hang).await.unwrap();
    soon("the signal", scheduler.stopped()).await;
}

/// Fault 51: SIGTERM while a body runs that does not stop by itself.
#[tokio::test]
async fn s7_4_a_sigterm_gives_the_attempt_of_a_long_body_back() {
    if let Some(path) = child::path() {
        return run_until_terminated(&path).await;
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let running = child::Process::start("s7_4_a_sigterm_gives_the_attempt_of_a_long_body_back", &path);
    assert_eq!(running.hear(), "hangs");
    let id = running.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(running.ended(), "it ends in order");
    let scheduler = TaskScheduler::builder(&path).detached().schedule_only().start().await.unwrap();
    let all = scheduler.list(&[], 10).await.unwrap();
    let [info] = &all[..] else { panic!("{all:?}") };
    let past = &info.history[0];
    assert_eq!((info.state, info.attempt, info.interruptions), (WorkState::Enqueued, 1, 0));
    assert_eq!((past.end, past.attempt), (AttemptEnd::Returned, 1));
    scheduler.shutdown(Duration::ZERO).await;
}
