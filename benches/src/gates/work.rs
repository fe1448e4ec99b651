//! What is counted by valgrind: the same work in the same order every time, on one thread.

use std::path::Path;
use std::time::Duration;

use pushe_tasks::{Driver, TaskScheduler};

use crate::ours::{Failure, Measured, piece, stage};
use crate::store_work::StoreWork;

/// Pieces of one commit.
const GROUP: usize = 64;

/// Does a kind of work for so many pieces.
pub(super) fn run(args: &[String]) -> Result<(), Failure> {
    let [kind, count] = args else { return Err("`work` takes a kind and a count".into()) };
    let count: u64 = count.parse()?;
    let place = tempfile::tempdir()?;
    let file = place.path().join("tasks.redb");
    match kind.as_str() {
        "store-lone" => store(&file, count, 1, 1, false),
        "store-group" => store(&file, count, GROUP as u64, 1, false),
        "store-batch" => store(&file, count, 1, 1_000, false),
        "store-run" => store(&file, count, GROUP as u64, 1, true),
        "engine" => engine(&file, count),
        other => Err(format!("unknown work `{other}`").into()),
    }
}

fn store(file: &Path, count: u64, calls: u64, pieces: u64, runs: bool) -> Result<(), Failure> {
    let mut work = StoreWork::new(file)?;
    for _ in 0..count / (calls * pieces) {
        work.enqueue(calls, pieces)?;
    }
    while runs && work.run(GROUP)? > 0 {}
    Ok(())
}

/// Calls of 64 producers and all that follows from them, on the engine that the caller's only thread drives.
fn engine(file: &Path, count: u64) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (tally, _gate, stage) = stage(usize::try_from(count)?, true);
        let builder = TaskScheduler::builder(file).detached().only::<Measured>().state(stage);
        // More than wait at once, so that what is scheduled starts in the commit that stores it.
        let scheduler = builder.max_running(512).driver(Driver::Caller).start().await?;
        let mut producers = tokio::task::JoinSet::new();
        let each = count / GROUP as u64;
        for producer in 0..GROUP as u64 {
            let scheduler = scheduler.clone();
            producers.spawn(async move {
                for number in producer * each..(producer + 1) * each {
                    piece(number).on(&scheduler).await?;
                }
                Ok::<_, Failure>(())
            });
        }
        while let Some(ended) = producers.join_next().await {
            ended??;
        }
        while tally.count() < each * GROUP as u64 {
            tokio::task::yield_now().await;
        }
        scheduler.shutdown(Duration::from_secs(10)).await;
        Ok(())
    })
}
