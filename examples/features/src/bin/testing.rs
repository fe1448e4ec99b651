//! Testing: the real engine in a test that holds time, chance, the device and the process in its hand.
#![expect(clippy::unused_async, reason = "a task is an async fn, whether it waits for anything or not")]

use std::error::Error;
use std::time::Duration;

use pushe_tasks::WorkState;
use pushe_tasks::constraint::NetworkState;
use pushe_tasks::prelude::*;
use pushe_tasks::testing::{TestScheduler, assert_not_scheduled, assert_registry, assert_scheduled};

#[pushe_task(id = "welcome/{}", network = Connected)]
async fn welcome(user: String) -> Outcome<String> {
    Outcome::Success(format!("welcome, {user}"))
}

/// Schedules one task from another.
#[pushe_task]
async fn sign_up(user: String) -> Result<(), TaskError> {
    Welcome::schedule(user).delay("10m").await?;
    Ok(())
}

// In a test: `#[tokio::test(start_paused = true)]`.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    // The tasks of this program can be run together.
    assert_registry();
    let mut test = TestScheduler::start().await;

    // One body alone, and what it scheduled.
    let outcome = test.perform::<SignUp>("ada".to_owned()).await;
    assert!(matches!(outcome, Ok(Outcome::Success(()))), "{outcome:?}");
    assert_not_scheduled!(test, SignUp);
    assert_scheduled!(test, Welcome, id = "welcome/ada", delayed = Duration::from_secs(600), times = 1);

    // A process that is killed loses nothing.
    test.device().network(NetworkState::offline());
    test.crash_and_reopen().await;
    test.advance(Duration::from_secs(600)).await;
    let welcome = test.info("welcome/ada").await?;
    assert_eq!(welcome.state, WorkState::Enqueued, "there is no network");

    // Levers of the device; then everything runs that can, however long it would take.
    test.device().network(NetworkState::routed());
    let report = test.drain().await;
    assert_eq!((report.succeeded, report.waiting.len()), (1, 0), "{report}");
    Ok(())
}
