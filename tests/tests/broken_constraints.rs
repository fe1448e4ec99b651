//! Constraints and sources whose code is broken: they hold their own work and nobody else's (CONSTRAINTS 3, fault 56).
#![allow(clippy::unused_async, reason = "a task is an `async fn`, whether it waits for anything or not")]

use std::time::{Duration, SystemTime};

use pushe_tasks::clock::{Clock as _, WallTime};
use pushe_tasks::constraint::{
    Constraint, ConstraintDecodeError, Damping, Manual, Reading, Requirement, Source, TimeWindow, Verdict,
    publish,
};
use pushe_tasks::{Driver, Health, ScheduleError, SchedulerBuilder, TaskScheduler, WorkId, prelude::*};
use pushe_tasks_tests::deadline::soon;
use pushe_tasks_tests::sim::clock::SimClock;
use tokio::sync::watch;

/// Breaks where its word says.
#[derive(Debug)]
struct Breaks(&'static str);

impl Breaks {
    fn at(&self, place: &str) {
        assert!(self.0 != place, "{place} is broken");
    }
}

impl Constraint for Breaks {
    const KIND: &'static str = "app/breaks";
    type Source = Manual<u8>;

    fn encode(&self) -> Vec<u8> {
        self.0.as_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, ConstraintDecodeError> {
        let places = ["decode", "key", "check", "unknown", "damping", "describe"];
        let this = places.into_iter().find(|place| place.as_bytes() == bytes).map(Self);
        let this = this.ok_or_else(|| ConstraintDecodeError::new("no such place"))?;
        this.at("decode");
        Ok(this)
    }

    fn key(&self) {
        self.at("key");
    }

    fn check(&self, _: &u8, _: WallTime) -> Verdict {
        self.at("check");
        Verdict::met()
    }

    fn damping(&self) -> Damping {
        self.at("damping");
        Damping::NONE
    }

    fn unknown(&self, _: &str) -> Verdict {
        self.at("unknown");
        Verdict::met()
    }
}

/// Bears the kind of another type.
#[derive(Debug)]
struct Impostor;

impl Constraint for Impostor {
    const KIND: &'static str = Breaks::KIND;
    type Source = Manual<u16>;

    fn encode(&self) -> Vec<u8> {
        b"check".to_vec()
    }

    fn decode(_: &[u8]) -> Result<Self, ConstraintDecodeError> {
        Ok(Self)
    }

    fn key(&self) {}

    fn check(&self, _: &u16, _: WallTime) -> Verdict {
        Verdict::met()
    }
}

/// Stores so many bytes.
#[derive(Debug)]
struct Large(usize);

impl Constraint for Large {
    const KIND: &'static str = "app/large";
    type Source = Manual<u8>;

    fn encode(&self) -> Vec<u8> {
        vec![1; self.0]
    }

    fn decode(bytes: &[u8]) -> Result<Self, ConstraintDecodeError> {
        Ok(Self(bytes.len()))
    }

    fn key(&self) {}

    fn check(&self, _: &u8, _: WallTime) -> Verdict {
        Verdict::met()
    }
}

/// Has a reading at no time.
struct Dumb;

impl Source for Dumb {
    type Key = String;
    type State = u64;

    async fn read(&self, _: &String) -> Reading<u64> {
        panic!("a read is broken")
    }

    async fn watch(&self, _: String, out: watch::Sender<Reading<u64>>) {
        publish(&out, Reading::unknown("the bus is gone"));
        std::future::pending::<()>().await;
    }
}

#[derive(Debug)]
struct Heard;

impl Constraint for Heard {
    const KIND: &'static str = "app/heard";
    type Source = Dumb;

    fn encode(&self) -> Vec<u8> {
        Vec::new()
    }

    fn decode(_: &[u8]) -> Result<Self, ConstraintDecodeError> {
        Ok(Self)
    }

    fn key(&self) -> String {
        "here".to_owned()
    }

    fn check(&self, _: &u64, _: WallTime) -> Verdict {
        Verdict::met()
    }
}

#[pushe_task]
async fn sweep() -> Outcome<u32> {
    Outcome::Success(2)
}

fn builder() -> SchedulerBuilder {
    TaskScheduler::in_memory().detached().only::<Sweep>()
}

/// Asks where a piece stands until that is as wanted.
async fn stands(scheduler: &TaskScheduler, id: WorkId, wanted: &str) -> String {
    soon("a standing", async {
        loop {
            let text = scheduler.explain(id).await.unwrap().to_string();
            if text.contains(wanted) {
                return text;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// The rest goes on: other work runs, the engine answers, and it can be ended.
async fn goes_on(scheduler: TaskScheduler) -> Health {
    let free = Sweep::schedule().on(&scheduler).await.unwrap();
    assert_eq!(soon("other work", free.output()).await.unwrap(), 2);
    let health = soon("the health", scheduler.health()).await.unwrap();
    soon("the shutdown", scheduler.shutdown(Duration::ZERO)).await;
    health
}

#[tokio::test]
async fn a_constraint_that_panics_holds_its_own_work_and_nothing_else() {
    let held = async |place: &'static str, reading, wanted: &str| {
        let source = Manual::<u8>::with(reading);
        let scheduler = soon("the start", builder().source(source).register_constraint::<Breaks>().start());
        let scheduler = scheduler.await.unwrap();
        let work = Sweep::schedule().requires(Breaks(place)).on(&scheduler).await.unwrap();
        let text = stands(&scheduler, work.id(), wanted).await;
        assert!(text.starts_with("waits for app/breaks ("), "{text}");
        goes_on(scheduler).await;
    };
    held("check", Reading::Known(1), "(its check panicked: check is broken, for ").await;
    held("unknown", Reading::unknown("nobody knows"), "(its check panicked: unknown is broken, for ").await;
    held("decode", Reading::Known(1), "cannot be read: its code panicked: decode is broken").await;
    held("key", Reading::Known(1), "cannot be read: its code panicked: key is broken").await;
}

#[tokio::test]
async fn one_that_panics_about_how_quickly_it_acts_acts_as_by_default() {
    let builder = builder().source(Manual::<u8>::new(1)).register_constraint::<Breaks>();
    let scheduler = soon("the start", builder.start()).await.unwrap();
    let work = Sweep::schedule().requires(Breaks("damping")).on(&scheduler).await.unwrap();
    assert_eq!(soon("the sweep", work.output()).await.unwrap(), 2);
    goes_on(scheduler).await;
}

#[tokio::test]
async fn a_kind_that_another_type_bears_is_refused_at_the_call() {
    let builder = builder().source(Manual::<u8>::new(1)).register_constraint::<Breaks>();
    let scheduler = soon("the start", builder.start()).await.unwrap();
    let error = Sweep::schedule().requires(Impostor).on(&scheduler).await.unwrap_err();
    assert!(matches!(error, ScheduleError::Constraint { .. }));
    let text =
        "another type bears the kind `app/breaks`; give `broken_constraints::Impostor` a `KIND` of its own";
    assert!(error.to_string().ends_with(text), "{error}");
    goes_on(scheduler).await;
}

#[tokio::test]
async fn a_constraint_is_a_small_value_and_there_are_few_of_them() {
    let builder = builder().source(Manual::<u8>::new(1)).register_constraint::<Large>();
    let scheduler = soon("the start", builder.start()).await.unwrap();
    let call = |sizes: &[usize]| {
        sizes.iter().fold(Sweep::schedule(), |call, size| call.requires(Large(*size))).on(&scheduler)
    };
    call(&[8_192]).await.unwrap();
    let error = call(&[8_193]).await.unwrap_err().to_string();
    assert!(error.contains("its stored value has 8193 bytes; store at most 8192"), "{error}");
    let sizes: Vec<_> = (0..33).collect();
    call(&sizes[..32]).await.unwrap();
    let error = call(&sizes).await.unwrap_err().to_string();
    assert!(error.contains("there are 33 of them; "), "{error}");
    assert_eq!(Requirement::from(Large(9_000)).problem().map(|text| text.contains("9000")), Some(true));
    goes_on(scheduler).await;
}

#[tokio::test]
async fn health_names_a_source_that_has_no_reading() {
    let builder = builder().source(Dumb).register_constraint::<Heard>();
    let scheduler = soon("the start", builder.start()).await.unwrap();
    assert!(scheduler.health().await.unwrap().sources.is_empty(), "nothing is watched yet");
    let work = Sweep::schedule().requires(Heard).on(&scheduler).await.unwrap();
    stands(&scheduler, work.id(), "(the bus is gone, for ").await;
    let health = goes_on(scheduler).await;
    let [source] = &health.sources[..] else { panic!("{:?}", health.sources) };
    assert_eq!(source.name, "broken_constraints::Dumb(\"here\")");
    assert_eq!(source.why, "the bus is gone");
    assert!(source.since <= SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(u32::MAX)));
}

#[test]
fn windows_are_judged_again_when_the_clock_is_set_back() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // At ten o'clock the morning is open, and until noon nothing has to be judged again.
        let clock = SimClock::new(WallTime::from_millis(1_795_514_400_000));
        let builder = builder().driver(Driver::Caller).clock(clock.clone());
        let scheduler = soon("the start", builder.start()).await.unwrap();
        let morning = || TimeWindow::daily("09:00", "12:00").zone("UTC");
        let call = || Sweep::schedule().requires(morning()).on(&scheduler);
        assert_eq!(soon("the sweep", call().await.unwrap().output()).await.unwrap(), 2);
        clock.jump(-7_200_000);
        let work = call().await.unwrap();
        let text = stands(&scheduler, work.id(), "closed until").await;
        assert!(text.contains("(closed until Tue 09:00 UTC, for "), "{text}");
        // The other way round: an evening that was closed until six is open at once.
        let night = TimeWindow::quiet("07:00", "18:00").zone("UTC");
        let work = Sweep::schedule().requires(night).on(&scheduler).await.unwrap();
        stands(&scheduler, work.id(), "closed until").await;
        clock.jump(-7_200_000);
        assert_eq!(soon("the sweep", work.output()).await.unwrap(), 2);
        assert!(clock.wall() < WallTime::from_millis(1_795_514_400_000));
        soon("the shutdown", scheduler.shutdown(Duration::ZERO)).await;
    });
}
