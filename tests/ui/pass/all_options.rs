use std::time::Duration;

use pushe_tasks::clock::WallTime;
use pushe_tasks::constraint::{Constraint, ConstraintDecodeError, Manual, Verdict};
use pushe_tasks::{Backoff, prelude::*};

#[derive(Debug)]
struct SignedIn;

impl Constraint for SignedIn {
    const KIND: &'static str = "app/signed-in";
    type Source = Manual<bool>;

    fn encode(&self) -> Vec<u8> {
        vec![1]
    }

    fn decode(_: &[u8]) -> Result<Self, ConstraintDecodeError> {
        Ok(Self)
    }

    fn key(&self) {}

    fn check(&self, signed_in: &bool, _: WallTime) -> Verdict {
        if *signed_in { Verdict::met() } else { Verdict::hold("nobody is signed in") }
    }
}

fn signed_in() -> SignedIn {
    SignedIn
}

#[pushe_task(
    name = "photos/upload",
    aliases("Upload", "SendPhoto"),
    task = PhotoUpload,
    id = "upload/{0}",
    policy = Keep,
    network = Unmetered,
    requires(Charging, BatteryNotLow, StorageNotLow, Reach("db.local:5432"), Reach("[::1]:80"), signed_in()),
    on_lost = Finish,
    retry(max_attempts = 8, backoff = Linear, delay = "10s", max_delay = "1h 30m", jitter = 0.5),
    retry_if = is_temporary,
    timeout = "10m",
    delay = "5s",
    tags("photos", "manual"),
    priority = Low,
    expires = "1d",
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
    assert_eq!(options.network_type(), NetworkType::Unmetered);
    let requirements: Vec<_> = options.requirements().iter().map(ToString::to_string).collect();
    let expected =
        ["charging", "battery not low", "storage not low", "reach: db.local:5432", "reach: [::1]:80", "app/signed-in"];
    assert_eq!(requirements, expected);
    assert_eq!(options.lost_constraint(), OnLost::Finish);
    let retry = options.retry_options();
    assert_eq!(retry.attempt_limit(), Some(8));
    assert_eq!(retry.backoff_kind(), Backoff::Linear);
    assert_eq!(retry.first_delay(), Duration::from_secs(10));
    assert_eq!(retry.longest_delay(), Duration::from_secs(5400));
    assert_eq!(retry.jitter_fraction(), 0.5);
    assert_eq!(options.time_limit(), Some(Duration::from_secs(600)));
    assert_eq!(options.initial_delay(), Duration::from_secs(5));
    assert_eq!(options.tag_list(), ["photos", "manual"]);
    assert_eq!(options.urgency(), Priority::Low);
    assert_eq!(options.expiry(), Some(Duration::from_secs(86_400)));
    assert_eq!(options.concurrency_limit(), Some(4));
    assert_eq!(options.runs_on(), RunOn::Cpu);
}
