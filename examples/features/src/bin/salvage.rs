//! A damaged file: it is refused, looked at, and what can be read of it goes into a new store that runs.
#![expect(clippy::print_stdout, reason = "a program for people at a terminal")]
#![expect(clippy::unused_async, reason = "a task is an async fn, whether it waits for anything or not")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pushe_tasks::prelude::*;
use pushe_tasks::{OpenError, StartError};

const PIECES: u64 = 50;

#[pushe_task]
async fn work_off(_number: u64, State(done): State<Arc<AtomicU64>>) {
    done.fetch_add(1, Ordering::SeqCst);
}

/// As a disk may: what lies behind the middle of what is in use is gone.
fn damage(path: &Path) -> std::io::Result<()> {
    let mut bytes = std::fs::read(path)?;
    let used = bytes.chunks(4_096).rposition(|page| page.iter().any(|byte| *byte != 0)).unwrap_or(0);
    bytes.truncate(used * 4_096);
    std::fs::write(path, bytes)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let (path, new) = (directory.path().join("tasks.redb"), directory.path().join("new.redb"));
    let done = Arc::new(AtomicU64::new(0));
    let builder = |path: &Path| TaskScheduler::builder(path).state(Arc::clone(&done));

    let scheduler = builder(&path).schedule_only().start().await?;
    scheduler.schedule_many((0..PIECES).map(WorkOff::schedule)).await?;
    scheduler.shutdown(Duration::ZERO).await;
    let found = pushe_tasks::verify(&path)?;
    assert!(found.is_sound() && found.records == PIECES, "{found:?}");

    damage(&path)?;
    let refused = builder(&path).start().await;
    assert!(matches!(refused, Err(StartError::Open(OpenError::Damaged { .. }))), "{refused:?}");
    let found = pushe_tasks::verify(&path)?;
    assert!(!found.is_sound());
    for problem in &found.problems {
        println!("{problem}");
    }

    let salvaged = pushe_tasks::salvage(&path, &new)?;
    println!("{} of {PIECES} pieces are in the new store", salvaged.records);
    assert!(pushe_tasks::verify(&new)?.is_sound());
    let scheduler = builder(&new).start().await?;
    for work in scheduler.list(&[], 100).await? {
        scheduler.wait(work.id).await?;
    }
    assert_eq!(done.load(Ordering::SeqCst), PIECES, "nothing was lost this time");
    scheduler.shutdown(Duration::from_secs(5)).await;
    Ok(())
}
