//! Every kind of error that a task may return.
use pushe_tasks::prelude::*;

#[derive(Debug)]
struct Own;

impl std::fmt::Display for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("own")
    }
}

impl std::error::Error for Own {}

#[pushe_task(task = OwnTask)]
async fn own() -> Result<(), Own> {
    Err(Own)
}

#[pushe_task]
async fn boxed() -> Result<u8, Box<dyn std::error::Error + Send + Sync>> {
    Err("text".into())
}

#[pushe_task]
async fn text() -> Result<(), &'static str> {
    Err("text")
}

#[pushe_task]
async fn markers(which: u8) -> Result<(), TaskError> {
    match which {
        0 => Err(Fail::because("no").into()),
        1 => Err(Retry::after(std::time::Duration::from_secs(1)).into()),
        _ => Err(Snooze::lasting(std::time::Duration::from_secs(1)))?,
    }
}

fn main() {
    let _ = (OwnTask::NAME, Boxed::NAME, Text::NAME, Markers::NAME);
}
