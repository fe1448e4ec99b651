//! Delays: a length of time, a moment, and work that is of no use after a while.
#![expect(clippy::unused_async, reason = "a task is an async fn, whether it waits for anything or not")]

use std::error::Error;
use std::time::Duration;

use pushe_tasks::constraint::NetworkState;
use pushe_tasks::prelude::*;
use pushe_tasks::testing::TestScheduler;
use pushe_tasks::{Reason, WorkState};

/// Every piece of it waits, unless a call says otherwise.
#[pushe_task(delay = "30m")]
async fn remind(text: String) -> Outcome<String> {
    Outcome::Success(text)
}

/// Nobody wants to see yesterday's weather.
#[pushe_task(network = Connected, expires = "1h")]
async fn show_weather() {}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let test = TestScheduler::start().await;
    let minutes = || test.clock().elapsed().as_secs() / 60;

    assert_eq!(Remind::schedule("tea".to_owned()).await?.output().await?, "tea");
    assert_eq!(minutes(), 30);
    Remind::schedule("bread".to_owned()).delay("1h 30m").await?.wait().await?;
    assert_eq!(minutes(), 120);
    // A moment is kept where the clock is set; a length stays as long as it was to be.
    let tomorrow = test.clock().now() + Duration::from_secs(86_400);
    Remind::schedule("birthday".to_owned()).at(tomorrow).await?.wait().await?;
    assert_eq!(minutes(), 120 + 24 * 60);

    test.device().network(NetworkState::offline());
    let weather = ShowWeather::schedule().await?;
    assert_eq!(weather.wait().await?, WorkState::Failed);
    assert_eq!(test.info(weather.id()).await?.reason, Some(Reason::Expired));
    Ok(())
}
