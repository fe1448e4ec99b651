//! Phases a, b and c: storing alone.

use pushe_tasks::TaskScheduler;
use pushe_tasks_bench_protocol::{Answer, Asked, Latencies, now};

use super::{Failure, answer, file, piece, stored, storing};
use crate::rate;

/// So many producers at once in phase b and g.
pub(super) const PRODUCERS: u64 = 64;

/// Pieces of one call in phase c.
pub(super) const BATCH: u64 = 1_000;

/// One producer, each piece awaited.
pub(super) async fn one(asked: &Asked) -> Result<Answer, Failure> {
    let (file, mut answer) = (file(asked), answer());
    let scheduler = storing(&file).await?;
    let begun = now();
    let (sent, mut waits) = produce(&scheduler, asked, 0, 1).await?;
    answer.figure("per_second", rate(sent, begun.elapsed()));
    waits.tell(&mut answer, "");
    finish(scheduler, asked, sent, answer).await
}

/// 64 producers at once, each piece awaited.
pub(super) async fn many(asked: &Asked) -> Result<Answer, Failure> {
    let (file, mut answer) = (file(asked), answer());
    let scheduler = storing(&file).await?;
    let begun = now();
    let (sent, mut waits) = produce_all(&scheduler, asked).await?;
    answer.figure("per_second", rate(sent, begun.elapsed()));
    waits.tell(&mut answer, "");
    finish(scheduler, asked, sent, answer).await
}

/// Batches of 1,000.
pub(super) async fn batches(asked: &Asked) -> Result<Answer, Failure> {
    let (file, mut answer) = (file(asked), answer());
    let scheduler = storing(&file).await?;
    let begun = now();
    let mut sent = 0;
    while sent < asked.count as u64 {
        sent += batch(&scheduler, sent).await?;
    }
    answer.figure("per_second", rate(sent, begun.elapsed()));
    finish(scheduler, asked, sent, answer).await
}

/// Stores the next 1,000 in one call.
pub(super) async fn batch(scheduler: &TaskScheduler, from: u64) -> Result<u64, Failure> {
    let receipts = scheduler.schedule_many((from..from + BATCH).map(piece)).await?;
    Ok(receipts.len() as u64)
}

/// 64 producers until the time is over; numbers are dealt out in turn, so that they are the first of all numbers but for
/// what the slower producers did not get to.
pub(super) async fn produce_all(
    scheduler: &TaskScheduler,
    asked: &Asked,
) -> Result<(u64, Latencies), Failure> {
    let mut producers = tokio::task::JoinSet::new();
    for number in 0..PRODUCERS {
        let (scheduler, asked) = (scheduler.clone(), asked.clone());
        producers.spawn(async move { produce(&scheduler, &asked, number, PRODUCERS).await });
    }
    let (mut sent, mut waits) = (0, Latencies::default());
    while let Some(produced) = producers.join_next().await {
        let (more, theirs) = produced??;
        sent += more;
        waits.extend(theirs);
    }
    Ok((sent, waits))
}

async fn produce(
    scheduler: &TaskScheduler,
    asked: &Asked,
    first: u64,
    step: u64,
) -> Result<(u64, Latencies), Failure> {
    let (begun, mut sent, mut waits) = (now(), 0, Latencies::default());
    while begun.elapsed() < asked.length {
        let from = now();
        piece(first + sent * step).on(scheduler).await?;
        waits.add(from.elapsed());
        sent += 1;
    }
    Ok((sent, waits))
}

/// Closes the store and counts what is in it.
async fn finish(
    scheduler: TaskScheduler,
    asked: &Asked,
    sent: u64,
    mut answer: Answer,
) -> Result<Answer, Failure> {
    scheduler.shutdown(std::time::Duration::ZERO).await;
    drop(scheduler);
    let file = file(asked);
    answer.figure("sent", sent as f64);
    answer.figure("file_bytes", std::fs::metadata(&file)?.len() as f64);
    let found = stored(&file, usize::MAX).await?;
    answer.verify(
        sent.saturating_sub(found),
        found.saturating_sub(sent),
        "every acknowledged piece is stored once",
    );
    Ok(answer)
}
