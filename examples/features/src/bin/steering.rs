//! Steering: pauses that outlive the process, an end to a back-off, and work that failed run anew.
#![expect(clippy::unused_async, reason = "a task is an async fn, whether it waits for anything or not")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pushe_tasks::WorkState;
use pushe_tasks::prelude::*;
use pushe_tasks::testing::TestScheduler;

type Repaired = Arc<AtomicBool>;

#[pushe_task(retry(max_attempts = 2, delay = "5h"))]
async fn print_page(page: u32, State(repaired): State<Repaired>) -> Result<(), TaskError> {
    if repaired.load(Ordering::SeqCst) {
        Ok(())
    } else {
        Err(TaskError::new(format!("page {page} is stuck")))
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let repaired = Repaired::default();
    let state = Arc::clone(&repaired);
    let set_up = move |builder: pushe_tasks::SchedulerBuilder| builder.state(Arc::clone(&state));
    let mut test = TestScheduler::setup().builder(set_up).start().await;

    // While a task is paused nothing of it starts; the pause is stored.
    test.pause_task("PrintPage").await?;
    let work = PrintPage::schedule(1).await?.id();
    test.restart(Duration::ZERO).await;
    test.advance(Duration::from_secs(60)).await;
    let standing = test.explain(work).await?.to_string();
    assert!(standing.contains("since its task is paused"), "{standing}");
    test.resume_task("PrintPage").await?;
    test.settle().await;
    assert_eq!(test.info(work).await?.attempt, 2, "its first attempt has failed");

    // Nobody has to wait for five hours.
    assert_eq!(test.retry_now(work).await?, [work]);
    test.settle().await;
    assert_eq!(test.info(work).await?.state, WorkState::Failed);

    // Once the cause is gone, failed work gets its attempts anew.
    repaired.store(true, Ordering::SeqCst);
    test.requeue(work).await?;
    assert_eq!(test.wait(work).await?, WorkState::Succeeded);
    Ok(())
}
