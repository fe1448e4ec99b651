use std::time::Duration;

use pushe_tasks::prelude::*;
use pushe_tasks::{Missed, PeriodOptions};

#[pushe_task(every = "1h", flex = "10m", missed = All, min_gap = "30m", stop_after = 5)]
async fn refresh() {}

#[pushe_task(cron = "0 30 4 * * mon-fri", tz = "Europe/Paris", missed = Skip, policy = Replace)]
async fn nightly(_: u8) {}

#[pushe_task(cron = "*/15 * * * *", id = "beat")]
async fn beat() {}

fn main() {
    let period = Refresh::OPTIONS.period_options().unwrap();
    let expected = PeriodOptions::every(Duration::from_secs(3600))
        .flex(Duration::from_secs(600))
        .missed(Missed::All)
        .min_gap(Duration::from_secs(1800))
        .stop_after(5);
    assert_eq!(period, expected);
    assert_eq!(Refresh::OPTIONS.existing_work_policy(), ExistingWorkPolicy::Keep);
    let period = Nightly::OPTIONS.period_options().unwrap();
    let expected = PeriodOptions::cron("0 30 4 * * mon-fri").tz("Europe/Paris").missed(Missed::Skip);
    assert_eq!(period, expected);
    assert_eq!(Nightly::OPTIONS.existing_work_policy(), ExistingWorkPolicy::Replace);
    assert_eq!(Beat::OPTIONS.task_id(&()).as_deref(), Some("beat"));
    for checked in [Refresh::OPTIONS.check(), Nightly::OPTIONS.check(), Beat::OPTIONS.check()] {
        assert_eq!(checked, Ok(()));
    }
}
