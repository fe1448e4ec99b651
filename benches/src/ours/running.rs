//! Phases d, e and g: the engine at work.

use std::sync::Arc;
use std::time::Duration;

use pushe_tasks::TaskScheduler;
use pushe_tasks_bench_protocol::{Answer, Asked, Tally, cpu_seconds, nap, now};
use tokio::sync::watch;

use super::producers::{batch, produce_all};
use super::{Failure, Stage, answer, file, piece, storing, unfinished, working};
use crate::rate;

/// How long an engine may take to run what it was given, beyond what is measured.
const PATIENCE: Duration = Duration::from_secs(60);

/// A tally of so many pieces, and the gate of their bodies.
pub(crate) fn stage(most: usize, open: bool) -> (Arc<Tally>, watch::Sender<bool>, Stage) {
    let tally = Arc::new(Tally::new(most));
    let (gate, receiver) = watch::channel(open);
    (Arc::clone(&tally), gate, Stage { tally, open: receiver })
}

/// Waits until so many pieces ran.
pub(crate) async fn ran(tally: &Tally, count: u64) {
    let begun = now();
    while tally.count() < count && begun.elapsed() < PATIENCE {
        rest().await;
    }
}

/// A millisecond without holding a thread of the engine's runtime.
async fn rest() {
    // It fails only where the runtime ends.
    let _ = tokio::task::spawn_blocking(|| nap(Duration::from_millis(1))).await;
}

/// Runs what waits, each piece claimed and settled.
pub(super) async fn drain(asked: &Asked) -> Result<Answer, Failure> {
    let (file, mut answer) = (file(asked), answer());
    let scheduler = storing(&file).await?;
    let mut sent = 0;
    while sent < asked.count as u64 {
        sent += batch(&scheduler, sent).await?;
    }
    scheduler.shutdown(Duration::ZERO).await;
    drop(scheduler);

    let (tally, gate, stage) = stage(usize::try_from(sent)?, false);
    let scheduler = working(&file, stage).start().await?;
    // As many as may run at once have been claimed when the clock starts; the others have not.
    ran(&tally, 1).await;
    let (begun, cpu) = (now(), cpu_seconds());
    gate.send(true)?;
    ran(&tally, sent).await;
    // The last settles are durable when the engine has stopped.
    scheduler.shutdown(PATIENCE).await;
    let elapsed = begun.elapsed();
    drop(scheduler);
    answer.figure("per_second", rate(sent, elapsed));
    answer.figure("cpu_us", (cpu_seconds() - cpu) * 1e6 / sent as f64);
    answer.figure("sent", sent as f64);
    let left = unfinished(&file, usize::MAX).await?;
    answer.verify(tally.lost(sent) + left, tally.twice(), "every piece ran once and is settled");
    Ok(answer)
}

/// From calling `schedule` to the body's first instruction, on an engine that has nothing else to do; then at 2,000 a
/// second, whatever the engine does.
pub(super) async fn idle(asked: &Asked) -> Result<Answer, Failure> {
    let (file, mut answer) = (file(asked), answer());
    let (tally, _gate, stage) = stage(1_000_000, true);
    let scheduler = working(&file, stage).start().await?;
    let (begun, mut sent) = (now(), 0);
    while begun.elapsed() < asked.length {
        let receipt = piece(sent).on(&scheduler).await?;
        scheduler.wait(receipt.id()).await?;
        sent += 1;
    }
    tally.latencies().tell(&mut answer, "");
    let lost = tally.lost(sent);
    scheduler.shutdown(PATIENCE).await;
    drop(scheduler);
    let (open_sent, open_lost, twice) = open_loop(asked, &mut answer).await?;
    answer.figure("sent", (sent + open_sent) as f64);
    let left = unfinished(&file, usize::MAX).await?;
    answer.verify(lost + open_lost + left, tally.twice() + twice, "every piece ran once and is settled");
    Ok(answer)
}

async fn open_loop(asked: &Asked, answer: &mut Answer) -> Result<(u64, u64, u64), Failure> {
    const EVERY: Duration = Duration::from_micros(500);
    let (tally, _gate, stage) = stage(1_000_000, true);
    let scheduler = working(&asked.dir.join("open-loop.redb"), stage).start().await?;
    let (pace, length) = (scheduler.clone(), asked.length);
    let runtime = tokio::runtime::Handle::current();
    let sent = tokio::task::spawn_blocking(move || {
        let (begun, mut sent, mut calls) = (now(), 0_u32, Vec::new());
        while begun.elapsed() < length {
            let scheduler: TaskScheduler = pace.clone();
            let number = u64::from(sent);
            calls.push(runtime.spawn(async move { piece(number).on(&scheduler).await.map(drop) }));
            sent += 1;
            pushe_tasks_bench_protocol::pause_until(begun + EVERY * sent);
        }
        (u64::from(sent), calls)
    });
    let (sent, calls) = sent.await?;
    for call in calls {
        call.await??;
    }
    ran(&tally, sent).await;
    scheduler.shutdown(PATIENCE).await;
    tally.latencies().tell(answer, "open_loop_");
    Ok((sent, tally.lost(sent), tally.twice()))
}

/// 64 producers and the engine together.
pub(super) async fn flow(asked: &Asked) -> Result<Answer, Failure> {
    let (file, mut answer) = (file(asked), answer());
    let (tally, _gate, stage) = stage(4_000_000, true);
    let scheduler = working(&file, stage).start().await?;
    let (begun, cpu) = (now(), cpu_seconds());
    let (sent, _) = produce_all(&scheduler, asked).await?;
    ran(&tally, sent).await;
    let elapsed = begun.elapsed();
    scheduler.shutdown(PATIENCE).await;
    drop(scheduler);
    answer.figure("per_second", rate(tally.count(), elapsed));
    answer.figure("cpu_us", (cpu_seconds() - cpu) * 1e6 / tally.count().max(1) as f64);
    answer.figure("sent", sent as f64);
    tally.latencies().tell(&mut answer, "");
    let left = unfinished(&file, usize::MAX).await?;
    answer.verify(
        sent.saturating_sub(tally.count()) + left,
        tally.twice(),
        "every piece ran once and is settled",
    );
    Ok(answer)
}
