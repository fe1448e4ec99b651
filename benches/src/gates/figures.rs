//! What is counted.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pushe_tasks::store::WallTime;
use pushe_tasks::store::redb::{Opening, RedbStore, StoreOptions};
use pushe_tasks::{SchedulerBuilder, TaskScheduler};
use pushe_tasks_bench_protocol::{Tally, resident_bytes};

use super::watched::{Counts, Watched};
use super::{Bound, Figure, valgrind};
use crate::ours::{Churn, Failure, Measured, piece, ran, stage};
use crate::store_work::StoreWork;

const PRODUCERS: u64 = 64;

/// Counts all figures.
pub(super) fn count() -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    store(&mut figures)?;
    churn(&mut figures)?;
    memory(&mut figures)?;
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        together(&mut figures).await?;
        alone(&mut figures).await
    })?;
    if valgrind::is_here()? {
        for (kind, instructions, allocations, few, many) in [
            ("store-lone", "instructions_store_lone", "allocations_store_lone", 100, 300),
            ("store-group", "instructions_store_group", "allocations_store_group", 1_280, 3_840),
            ("store-batch", "instructions_store_batch", "allocations_store_batch", 5_000, 15_000),
            ("store-run", "instructions_store_run", "allocations_store_run", 1_280, 3_840),
            ("engine", "instructions_engine", "allocations_engine", 1_280, 3_840),
        ] {
            let (of_piece, allocated) = valgrind::a_piece(kind, few, many)?;
            figures.push(Figure { name: instructions, value: of_piece, bound: Bound::Stored });
            figures.push(Figure { name: allocations, value: allocated, bound: Bound::Stored });
        }
    }
    Ok(figures)
}

/// Bytes written a piece, and syncs a commit, of a store without an engine.
fn store(figures: &mut Vec<Figure>) -> Result<(), Failure> {
    let place = tempfile::tempdir()?;
    let mut commits = 0;
    let mut syncs = 0;
    for (name, run, calls, pieces, groups) in [
        ("bytes_lone", "bytes_run_lone", 1, 1, 300),
        ("bytes_group", "bytes_run_group", 64, 1, 200),
        ("bytes_batch", "bytes_run_batch", 1, 1_000, 30),
    ] {
        let mut work = StoreWork::new(&place.path().join(name))?;
        let before = work.disk();
        for _ in 0..groups {
            work.enqueue(calls, pieces)?;
        }
        let (middle, sent) = (work.disk(), (calls * pieces * groups) as f64);
        for _ in 0..groups {
            work.run(usize::try_from(calls * pieces)?)?;
        }
        let after = work.disk();
        let bytes = |from: u64, to: u64| (to - from) as f64 / sent;
        let enqueued = bytes(before.bytes_written, middle.bytes_written);
        let ran = bytes(middle.bytes_written, after.bytes_written);
        figures.push(Figure { name, value: enqueued, bound: Bound::Stored });
        figures.push(Figure { name: run, value: ran, bound: Bound::Stored });
        // A file that grows is synced once more; that is the file system's price and not a commit's.
        syncs += (after.syncs - before.syncs) - (after.resizes - before.resizes);
        commits += 3 * groups;
    }
    figures.push(Figure {
        name: "syncs_a_commit",
        value: syncs as f64 / commits as f64,
        bound: Bound::Exactly(1.0),
    });
    Ok(())
}

/// Growth of the file while pieces pass through it.
fn churn(figures: &mut Vec<Figure>) -> Result<(), Failure> {
    let place = tempfile::tempdir()?;
    let file = place.path().join("churn.redb");
    let mut churn = Churn::new(&file)?;
    let mut before = 0;
    while churn.settled < 200_000 {
        churn.pass()?;
        if churn.settled == 50_000 {
            before = std::fs::metadata(&file)?.len();
        }
    }
    let after = std::fs::metadata(&file)?.len();
    let growth = (after as f64 - before as f64) / before as f64 * 100.0;
    figures.push(Figure { name: "churn_growth_percent", value: growth, bound: Bound::AtMost(10.0) });
    Ok(())
}

/// Memory and file at 200 thousand waiting pieces.
fn memory(figures: &mut Vec<Figure>) -> Result<(), Failure> {
    const WAITING: u64 = 200_000;
    let place = tempfile::tempdir()?;
    let file = place.path().join("waiting.redb");
    let mut work = StoreWork::new(&file)?;
    work.enqueue(1, 1_000)?;
    let idle = resident_bytes();
    for _ in 1..WAITING / 1_000 {
        work.enqueue(1, 1_000)?;
    }
    let growth = resident_bytes().saturating_sub(idle) as f64 / 1e6;
    figures.push(Figure { name: "memory_mb_at_200000", value: growth, bound: Bound::AtMost(48.0) });
    let bytes = std::fs::metadata(&file)?.len() as f64 / WAITING as f64;
    figures.push(Figure { name: "file_bytes_a_waiting_piece", value: bytes, bound: Bound::Stored });
    Ok(())
}

/// An engine on a watched store that runs the measured task.
async fn engine(file: &Path) -> Result<(TaskScheduler, Arc<Counts>, Arc<Tally>), Failure> {
    let opening = Opening { now: WallTime::default(), new_uuid: [1; 16], program: "bench".to_owned() };
    let (store, counts) = Watched::new(RedbStore::open(file, StoreOptions::default(), opening)?);
    let (tally, _, stage) = stage(100_000, true);
    let builder = SchedulerBuilder::on_store(Box::new(store)).detached().only::<Measured>().state(stage);
    let scheduler = builder.start().await?;
    Ok((scheduler, counts, tally))
}

/// Commits for each 1,000 pieces while 64 producers wait for each of theirs and the engine runs them.
async fn together(figures: &mut Vec<Figure>) -> Result<(), Failure> {
    const EACH: u64 = 500;
    let place = tempfile::tempdir()?;
    let (scheduler, counts, tally) = engine(&place.path().join("together.redb")).await?;
    let before = counts.commits.load(Ordering::SeqCst);
    let mut producers = tokio::task::JoinSet::new();
    for producer in 0..PRODUCERS {
        let scheduler = scheduler.clone();
        producers.spawn(async move {
            for number in producer * EACH..(producer + 1) * EACH {
                piece(number).on(&scheduler).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(ended) = producers.join_next().await {
        ended??;
    }
    ran(&tally, PRODUCERS * EACH).await;
    scheduler.shutdown(Duration::from_secs(10)).await;
    let commits = (counts.commits.load(Ordering::SeqCst) - before) as f64;
    let value = commits * 1_000.0 / (PRODUCERS * EACH) as f64;
    figures.push(Figure { name: "commits_a_1000_of_64_producers", value, bound: Bound::AtMost(25.0) });
    Ok(())
}

/// Syncs of a piece that meets an idle engine: one for enqueue and claim, one for settle.
async fn alone(figures: &mut Vec<Figure>) -> Result<(), Failure> {
    const COUNT: u64 = 200;
    let place = tempfile::tempdir()?;
    let (scheduler, counts, _) = engine(&place.path().join("alone.redb")).await?;
    let mut before = 0;
    for number in 0..=COUNT {
        let receipt = piece(number).on(&scheduler).await?;
        scheduler.wait(receipt.id()).await?;
        if number == 0 {
            // The first of its lane is claimed once the dispatcher knows the lane.
            before = counts.commits.load(Ordering::SeqCst);
        }
    }
    let commits = counts.commits.load(Ordering::SeqCst) - before;
    scheduler.shutdown(Duration::from_secs(10)).await;
    let value = commits as f64 / COUNT as f64;
    figures.push(Figure { name: "commits_a_lone_piece", value, bound: Bound::Exactly(2.0) });
    Ok(())
}
