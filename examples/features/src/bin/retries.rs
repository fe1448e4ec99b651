//! Retries: back-off, an end to the attempts, and errors that say what is to become of the work.

use std::error::Error;
use std::time::Duration;

use pushe_tasks::WorkState;
use pushe_tasks::prelude::*;
use pushe_tasks::testing::TestScheduler;

#[derive(Serialize, Deserialize)]
enum Letter {
    /// Arrives at the third attempt.
    Late,
    /// Is never delivered.
    Unwanted,
    /// Nothing helps, so that no further attempt is made.
    WithoutAddress,
    /// The office says when to come again.
    Registered,
    /// Waits for the evening, which is no attempt.
    Secret,
}

/// The waits are 10 s, 20 s, 40 s; without `jitter = 0` each would be up to a tenth shorter or longer.
#[pushe_task(retry(max_attempts = 4, backoff = Exponential, delay = "10s", jitter = 0))]
async fn deliver(letter: Letter, cx: TaskContext) -> Result<u32, TaskError> {
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    match letter {
        Letter::Late if cx.attempt() < 3 => Err(TaskError::new("nobody opens")),
        Letter::Unwanted => Err(TaskError::new("refused")),
        Letter::WithoutAddress => Err(Fail::because("no address").into()),
        Letter::Registered if cx.attempt() == 1 => Err(Retry::after(hours(24)).into()),
        Letter::Secret if cx.last_progress::<bool>()?.is_none() => {
            cx.progress(&true).await?;
            Err(Snooze::lasting(hours(8)).into())
        }
        _ => Ok(cx.attempt()),
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let test = TestScheduler::start().await;
    let begun = || test.clock().elapsed().as_secs();

    assert_eq!(Deliver::schedule(Letter::Late).await?.output().await?, 3);
    assert_eq!(begun(), 30);

    let unwanted = Deliver::schedule(Letter::Unwanted).await?;
    assert_eq!(unwanted.output().await.unwrap_err().to_string(), "the work failed: refused");
    assert_eq!(test.info(unwanted.id()).await?.history.len(), 4);
    assert_eq!(begun(), 30 + 70);

    let lost = Deliver::schedule(Letter::WithoutAddress).await?;
    assert_eq!(lost.wait().await?, WorkState::Failed);
    assert_eq!(test.info(lost.id()).await?.history.len(), 1);

    assert_eq!(Deliver::schedule(Letter::Registered).await?.output().await?, 2);
    assert_eq!(begun(), 100 + 24 * 3_600);

    // A snooze costs no attempt.
    let secret = Deliver::schedule(Letter::Secret).await?;
    assert_eq!(secret.output().await?, 1);
    assert_eq!(test.info(secret.id()).await?.snoozes, 1);
    Ok(())
}
