//! What the engine tells `tracing` and `metrics`, and what it tells nobody (S9.2, fault 68).

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use pushe_tasks::telemetry::{TARGET, field, metric, span};
use pushe_tasks::{
    ExistingWorkPolicy, Fail, Outcome, PeriodOptions, RetryOptions, Schedule, Seen, Snooze, Task,
    TaskContext, TaskError, TaskOptions, WorkId,
};
use pushe_tasks_store::StoreError;
use pushe_tasks_tests::collector::{Collector, Told};
use pushe_tasks_tests::still::Still;
use serde::{Deserialize, Serialize};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A text that must be seen nowhere.
const CANARY: &str = "canary-in-a-mine";

/// The text of an error, which is for those who ask for it and for no log.
const ERROR: &str = "what-went-wrong";

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Act {
    Succeed,
    FailFirst,
    Fail,
    Panic,
    Snooze,
    Hang,
}

/// Does what its input says.
struct Acts;

impl Task for Acts {
    const NAME: &'static str = "Acts";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new()
        .retry(RetryOptions::new().delay(SECOND).jitter(0.0).max_attempts(2))
        .timeout(MINUTE);
    type Input = (Act, String);
    type Output = String;

    async fn perform((act, text): (Act, String), cx: TaskContext) -> Result<Outcome<String>, TaskError> {
        tracing::info!("a body speaks");
        cx.progress(&text).await?;
        match act {
            Act::FailFirst if cx.attempt() == 1 => return Err(TaskError::new(ERROR)),
            Act::Succeed | Act::FailFirst => {}
            Act::Fail => return Err(Fail::because(ERROR).into()),
            Act::Panic => std::panic::panic_any(ERROR),
            Act::Snooze => return Err(Snooze::lasting(MINUTE).into()),
            Act::Hang => {
                cx.cancellation_token().cancelled().await;
                return Err(TaskError::new(ERROR));
            }
        }
        Ok(Outcome::Success(text))
    }
}

fn start(still: &mut Still) {
    still.start(|builder| builder.register::<Acts>().only::<Acts>());
}

fn schedule(still: &Still, act: Act) -> WorkId {
    let work = Schedule::<Acts>::new((act, CANARY.to_owned()));
    let work = still.block(work.on(still.scheduler()).into_future()).unwrap().id();
    still.settle();
    work
}

/// Which spans are of interest is kept for the whole process: subscribers that come and go beside one another, or beside none,
/// confuse it.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a test with a subscriber that keeps everything.
fn collected(test: impl FnOnce(&mut Still, &Collector)) -> Collector {
    let _alone = alone();
    let collector = Collector::default();
    let mut still = Still::new();
    tracing::subscriber::with_default(collector.clone(), || {
        start(&mut still);
        test(&mut still, &collector);
    });
    collector
}

fn texts<'t>(told: &'t Told, fields: &[&str]) -> Vec<&'t str> {
    fields.iter().map(|field| told.fields.get(*field).map_or("", String::as_str)).collect()
}

#[test]
fn an_attempt_is_a_span_with_its_outcome_and_what_its_body_says_stands_in_it() {
    let collector = collected(|still, collector| {
        let work = schedule(still, Act::FailFirst).to_string();
        still.pass(2 * SECOND);
        let spans = collector.spans(span::ATTEMPT);
        let said = collector.events("a body speaks");
        let names = [field::WORK, field::TASK, field::ATTEMPT, field::CLAIM, field::OUTCOME, field::STOP];
        for (index, outcome) in ["retried", "succeeded"].into_iter().enumerate() {
            let (number, told) = &spans[index];
            let count = (index + 1).to_string();
            assert_eq!(texts(told, &names), [work.as_str(), "Acts", &count, &count, outcome, ""]);
            assert!(told.closed && told.target == TARGET, "{told:?}");
            assert_eq!(said[index].within, Some(*number));
        }
        assert_eq!((spans.len(), said.len()), (2, 2));
    });
    let commits = collector.spans(span::COMMIT);
    let sum =
        |name| commits.iter().map(|(_, told)| texts(told, &[name])[0].parse::<u32>().unwrap()).sum::<u32>();
    assert_eq!(sum(field::CLAIMED), 2);
    assert!(sum(field::VERBS) >= 3, "{commits:?}");
    let numbers: Vec<u64> =
        commits.iter().filter_map(|(_, told)| told.fields.get(field::COMMIT)?.parse().ok()).collect();
    assert!(numbers.len() > 2 && numbers.is_sorted(), "{numbers:?}");
    let (_, call) = &collector.spans(span::SCHEDULE)[0];
    assert_eq!(texts(call, &[field::TASK, field::PIECES]), ["Acts", "1"]);
}

#[test]
fn the_span_says_why_an_attempt_was_told_to_stop() {
    let collector = collected(|still, _| {
        schedule(still, Act::Hang);
        still.pass(3 * MINUTE);
        let work = schedule(still, Act::Hang);
        still.block(still.scheduler().cancel(work)).unwrap();
        still.settle();
        schedule(still, Act::Hang);
        still.block(still.scheduler().shutdown(SECOND));
    });
    let spans = collector.spans(span::ATTEMPT);
    let ends: Vec<_> = spans.iter().map(|(_, told)| texts(told, &[field::STOP, field::OUTCOME])).collect();
    assert_eq!(
        ends,
        [
            ["timeout", "timed_out"],
            ["timeout", "timed_out"],
            ["cancelled", "returned"],
            ["shutdown", "returned"]
        ]
    );
}

/// Whether a text shows the canary, as text or as the numbers of its bytes.
fn shows(text: &str) -> bool {
    let bytes: Vec<_> = CANARY.bytes().take(6).map(|byte| byte.to_string()).collect();
    text.contains(CANARY) || text.contains(&bytes.join(", "))
}

fn hidden(what: &str, value: &impl Debug) {
    for text in [format!("{value:?}"), format!("{value:#?}").replace(",\n", ", ").replace("  ", "")] {
        assert!(!shows(&text), "{what}: {text}");
    }
}

#[test]
fn fault_68_payloads_stand_in_no_log_no_event_and_no_debug_text() {
    let mut works = Vec::new();
    let collector = collected(|still, _| {
        let scheduler = still.scheduler().clone();
        let mut events = still.block(scheduler.events()).unwrap();
        for act in [Act::Succeed, Act::FailFirst, Act::Fail, Act::Panic, Act::Snooze, Act::Hang] {
            let work = Schedule::<Acts>::new((act, CANARY.to_owned()));
            hidden("a call", &work);
            let work = work.id(format!("{act:?}/{CANARY}")).policy(ExistingWorkPolicy::Append);
            let receipt = still.block(work.on(&scheduler).into_future()).unwrap();
            let mut watch = still.block(scheduler.watch(receipt.id())).unwrap();
            works.push(receipt.id());
            still.pass(2 * SECOND);
            if let Some(seen @ Seen::Standing(_)) = still.block(watch.next()).unwrap() {
                // Its task id is its name, and not its payload.
                let text = format!("{seen:?}").replace(&format!("{act:?}/{CANARY}"), "");
                assert!(!shows(&text), "{text}");
            }
            hidden("a watch", &watch);
        }
        let periodic =
            Schedule::<Acts>::new((Act::Succeed, CANARY.to_owned())).period(PeriodOptions::every(MINUTE));
        still.block(periodic.on(&scheduler).into_future()).unwrap();
        // A store that fails has much to say.
        still.store.break_with(Some(StoreError::Failed("the test".to_owned())));
        schedule_in_vain(still);
        still.pass(2 * MINUTE);
        still.store.break_with(None);
        still.pass(MINUTE);
        still.block(scheduler.shutdown(SECOND));
        while let Some(event) = still.block(events.next()) {
            hidden("an event", &event);
        }
    });
    let told = collector.all();
    assert!(told.len() > 50 && told.iter().any(|told| told.name == span::ATTEMPT), "{}", told.len());
    for told in &told {
        hidden("a log", told);
        assert!(!format!("{told:?}").contains(ERROR), "{told:?}");
    }
}

fn schedule_in_vain(still: &Still) {
    let work = Schedule::<Acts>::new((Act::Succeed, CANARY.to_owned()));
    let refused = still.block(work.on(still.scheduler()).into_future()).unwrap_err();
    hidden("a refusal", &refused);
    assert!(!shows(&refused.to_string()));
}

#[test]
fn spans_and_events_have_no_name_that_is_not_in_the_table() {
    let collector = collected(|still, _| {
        for act in [Act::FailFirst, Act::Fail, Act::Panic, Act::Hang] {
            schedule(still, act);
        }
        still.pass(3 * MINUTE);
        still.crash();
        start(still);
        still.block(still.scheduler().shutdown(SECOND));
    });
    let ours = collector
        .all()
        .into_iter()
        .filter(|told| told.target.starts_with("pushe_tasks") && told.target != "pushe_tasks_tests");
    for told in ours {
        let is_event = told.fields.contains_key("message");
        assert!(is_event || span::ALL.contains(&&*told.name), "{told:?}");
        let known = |name: &&String| field::ALL.contains(&name.as_str()) || *name == "message";
        let unknown: Vec<_> = told.fields.keys().filter(|name| !known(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?} in {told:?}");
    }
}

/// A recorder that keeps counts, last values and sums.
#[derive(Clone, Default)]
struct Meters(Arc<Mutex<BTreeMap<String, Vec<f64>>>>, Arc<Mutex<BTreeMap<String, Option<Unit>>>>);

struct Series(Meters, String);

impl Series {
    fn add(&self, value: f64) {
        self.0.0.lock().unwrap().entry(self.1.clone()).or_default().push(value);
    }
}

impl CounterFn for Series {
    #[expect(clippy::cast_precision_loss, reason = "the counts of a test are small")]
    fn increment(&self, value: u64) {
        self.add(value as f64);
    }
    fn absolute(&self, _: u64) {
        panic!("a counter of the engine only grows by steps");
    }
}

impl GaugeFn for Series {
    fn increment(&self, value: f64) {
        self.add(value);
    }
    fn decrement(&self, value: f64) {
        self.add(-value);
    }
    fn set(&self, value: f64) {
        self.add(value);
    }
}

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        self.add(value);
    }
}

impl Meters {
    fn series(&self, key: &Key) -> Arc<Series> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Series(self.clone(), format!("{}[{}]", key.name(), labels.join(","))))
    }

    fn described(&self, key: &KeyName, unit: Option<Unit>) {
        self.1.lock().unwrap().insert(key.as_str().to_owned(), unit);
    }

    fn values(&self, name: &str, labels: &str) -> Vec<f64> {
        self.0.lock().unwrap().get(&format!("{name}[{labels}]")).cloned().unwrap_or_default()
    }

    fn total(&self, name: &str, labels: &str) -> f64 {
        self.values(name, labels).iter().sum()
    }
}

impl Recorder for Meters {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.described(&key, unit);
    }
    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.described(&key, unit);
    }
    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.described(&key, unit);
    }
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.series(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.series(key))
    }
}

#[test]
#[expect(clippy::float_cmp, reason = "whole numbers, and times of a clock that stands still")]
fn metrics_count_what_happened() {
    let _alone = alone();
    let meters = Meters::default();
    metrics::with_local_recorder(&meters, || {
        let mut still = Still::new();
        start(&mut still);
        let delayed = Schedule::<Acts>::new((Act::FailFirst, String::new())).delay("5s");
        still.block(delayed.on(still.scheduler()).into_future()).unwrap();
        for act in [Act::Succeed, Act::Fail, Act::Panic, Act::Snooze] {
            schedule(&still, act);
        }
        let hangs = schedule(&still, Act::Hang);
        still.pass(10 * SECOND);
        still.block(still.scheduler().cancel(hangs)).unwrap();
        still.store.break_with(Some(StoreError::Failed("the test".to_owned())));
        schedule_in_vain(&still);
        still.store.break_with(None);
        still.pass(SECOND);
    });
    let task = "task=Acts";
    let count = |name: &str| meters.total(name, task);
    assert_eq!(count(metric::SCHEDULED), 6.0);
    assert_eq!(count(metric::ATTEMPTS_STARTED), 8.0, "two of them twice");
    let ended = |outcome: &str| meters.total(metric::ATTEMPTS_ENDED, &format!("{task},outcome={outcome}"));
    let ends = ["succeeded", "retried", "failed", "panicked", "snoozed", "returned"].map(ended);
    assert_eq!(ends, [2.0, 1.0, 1.0, 2.0, 1.0, 1.0]);
    let finished = |state: &str| meters.total(metric::FINISHED, &format!("{task},state={state}"));
    assert_eq!(["succeeded", "failed", "cancelled", "quarantined"].map(finished), [2.0, 2.0, 1.0, 0.0]);
    assert!(meters.total(metric::COMMITS, "") > 5.0);
    assert!(meters.total(metric::COMMITS_FAILED, "") >= 1.0);
    let tried = meters.values(metric::COMMITS, "").len() + meters.values(metric::COMMITS_FAILED, "").len();
    assert_eq!(meters.values(metric::COMMIT_SECONDS, "").len(), tried);
    assert!(meters.total(metric::COMMIT_VERBS, "") >= 14.0);
    // On this clock nothing starts late, and the attempt that hung took ten seconds.
    assert_eq!(
        (meters.values(metric::START_DELAY, task).len(), meters.total(metric::START_DELAY, task)),
        (8, 0.0)
    );
    let took = meters.values(metric::ATTEMPT_SECONDS, task);
    assert_eq!((took.len(), took.last()), (8, Some(&10.0)));
    assert_eq!(meters.values(metric::RUNNING, "").last(), Some(&0.0));
    let described: Vec<_> =
        meters.1.lock().unwrap().iter().map(|(name, unit)| (name.clone(), *unit)).collect();
    let mut all = metric::ALL.to_vec();
    all.sort_unstable();
    assert_eq!(described.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), all);
    for (name, unit) in described {
        let expected = if name.ends_with("_seconds") { Unit::Seconds } else { Unit::Count };
        assert_eq!(unit, Some(expected), "{name}");
    }
}

#[test]
fn fault_55_a_recorder_that_panics_is_passed_over() {
    struct Panics;
    impl Recorder for Panics {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
            panic!("a recorder")
        }
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
            panic!("a recorder")
        }
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
            panic!("a recorder")
        }
        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            panic!("a recorder")
        }
        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            panic!("a recorder")
        }
        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            panic!("a recorder")
        }
    }
    let _alone = alone();
    metrics::with_local_recorder(&Panics, || {
        let mut still = Still::new();
        start(&mut still);
        let work = schedule(&still, Act::Succeed);
        let state = still.block(still.scheduler().wait(work)).unwrap();
        assert_eq!(state, pushe_tasks::WorkState::Succeeded);
    });
}
