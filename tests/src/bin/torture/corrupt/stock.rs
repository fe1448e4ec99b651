//! A store with known contents, made by the engine, and the task whose bodies compare what they are given.
//!
//! Invariant: the input of a piece follows from seed and number, and the number from its id.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pushe_tasks::store::redb::StoreOptions;
use pushe_tasks::{
    Backoff, ExistingWorkPolicy, Fail, Outcome, RetryOptions, Schedule, SchedulerBuilder, Task, TaskContext,
    TaskError, TaskOptions, TaskScheduler,
};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::application::job::{Job, Plan, id_of, number_of};

/// Pieces that come to an end before the damage, and others that are only stored.
const ENDED: u64 = 30;
const STORED: u64 = 40;
/// Far beyond the end of a cycle.
const LATER: Duration = Duration::from_secs(3600);

/// Where a piece stood when the damage came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stood {
    Finished,
    /// It may run.
    Live,
    /// It waits for its time.
    Waits,
}

/// The contents of a store, and the bytes of its file.
pub(super) struct Stock {
    pub(super) seed: u64,
    pub(super) pieces: BTreeMap<u64, Stood>,
    /// The file as it was closed in order, and as it stood while the engine had it open.
    pub(super) closed: Vec<u8>,
    pub(super) unclosed: Vec<u8>,
    /// The note beside it.
    pub(super) owner: Vec<u8>,
    place: TempDir,
}

/// What bodies have seen.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    state: Arc<Mutex<SeenState>>,
    /// Told of each body.
    pub(super) more: Arc<Notify>,
}

#[derive(Debug, Default)]
pub(super) struct SeenState {
    seed: u64,
    /// The pieces whose bodies have run.
    pub(super) ran: BTreeSet<u64>,
    pub(super) wrong: Vec<String>,
}

impl Seen {
    pub(super) fn new(seed: u64) -> Self {
        let state = SeenState { seed, ..SeenState::default() };
        Self { state: Arc::new(Mutex::new(state)), more: Arc::default() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, SeenState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task.
pub(super) struct Compare;

impl Task for Compare {
    const NAME: &'static str = "Compare";
    const OPTIONS: TaskOptions<Self> =
        TaskOptions::new().retry(RetryOptions::new().backoff(Backoff::Fixed).delay(LATER).jitter(0.0));
    type Input = Job;
    type Output = u64;

    async fn perform(job: Job, cx: TaskContext) -> Result<Outcome<u64>, TaskError> {
        let seen = cx.states().state::<Seen>().ok_or_else(|| TaskError::new("no state"))?;
        let mut state = seen.state();
        match number_of(cx.work_id()) {
            Some(number) => {
                if Job::of(state.seed, number) != job {
                    state.wrong.push(format!("the body of {number} was given the input of {}", job.number));
                }
                state.ran.insert(number);
            }
            None => state.wrong.push(format!("a body of {}, which nobody scheduled", cx.work_id())),
        }
        drop(state);
        seen.more.notify_one();
        match job.plan {
            Plan::RetryOnce if cx.attempt() == 1 => Err(TaskError::new("much later once more")),
            Plan::Fail => Err(TaskError::new(Fail::because("it is to fail"))),
            _ => Ok(Outcome::Success(job.hash())),
        }
    }
}

pub(super) fn builder(path: &Path, options: StoreOptions, seen: &Seen) -> SchedulerBuilder {
    let builder = TaskScheduler::builder(path).detached().store_options(options).state(seen.clone());
    builder.register::<Compare>().only::<Compare>().charge_within(Duration::ZERO)
}

impl Stock {
    /// Makes a store that differs with seed and number.
    pub(super) async fn make(seed: u64, number: u64) -> Result<Self, String> {
        let seed = seed.rotate_left(20) ^ number;
        // In memory where there is such a place: no cycle depends on what syncs cost.
        let place = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let place = place.map_err(|error| error.to_string())?;
        let path = place.path().join("stock.redb");
        let mut pieces = BTreeMap::new();
        end_some(&path, seed, &mut pieces).await.map_err(|error| error.to_string())?;
        let unclosed = store_some(&path, seed, &mut pieces).await.map_err(|error| error.to_string())?;
        let read = |path: &Path| std::fs::read(path).map_err(|error| error.to_string());
        let owner = read(&place.path().join("stock.redb.owner"))?;
        Ok(Self { seed, pieces, closed: read(&path)?, unclosed, owner, place })
    }

    /// A path in a directory of its own.
    pub(super) fn path(&self, cycle: u64) -> Result<PathBuf, String> {
        let directory = self.place.path().join(cycle.to_string());
        std::fs::create_dir(&directory).map_err(|error| error.to_string())?;
        Ok(directory.join("tasks.redb"))
    }
}

type AnyError = Box<dyn std::error::Error>;

/// Pieces that end, but for those that are retried much later.
async fn end_some(path: &Path, seed: u64, pieces: &mut BTreeMap<u64, Stood>) -> Result<(), AnyError> {
    let scheduler = builder(path, StoreOptions::default(), &Seen::new(seed)).start().await?;
    for number in 0..ENDED {
        let job = Job::of(seed, number);
        let waits = job.plan == Plan::RetryOnce;
        let receipt = Schedule::<Compare>::new(job).with_work_id(id_of(number)).on(&scheduler).await?;
        pieces.insert(number, if waits { Stood::Waits } else { Stood::Finished });
        if !waits {
            receipt.wait().await?;
        }
    }
    scheduler.shutdown(Duration::from_secs(10)).await;
    Ok(())
}

/// Pieces that are stored and do not run yet; answers the file before it is closed.
async fn store_some(path: &Path, seed: u64, pieces: &mut BTreeMap<u64, Stood>) -> Result<Vec<u8>, AnyError> {
    let scheduler = builder(path, StoreOptions::default(), &Seen::new(seed)).schedule_only().start().await?;
    for number in ENDED..ENDED + STORED {
        let job = Job::of(seed, number);
        // What is retried much later would hold up a queue.
        let may_queue = job.plan != Plan::RetryOnce;
        let mut schedule = Schedule::<Compare>::new(job).with_work_id(id_of(number));
        if number % 5 == 0 {
            schedule = schedule.delay(LATER);
        } else if number % 3 == 0 && may_queue {
            schedule = schedule.id(format!("queue/{}", number % 4)).policy(ExistingWorkPolicy::Append);
        }
        schedule.on(&scheduler).await?;
        pieces.insert(number, if number % 5 == 0 { Stood::Waits } else { Stood::Live });
    }
    let unclosed = std::fs::read(path)?;
    scheduler.shutdown(Duration::from_secs(10)).await;
    Ok(unclosed)
}
