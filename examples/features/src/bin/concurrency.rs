//! Flow control: many pieces in one transaction, and a bound to how many of them run at once.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pushe_tasks::prelude::*;
use pushe_tasks::testing::TestScheduler;

/// How many requests are under way, and the most there ever were.
#[derive(Clone, Default)]
struct Requests(Arc<(AtomicU32, AtomicU32)>);

/// The server allows three connections.
#[pushe_task(concurrency = 3)]
async fn fetch(_page: u32, State(Requests(requests)): State<Requests>) {
    let now = requests.0.fetch_add(1, Ordering::SeqCst) + 1;
    requests.1.fetch_max(now, Ordering::SeqCst);
    a_minute().await;
    requests.0.fetch_sub(1, Ordering::SeqCst);
}

#[expect(clippy::disallowed_methods, reason = "a body sleeps as that of any program does")]
async fn a_minute() {
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let requests = Requests::default();
    let state = requests.clone();
    let test = TestScheduler::setup().builder(move |builder| builder.state(state.clone())).start().await;

    // All thirty or none, in order, with a receipt for each.
    let receipts = test.schedule_many((0..30).map(Fetch::schedule)).await?;
    assert_eq!(receipts.len(), 30);
    let report = test.drain().await;
    assert_eq!((report.succeeded, requests.0.1.load(Ordering::SeqCst)), (30, 3), "{report}");
    assert_eq!(report.took.as_secs(), 600, "ten rounds of a minute");
    Ok(())
}
