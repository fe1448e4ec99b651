//! Looking: why work does not run, how the scheduler is, and what becomes of everything.
#![expect(clippy::print_stdout, reason = "a program for people at a terminal")]

use std::error::Error;
use std::time::Duration;

use pushe_tasks::constraint::NetworkState;
use pushe_tasks::prelude::*;
use pushe_tasks::testing::TestScheduler;
use pushe_tasks::{LifecycleEvent, Obstacle, StoreHealth, WorkState};

#[pushe_task(network = Connected, concurrency = 1)]
async fn upload(name: String) {
    if name == "endless" {
        std::future::pending::<()>().await;
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let test = TestScheduler::start().await;
    let mut events = test.events().await?;
    let minute = Duration::from_secs(60);

    // One thing keeps it, and says since when.
    test.device().network(NetworkState::offline());
    let first = Upload::schedule("endless".to_owned()).await?;
    test.advance(minute).await;
    let standing = test.explain(first.id()).await?;
    println!("{standing}");
    assert!(matches!(standing.obstacles[..], [Obstacle::Constraint { .. }]), "{standing}");

    // Two keep this one, and a third is to come.
    let second = Upload::schedule("short".to_owned()).delay("5m").await?;
    test.pause().await?;
    let standing = test.explain(second.id()).await?;
    println!("{standing}");
    assert_eq!(standing.obstacles.len(), 3, "{standing}");

    test.resume().await?;
    test.device().network(NetworkState::routed());
    test.advance(10 * minute).await;
    println!("{}", test.explain(first.id()).await?);
    let standing = test.explain(second.id()).await?;
    println!("{standing}");
    assert!(matches!(standing.obstacles[..], [Obstacle::Concurrency { limit: 1, .. }]), "{standing}");

    let health = test.health().await?;
    assert_eq!((health.store, health.running, health.ready), (StoreHealth::Healthy, 1, 1));

    // Everything that became of them, in order.
    test.cancel(first.id()).await?;
    second.wait().await?;
    let mut last = None;
    while last != Some((second.id(), WorkState::Succeeded)) {
        if let Some(LifecycleEvent::Moved(moved)) = events.next().await {
            println!("{} {}: {}", moved.task, moved.work, moved.to);
            last = Some((moved.work, moved.to));
        }
    }
    Ok(())
}
