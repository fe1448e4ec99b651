//! Priorities: urgent work passes what was due up to a while earlier, and nothing starves.
#![expect(clippy::unused_async, reason = "a task is an async fn, whether it waits for anything or not")]

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pushe_tasks::prelude::*;
use pushe_tasks::testing::TestScheduler;

type Sent = Arc<Mutex<Vec<String>>>;

#[pushe_task(concurrency = 1)]
async fn send(text: String, State(sent): State<Sent>) {
    sent.lock().unwrap().push(text);
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let sent = Sent::default();
    let state = Arc::clone(&sent);
    let test = TestScheduler::setup().builder(move |builder| builder.state(Arc::clone(&state))).start().await;

    test.pause().await?;
    Send::schedule("of two hours ago".to_owned()).await?;
    test.advance(Duration::from_secs(2 * 3_600)).await;
    for (text, priority) in [
        ("advertisement", Priority::Low),
        ("letter", Priority::Normal),
        ("invitation", Priority::High),
        ("called for by a person", Priority::Expedited),
        ("twenty minutes ahead", Priority::Minutes(20)),
    ] {
        Send::schedule(text.to_owned()).priority(priority).await?;
    }
    test.resume().await?;
    test.drain().await;
    let expected = [
        "of two hours ago",
        "called for by a person",
        "twenty minutes ahead",
        "invitation",
        "letter",
        "advertisement",
    ];
    assert_eq!(*sent.lock().unwrap(), expected);
    Ok(())
}
