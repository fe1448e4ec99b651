use std::time::Duration;

use pushe_tasks::{Backoff, prelude::*};

#[pushe_task(
    name = "photos/upload",
    aliases("Upload", "SendPhoto"),
    task = PhotoUpload,
    id = "upload/{0}",
    policy = Keep,
    network = Connected,
    retry(max_attempts = 8, backoff = Linear, delay = "10s", max_delay = "1h 30m", jitter = 0.5),
    retry_if = is_temporary,
    timeout = "10m",
    delay = "5s",
    concurrency = 4,
    run_on = Cpu,
    crate = ::pushe_tasks,
)]
async fn upload(album: (u32,)) -> Result<u32, std::io::Error> {
    Ok(album.0)
}

fn is_temporary(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::TimedOut
}

fn main() {
    assert_eq!(PhotoUpload::NAME, "photos/upload");
    assert_eq!(PhotoUpload::ALIASES, ["Upload", "SendPhoto"]);
    let options = PhotoUpload::OPTIONS;
    assert_eq!(options.check(), Ok(()));
    assert_eq!(options.task_id(&(7,)).as_deref(), Some("upload/7"));
    assert_eq!(options.existing_work_policy(), ExistingWorkPolicy::Keep);
    assert_eq!(options.network_type(), NetworkType::Connected);
    let retry = options.retry_options();
    assert_eq!(retry.attempt_limit(), Some(8));
    assert_eq!(retry.backoff_kind(), Backoff::Linear);
    assert_eq!(retry.first_delay(), Duration::from_secs(10));
    assert_eq!(retry.longest_delay(), Duration::from_secs(5400));
    assert_eq!(retry.jitter_fraction(), 0.5);
    assert_eq!(options.time_limit(), Some(Duration::from_secs(600)));
    assert_eq!(options.initial_delay(), Duration::from_secs(5));
    assert_eq!(options.concurrency_limit(), Some(4));
    assert_eq!(options.runs_on(), RunOn::Cpu);
}
