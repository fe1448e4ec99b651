//! How often the engine wakes up with the machine's own clock and sources, as the system's calls tell (strace).
//!
//! The long form, which takes eight minutes and is run by
//! `PUSHE_LONG=1 cargo test -p pushe-tasks-tests --test wake_ups -- --nocapture`.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pushe_tasks::clock::{Clock as _, SystemClock};
use pushe_tasks::constraint::{BatteryNotLow, Charging, PowerSource, Reach, StorageNotLow, TimeWindow};
use pushe_tasks::{NetworkType, TaskScheduler, prelude::*};
use pushe_tasks_tests::deadline::soon;
use pushe_tasks_tests::netns::in_netns;

const NAME: &str = "the_engine_sleeps_while_nothing_waits_and_nearly_so_while_everything_is_held";
/// Written by the traced program into nowhere, so that the trace shows where a minute begins and ends.
const IDLE: &str = "MARK idle";
const HELD: &str = "MARK held";
const OVER: &str = "MARK over";
/// Tells the program that it is the traced one.
const TRACED: &str = "PUSHE_TRACED";

#[expect(clippy::unused_async, reason = "a task is an `async fn`, whether it waits for anything or not")]
#[pushe_task]
async fn rest() -> Outcome<u32> {
    Outcome::Success(1)
}

/// What a minute of the engine's threads is, by the wake-ups of each: calls that waited and came back.
fn minute(trace: &str, mark: &str) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    let from = trace.lines().skip_while(|line| !line.contains(mark)).skip(1);
    for line in from.take_while(|line| !line.contains("MARK ")) {
        let Some((thread, call)) = line.split_once("> ") else { continue };
        let thread = thread.rsplit('<').next().unwrap_or_default().to_owned();
        let waits = ["epoll_wait", "epoll_pwait", "futex", "nanosleep", "poll", "select"];
        let is_wait = waits.iter().any(|wait| call.contains(wait));
        // A call with a timeout of nothing does not wait; one that is not over has not come back.
        let waited =
            !call.contains(", 0) = ") && !call.contains("FUTEX_WAKE") && !call.contains("unfinished");
        if thread.starts_with("pushe-") && is_wait && waited && call.contains(" = ") {
            *found.entry(thread).or_default() += 1;
        }
    }
    found
}

/// The program that is traced.
async fn traced() {
    let (clock, root) = (SystemClock::new(), tempfile::tempdir().unwrap());
    for (name, value) in [("type", "Battery"), ("status", "Discharging"), ("capacity", "5")] {
        fs::create_dir_all(root.path().join("BAT0")).unwrap();
        fs::write(root.path().join("BAT0").join(name), value).unwrap();
    }
    let place = root.path().join("full");
    fs::create_dir(&place).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(&place).status();
    assert!(mount.unwrap().success());
    fs::write(place.join("filling"), vec![1; 15 << 20]).unwrap();
    let pass = async |seconds| clock.sleep_until(clock.mono().plus(Duration::from_secs(seconds))).await;
    let mark = |text: &str| fs::write("/dev/null", text).unwrap();
    let store = root.path().join("tasks.redb");
    let builder = TaskScheduler::builder(&store).detached().only::<Rest>();
    let power = PowerSource::at(std::sync::Arc::new(clock), root.path());
    let scheduler = soon("the start", builder.source_for::<PowerSource>(power).start()).await.unwrap();
    assert_eq!(Rest::schedule().on(&scheduler).await.unwrap().output().await.unwrap(), 1);
    let piece = || Rest::schedule().on(&scheduler);
    let mut work = Vec::new();
    for network in [
        NetworkType::Connected,
        NetworkType::Unmetered,
        NetworkType::Metered,
        NetworkType::NotRoaming,
        NetworkType::TemporarilyUnmetered,
    ] {
        work.push(piece().network(network).await.unwrap().id());
    }
    work.push(piece().requires(Charging).await.unwrap().id());
    work.push(piece().requires(BatteryNotLow).await.unwrap().id());
    work.push(piece().requires(StorageNotLow::at(&place)).await.unwrap().id());
    // One of the two is closed at any time.
    let morning = piece().requires(TimeWindow::daily("00:00", "12:00").zone("UTC"));
    work.push(morning.requires(TimeWindow::quiet("00:00", "12:00").zone("UTC")).await.unwrap().id());
    work.push(piece().requires(Reach::new("127.0.0.1:1")).await.unwrap().id());
    // A host is tried more often at first. Its sixth wait ends after 315 s, give or take a tenth: in the minute that counts.
    pass(284).await;
    for id in &work {
        let text = scheduler.explain(*id).await.unwrap().to_string();
        assert!(text.starts_with("waits for ") && !text.contains("no reading"), "{text}");
    }
    pass(1).await;
    mark(HELD);
    pass(60).await;
    mark(OVER);
    for id in work {
        scheduler.cancel(id).await.unwrap();
    }
    pass(61).await;
    mark(IDLE);
    pass(60).await;
    mark(OVER);
    scheduler.shutdown(Duration::ZERO).await;
}

#[test]
fn the_engine_sleeps_while_nothing_waits_and_nearly_so_while_everything_is_held() {
    if std::env::var_os(TRACED).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(traced());
    }
    if std::env::var_os("PUSHE_LONG").is_none() {
        // Written past the capture of the test harness: a skipped test must not look like a passed one.
        return writeln!(io::stderr(), "SKIPPED {NAME}: it takes eight minutes; set PUSHE_LONG=1").unwrap();
    }
    in_netns(NAME, || {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("trace");
        let program = std::env::current_exe().unwrap();
        let strace = ["-f", "-qq", "--decode-pids=comm", "-e", "signal=none", "-o"];
        let words = ["--exact", NAME, "--nocapture", "--test-threads=1"];
        let mut command = Command::new("strace");
        command.args(strace).arg(&file).arg(program).args(words).env(TRACED, "1");
        let status = command.status().expect("strace is installed (Debian: strace)");
        assert!(status.success(), "the traced program failed");
        judge(&file);
    });
}

#[expect(clippy::print_stdout, reason = "what was measured is shown")]
fn measured(line: &str) {
    println!("MEASURED {line}");
}

fn judge(file: &Path) {
    let trace = fs::read_to_string(file).unwrap();
    let (held, idle) = (minute(&trace, HELD), minute(&trace, IDLE));
    for (mark, found) in [(HELD, &held), (IDLE, &idle)] {
        measured(&format!("wake-ups in a minute, {}: {found:?}", &mark[5..]));
    }
    assert!(trace.matches(OVER).count() >= 2, "the minutes have their ends");
    let sum = held.values().sum::<u64>();
    assert!((1..=6).contains(&sum), "{sum} wake-ups in the minute with ten pieces held");
    assert!(idle.is_empty(), "60 s after the last nothing wakes up");
}

#[test]
fn wake_ups_are_read_off_a_trace() {
    let trace = "\
1<pushe-dispatche> epoll_wait(3, [], 1024, 5) = 0
1<main> write(9, \"MARK held\", 9) = 9
7<pushe-dispatche> <... epoll_wait resumed>[], 1024, 29000) = 0
7<pushe-dispatche> epoll_wait(3, [], 1024, 0) = 0
7<pushe-dispatche> epoll_wait(3,  <unfinished ...>
8<pushe-writer> futex(0x7f, FUTEX_WAKE_PRIVATE, 1) = 1
8<pushe-writer> futex(0x7f, FUTEX_WAIT_PRIVATE, 1, NULL) = 0
9<main> epoll_wait(3, [], 1024, 29000) = 0
1<main> write(9, \"MARK over\", 9) = 9
8<pushe-writer> futex(0x7f, FUTEX_WAIT_PRIVATE, 1, NULL) = 0
";
    let expected = [("pushe-dispatche".to_owned(), 1), ("pushe-writer".to_owned(), 1)];
    assert_eq!(minute(trace, HELD), BTreeMap::from(expected));
    assert_eq!(minute(trace, IDLE), BTreeMap::new());
}
