//! Power and storage against the kernel, each test in namespaces of its own (CONSTRAINTS 3.4, 3.5, 4.1).
#![cfg(target_os = "linux")]

use std::fs;
use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use pushe_tasks::clock::{Clock, MonoTime, SystemClock};
use pushe_tasks::constraint::{
    BatteryNotLow, Charging, Damping, PowerSource, PowerState, Reach, Reading, Source, StorageNotLow,
    StoragePlace, StorageSource, TimeWindow,
};
use pushe_tasks::{ScheduleError, StopReason, TaskScheduler, prelude::*};
use pushe_tasks_tests::clock::Hurried;
use pushe_tasks_tests::deadline::soon;
use pushe_tasks_tests::kernel::power_supply_changed;
use pushe_tasks_tests::netns::in_netns;
use tokio::sync::{mpsc, watch};

/// What a body says: that it has begun, and why it was asked to stop.
type Say = mpsc::UnboundedSender<(Option<StopReason>, MonoTime)>;

/// Runs until it is asked to stop.
#[pushe_task]
async fn record(
    _: Vec<u8>,
    State(say): State<Say>,
    State(clock): State<SystemClock>,
    cx: TaskContext,
) -> Result<(), TaskError> {
    let _ = say.send((None, clock.mono()));
    cx.cancellation_token().cancelled().await;
    let _ = say.send((cx.stop_reason(), clock.mono()));
    Err(TaskError::new("stopped"))
}

/// Runs the body in its namespaces, beside one worker.
fn test<F: Future<Output = ()>>(name: &str, body: impl FnOnce() -> F) {
    in_netns(name, || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.expect("a runtime").block_on(body());
    });
}

fn measured(line: &str) {
    writeln!(std::io::stderr(), "MEASURED {line}").expect("a place for a measurement");
}

fn write(root: &Path, name: &str, value: &str) {
    fs::create_dir_all(root.join(name).parent().expect("a file in a directory")).expect("a directory");
    fs::write(root.join(name), format!("{value}\n")).expect("a file");
}

/// Asks where a piece stands until that is as wanted: a standing has no event of its own.
async fn stands(scheduler: &TaskScheduler, id: pushe_tasks::WorkId, wanted: &str) {
    let standing = async {
        while !scheduler.explain(id).await.unwrap().to_string().contains(wanted) {
            tokio::task::yield_now().await;
        }
    };
    soon(wanted, standing).await;
}

#[test]
fn an_event_of_a_power_supply_starts_and_stops_work() {
    test("an_event_of_a_power_supply_starts_and_stops_work", || async {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "AC/type", "Mains");
        write(root.path(), "AC/online", "0");
        write(root.path(), "BAT0/type", "Battery");
        write(root.path(), "BAT0/status", "Discharging");
        write(root.path(), "BAT0/capacity", "55");
        let clock = SystemClock::new();
        let power = PowerSource::at(Arc::new(clock), root.path());
        let (say, mut said) = mpsc::unbounded_channel();
        let builder = TaskScheduler::in_memory().detached().only::<Record>().state::<Say>(say).state(clock);
        let builder = builder.source_for::<PowerSource>(power).damping::<Charging>(Damping::NONE);
        let scheduler = soon("the start", builder.start()).await.unwrap();
        let work = Record::schedule(Vec::new()).requires(Charging).on(&scheduler).await.unwrap();
        stands(&scheduler, work.id(), "on battery, at 55 %").await;
        let mut latencies = Vec::new();
        for _ in 0..20 {
            write(root.path(), "AC/online", "1");
            let before = clock.mono();
            power_supply_changed("AC");
            let (stopped, at) = soon("a body", said.recv()).await.unwrap();
            assert_eq!(stopped, None);
            latencies.push(at.since(before));
            write(root.path(), "AC/online", "0");
            power_supply_changed("AC");
            let (stopped, _) = soon("a stop", said.recv()).await.unwrap();
            assert_eq!(stopped, Some(StopReason::ConstraintLost));
            stands(&scheduler, work.id(), "on battery").await;
        }
        latencies.sort();
        measured(&format!(
            "from the event of a plug to the body: median {:?}, longest {:?}",
            latencies[10], latencies[19]
        ));
        // The safety look comes after 30 s at the soonest: it was the events.
        assert!(latencies[19] < Duration::from_secs(5), "{latencies:?}");
        scheduler.shutdown(Duration::ZERO).await;
    });
}

#[test]
fn without_events_power_is_looked_at_every_minute() {
    test("without_events_power_is_looked_at_every_minute", || async {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "BAT0/type", "Battery");
        write(root.path(), "BAT0/status", "Discharging");
        write(root.path(), "BAT0/capacity", "90");
        let clock = Hurried::new(100);
        let power = PowerSource::at(Arc::new(clock), root.path());
        let (out, mut seen) = watch::channel(Reading::unknown("nothing yet"));
        let watching = power.watch((), out);
        let changes = async {
            let mut wait = async |state| {
                soon("a look", seen.wait_for(|reading| *reading == Reading::Known(state)))
                    .await
                    .map(drop)
                    .unwrap();
            };
            wait(PowerState::on_battery(90)).await;
            write(root.path(), "BAT0/capacity", "80");
            let before = clock.mono();
            wait(PowerState::on_battery(80)).await;
            let lasted = clock.mono().since(before);
            assert!(lasted <= Duration::from_secs(95), "{lasted:?}");
        };
        tokio::select! {
            () = watching => panic!("the watch goes on"),
            () = changes => {}
        }
    });
}

/// A file system in memory of so many MiB, which ends with the namespace.
fn tmpfs(mib: u32) -> PathBuf {
    let place = tempfile::tempdir().unwrap().keep();
    let size = format!("size={mib}m");
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&place).status();
    assert!(mount.expect("mount").success(), "a tmpfs can be mounted here");
    place
}

fn fill(place: &Path, mib: usize) {
    fs::write(place.join("filler"), vec![1; mib << 20]).expect("room for the filler");
}

#[test]
fn a_full_disk_is_low_until_half_as_much_again_is_free() {
    test("a_full_disk_is_low_until_half_as_much_again_is_free", || async {
        let place = tmpfs(100);
        let clock = Hurried::new(20);
        let source = StorageSource::new(Arc::new(clock), Some(place.clone()));
        let (out, mut seen) = watch::channel(Reading::unknown("nothing yet"));
        let low = async |low: bool, mib: u64| {
            let state = source.read(&StoragePlace::Store).await.known().copied().unwrap();
            assert_eq!((state.low, state.available_mib, state.total_mib), (low, mib, 100));
        };
        let changes = async {
            let mut wait = async |low| {
                let wanted = |reading: &Reading<pushe_tasks::constraint::StorageState>| {
                    reading.known().is_some_and(|state| state.low == low)
                };
                soon("a look", seen.wait_for(wanted)).await.map(drop).unwrap();
            };
            low(false, 100).await;
            wait(false).await;
            fill(&place, 89);
            low(false, 11).await;
            fill(&place, 91);
            low(true, 9).await;
            wait(true).await;
            fill(&place, 86);
            low(true, 14).await;
            fill(&place, 85);
            low(false, 15).await;
            wait(false).await;
        };
        tokio::select! {
            () = source.watch(StoragePlace::Store, out) => panic!("the watch goes on"),
            () = changes => {}
        }
    });
}

#[test]
fn a_store_that_is_refused_room_stops_work_at_once() {
    test("a_store_that_is_refused_room_stops_work_at_once", || async {
        let place = tmpfs(64);
        let clock = SystemClock::new();
        let (say, mut said) = mpsc::unbounded_channel();
        let builder = TaskScheduler::builder(place.join("tasks.redb")).detached();
        let builder = builder.only::<Record>().state::<Say>(say).state(clock);
        let scheduler = soon("the start", builder.start()).await.unwrap();
        let work = Record::schedule(Vec::new()).requires(StorageNotLow).on(&scheduler).await.unwrap();
        assert_eq!(soon("a body", said.recv()).await.unwrap().0, None);
        // What is left is enough not to be low: only the refusal can be the reason.
        let limit = 512 << 10;
        let mut pieces = 0;
        let refused = loop {
            let free = free_bytes(&place);
            if free > 16 << 20 {
                fs::write(place.join(format!("filler{pieces}")), vec![1; 4 << 20])
                    .expect("room for the filler");
            }
            match Record::schedule(vec![7; limit]).delay("1d").on(&scheduler).await {
                Ok(_) => pieces += 1,
                Err(error) => break error,
            }
            assert!(pieces < 200, "the disk never fills");
        };
        let before = clock.mono();
        assert!(matches!(refused, ScheduleError::StoreFull), "{refused}");
        let (stopped, at) = soon("a stop", said.recv()).await.unwrap();
        assert_eq!(stopped, Some(StopReason::ConstraintLost));
        measured(&format!("from the store's refusal to the stop: {:?}", at.since(before)));
        let _ = work;
        for entry in fs::read_dir(&place).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("filler")) {
                fs::remove_file(path).unwrap();
            }
        }
        scheduler.shutdown(Duration::ZERO).await;
    });
}

/// What is free on the file system, in bytes.
fn free_bytes(place: &Path) -> u64 {
    let source = StorageSource::new(Arc::new(SystemClock::new()), None);
    let place = StoragePlace::Directory(place.to_owned());
    source.snapshot(&place).known().expect("a reading").available_mib << 20
}

/// How often the threads of the engine have gone to sleep by themselves: each wake-up ends in one more.
fn sleeps() -> u64 {
    let threads = fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
    let ours = threads.filter(|thread| {
        fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.starts_with("pushe-"))
    });
    let count = |thread: PathBuf| {
        let status = fs::read_to_string(thread.join("status")).unwrap();
        let line =
            status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap().trim();
        line.parse::<u64>().unwrap()
    };
    ours.map(count).sum()
}

/// Nothing is to happen meanwhile, for which there is no event: a bounded wait on the hurried clock is all there is.
async fn pass(clock: Hurried, length: Duration) {
    clock.sleep_until(clock.mono().plus(length)).await;
}

#[test]
fn one_piece_held_by_each_kind_costs_at_most_six_wake_ups_a_minute_and_none_once_they_are_gone() {
    let name = "one_piece_held_by_each_kind_costs_at_most_six_wake_ups_a_minute_and_none_once_they_are_gone";
    test(name, || async {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "BAT0/type", "Battery");
        write(root.path(), "BAT0/status", "Discharging");
        write(root.path(), "BAT0/capacity", "5");
        let place = tmpfs(64);
        fill(&place, 62);
        // In the long form a minute is a minute.
        let long = std::env::var_os("PUSHE_LONG").is_some();
        let clock = Hurried::new(if long { 1 } else { 30 });
        let (say, _said) = mpsc::unbounded_channel();
        let builder = TaskScheduler::in_memory().detached().only::<Record>().state::<Say>(say);
        let builder = builder.state(SystemClock::new()).clock(clock);
        let builder = builder.source_for::<PowerSource>(PowerSource::at(Arc::new(clock), root.path()));
        let scheduler = soon("the start", builder.start()).await.unwrap();
        let piece = || Record::schedule(Vec::new()).on(&scheduler);
        let mut work = Vec::new();
        for network in
            [NetworkType::Connected, NetworkType::Unmetered, NetworkType::Metered, NetworkType::NotRoaming]
        {
            work.push(piece().network(network).await.unwrap().id());
        }
        work.push(piece().requires(Charging).await.unwrap().id());
        work.push(piece().requires(BatteryNotLow).await.unwrap().id());
        work.push(piece().requires(StorageNotLow::at(&place)).await.unwrap().id());
        // One of the two is closed at any time.
        let morning = piece().requires(TimeWindow::daily("00:00", "12:00"));
        work.push(morning.requires(TimeWindow::quiet("00:00", "12:00")).await.unwrap().id());
        work.push(piece().requires(Reach::new("127.0.0.1:1")).await.unwrap().id());
        for id in &work {
            let known = async {
                loop {
                    let text = scheduler.explain(*id).await.unwrap().to_string();
                    if !text.contains("no reading yet") && text.starts_with("waits for ") {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            };
            soon("a reading", known).await;
        }
        // A host is tried more often at first: after five minutes its back-off is long.
        pass(clock, Duration::from_secs(if long { 350 } else { 340 })).await;
        let before = sleeps();
        let minutes = if long { 1 } else { 4 };
        pass(clock, Duration::from_secs(60) * minutes).await;
        let each = (sleeps() - before) / u64::from(minutes);
        measured(&format!("wake-ups a minute with nine pieces held by nine constraints: {each}"));
        assert!(each <= 6, "{each} wake-ups a minute");
        for id in work {
            scheduler.cancel(id).await.unwrap();
        }
        // The watchdog looks once more, two seconds of the machine after the last step: a hurried clock has to wait for it too.
        pass(clock, Duration::from_secs(if long { 60 } else { 120 })).await;
        let before = sleeps();
        pass(clock, Duration::from_secs(60) * minutes).await;
        assert_eq!(sleeps() - before, 0, "60 s after the last nothing wakes up");
        scheduler.shutdown(Duration::ZERO).await;
    });
}
