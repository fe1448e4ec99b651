//! Periodic work: a fixed period, a calendar with a zone, and what was missed.
#![expect(clippy::unused_async, reason = "a task is an async fn, whether it waits for anything or not")]

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use pushe_tasks::prelude::*;
use pushe_tasks::testing::{TestScheduler, TestSetup};

const HOUR: Duration = Duration::from_secs(3_600);
/// 28 March 2026, 0:00 UTC; in the night that follows, Berlin's clocks go from 2:00 to 3:00.
const START: Duration = Duration::from_secs(1_774_656_000);

/// When runs were to be, after the start, and how many slots each had missed.
type Runs = Arc<Mutex<Vec<(Duration, u64)>>>;

fn note(runs: &Runs, cx: &TaskContext) {
    let slot = cx.slot().expect("periodic work has a slot");
    let at = slot.at.duration_since(SystemTime::UNIX_EPOCH + START).expect("it is after the start");
    runs.lock().unwrap().push((at, cx.missed_slots()));
}

#[pushe_task(every = "1h")]
async fn refresh(State(runs): State<Runs>, cx: TaskContext) {
    note(&runs, &cx);
}

#[pushe_task(cron = "30 2 * * *", tz = "Europe/Berlin")]
async fn back_up(State(runs): State<Runs>, cx: TaskContext) {
    note(&runs, &cx);
}

fn setup(runs: &Runs) -> TestSetup {
    let runs = Arc::clone(runs);
    TestScheduler::setup()
        .now(SystemTime::UNIX_EPOCH + START)
        .builder(move |builder| builder.state(Arc::clone(&runs)))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let runs = Runs::default();
    let test = setup(&runs).start().await;
    Refresh::schedule().await?;
    test.advance(3 * HOUR).await;
    let hours: Vec<_> = runs.lock().unwrap().drain(..).collect();
    assert_eq!(hours, [(Duration::ZERO, 0), (HOUR, 0), (2 * HOUR, 0), (3 * HOUR, 0)]);

    // Five slots pass in the machine's sleep; they make one run, which knows.
    test.suspend(5 * HOUR).await;
    test.advance(HOUR / 2).await;
    let late: Vec<_> = runs.lock().unwrap().drain(..).collect();
    println_all("after a sleep of five hours", &late);
    assert_eq!(late, [(8 * HOUR, 4)]);
    // Periodic work bears the name of its task.
    test.cancel("Refresh").await?;
    drop(test);

    // On the second day 2:30 does not exist, and the run is at 3:00; UTC is one hour behind, then two.
    let test = setup(&runs).start().await;
    BackUp::schedule().await?;
    test.advance(72 * HOUR).await;
    let nights: Vec<_> = runs.lock().unwrap().drain(..).map(|(at, _)| at).collect();
    assert_eq!(nights, [HOUR * 3 / 2, 25 * HOUR, 48 * HOUR + HOUR / 2]);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a program for people at a terminal")]
fn println_all(when: &str, runs: &[(Duration, u64)]) {
    for (at, missed) in runs {
        println!("{when}: the slot of {at:?}, {missed} missed before it");
    }
}
