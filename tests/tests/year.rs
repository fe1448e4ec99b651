//! A year of mixed work on the real engine: periods, cron in a zone, appended work, constraints that flap, crashes and
//! restarts, clocks that jump, a machine that sleeps (S4, S5, S7, S8).
//!
//! What bodies see is held against a ledger that no engine has: how often and in which order each piece ran, whether its slot
//! lay on its grid and came once, and whether the network was there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pushe_tasks::constraint::NetworkState;
use pushe_tasks::prelude::*;
use pushe_tasks::testing::TestScheduler;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// 1 January 2026.
const START: u64 = 1_767_225_600;

/// How far slots may come early.
const FLEX: u64 = 10 * MINUTE;

#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    attempts: u64,
    /// What must not be.
    wrong: Vec<String>,
    /// Whether the network is there.
    offline: bool,
    /// Bodies that live, by what may have only one.
    living: BTreeSet<String>,
    /// The last slot that each periodic task ran, and what it saw.
    slots: BTreeMap<&'static str, Slots>,
    /// Of each line of appended work, the numbers that ran, in their order.
    lines: BTreeMap<u8, Vec<u32>>,
    /// How often each single piece has come to its end.
    ended: BTreeMap<u32, u32>,
    /// How often bodies were killed or stopped.
    cut: u64,
    /// Set back by more than a period: its grid may have a new anchor.
    set_back: u64,
}

#[derive(Default)]
struct Slots {
    last: Option<u64>,
    runs: u64,
    missed: u64,
    seen_back: u64,
    /// Where the grid lies within the period.
    phase: u64,
}

impl Ledger {
    fn open(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }
}

impl Inner {
    fn violation(&mut self, text: String) {
        if self.wrong.len() < 20 {
            self.wrong.push(text);
        }
    }

    /// A body begins; it ends when the answer is dropped, however that comes about.
    fn begin(&mut self, ledger: &Ledger, only: String) -> Living {
        self.attempts += 1;
        if !self.living.insert(only.clone()) {
            self.violation(format!("two bodies of {only}"));
        }
        Living { ledger: ledger.clone(), only, done: false }
    }

    /// A slot begins.
    fn slot(&mut self, task: &'static str, every: Option<u64>, cx: &TaskContext, now: u64) {
        let slot = cx.slot().expect("it is periodic");
        let (number, at) = (slot.number, seconds(slot.at));
        let set_back = self.set_back;
        let seen = self.slots.entry(task).or_default();
        let mut wrong = Vec::new();
        if let Some(period) = every {
            if seen.runs == 0 || seen.seen_back != set_back {
                // The anchor is that of its first run, or of the first after the clock was set back by more than a period.
                (seen.phase, seen.seen_back) = (at % period, set_back);
            } else if at % period != seen.phase {
                wrong.push(format!("slot {number} of {task} at {at} lies beside its grid"));
            }
        }
        let early = if every.is_some() { FLEX } else { 0 };
        if now + early < at {
            wrong.push(format!("slot {number} of {task} begins {} s early", at - now));
        }
        match seen.last {
            // Only a body that was cut off may come again.
            Some(last) if cx.attempt() == 1 && number == last && self.cut == 0 => {
                wrong.push(format!("slot {number} of {task} runs twice"));
            }
            Some(last) if number < last => wrong.push(format!("slot {number} of {task} after slot {last}")),
            Some(last) if number > last => {
                let (skipped, told) = (number - last - 1, cx.missed_slots());
                // A slot that begins late counts as missed itself.
                if told < skipped || told > skipped + 1 {
                    wrong.push(format!(
                        "{task}: {skipped} slots before {number} did not run, {told} are told"
                    ));
                }
                seen.missed += skipped;
            }
            _ => {}
        }
        if seen.last != Some(number) {
            seen.runs += 1;
        }
        seen.last = Some(number);
        for text in wrong {
            self.violation(text);
        }
    }

    /// The end of the year.
    #[expect(clippy::print_stdout, reason = "figures for people")]
    fn check(&self, lines: &BTreeMap<u8, u32>, singles: u32) {
        let cut = self.cut;
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
        assert!(self.attempts >= 50_000, "{} attempts", self.attempts);
        assert!(cut >= 20, "{cut} bodies were cut off");
        // Every single piece came to its end, and more than once only where a crash lost that end.
        assert_eq!(self.ended.keys().copied().collect::<Vec<_>>(), (0..singles).collect::<Vec<_>>());
        let twice = self.ended.values().filter(|ends| **ends > 1).count() as u64;
        assert!(twice <= cut, "{twice} pieces ended twice, {cut} bodies were cut off");
        // Every line ran in its order, as often as it was asked to.
        for (line, count) in lines {
            let mut ran = self.lines[line].clone();
            assert!(ran.is_sorted(), "line {line}: {ran:?}");
            ran.dedup();
            assert_eq!(ran, (0..*count).collect::<Vec<_>>(), "line {line}");
        }
        let expected =
            [("thrice_hourly", 20_000), ("half_hourly", 12_000), ("every_hour", 7_000), ("every_night", 330)];
        for (task, least) in expected {
            let Slots { runs, missed, .. } = self.slots[task];
            assert!(runs > least, "{task}: {runs} runs, {missed} slots missed");
            println!("{task}: {runs} runs, {missed} slots missed");
        }
        println!("{} attempts, {cut} bodies cut off", self.attempts);
    }
}

/// A body that lives.
struct Living {
    ledger: Ledger,
    only: String,
    done: bool,
}

impl Living {
    fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        let mut ledger = self.ledger.open();
        ledger.living.remove(&self.only);
        ledger.cut += u64::from(!self.done);
    }
}

fn seconds(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[derive(Clone)]
struct World {
    ledger: Ledger,
    clock: Arc<Mutex<Option<pushe_tasks::testing::TestClock>>>,
}

impl World {
    fn now(&self) -> u64 {
        seconds(self.clock.lock().unwrap().as_ref().unwrap().now())
    }

    /// A periodic body, which takes a few seconds.
    async fn period(&self, task: &'static str, every: Option<u64>, cx: &TaskContext) {
        let now = self.now();
        let living = {
            let mut ledger = self.ledger.open();
            ledger.slot(task, every, cx, now);
            ledger.begin(&self.ledger, task.to_owned())
        };
        pause(3).await;
        living.done();
    }
}

#[expect(clippy::disallowed_methods, reason = "bodies sleep as those of a user do")]
async fn pause(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[pushe_task(every = "20m", flex = "10m")]
async fn thrice_hourly(State(world): State<World>, cx: TaskContext) {
    world.period("thrice_hourly", Some(20 * MINUTE), &cx).await;
}

#[pushe_task(every = "30m", network = Connected)]
async fn half_hourly(State(world): State<World>, cx: TaskContext) -> Result<(), TaskError> {
    if world.ledger.open().offline {
        world.ledger.open().violation("a body begins without its network".to_owned());
    }
    world.period("half_hourly", Some(30 * MINUTE), &cx).await;
    Ok(())
}

#[pushe_task(cron = "20 * * * *", tz = "Europe/Berlin")]
async fn every_hour(State(world): State<World>, cx: TaskContext) {
    world.period("every_hour", None, &cx).await;
}

/// In Berlin's gap in March, and twice on its clocks in October.
#[pushe_task(cron = "30 2 * * *", tz = "Europe/Berlin")]
async fn every_night(State(world): State<World>, cx: TaskContext) {
    world.period("every_night", None, &cx).await;
}

#[derive(Serialize, Deserialize)]
struct Piece {
    line: u8,
    number: u32,
}

#[pushe_task(id = "line {line}", policy = Append, network = Connected)]
async fn in_line(piece: Piece, State(world): State<World>) {
    let living = world.ledger.open().begin(&world.ledger, format!("line {}", piece.line));
    pause(40).await;
    world.ledger.open().lines.entry(piece.line).or_default().push(piece.number);
    living.done();
}

/// Errs at first as often as it is told.
#[pushe_task(retry(delay = "1m", max_delay = "1h"))]
async fn single(input: (u32, u32), State(world): State<World>, cx: TaskContext) -> Result<(), TaskError> {
    let (number, errors) = input;
    let living = world.ledger.open().begin(&world.ledger, format!("single {number}"));
    if cx.attempt() <= errors {
        living.done();
        return Err(TaskError::new("not yet"));
    }
    pause(5).await;
    *world.ledger.open().ended.entry(number).or_default() += 1;
    living.done();
    Ok(())
}

/// What befalls the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Offline,
    Online,
    Line,
    Single,
    Crash,
    Restart,
    Sleep,
    Forward,
    Back,
    FarBack,
}

/// The events of one day, with their seconds.
fn day(day: u64, random: &mut fastrand::Rng) -> Vec<(u64, Event)> {
    let mut events = Vec::new();
    for _ in 0..random.u64(1..4) {
        let at = random.u64(..DAY - HOUR);
        events.push((at, Event::Offline));
        // Some losses are shorter than the grace.
        events.push((at + random.u64(1..HOUR), Event::Online));
        events.push((at + 2, if random.bool() { Event::Online } else { Event::Offline }));
    }
    events.push((DAY - 1, Event::Online));
    let some = |times: u64, event, random: &mut fastrand::Rng, events: &mut Vec<(u64, Event)>| {
        events.extend((0..times).map(|_| (random.u64(..DAY), event)));
    };
    some(6, Event::Line, random, &mut events);
    some(6, Event::Single, random, &mut events);
    for (each, event) in
        [(3, Event::Crash), (20, Event::Restart), (4, Event::Sleep), (20, Event::Forward), (20, Event::Back)]
    {
        some(u64::from(random.u64(..each) == 0), event, random, &mut events);
    }
    some(u64::from(day % 97 == 96), Event::FarBack, random, &mut events);
    events.sort_unstable();
    events
}

#[tokio::test(start_paused = true)]
async fn a_year_of_mixed_work() {
    let world = World { ledger: Ledger::default(), clock: Arc::default() };
    let given = world.clone();
    let mut test = TestScheduler::setup()
        .seed(2026)
        .now(UNIX_EPOCH + Duration::from_secs(START))
        .builder(move |builder| builder.state(given.clone()))
        .start()
        .await;
    *world.clock.lock().unwrap() = Some(test.clock().clone());
    let mut random = fastrand::Rng::with_seed(2026);
    let (mut lines, mut singles) = (BTreeMap::<u8, u32>::new(), 0);

    ThriceHourly::schedule().await.unwrap();
    HalfHourly::schedule().await.unwrap();
    EveryHour::schedule().await.unwrap();
    EveryNight::schedule().await.unwrap();
    for number in 0..365 {
        let mut passed = 0;
        for (at, event) in day(number, &mut random) {
            test.advance(Duration::from_secs(at.saturating_sub(passed))).await;
            passed = passed.max(at);
            match event {
                Event::Offline | Event::Online => {
                    world.ledger.open().offline = event == Event::Offline;
                    let offline = event == Event::Offline;
                    let state = if offline { NetworkState::offline() } else { NetworkState::routed() };
                    test.device().network(state);
                }
                Event::Line => {
                    let line = random.u8(..3);
                    let number = lines.entry(line).or_default();
                    InLine::schedule(Piece { line, number: *number }).await.unwrap();
                    *number += 1;
                }
                Event::Single => {
                    let delay = Duration::from_secs(random.u64(..DAY));
                    Single::schedule((singles, random.u32(..4))).delay(delay).await.unwrap();
                    singles += 1;
                }
                Event::Crash => {
                    // Most of them find a body.
                    let line = random.u8(..3);
                    let number = lines.entry(line).or_default();
                    InLine::schedule(Piece { line, number: *number }).await.unwrap();
                    *number += 1;
                    let later = random.u64(..60);
                    test.advance(Duration::from_secs(later)).await;
                    passed += later;
                    test.crash_and_reopen().await;
                }
                Event::Restart => test.restart(Duration::from_secs(10)).await,
                Event::Sleep => test.suspend(Duration::from_secs(random.u64(HOUR..8 * HOUR))).await,
                Event::Forward => test.clock().jump(Duration::from_secs(random.u64(1..3 * HOUR))),
                Event::Back => test.clock().jump_back(Duration::from_secs(random.u64(1..15 * MINUTE))),
                Event::FarBack => {
                    world.ledger.open().set_back += 1;
                    test.clock().jump_back(Duration::from_secs(5 * HOUR));
                }
            }
        }
        test.advance(Duration::from_secs(DAY.saturating_sub(passed))).await;
        let wrong = std::mem::take(&mut world.ledger.open().wrong);
        assert!(wrong.is_empty(), "on day {number}: {wrong:#?}");
    }

    let report = test.drain().await;
    assert!(report.waiting.is_empty(), "{report}");
    assert_eq!((report.failed, report.quarantined, report.cancelled), (0, 0, 0), "{report}");
    world.ledger.open().check(&lines, singles);
}
