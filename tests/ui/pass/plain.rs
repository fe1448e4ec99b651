//! The ways in which a task may be written.
#![deny(warnings, missing_docs, missing_debug_implementations)]
#![forbid(unsafe_code)]

use pushe_tasks::prelude::*;

/// An input.
#[derive(Debug, Serialize, Deserialize)]
pub struct Upload {
    /// Where it goes.
    pub album: String,
    /// Whose it is.
    pub user: User,
}

/// A user.
#[derive(Debug, Serialize, Deserialize)]
pub struct User {
    /// A number.
    pub id: u32,
}

/// Uploads.
#[pushe_task(
    name = "upload",
    aliases("old-upload", "older-upload"),
    id = "upload/{album}/{user.id:04}",
    policy = Append,
    network = Connected,
    retry(max_attempts = 8, backoff = Exponential, delay = "30s", max_delay = "5h", jitter = 0.1),
    timeout = "10m",
    delay = "5s",
    concurrency = 4,
    run_on = Io
)]
pub async fn upload_photo(input: Upload, State(number): State<u32>, cx: TaskContext) -> Result<String, TaskError> {
    if number == 0 {
        return Err(Fail::because("zero").into());
    }
    Ok(format!("{}/{}", input.album, cx.attempt()))
}

#[pushe_task]
async fn nothing() {}

#[pushe_task(id = "{}")]
async fn number(number: u64) -> Outcome<u64> {
    Outcome::Success(number)
}

#[pushe_task(id = "{0}-{1}")]
pub(crate) async fn pair((a, b): (u8, u8), token: CancellationToken) -> Result<Outcome<u8>, String> {
    if token.is_cancelled() { Ok(Outcome::retry()) } else { Ok(Outcome::Success(a + b)) }
}

#[pushe_task(run_on = Blocking)]
fn blocking(words: Vec<String>) -> Result<usize, std::io::Error> {
    Ok(words.len())
}

#[pushe_task(task = OnlyContext)]
async fn only_context(cx: TaskContext) -> Result<(), TaskError> {
    cx.progress(&1_u8).await
}

/// Not tried again.
fn is_temporary(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::TimedOut
}

#[pushe_task(retry_if = is_temporary, run_on = Cpu)]
async fn picky(_: u8) -> Result<(), std::io::Error> {
    Ok(())
}

fn by_kind(data: &Data) -> String {
    data.get_string("kind").unwrap_or("none").to_owned()
}

#[pushe_task(id = by_kind, policy = Keep)]
async fn keyed(data: Data) {
    let _ = data;
}

mod own {
    /// An input that is called like an extractor.
    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    pub struct State(pub u8);
}

#[pushe_task]
async fn marked(#[input] state: own::State) {
    let _ = state;
}

#[pushe_task]
async fn extracted_first(#[extract] cx: TaskContext, state: State<u8>) {
    let _ = (cx, state);
}

fn main() {
    assert_eq!(UploadPhoto::NAME, "upload");
    assert_eq!(UploadPhoto::ALIASES, ["old-upload", "older-upload"]);
    let upload = Upload { album: "a".into(), user: User { id: 7 } };
    assert_eq!(UploadPhoto::OPTIONS.task_id(&upload).unwrap(), "upload/a/0007");
    assert_eq!(Number::OPTIONS.task_id(&5).unwrap(), "5");
    assert_eq!(Pair::OPTIONS.task_id(&(1, 2)).unwrap(), "1-2");
    assert_eq!(Keyed::OPTIONS.task_id(&task_data! { "kind" => "k" }).unwrap(), "k");
    let _ = (Nothing::schedule(), OnlyContext::schedule(), Blocking::schedule(vec![]), Picky::schedule(1));
    let _ = (Marked::schedule(own::State(1)), ExtractedFirst::schedule());
    let _ = upload_photo;
    drop(nothing());
}
