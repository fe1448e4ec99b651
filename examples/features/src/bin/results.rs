//! Results: an output with the type of the task, and progress while it runs.
#![expect(clippy::print_stdout, reason = "a program for people at a terminal")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use pushe_tasks::prelude::*;
use tokio::sync::Notify;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Counted {
    words: usize,
    longest: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Percent(u8);

/// Counts half of the words, shows so, and counts the others once somebody has seen it.
#[pushe_task]
async fn count_words(
    text: String,
    State(seen): State<Arc<Notify>>,
    cx: TaskContext,
) -> Result<Counted, TaskError> {
    let words: Vec<_> = text.split_whitespace().collect();
    cx.progress(&Percent(50)).await?;
    seen.notified().await;
    let longest =
        words.iter().max_by_key(|word| word.len()).ok_or_else(|| TaskError::new("a text without words"))?;
    Ok(Counted { words: words.len(), longest: (*longest).to_owned() })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let seen = Arc::new(Notify::new());
    let scheduler = TaskScheduler::in_memory().state(Arc::clone(&seen)).start().await?;
    let receipt = CountWords::schedule("waits until its constraints hold".to_owned()).await?;

    let mut watch = scheduler.watch(receipt.id()).await?;
    while let Some(step) = watch.next().await? {
        let progress: Option<Percent> = scheduler.info(receipt.id()).await?.progress()?;
        println!("{step:?}");
        if progress == Some(Percent(50)) {
            seen.notify_one();
        }
    }
    let counted = receipt.output().await?;
    assert_eq!(counted, Counted { words: 5, longest: "constraints".to_owned() });

    // A task that fails has an error instead.
    let error =
        CountWords::schedule(String::new()).retry(pushe_tasks::RetryOptions::new().max_attempts(1)).await?;
    seen.notify_one();
    assert_eq!(error.output().await.unwrap_err().to_string(), "the work failed: a text without words");
    scheduler.shutdown(Duration::from_secs(5)).await;
    Ok(())
}
