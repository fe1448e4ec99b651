//! What stands beside a function under the attribute, as a program sees it.
#![deny(warnings, missing_docs, clippy::pedantic)]
#![allow(clippy::missing_errors_doc, reason = "these tasks are called by tests only")]
#![allow(clippy::unused_async, reason = "short bodies have nothing to wait for")]

use std::time::Duration;

use pushe_tasks::prelude::*;
use pushe_tasks::{OptionError, TaskEntry};

/// The input of the tasks here.
#[derive(Debug, Serialize, Deserialize)]
pub struct Upload {
    album: String,
    number: u32,
}

/// Uploads one photo.
#[pushe_task(
    name = "photos/upload",
    aliases("Upload"),
    id = "upload/{album}/{number:03}",
    policy = Keep,
    network = Connected,
    retry(max_attempts = 8, delay = "10s"),
    timeout = "10m",
    concurrency = 2
)]
pub async fn upload_photo(
    Upload { album, number }: Upload,
    State(sum): State<u32>,
    context: TaskContext,
) -> Result<u32, TaskError> {
    if album.is_empty() {
        return Err(Fail::because("no album").into());
    }
    Ok(number + sum + context.attempt())
}

/// A plain one.
#[pushe_task(run_on = Blocking)]
pub fn compress(_: String, _: CancellationToken) {}

/// One without anything.
#[pushe_task]
pub async fn refresh_index() -> Outcome {
    Outcome::SUCCESS
}

fn entry(name: &str) -> &'static TaskEntry {
    let mut entries = pushe_tasks::__private::inventory::iter::<TaskEntry>.into_iter();
    entries.find(|entry| entry.name() == name).unwrap()
}

#[test]
fn a_task_registers_itself_with_its_place() {
    let entry = entry(UploadPhoto::NAME);
    assert_eq!(entry.aliases(), ["Upload"]);
    assert_eq!(entry.concurrency_limit(), Some(2));
    assert_eq!(entry.check(), Ok::<(), OptionError>(()));
    let place = entry.place();
    assert!(place.file.ends_with("attribute.rs"), "{place}");
    let source = include_str!("attribute.rs");
    let line = source.lines().nth(place.line as usize - 1).unwrap();
    assert!(line[place.column as usize - 1..].starts_with("upload_photo("), "{place}: {line}");
    assert_eq!(self::entry("Compress").runs_on(), RunOn::Blocking);
}

#[test]
fn the_options_are_a_constant_of_the_type() {
    const OPTIONS: pushe_tasks::TaskOptions<UploadPhoto> = UploadPhoto::OPTIONS;
    let input = Upload { album: "a".into(), number: 7 };
    assert_eq!(OPTIONS.task_id(&input).as_deref(), Some("upload/a/007"));
    assert_eq!(OPTIONS.retry_options().first_delay(), Duration::from_secs(10));
    assert_eq!(OPTIONS.time_limit(), Some(Duration::from_secs(600)));
    assert!(format!("{OPTIONS:?}").contains("photos/upload"));
}

#[test]
fn work_is_about_to_be_scheduled_by_the_type() {
    let _ = UploadPhoto::schedule(Upload { album: "a".into(), number: 7 });
    let _ = Compress::schedule("a".into());
    let _ = RefreshIndex::schedule();
}

#[test]
fn the_function_is_still_one() {
    compress("a".into(), CancellationToken::new());
}

/// `Result<T, E>` and `Result<Outcome<T>, E>` are apart only as long as this holds.
#[test]
fn an_outcome_is_never_serializable() {
    trait Otherwise {
        const SERIALIZABLE: bool = false;
    }
    impl<T> Otherwise for T {}

    struct Probe<T>(std::marker::PhantomData<T>);
    impl<T: Serialize> Probe<T> {
        const SERIALIZABLE: bool = true;
    }
    const { assert!(Probe::<u8>::SERIALIZABLE) };
    const { assert!(!Probe::<Outcome<u8>>::SERIALIZABLE) };
    const { assert!(!Probe::<Outcome>::SERIALIZABLE) };
}
