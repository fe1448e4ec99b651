//! Phase j, its first half: how often the threads of an idle engine wake up. Instructions are counted by the gates.

use pushe_tasks_bench_protocol::{Answer, Asked, nap, voluntary_switches};

use super::running::{ran, stage};
use super::{Failure, answer, file, piece, working};

pub(super) async fn idle(asked: &Asked) -> Result<Answer, Failure> {
    let mut answer = answer();
    let (tally, _gate, stage) = stage(16, true);
    let scheduler = working(&file(asked), stage).start().await?;
    let receipt = piece(0).on(&scheduler).await?;
    scheduler.wait(receipt.id()).await?;
    ran(&tally, 1).await;
    let length = asked.length;
    let wakes = tokio::task::spawn_blocking(move || {
        // What the last piece left is over by then.
        nap(std::time::Duration::from_millis(200));
        let before = voluntary_switches();
        nap(length);
        // This thread itself went to sleep once.
        voluntary_switches().saturating_sub(before + 1)
    });
    let wakes = wakes.await?;
    answer.figure("wake_ups_a_second", wakes as f64 / length.as_secs_f64());
    answer.figure("sent", 1.0);
    scheduler.shutdown(std::time::Duration::from_secs(1)).await;
    answer.verify(tally.lost(1), tally.twice(), "the one piece ran once");
    Ok(answer)
}
