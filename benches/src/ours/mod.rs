//! Our side: the engine as a program uses it, on its file, with its defaults.

mod churn;
mod depth;
mod producers;
mod running;
mod wakeups;

pub(crate) use churn::Churn;
pub(crate) use running::{ran, stage};

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pushe_tasks::prelude::*;
use pushe_tasks::store::redb::StoreOptions;
use pushe_tasks::{Schedule, SchedulerBuilder};
use pushe_tasks_bench_protocol::{Answer, Asked, Phase, Piece, Tally};
use tokio::sync::watch;

/// Anything that spoils a measurement.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// The input of the measured task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Input {
    number: u64,
    sent_nanos: u64,
    text: String,
}

impl From<Piece> for Input {
    fn from(piece: Piece) -> Self {
        Self { number: piece.number, sent_nanos: piece.sent_nanos, text: piece.text }
    }
}

/// What bodies share with the measurement.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    tally: Arc<Tally>,
    /// Bodies wait until this is true: a drain begins at a known moment.
    open: watch::Receiver<bool>,
}

/// Does nothing but say that it began.
#[pushe_task]
pub(crate) async fn measured(input: Input, State(stage): State<Stage>) {
    stage.tally.ran(input.number, input.sent_nanos);
    let mut open = stage.open;
    // It fails only where the sender is gone, and the measurement with it.
    let _ = open.wait_for(|open| *open).await;
}

/// Does one phase.
pub(crate) fn run(asked: &Asked) -> Result<Answer, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match asked.phase {
            Phase::A => producers::one(asked).await,
            Phase::B => producers::many(asked).await,
            Phase::C => producers::batches(asked).await,
            Phase::D => running::drain(asked).await,
            Phase::E => running::idle(asked).await,
            Phase::G => running::flow(asked).await,
            Phase::F => depth::memory(asked).await,
            Phase::H => depth::growth(asked).await,
            Phase::I => churn::churn(asked),
            Phase::J => wakeups::idle(asked).await,
        }
    })
}

/// Bodies at once: the body does nothing, so that their number sets how many claims share a commit.
const RUNNING: usize = 512;

fn file(asked: &Asked) -> PathBuf {
    asked.dir.join("tasks.redb")
}

fn answer() -> Answer {
    let options = StoreOptions::default();
    Answer::new(format!("redb, {:?}: one fdatasync a commit, checksummed commits", options.durability))
}

/// A scheduler that only stores.
async fn storing(file: &Path) -> Result<TaskScheduler, Failure> {
    Ok(TaskScheduler::builder(file).detached().schedule_only().start().await?)
}

/// A scheduler that runs the measured task.
fn working(file: &Path, stage: Stage) -> SchedulerBuilder {
    TaskScheduler::builder(file).detached().only::<Measured>().state(stage).max_running(RUNNING)
}

pub(crate) fn piece(number: u64) -> Schedule<Measured> {
    Measured::schedule(Piece::new(number).into())
}

/// How many unfinished pieces are stored: what a drain must leave at none.
async fn unfinished(file: &Path, limit: usize) -> Result<u64, Failure> {
    let scheduler = storing(file).await?;
    let states = [
        pushe_tasks::WorkState::Enqueued,
        pushe_tasks::WorkState::Running,
        pushe_tasks::WorkState::Blocked,
        pushe_tasks::WorkState::Quarantined,
    ];
    let left = scheduler.list(&states, limit).await?.len();
    scheduler.shutdown(std::time::Duration::ZERO).await;
    Ok(left as u64)
}

/// How many pieces are stored, whatever became of them.
async fn stored(file: &Path, limit: usize) -> Result<u64, Failure> {
    let scheduler = storing(file).await?;
    let stored = scheduler.list(&[], limit).await?.len();
    scheduler.shutdown(std::time::Duration::ZERO).await;
    Ok(stored as u64)
}
