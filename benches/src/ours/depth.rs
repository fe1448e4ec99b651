//! Phases f and h: what waiting pieces cost in memory, in the file and in time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pushe_tasks::TaskScheduler;
use pushe_tasks::store::redb::{Opening, RedbStore, StoreOptions};
use pushe_tasks::store::{ClaimRequest, Grant, Lane, Store, StoredConstraint, WallTime};
use pushe_tasks_bench_protocol::{Answer, Asked, now, resident_bytes};

use super::producers::batch;
use super::running::{ran, stage};
use super::{Failure, answer, file, piece, stored, storing, working};
use crate::rate;
use crate::rows::new_work;

/// Memory growth and file bytes at `count` waiting pieces, and how long opening them takes.
pub(super) async fn memory(asked: &Asked) -> Result<Answer, Failure> {
    let (file, mut answer) = (file(asked), answer());
    let scheduler = storing(&file).await?;
    // What the first commits allocate once belongs to the idle engine.
    let mut sent = batch(&scheduler, 0).await?;
    let idle = resident_bytes();
    while sent < asked.count as u64 {
        sent += batch(&scheduler, sent).await?;
    }
    answer.figure("sent", sent as f64);
    answer.figure("idle_mb", idle as f64 / 1e6);
    answer.figure("growth_mb", resident_bytes().saturating_sub(idle) as f64 / 1e6);
    let crashed = asked.dir.join("crashed");
    std::fs::create_dir(&crashed)?;
    // Nothing is under way, so this is what a crash now would leave.
    for name in std::fs::read_dir(&asked.dir)?.flatten().filter(|entry| entry.path().is_file()) {
        std::fs::copy(name.path(), crashed.join(name.file_name()))?;
    }
    scheduler.shutdown(Duration::ZERO).await;
    drop(scheduler);
    answer.figure("bytes_a_piece", std::fs::metadata(&file)?.len() as f64 / sent as f64);
    answer.figure("open_clean_s", open(&file).await?);
    answer.figure("open_crashed_s", open(&crashed.join("tasks.redb")).await?);
    let found = stored(&file, usize::MAX).await?;
    answer.verify(sent.saturating_sub(found), found.saturating_sub(sent), "every piece is stored once");
    Ok(answer)
}

async fn open(file: &Path) -> Result<f64, Failure> {
    let begun = now();
    let scheduler = storing(file).await?;
    let elapsed = begun.elapsed().as_secs_f64();
    scheduler.shutdown(Duration::ZERO).await;
    Ok(elapsed)
}

/// The cost of phases a, c and d behind more and more waiting pieces.
pub(super) async fn growth(asked: &Asked) -> Result<Answer, Failure> {
    let (file, mut answer) = (file(asked), answer());
    let (mut sent, mut finished) = (0, 0);
    let base = resident_bytes();
    for depth in [10_000_u64, 100_000, 1_000_000, 5_000_000] {
        if depth > asked.count as u64 {
            break;
        }
        let scheduler = storing(&file).await?;
        while sent - finished < depth {
            sent += batch(&scheduler, sent).await?;
        }
        answer.figure(&format!("memory_mb_{depth}"), resident_bytes().saturating_sub(base) as f64 / 1e6);
        sent += alone(&scheduler, sent, depth, &mut answer).await?;
        sent += loads(&scheduler, sent, depth, &mut answer).await?;
        scheduler.shutdown(Duration::ZERO).await;
        drop(scheduler);
        finished += drains(&file, sent, depth, &mut answer).await?;
    }
    answer.figure("empty_claim_us", empty_claim(&asked.dir.join("constrained.redb"))?);
    let found = stored(&file, usize::MAX).await?;
    answer.verify(sent.saturating_sub(found), found.saturating_sub(sent), "every piece is stored once");
    Ok(answer)
}

async fn alone(
    scheduler: &TaskScheduler,
    from: u64,
    depth: u64,
    answer: &mut Answer,
) -> Result<u64, Failure> {
    const COUNT: u64 = 2_000;
    let begun = now();
    for number in from..from + COUNT {
        piece(number).on(scheduler).await?;
    }
    answer.figure(&format!("a_per_second_{depth}"), rate(COUNT, begun.elapsed()));
    Ok(COUNT)
}

async fn loads(
    scheduler: &TaskScheduler,
    from: u64,
    depth: u64,
    answer: &mut Answer,
) -> Result<u64, Failure> {
    const COUNT: u64 = 50_000;
    let (begun, mut sent) = (now(), 0);
    while sent < COUNT {
        sent += batch(scheduler, from + sent).await?;
    }
    answer.figure(&format!("c_per_second_{depth}"), rate(sent, begun.elapsed()));
    Ok(sent)
}

async fn drains(file: &Path, sent: u64, depth: u64, answer: &mut Answer) -> Result<u64, Failure> {
    const COUNT: u64 = 30_000;
    let (tally, gate, stage) = stage(usize::try_from(sent)?, false);
    let begun = now();
    let scheduler = working(file, stage).start().await?;
    answer.figure(&format!("open_clean_s_{depth}"), begun.elapsed().as_secs_f64());
    ran(&tally, 1).await;
    let begun = now();
    gate.send(true)?;
    ran(&tally, COUNT).await;
    let (done, elapsed) = (tally.count(), begun.elapsed());
    answer.figure(&format!("d_per_second_{depth}"), rate(done, elapsed));
    scheduler.shutdown(Duration::from_secs(10)).await;
    Ok(tally.count())
}

/// Microseconds that a claim takes which finds nothing among a million pieces whose constraint is unmet.
fn empty_claim(file: &Path) -> Result<f64, Failure> {
    let opening = Opening { now: WallTime::default(), new_uuid: [1; 16], program: "bench".to_owned() };
    let mut store = RedbStore::open(file, StoreOptions::default(), opening)?;
    let mut lane = Lane::of("Constrained");
    lane.constraints = vec![StoredConstraint { kind: "network".to_owned(), value: vec![1] }];
    let lane = Arc::new(lane);
    for group in 0..100_u64 {
        let batch = (0..10_000).map(|number| new_work(group * 10_000 + number, &lane)).collect::<Vec<_>>();
        let mut stored = Ok(Vec::new());
        store.write(&mut |verbs| stored = verbs.enqueue(&batch, WallTime::default()))?;
        stored?;
    }
    // The lanes that are granted are others: 16 of one task.
    let lanes = (100..116).map(pushe_tasks::store::LaneId).collect();
    let request = ClaimRequest {
        now: WallTime::default(),
        limit: 64,
        grants: vec![Grant { permits: 64, lanes }],
        beside: None,
        passes_suspects: false,
    };
    let (begun, mut found) = (now(), 0);
    for _ in 0..1_000 {
        store.write(&mut |verbs| found += verbs.claim(&request).map_or(1, |claimed| claimed.len()))?;
    }
    if found > 0 {
        return Err("a claim found work whose constraint is unmet".into());
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / 1_000.0)
}
