//! Stopping: a body is told first, and dropped after a grace; a stop that is not its fault costs it no attempt.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pushe_tasks::prelude::*;
use pushe_tasks::testing::TestScheduler;
use pushe_tasks::{StopReason, WorkState};

type Told = Arc<Mutex<Vec<(u32, StopReason)>>>;

/// Works until it is told to stop, and tidies up.
#[pushe_task]
async fn obey(State(told): State<Told>, token: CancellationToken, cx: TaskContext) -> Result<(), TaskError> {
    token.cancelled().await;
    let reason = cx.stop_reason().ok_or_else(|| TaskError::new("told without a reason"))?;
    told.lock().unwrap().push((cx.attempt(), reason));
    Err(TaskError::new("not finished"))
}

/// Hears nothing: its future is dropped after the grace.
#[pushe_task(timeout = "1m", retry(max_attempts = 1))]
async fn hang() {
    std::future::pending::<()>().await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let told = Told::default();
    let state = Arc::clone(&told);
    let set_up = move |builder: pushe_tasks::SchedulerBuilder| builder.state(Arc::clone(&state));
    let mut test = TestScheduler::setup().builder(set_up).start().await;

    // A shutdown gives the attempt back, and the next process makes it again.
    let work = Obey::schedule().await?.id();
    test.settle().await;
    test.restart(Duration::from_secs(10)).await;
    test.settle().await;
    assert_eq!(test.info(work).await?.state, WorkState::Running);

    // Cancelled work stays cancelled, whatever its body answers.
    let cancelled = test.cancel_and_wait(work).await?;
    assert_eq!((cancelled.works, cancelled.still_running), (vec![work], vec![]));
    assert_eq!(test.info(work).await?.state, WorkState::Cancelled);
    assert_eq!(*told.lock().unwrap(), [(1, StopReason::Shutdown), (1, StopReason::Cancelled)]);

    // A timeout is an attempt that failed: a minute, and ten seconds of grace.
    let begun = test.clock().elapsed().as_secs();
    let error = Hang::schedule().await?.output().await.unwrap_err();
    assert_eq!(error.to_string(), "the work failed: it took longer than its timeout of 60s");
    assert_eq!(test.clock().elapsed().as_secs() - begun, 70);
    Ok(())
}
