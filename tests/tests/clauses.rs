//! Clauses that concern many parts at once: what is stored and what is read from running code, outputs, health, and which
//! scheduler a call goes to.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pushe_tasks::constraint::NetworkState;
use pushe_tasks::prelude::*;
use pushe_tasks::testing::{TestScheduler, TestSetup, assert_not_scheduled, assert_scheduled};
use pushe_tasks::{
    FromTaskContext, OutputError, RetryOptions, Schedule, StoreHealth, TaskOptions, WorkState,
};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Which program has begun an attempt, and after how many virtual seconds.
#[derive(Clone, Default)]
struct Began(Arc<Mutex<Vec<(&'static str, u64)>>>);

/// One stored name, as two versions of a program have it: it fails once, then it is well.
macro_rules! version {
    ($version:ident, $options:expr) => {
        struct $version;

        impl Task for $version {
            const NAME: &'static str = "versioned";
            const OPTIONS: TaskOptions<Self> = $options;
            type Input = ();
            type Output = ();

            async fn perform((): (), cx: TaskContext) -> Result<Outcome, TaskError> {
                let State((began, clock)) =
                    State::<(Began, Arc<dyn Fn() -> Duration + Send + Sync>)>::from_task_context(&cx)?;
                began.0.lock().unwrap().push((stringify!($version), clock().as_secs()));
                pass(SECOND).await;
                if cx.attempt() == 1 { Err(TaskError::new("once")) } else { Ok(Outcome::Success(())) }
            }
        }
    };
}

const FIXED: RetryOptions = RetryOptions::new().backoff(Backoff::Fixed).jitter(0.0);

version!(Earlier, TaskOptions::new().concurrency(1).retry(FIXED.delay(Duration::from_secs(10))));
version!(Later, TaskOptions::new().concurrency(2).retry(FIXED.delay(Duration::from_secs(3_600))));

#[expect(clippy::disallowed_methods, reason = "a body sleeps as those of a user do")]
async fn pass(length: Duration) {
    tokio::time::sleep(length).await;
}

/// Virtual time as bodies read it.
#[expect(clippy::disallowed_methods, reason = "a body reads tokio's time as those of a user do")]
fn since_now() -> Arc<dyn Fn() -> Duration + Send + Sync> {
    let begun = tokio::time::Instant::now();
    Arc::new(move || begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn s1_20_retries_are_stored_and_concurrency_is_read_from_running_code() {
    let (began, is_later) = (Began::default(), Rc::new(Cell::new(false)));
    let state = (began.clone(), since_now());
    let switch = Rc::clone(&is_later);
    let setup = TestScheduler::setup().builder(move |builder| {
        let builder = builder.state(state.clone());
        if switch.get() {
            builder.register::<Later>().only::<Later>()
        } else {
            builder.register::<Earlier>().only::<Earlier>()
        }
    });
    let mut test = setup.start().await;
    for _ in 0..2 {
        Schedule::<Earlier>::new(()).delay("1m").await.unwrap();
    }
    is_later.set(true);
    test.restart(SECOND).await;
    let report = test.drain().await;
    assert_eq!(report.succeeded, 2, "{report}");
    // Side by side, as the later program allows; again after 10 s, as the earlier one has stored.
    let expected = [("Later", 60), ("Later", 60), ("Later", 71), ("Later", 71)];
    assert_eq!(*began.0.lock().unwrap(), expected);
}

#[pushe_task]
async fn clause_doubles(number: u32) -> Outcome<u32> {
    Outcome::Success(number * 2)
}

#[pushe_task(network = Connected)]
async fn clause_uploads() {}

#[pushe_task]
async fn clause_hangs() {
    std::future::pending::<()>().await;
}

#[pushe_task]
async fn clause_parent() -> Result<(), TaskError> {
    ClauseDoubles::schedule(1).await?;
    Ok(())
}

fn setup() -> TestSetup {
    let only = |builder: pushe_tasks::SchedulerBuilder| {
        builder.only::<ClauseDoubles>().only::<ClauseUploads>().only::<ClauseHangs>().only::<ClauseParent>()
    };
    TestScheduler::setup().builder(only)
}

#[tokio::test(start_paused = true)]
async fn s6_5_outputs_are_typed_and_those_of_pruned_work_are_gone() {
    let test = setup().start().await;
    let first = ClauseDoubles::schedule(21).id("one").delay("1m").await.unwrap();
    let kept = ClauseDoubles::schedule(5).id("one").policy(ExistingWorkPolicy::Keep).await.unwrap();
    assert_eq!(kept.id(), first.id());
    let output: u32 = kept.output().await.unwrap();
    assert_eq!((output, first.output().await.unwrap()), (42, 42));
    test.advance(2 * DAY).await;
    let error = first.output().await.unwrap_err();
    assert!(matches!(error, OutputError::Gone), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn s9_4_health_tells_what_runs_what_waits_and_what_nobody_can_run() {
    let test = setup().start().await;
    test.device().network(NetworkState::offline());
    ClauseHangs::schedule().await.unwrap();
    ClauseUploads::schedule().await.unwrap();
    Schedule::<Earlier>::new(()).await.unwrap();
    ClauseDoubles::schedule(1).delay("1d").await.unwrap();
    test.settle().await;
    let health = test.health().await.unwrap();
    assert_eq!(health.store, StoreHealth::Healthy);
    assert_eq!((health.running, health.ready, health.suspects), (1, 1, 0));
    assert_eq!(health.no_handler, BTreeMap::from([("versioned".to_owned(), 1)]));
    assert!(health.zombies.is_empty() && health.held_settles == 0, "{health:?}");
}

#[tokio::test(start_paused = true)]
async fn s9_6_a_call_goes_to_the_scheduler_that_it_names_else_to_that_of_its_body() {
    let named = setup().start().await;
    let other = setup().start().await;
    let parent = ClauseParent::schedule().on(&named).await.unwrap();
    assert_eq!(parent.wait().await.unwrap(), WorkState::Succeeded);
    assert_scheduled!(named, ClauseDoubles, times = 1);
    assert_not_scheduled!(other, ClauseDoubles);
}
