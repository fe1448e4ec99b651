//! Scripted sources under a clock that jumps from timer to timer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::clock::paused::Paused;

/// One step of a watch.
#[derive(Clone, Copy)]
enum Step {
    Say(u8),
    Lose(&'static str),
    Wait(u64),
    Panic,
    Hang,
    Drop,
    /// Says something new whenever it is polled, without an end.
    Flood,
}
use Step::{Drop, Flood, Hang, Lose, Panic, Say, Wait};

/// A source whose n-th watch follows the n-th script, and which stays silent after the last.
struct Scripted {
    scripts: Vec<Vec<Step>>,
    begun: AtomicUsize,
    clock: Arc<Paused>,
    starts: Mutex<Vec<u64>>,
}

impl Scripted {
    fn now(&self) -> u64 {
        u64::try_from(self.clock.mono().since_origin().as_millis()).expect("a short test")
    }
}

impl Source for Scripted {
    type Key = ();
    type State = u8;

    async fn read(&self, (): &()) -> Reading<u8> {
        Reading::Known(0)
    }

    async fn watch(&self, (): (), out: watch::Sender<Reading<u8>>) {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        self.starts.lock().expect("no panic while held").push(self.now());
        for step in self.scripts.get(number).map_or(&[Hang][..], Vec::as_slice) {
            match *step {
                Say(state) => crate::constraint::publish(&out, Reading::Known(state)),
                Lose(why) => crate::constraint::publish(&out, Reading::unknown(why)),
                Wait(millis) => {
                    self.clock.sleep_until(self.clock.mono().plus(Duration::from_millis(millis))).await;
                }
                Panic => panic!("on purpose"),
                Hang => std::future::pending().await,
                Flood => {
                    for state in (0..=u8::MAX).cycle() {
                        crate::constraint::publish(&out, Reading::Known(state));
                        tokio::task::yield_now().await;
                    }
                }
                Drop => {
                    drop(out);
                    return std::future::pending().await;
                }
            }
        }
    }
}

/// Runs the scripts for `length` ms; answers what was reported and when the watches were begun.
fn run(length: u64, scripts: &[&[Step]]) -> (Vec<(u64, String)>, Vec<u64>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let clock = Arc::new(Paused::new());
        let source = Scripted {
            scripts: scripts.iter().map(|script| script.to_vec()).collect(),
            begun: AtomicUsize::new(0),
            clock: Arc::clone(&clock),
            starts: Mutex::default(),
        };
        let told = Mutex::new(Vec::new());
        let report = |reading| {
            let text = match reading {
                ErasedReading::Known(state) => format!("{state:?}"),
                ErasedReading::Unknown(why) => format!("unknown: {why}"),
                ErasedReading::Lost(why) => format!("lost: {why}"),
            };
            told.lock().expect("no panic while held").push((source.now(), text));
        };
        tokio::select! {
            () = monitor(&source, &(), &*clock, report) => panic!("a monitor never returns"),
            () = clock.sleep_until(MonoTime::from_origin(Duration::from_millis(length))) => {}
        }
        (told.into_inner().expect("no panic"), source.starts.into_inner().expect("no panic"))
    })
}

fn check(length: u64, scripts: &[&[Step]], expected: &[(u64, &str)]) {
    let (told, _) = run(length, scripts);
    let told: Vec<_> = told.iter().map(|(at, text)| (*at, text.as_str())).collect();
    assert_eq!(told, expected);
}

#[test]
fn every_distinct_reading_is_reported_once() {
    let script = [Say(1), Wait(10), Say(1), Wait(10), Say(2), Wait(10), Say(1), Hang];
    check(60_000, &[&script], &[(0, "1"), (20, "2"), (30, "1")]);
}

#[test]
fn silence_becomes_unknown_after_a_second_and_is_forgiven() {
    check(60_000, &[&[Wait(4_000), Say(3), Hang]], &[(1_000, "unknown: no reading yet"), (4_000, "3")]);
}

#[test]
fn a_source_that_never_works_is_unknown_not_lost() {
    check(
        300_000,
        &[&[Lose("no bus")], &[Panic], &[Panic]],
        &[
            (0, "unknown: no bus"),
            (0, "unknown: the watch has ended"),
            (1_000, "unknown: it panicked: on purpose"),
        ],
    );
}

#[test]
fn the_last_reading_counts_for_thirty_seconds() {
    let dies = [Say(1), Wait(500)];
    check(120_000, &[&dies, &[Hang]], &[(0, "1"), (30_500, "lost: the watch has ended")]);
    check(120_000, &[&dies, &[Wait(28_000), Say(1), Hang]], &[(0, "1")]);
    check(
        120_000,
        &[&dies, &[Wait(40_000), Say(1), Hang]],
        &[(0, "1"), (30_500, "lost: the watch has ended"), (41_500, "1")],
    );
}

#[test]
fn a_reading_that_is_taken_away_counts_as_a_death() {
    let script = [Say(1), Wait(500), Lose("bus gone"), Wait(10_000), Lose("still gone"), Hang];
    check(120_000, &[&script], &[(0, "1"), (30_500, "lost: bus gone")]);
    check(120_000, &[&[Say(1), Wait(1), Lose("x"), Wait(20_000), Say(1), Hang]], &[(0, "1")]);
}

#[test]
fn a_watch_that_says_something_and_ends_at_once_is_heard() {
    check(900, &[&[Say(9)]], &[(0, "9")]);
}

#[test]
fn a_dropped_channel_and_a_panic_begin_a_new_watch() {
    check(
        60_000,
        &[&[Say(1), Drop], &[Say(2), Panic], &[Say(3), Hang]],
        &[(0, "1"), (1_000, "2"), (3_000, "3")],
    );
}

#[test]
fn new_watches_back_off_up_to_a_minute_and_a_long_life_resets_it() {
    let short: &[Step] = &[];
    let (_, starts) = run(400_000, &[short; 20]);
    assert_eq!(starts[..9], [0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 123_000, 183_000]);
    let (_, starts) = run(400_000, &[short, short, short, &[Wait(60_000)], short, &[Hang]]);
    assert_eq!(starts, [0, 1_000, 3_000, 7_000, 68_000, 70_000]);
}

#[test]
fn a_source_that_floods_is_heard_so_often_a_second_and_no_more() {
    // Time passes only while nothing can be done: without a rest this would never come to its end.
    let (told, starts) = run(10_500, &[&[Flood]]);
    assert_eq!(starts, [0]);
    let within = |second: u64| told.iter().filter(|(at, _)| at / 1_000 == second).count();
    let most = usize::try_from(MOST_A_SECOND).expect("a small number");
    for second in 0..10 {
        assert!((most - 1..=most + 1).contains(&within(second)), "{second}: {}", within(second));
    }
}
