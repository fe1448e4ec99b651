//! A disk without room, and a store that has lost its place: nothing half-stored, no end of an attempt lost, and all of it
//! said aloud by `health`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pushe_tasks::store::WallTime;
use pushe_tasks::{
    CallError, FromTaskContext, Health, Outcome, Receipt, ScheduleError, SchedulerBuilder, State,
    StoreHealth, Task, TaskContext, TaskError, TaskOptions, TaskScheduler, WorkId, WorkState,
};
use pushe_tasks_store::redb::{Call, Fault, Lasts, Opening, RedbStore, SimDisk, StoreOptions};
use pushe_tasks_tests::deadline::soon;
use pushe_tasks_tests::netns::in_netns;
use tokio::sync::{Notify, Semaphore};

/// What bodies tell, and what lets them end.
#[derive(Clone)]
struct Stage {
    begun: Arc<AtomicU32>,
    began: Arc<Notify>,
    gate: Arc<Semaphore>,
}

impl Stage {
    fn new() -> Self {
        Self { begun: Arc::default(), began: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
    }
}

struct Fill;

impl Task for Fill {
    const NAME: &'static str = "Fill";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = Vec<u8>;
    type Output = ();

    async fn perform(_: Vec<u8>, cx: TaskContext) -> Result<Outcome, TaskError> {
        let State(stage) = State::<Stage>::from_task_context(&cx)?;
        stage.begun.fetch_add(1, Ordering::SeqCst);
        stage.began.notify_one();
        stage.gate.acquire().await?.forget();
        Ok(Outcome::Success(()))
    }
}

fn builder(builder: SchedulerBuilder, stage: &Stage) -> SchedulerBuilder {
    builder.detached().state(stage.clone()).register::<Fill>().only::<Fill>()
}

async fn start(disk: &SimDisk, stage: &Stage) -> TaskScheduler {
    let opening = Opening { now: WallTime::default(), new_uuid: [3; 16], program: "test".to_owned() };
    let store = RedbStore::open_on(Box::new(disk.clone()), StoreOptions::default(), opening).unwrap();
    builder(SchedulerBuilder::on_store(Box::new(store)), stage).start().await.unwrap()
}

async fn schedule(scheduler: &TaskScheduler, bytes: usize) -> Result<Receipt<Fill>, ScheduleError> {
    scheduler.schedule_task(Fill::OPTIONS, vec![7; bytes]).await
}

/// Schedules so many pieces and waits until the bodies of all of them run.
async fn run(scheduler: &TaskScheduler, stage: &Stage, pieces: u32) -> Vec<WorkId> {
    let mut ids = Vec::new();
    for _ in 0..pieces {
        ids.push(schedule(scheduler, 10).await.unwrap().id());
    }
    while stage.begun.load(Ordering::SeqCst) < pieces {
        soon("a body", stage.began.notified()).await;
    }
    ids
}

/// Fills the disk until it refuses a piece.
async fn fill(scheduler: &TaskScheduler) {
    for _ in 0..10_000 {
        match schedule(scheduler, 50_000).await {
            Ok(_) => {}
            Err(ScheduleError::StoreFull) => return,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the disk never fills");
}

/// Asks until the answer is what it should be.
async fn health(scheduler: &TaskScheduler, what: &str, wanted: impl Fn(&Health) -> bool) -> Health {
    let ask = async {
        loop {
            let health = scheduler.health().await.unwrap();
            if wanted(&health) {
                return health;
            }
            tokio::task::yield_now().await;
        }
    };
    soon(what, ask).await
}

/// From now on there is no room for anything, not even for what takes the place of something else.
fn leave_no_room(disk: &SimDisk) {
    for call in [Call::Write, Call::SetLen] {
        let mut fault = Fault::next(disk, call);
        (fault.lasts, fault.error) = (Lasts::Forever, io::ErrorKind::StorageFull);
        disk.inject(fault);
    }
}

#[tokio::test]
async fn a_full_disk_refuses_new_work_whole_and_work_resumes_by_itself() {
    let (disk, stage) = (SimDisk::new(1), Stage::new());
    let scheduler = start(&disk, &stage).await;
    run(&scheduler, &stage, 1).await;
    disk.set_capacity(disk.image().len() as u64 + (1 << 20));
    fill(&scheduler).await;
    let stored = scheduler.list(&[], 10_000).await.unwrap().len();
    assert!(matches!(schedule(&scheduler, 50_000).await, Err(ScheduleError::StoreFull)));
    assert_eq!(scheduler.list(&[], 10_000).await.unwrap().len(), stored, "nothing half-stored");
    let full = scheduler.health().await.unwrap();
    assert!(matches!(full.store, StoreHealth::Degraded(_)), "{full:?}");

    disk.set_capacity(u64::MAX);
    health(&scheduler, "room", |health| health.store == StoreHealth::Healthy).await;
    schedule(&scheduler, 50_000).await.unwrap();
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn what_runs_ends_on_a_full_disk_while_new_work_is_refused() {
    let (disk, stage) = (SimDisk::new(2), Stage::new());
    let scheduler = start(&disk, &stage).await;
    let running = run(&scheduler, &stage, 20).await;
    disk.set_capacity(disk.image().len() as u64 + (1 << 20));
    fill(&scheduler).await;
    // Callers who do not give up must not use up the room that the ends of attempts need.
    for _ in 0..200 {
        assert!(matches!(schedule(&scheduler, 20_000).await, Err(ScheduleError::StoreFull)));
    }
    for id in running {
        stage.gate.add_permits(1);
        let ended = soon("the end of what runs", scheduler.wait(id)).await.unwrap();
        assert_eq!(ended, WorkState::Succeeded);
    }
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn an_end_that_finds_no_room_is_held_and_its_body_does_not_run_again() {
    let (disk, stage) = (SimDisk::new(3), Stage::new());
    let scheduler = start(&disk, &stage).await;
    let running = run(&scheduler, &stage, 2).await;
    leave_no_room(&disk);
    stage.gate.add_permits(2);
    let held = health(&scheduler, "held ends", |health| health.held_settles == 2).await;
    assert!(matches!(held.store, StoreHealth::Degraded(_)), "{held:?}");
    let refused = schedule(&scheduler, 10).await.map(drop);
    // Where the store cannot even be opened anew to see what became of it, the answer is that nobody knows.
    let honest = matches!(refused, Err(ScheduleError::StoreFull | ScheduleError::Indeterminate { .. }));
    assert!(honest, "{refused:?}");

    disk.heal();
    for id in running {
        assert_eq!(soon("the end", scheduler.wait(id)).await.unwrap(), WorkState::Succeeded);
        assert_eq!(scheduler.info(id).await.unwrap().history.len(), 1);
    }
    assert_eq!(stage.begun.load(Ordering::SeqCst), 2, "each body has run once");
    health(&scheduler, "health", |health| health.store == StoreHealth::Healthy && health.held_settles == 0)
        .await;
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn s7_4_ends_that_are_held_are_stored_if_the_store_works_again_within_the_grace() {
    let (disk, stage) = (SimDisk::new(4), Stage::new());
    let scheduler = start(&disk, &stage).await;
    let running = run(&scheduler, &stage, 2).await;
    leave_no_room(&disk);
    stage.gate.add_permits(2);
    health(&scheduler, "held ends", |health| health.held_settles == 2).await;
    let stopping = tokio::spawn({
        let scheduler = scheduler.clone();
        async move { scheduler.shutdown(Duration::from_secs(30)).await }
    });
    soon("the shutdown to begin", async {
        while !matches!(schedule(&scheduler, 10).await, Err(ScheduleError::ShuttingDown)) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Well into the grace: the store has been tried again and again.
    let tried = disk.calls_of(Call::Write);
    soon("further tries", async {
        while disk.calls_of(Call::Write) < tried + 2 {
            assert!(!stopping.is_finished(), "it did not wait for what is held");
            tokio::task::yield_now().await;
        }
    })
    .await;
    disk.heal();
    soon("the shutdown", stopping).await.unwrap();
    let after = start(&disk, &Stage::new()).await;
    for id in running {
        assert_eq!(after.info(id).await.unwrap().state, WorkState::Succeeded);
    }
    after.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn s7_4_a_store_that_does_not_work_again_does_not_outlast_the_grace() {
    let (disk, stage) = (SimDisk::new(5), Stage::new());
    let scheduler = start(&disk, &stage).await;
    let running = run(&scheduler, &stage, 1).await;
    leave_no_room(&disk);
    stage.gate.add_permits(1);
    health(&scheduler, "a held end", |health| health.held_settles == 1).await;
    soon("the shutdown", scheduler.shutdown(Duration::from_millis(50))).await;
    disk.heal();
    let after_stage = Stage::new();
    let after = start(&disk, &after_stage).await;
    let info = after.info(running[0]).await.unwrap();
    assert_eq!(info.attempt, 1, "it runs again, and the attempt counts for nothing");
    after.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_store_whose_file_was_deleted_has_failed_and_makes_no_second_one() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let stage = Stage::new();
    let scheduler = builder(TaskScheduler::builder(&path), &stage).start().await.unwrap();
    assert_eq!(scheduler.health().await.unwrap().store, StoreHealth::Healthy);
    std::fs::remove_file(&path).unwrap();
    let lost = scheduler.health().await.unwrap();
    assert!(matches!(&lost.store, StoreHealth::Failed(why) if why.contains("deleted or moved")), "{lost:?}");
    assert!(schedule(&scheduler, 10).await.is_err());
    assert!(!path.exists(), "no second store stands in its place");
    soon("the shutdown", scheduler.shutdown(Duration::ZERO)).await;
    assert!(!path.exists());
    assert!(matches!(scheduler.health().await, Err(CallError::Stopped)));
}

fn mount(words: &[&str]) {
    let output = std::process::Command::new("mount").args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A file system that is really full, and then larger.
async fn fill_and_widen(place: &str) {
    let path = std::path::Path::new(place).join("tasks.redb");
    let stage = Stage::new();
    let scheduler = builder(TaskScheduler::builder(&path), &stage).max_running(3).start().await.unwrap();
    let running = run(&scheduler, &stage, 3).await;
    fill(&scheduler).await;
    let stored = scheduler.list(&[], 10_000).await.unwrap().len();
    for _ in 0..20 {
        assert!(matches!(schedule(&scheduler, 50_000).await, Err(ScheduleError::StoreFull)));
    }
    assert_eq!(scheduler.list(&[], 10_000).await.unwrap().len(), stored, "nothing half-stored");
    let full = scheduler.health().await.unwrap();
    assert!(matches!(full.store, StoreHealth::Degraded(_)), "{full:?}");
    stage.gate.add_permits(1);
    let first = async {
        loop {
            for id in &running {
                if scheduler.info(*id).await.unwrap().state == WorkState::Succeeded {
                    return *id;
                }
            }
            tokio::task::yield_now().await;
        }
    };
    soon("an end on the full disk", first).await;

    mount(&["-o", "remount,size=64m", place]);
    health(&scheduler, "room", |health| health.store == StoreHealth::Healthy).await;
    let later = schedule(&scheduler, 50_000).await.unwrap().id();
    stage.gate.add_permits(stored + 1);
    assert_eq!(soon("the last piece", scheduler.wait(later)).await.unwrap(), WorkState::Succeeded);
    soon("the shutdown", scheduler.shutdown(Duration::from_secs(10))).await;
    let after = TaskScheduler::builder(&path).detached().schedule_only().start().await.unwrap();
    let kept = after.list(&[WorkState::Succeeded], 10_000).await.unwrap().len();
    assert_eq!(kept, stored + 1, "every piece that was acknowledged has run");
    soon("the shutdown", after.shutdown(Duration::ZERO)).await;
}

#[cfg(target_os = "linux")]
#[test]
fn fault_7_a_file_system_that_is_really_full_refuses_new_work_and_goes_on_with_room() {
    in_netns("fault_7_a_file_system_that_is_really_full_refuses_new_work_and_goes_on_with_room", || {
        let place = tempfile::tempdir().unwrap();
        let at = place.path().to_str().unwrap();
        mount(&["-t", "tmpfs", "-o", "mode=700,size=4m", "tmpfs", at]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(fill_and_widen(at));
        drop(runtime);
        assert!(std::process::Command::new("umount").arg(at).status().unwrap().success());
    });
}
