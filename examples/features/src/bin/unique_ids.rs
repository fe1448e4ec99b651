//! Unique ids: what becomes of a call while unfinished work bears the id.
#![expect(clippy::unused_async, reason = "a task is an async fn, whether it waits for anything or not")]

use std::error::Error;
use std::sync::{Arc, Mutex};

use pushe_tasks::ReceiptKind;
use pushe_tasks::prelude::*;
use pushe_tasks::testing::TestScheduler;

#[derive(Serialize, Deserialize)]
struct Photo {
    album: String,
    number: u32,
}

impl Photo {
    fn new(number: u32) -> Self {
        Self { album: "holidays".to_owned(), number }
    }
}

type Uploaded = Arc<Mutex<Vec<u32>>>;

/// The id is formatted from the input's fields, which the compiler checks.
#[pushe_task(id = "album/{album}", policy = Append)]
async fn upload(photo: Photo, State(uploaded): State<Uploaded>) {
    uploaded.lock().unwrap().push(photo.number);
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let uploaded = Uploaded::default();
    let state = Arc::clone(&uploaded);
    let test = TestScheduler::setup().builder(move |builder| builder.state(Arc::clone(&state))).start().await;

    // Nothing bears the id yet.
    let first = Upload::schedule(Photo::new(1)).delay("1h").await?;
    assert_eq!(*first.kind(), ReceiptKind::New);
    // Append runs after it, whatever becomes of it.
    let second = Upload::schedule(Photo::new(2)).await?;
    assert_eq!(*second.kind(), ReceiptKind::Appended { after: first.id() });
    // Keep leaves what is there, and the new input is dropped.
    let kept = Upload::schedule(Photo::new(3)).policy(ExistingWorkPolicy::Keep).await?;
    assert_eq!(kept.id(), first.id());
    assert!(matches!(kept.kind(), ReceiptKind::Kept { .. }));

    test.drain().await;
    assert_eq!(*uploaded.lock().unwrap(), [1, 2]);

    // Replace cancels all that is unfinished under the id.
    let old = Upload::schedule(Photo::new(4)).delay("1h").await?;
    let new = Upload::schedule(Photo::new(5)).policy(ExistingWorkPolicy::Replace).await?;
    assert_eq!(*new.kind(), ReceiptKind::Replaced(vec![old.id()]));
    test.drain().await;
    assert_eq!(*uploaded.lock().unwrap(), [1, 2, 5]);

    // Finished work never holds its id.
    assert_eq!(*Upload::schedule(Photo::new(6)).await?.kind(), ReceiptKind::New);
    Ok(())
}
