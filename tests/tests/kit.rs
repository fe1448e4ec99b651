//! The test kit: time, chance, device and process in the hand of a test.
#![expect(clippy::unused_async, reason = "tasks are async functions, whether they wait or not")]
#![expect(clippy::disallowed_methods, reason = "bodies sleep as those of a user do")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pushe_tasks::constraint::{HostState, NetworkState, PowerState, Reach, StorageState};
use pushe_tasks::prelude::*;
use pushe_tasks::testing::{
    TestScheduler, TestSetup, assert_not_scheduled, assert_registry, assert_scheduled,
};
use pushe_tasks::{Obstacle, WorkState};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// What bodies have done, with the virtual time at which they did.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(String, Duration)>>>);

impl Log {
    fn note(&self, what: &str, at: Duration) {
        self.0.lock().unwrap().push((what.to_owned(), at));
    }

    fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(what, _)| what.clone()).collect()
    }
}

/// Sleeps as long as its input says, on tokio's time.
#[pushe_task]
async fn kit_sleep(seconds: u64, State(log): State<Log>) {
    let begun = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    log.note("slept", begun.elapsed());
}

#[pushe_task(retry(backoff = Fixed, delay = "10s", max_attempts = 3, jitter = 0))]
async fn kit_fails(error: String) -> Result<(), TaskError> {
    Err(TaskError::new(error))
}

#[pushe_task(every = "1d")]
async fn kit_daily(State(log): State<Log>) {
    log.note("day", Duration::ZERO);
}

#[pushe_task(network = Connected)]
async fn kit_upload(name: String, State(log): State<Log>) {
    log.note(&name, Duration::ZERO);
}

/// Never ends by itself.
#[pushe_task]
async fn kit_hang(name: String, State(log): State<Log>) {
    log.note(&name, Duration::ZERO);
    std::future::pending::<()>().await;
}

#[pushe_task]
async fn kit_parent(children: u32) -> Result<u32, TaskError> {
    for _ in 0..children {
        KitSleep::schedule(1).await?;
    }
    Ok(children)
}

#[pushe_task(run_on = Blocking)]
fn kit_blocks(State(log): State<Log>) {
    // A thread of its own: virtual time has to stand still meanwhile.
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(()).unwrap());
    told.recv().unwrap();
    log.note("blocked", Duration::ZERO);
}

fn setup(log: &Log) -> TestSetup {
    let log = log.clone();
    TestScheduler::setup().builder(move |builder| builder.state(log.clone()))
}

#[tokio::test(start_paused = true)]
async fn time_skips_ahead_and_moves_bodies_that_sleep() {
    let log = Log::default();
    let test = setup(&log).start().await;
    let receipt = KitSleep::schedule(5 * 3_600).delay(HOUR).await.unwrap();
    assert_eq!(receipt.wait().await.unwrap(), WorkState::Succeeded);
    assert_eq!(*log.0.lock().unwrap(), [("slept".to_owned(), 5 * HOUR)]);
    assert_eq!(test.clock().elapsed(), 6 * HOUR);
}

#[tokio::test]
async fn it_pauses_time_by_itself() {
    let log = Log::default();
    let test = setup(&log).start().await;
    KitSleep::schedule(60).delay(HOUR).await.unwrap();
    test.advance(HOUR).await;
    assert_eq!(log.names(), Vec::<String>::new());
    // Its clock stood between two milliseconds, so the body's own timer ends up to one late.
    test.advance(60 * SECOND + Duration::from_millis(1)).await;
    assert_eq!(log.names(), ["slept"]);
}

#[tokio::test(start_paused = true)]
async fn advance_adds_up_to_the_millisecond() {
    let log = Log::default();
    let test = setup(&log).start().await;
    let receipt = KitHang::schedule("late".to_owned()).delay(1_000 * SECOND).await.unwrap();
    for _ in 0..999 {
        test.advance(SECOND).await;
    }
    assert_eq!(log.names(), Vec::<String>::new());
    test.advance(Duration::from_millis(998)).await;
    assert_eq!(test.info(receipt.id()).await.unwrap().state, WorkState::Enqueued);
    test.advance(Duration::from_millis(2)).await;
    assert_eq!(log.names(), ["late"]);
}

#[tokio::test(start_paused = true)]
async fn drain_works_everything_off_and_reports() {
    let log = Log::default();
    let test = setup(&log).start().await;
    KitParent::schedule(3).delay(HOUR).await.unwrap();
    KitFails::schedule("no".to_owned()).await.unwrap();
    KitDaily::schedule().await.unwrap();
    let report = test.drain().await;
    assert_eq!(
        (report.succeeded, report.failed, report.cancelled, report.quarantined),
        (4, 1, 0, 0),
        "{report}"
    );
    // 1 parent, 3 children, 3 of the one that fails, 1 of the first day.
    assert_eq!(report.attempts, 8, "{report}");
    assert!(report.waiting.is_empty(), "{report}");
    assert!(report.took >= HOUR && report.took < HOUR + 60 * SECOND, "{report}");
}

#[tokio::test(start_paused = true)]
async fn drain_leaves_what_time_does_not_bring() {
    let log = Log::default();
    let test = setup(&log).start().await;
    test.device().network(NetworkState::offline());
    let upload = KitUpload::schedule("a".to_owned()).await.unwrap();
    let behind = KitSleep::schedule(1).id("line").await.unwrap();
    KitHang::schedule("never".to_owned()).id("hang").await.unwrap();
    test.cancel("hang").await.unwrap();
    let report = test.drain().await;
    assert_eq!(report.waiting.len(), 1, "{report}");
    assert_eq!(report.waiting[0].0.id, upload.id());
    assert!(
        matches!(report.waiting[0].1.obstacles[..], [Obstacle::Constraint { until: None, .. }]),
        "{report}"
    );
    assert_eq!(test.info(behind.id()).await.unwrap().state, WorkState::Succeeded);
    let text = report.to_string();
    assert!(text.contains("waits for network: Connected"), "{text}");
    // A rise is waited for.
    test.device().network(NetworkState::routed());
    let report = test.drain().await;
    assert_eq!((report.succeeded, report.waiting.len()), (1, 0), "{report}");
}

#[tokio::test(start_paused = true)]
async fn work_that_is_retried_for_ever_ends_a_drain_after_thirty_days() {
    #[pushe_task]
    async fn kit_never_well() -> Result<(), TaskError> {
        Err(TaskError::new("no"))
    }
    let test = setup(&Log::default()).start().await;
    KitNeverWell::schedule().await.unwrap();
    let report = test.drain().await;
    assert!(report.took >= 30 * DAY && report.took < 31 * DAY, "{report}");
    assert_eq!(report.waiting.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn by_hand_one_piece_runs_at_a_time() {
    let log = Log::default();
    let test = setup(&log).by_hand().start().await;
    assert!(test.run_one().await.is_none());
    let first = KitSleep::schedule(1).await.unwrap();
    let second = KitFails::schedule("no".to_owned()).await.unwrap();
    test.advance(DAY).await;
    assert_eq!(log.names(), Vec::<String>::new());
    let ran = test.run_one().await.unwrap();
    assert_eq!((ran.id, ran.state), (first.id(), WorkState::Succeeded));
    let ran = test.run_one().await.unwrap();
    assert_eq!((ran.id, ran.state, ran.attempt), (second.id(), WorkState::Enqueued, 2));
    assert!(test.run_one().await.is_none(), "its back-off has not passed");
    test.advance(10 * SECOND).await;
    assert_eq!(test.run_one().await.unwrap().attempt, 3);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "set it up with `.by_hand()`")]
async fn run_one_of_a_scheduler_that_runs_by_itself() {
    setup(&Log::default()).start().await.run_one().await;
}

#[tokio::test(start_paused = true)]
async fn s7_1_a_crash_keeps_what_was_stored_and_runs_it_again() {
    let log = Log::default();
    let mut test = setup(&log).start().await;
    let hanging = KitHang::schedule("hangs".to_owned()).await.unwrap();
    let later = KitSleep::schedule(1).delay(HOUR).await.unwrap();
    test.settle().await;
    let old = (*test).clone();
    test.crash_and_reopen().await;
    test.settle().await;
    assert_eq!(log.names(), ["hangs", "hangs"]);
    assert!(old.info(hanging.id()).await.is_err(), "the process of this handle is gone");
    assert!(hanging.wait().await.is_err());
    let info = test.info(hanging.id()).await.unwrap();
    assert_eq!((info.state, info.interruptions), (WorkState::Running, 1));
    test.advance(HOUR + SECOND).await;
    assert_eq!(test.info(later.id()).await.unwrap().state, WorkState::Succeeded);
    // A shutdown in order is charged to nobody.
    test.restart(SECOND).await;
    assert_eq!(test.info(hanging.id()).await.unwrap().interruptions, 1);
}

#[tokio::test(start_paused = true)]
async fn s8_1_the_wall_clock_jumps_and_the_machine_sleeps() {
    let log = Log::default();
    let test = setup(&log).start().await;
    let begun = test.clock().now();
    KitHang::schedule("delayed".to_owned()).delay(10 * HOUR).await.unwrap();
    test.suspend(8 * HOUR).await;
    assert_eq!((test.clock().now(), log.names().len()), (begun + 8 * HOUR + Duration::from_millis(1), 0));
    test.suspend(2 * HOUR).await;
    assert_eq!(log.names(), ["delayed"]);
    KitHang::schedule("clamped".to_owned()).delay(HOUR).await.unwrap();
    test.clock().jump_back(365 * DAY);
    test.advance(HOUR + 60 * SECOND).await;
    assert_eq!(log.names(), ["delayed", "clamped"], "a wait keeps its length");
}

#[tokio::test(start_paused = true)]
async fn levers_hold_and_release_each_kind_of_constraint() {
    #[pushe_task(requires(Charging, StorageNotLow, Reach("db.local:5432")))]
    async fn kit_backup(State(log): State<Log>) {
        log.note("backup", Duration::ZERO);
    }
    let log = Log::default();
    let test = setup(&log).start().await;
    let device = test.device();
    device.power(PowerState::on_battery(60));
    device.storage(StorageState::full());
    device.hosts(HostState::Unreachable("refused".to_owned()));
    let work = KitBackup::schedule().await.unwrap();
    let held = async || test.explain(work.id()).await.unwrap().obstacles.len();
    test.advance(60 * SECOND).await;
    assert_eq!(held().await, 3);
    device.power(PowerState::mains());
    test.advance(60 * SECOND).await;
    assert_eq!(held().await, 2);
    device.storage(StorageState::roomy());
    test.advance(60 * SECOND).await;
    assert_eq!((held().await, log.names().len()), (1, 0));
    device.hosts(HostState::Reached);
    test.advance(60 * SECOND).await;
    assert_eq!(log.names(), ["backup"]);
    let _ = Reach::new("db.local:5432");
}

#[tokio::test(start_paused = true)]
async fn perform_runs_a_body_alone() {
    let test = setup(&Log::default()).start().await;
    match test.perform::<KitParent>(2).await.unwrap() {
        Outcome::Success(children) => assert_eq!(children, 2),
        other => panic!("{other:?}"),
    }
    assert_not_scheduled!(test, KitParent);
    assert_scheduled!(test, KitSleep, times = 2);
    let error = test.perform::<KitFails>("as told".to_owned()).await.unwrap_err();
    assert_eq!(error.to_string(), "as told");
}

#[tokio::test(start_paused = true)]
async fn time_stands_still_while_a_blocking_body_runs() {
    let log = Log::default();
    let test = setup(&log).start().await;
    let receipt = KitBlocks::schedule().timeout(SECOND).await.unwrap();
    assert_eq!(receipt.wait().await.unwrap(), WorkState::Succeeded);
    assert!(test.clock().elapsed() < SECOND, "{:?}", test.clock().elapsed());
}

#[tokio::test(start_paused = true)]
async fn assertions_say_what_was_there() {
    let test = setup(&Log::default()).start().await;
    KitUpload::schedule("secret".to_owned()).id("one").delay(HOUR).await.unwrap();
    KitUpload::schedule("b".to_owned()).id("two").await.unwrap();
    assert_scheduled!(test, KitUpload, id = "one", delayed = HOUR, state = WorkState::Enqueued);
    assert_scheduled!(test, KitUpload, times = 2);
    assert_scheduled!(test, KitUpload, input = |name: &String| name == "b", times = 1);
    let failing = std::panic::AssertUnwindSafe(|| {
        assert_scheduled!(test, KitUpload, id = "three", input = |name: &String| name == "b");
    });
    let panic = std::panic::catch_unwind(failing).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    let [head, one, two] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert_eq!(head, "no work of `KitUpload` with the id \"three\" with such an input scheduled; there is");
    assert!(one.ends_with(", Enqueued, id \"one\": other in its id and its input"), "{one}");
    assert!(two.ends_with("id \"two\": other in its id"), "{two}");
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn many_run_side_by_side_and_the_same_seed_gives_the_same_run() {
    static RUNNING: AtomicU32 = AtomicU32::new(0);
    let run = |seed| {
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .unwrap();
            runtime.block_on(async {
                let log = Log::default();
                let test = setup(&log).seed(seed).start().await;
                RUNNING.fetch_add(1, Ordering::SeqCst);
                KitFails::schedule("no".to_owned())
                    .retry(pushe_tasks::RetryOptions::new().jitter(0.5).max_attempts(20))
                    .await
                    .unwrap();
                test.drain().await;
                let all = test.list(&[], 10).await.unwrap();
                let times: Vec<_> = all[0].history.iter().map(|attempt| attempt.ended).collect();
                (all[0].id, times)
            })
        }
    };
    let runs: Vec<_> = [1, 1, 2, 1].map(|seed| std::thread::spawn(run(seed))).into_iter().collect();
    let runs: Vec<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[0], runs[3]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test(start_paused = true)]
async fn the_newest_scheduler_of_a_thread_is_the_one_that_calls_use() {
    let (first_log, second_log) = (Log::default(), Log::default());
    let first = setup(&first_log).start().await;
    {
        let second = setup(&second_log).start().await;
        KitSleep::schedule(1).await.unwrap();
        second.drain().await;
    }
    KitSleep::schedule(1).await.unwrap();
    KitSleep::schedule(1).on(&first).await.unwrap();
    first.drain().await;
    assert_eq!((first_log.names().len(), second_log.names().len()), (2, 1));
}

#[test]
fn the_tasks_of_this_program_can_be_run_together() {
    assert_registry();
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "use `#[tokio::test(start_paused = true)]`")]
async fn on_many_threads_it_says_what_to_do() {
    let _ = TestScheduler::start().await;
}
