//! Code of the application that panics within the engine (faults 54 and 55): each panic stays where it was, is told, and takes
//! nothing with it.
#![allow(clippy::unused_async, reason = "a task is an `async fn`, whether it waits for anything or not")]

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use pushe_tasks::clock::{Clock, MonoTime, Sleep, SystemClock, WallTime};
use pushe_tasks::constraint::{Constraint, ConstraintDecodeError, Damping, Manual, Verdict};
use pushe_tasks::store::{Changes, Look, MemoryStore, Store, StoreError, StoreFacts, Verbs};
use pushe_tasks::{
    AttemptEnd, CallError, Randomness, Receipt, RetryOptions, Schedule, SchedulerBuilder, SystemRandomness,
    Task, TaskScheduler, WorkInfo, WorkState, prelude::*,
};
use pushe_tasks_tests::deadline::soon;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const SHORT: RetryOptions = RetryOptions::new().delay(Duration::from_millis(1)).jitter(0.0);

/// The threads on which the subscriber has panicked, while it was to.
static PANICKED_ON: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static LOG_PANICS: AtomicBool = AtomicBool::new(false);

/// A subscriber that panics at every event while it is told to.
struct Fragile;

impl Subscriber for Fragile {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        if LOG_PANICS.load(Ordering::SeqCst) {
            let thread = std::thread::current().name().unwrap_or_default().to_owned();
            PANICKED_ON.lock().unwrap_or_else(PoisonError::into_inner).insert(thread);
            panic!("the subscriber panics");
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Ends at once.
#[pushe_task]
async fn answer() -> Outcome<u32> {
    Outcome::Success(42)
}

async fn works(scheduler: &TaskScheduler) {
    let work = soon("the store", Answer::schedule().on(scheduler).into_future()).await.unwrap();
    assert_eq!(soon("the answer", work.output()).await.unwrap(), 42);
    soon("health", scheduler.health()).await.unwrap();
}

async fn end(scheduler: TaskScheduler) {
    soon("the shutdown", scheduler.shutdown(Duration::ZERO)).await;
}

async fn ended<T: Task>(scheduler: &TaskScheduler, work: &Receipt<T>) -> WorkInfo {
    soon("the end of the work", work.wait()).await.unwrap();
    scheduler.info(work.id()).await.unwrap()
}

/// A store in memory whose commits fail while it is told to.
struct Failing(MemoryStore, Arc<AtomicBool>);

impl Store for Failing {
    fn write(&mut self, body: &mut dyn FnMut(&mut dyn Verbs)) -> Result<Changes, StoreError> {
        if self.1.load(Ordering::SeqCst) {
            return Err(StoreError::Undone("told to".to_owned()));
        }
        self.0.write(body)
    }

    fn read(&mut self, body: &mut dyn FnMut(&dyn Look)) -> Result<(), StoreError> {
        self.0.read(body)
    }

    fn facts(&self) -> &StoreFacts {
        self.0.facts()
    }
}

/// Lets the body go that holds its thread.
#[derive(Clone, Default)]
struct Freed(Arc<AtomicBool>);

/// Hears nothing and holds its thread until it is let go.
#[pushe_task(run_on = Blocking, timeout = "10ms", retry(max_attempts = 1))]
fn hold(State(freed): State<Freed>) {
    while !freed.0.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn fault_55_a_subscriber_that_panics_ends_no_loop_of_the_engine() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Fragile).unwrap());
    let (fails, freed) = (Arc::new(AtomicBool::new(false)), Freed::default());
    let store = Failing(MemoryStore::default(), Arc::clone(&fails));
    LOG_PANICS.store(true, Ordering::SeqCst);
    let builder = SchedulerBuilder::on_store(Box::new(store)).detached().state(freed.clone());
    let builder = builder.only::<Answer>().only::<Hold>().stop_grace(Duration::from_millis(5));
    let scheduler = soon("the start", builder.start()).await.unwrap();
    works(&scheduler).await;
    // The writer tells of a commit that failed, the dispatcher of a body that does not stop.
    fails.store(true, Ordering::SeqCst);
    soon("a refusal", Answer::schedule().on(&scheduler).into_future()).await.unwrap_err();
    fails.store(false, Ordering::SeqCst);
    let zombie = Hold::schedule().on(&scheduler).await.unwrap();
    assert_eq!(ended(&scheduler, &zombie).await.state, WorkState::Failed);
    freed.0.store(true, Ordering::SeqCst);
    let panicked = PANICKED_ON.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for thread in ["pushe-writer", "pushe-dispatcher"] {
        assert!(panicked.contains(thread), "it panicked on {panicked:?}");
    }
    works(&scheduler).await;
    LOG_PANICS.store(false, Ordering::SeqCst);
    end(scheduler).await;
}

/// The mood that a constraint looks at.
#[derive(Clone, Copy)]
enum Mood {
    Good,
    /// Judging it panics.
    Bad,
    /// Comparing and showing it panics too.
    Worst,
}

impl PartialEq for Mood {
    fn eq(&self, other: &Self) -> bool {
        assert!(!matches!((self, other), (Self::Worst, _) | (_, Self::Worst)), "compared");
        matches!((self, other), (Self::Good, Self::Good) | (Self::Bad, Self::Bad))
    }
}

impl fmt::Debug for Mood {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("shown")
    }
}

/// A constraint of which everything panics that is asked of it while the engine runs.
#[derive(Debug)]
struct Cheer(bool);

impl Constraint for Cheer {
    const KIND: &'static str = "test/cheer";
    type Source = Manual<Mood>;

    fn encode(&self) -> Vec<u8> {
        vec![u8::from(self.0)]
    }

    fn decode(bytes: &[u8]) -> Result<Self, ConstraintDecodeError> {
        assert!(bytes != [0], "read back");
        Ok(Self(true))
    }

    fn key(&self) {}

    fn check(&self, mood: &Mood, _: WallTime) -> Verdict {
        assert!(matches!(mood, Mood::Good), "judged");
        Verdict::met()
    }

    fn unknown(&self, _: &str) -> Verdict {
        panic!("judged without a reading")
    }

    fn damping(&self) -> Damping {
        panic!("damped")
    }

    fn describe(&self) -> std::borrow::Cow<'static, str> {
        let in_engine = std::thread::current().name() == Some("pushe-dispatcher");
        assert!(!in_engine, "described");
        std::borrow::Cow::Borrowed("cheer")
    }
}

/// Needs nothing by itself.
#[pushe_task]
async fn sing() -> Outcome<u32> {
    Outcome::Success(1)
}

#[tokio::test]
async fn fault_55_a_constraint_that_panics_holds_its_own_work_and_says_why() {
    let mood = Manual::<Mood>::new(Mood::Bad);
    let builder = TaskScheduler::in_memory().detached().only::<Sing>().only::<Answer>();
    let builder = builder.register_constraint::<Cheer>().source(mood.clone());
    let scheduler = soon("the start", builder.start()).await.unwrap();
    let unread = Sing::schedule().requires(Cheer(false)).on(&scheduler).await.unwrap();
    let work = Sing::schedule().requires(Cheer(true)).on(&scheduler).await.unwrap();
    let standing = soon("a judgement", async {
        loop {
            let standing = scheduler.explain(work.id()).await.unwrap().to_string();
            if standing.contains("judged") {
                return standing;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(standing.contains("its check panicked: judged"), "{standing}");
    let standing = scheduler.explain(unread.id()).await.unwrap().to_string();
    assert!(standing.contains("its code panicked: read back"), "{standing}");
    works(&scheduler).await;
    mood.lose("nobody knows");
    works(&scheduler).await;
    mood.set(Mood::Good);
    assert_eq!(soon("the work, once it is judged", work.output()).await.unwrap(), 1);
    end(scheduler).await;
}

#[tokio::test]
async fn fault_55_a_state_that_panics_where_it_is_compared_is_unknown() {
    let mood = Manual::<Mood>::new(Mood::Worst);
    let builder = TaskScheduler::in_memory().detached().only::<Sing>().only::<Answer>();
    let builder = builder.register_constraint::<Cheer>().source(mood);
    let scheduler = soon("the start", builder.start()).await.unwrap();
    let work = Sing::schedule().requires(Cheer(true)).on(&scheduler).await.unwrap();
    soon("a judgement", async {
        while !scheduler.explain(work.id()).await.unwrap().to_string().contains("panicked") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    works(&scheduler).await;
    assert_eq!(scheduler.info(work.id()).await.unwrap().state, WorkState::Enqueued);
    end(scheduler).await;
}

/// Whether reading or writing a `Shy` panics now.
static SHY: AtomicBool = AtomicBool::new(false);

/// A value whose codec panics while it is told to.
#[derive(Clone, Copy, Debug)]
struct Shy;

impl Serialize for Shy {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(!SHY.load(Ordering::SeqCst), "written");
        serializer.serialize_u8(1)
    }
}

impl<'de> Deserialize<'de> for Shy {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        assert!(!SHY.load(Ordering::SeqCst), "read");
        u8::deserialize(deserializer).map(|_| Self)
    }
}

#[pushe_task(retry(max_attempts = 1))]
async fn meet(_: Shy) -> Outcome<u32> {
    Outcome::Success(1)
}

#[pushe_task(retry(max_attempts = 1))]
async fn introduce() -> Outcome<Shy> {
    SHY.store(true, Ordering::SeqCst);
    Outcome::Success(Shy)
}

#[tokio::test]
async fn fault_55_a_codec_that_panics_is_an_attempt_that_ended_or_its_callers_own() {
    let only = || TaskScheduler::in_memory().detached().only::<Meet>().only::<Introduce>().only::<Answer>();
    let network = Manual::new(pushe_tasks::constraint::NetworkState::offline());
    let scheduler = soon("the start", only().network_source(network.clone()).start()).await.unwrap();
    let held = Meet::schedule(Shy).network(pushe_tasks::NetworkType::Connected).on(&scheduler).await.unwrap();
    SHY.store(true, Ordering::SeqCst);
    let calling = tokio::spawn(Meet::schedule(Shy).on(&scheduler).into_future());
    assert!(calling.await.unwrap_err().is_panic(), "the caller's own panic");
    works(&scheduler).await;
    network.set(pushe_tasks::constraint::NetworkState::routed());
    let info = ended(&scheduler, &held).await;
    assert_eq!((info.state, info.last_error()), (WorkState::Failed, Some("read")));
    SHY.store(false, Ordering::SeqCst);
    let work = Introduce::schedule().on(&scheduler).await.unwrap();
    let info = ended(&scheduler, &work).await;
    assert_eq!((info.state, info.last_error()), (WorkState::Failed, Some("written")));
    SHY.store(false, Ordering::SeqCst);
    works(&scheduler).await;
    end(scheduler).await;
}

fn never_judges(_: &std::io::Error) -> bool {
    panic!("judged the error")
}

fn never_names(_: &(u32, String)) -> String {
    panic!("named the work")
}

#[pushe_task(retry_if = never_judges, retry(max_attempts = 1))]
async fn fail_oddly() -> Result<u32, std::io::Error> {
    Err(std::io::Error::other("an error"))
}

#[pushe_task(id = never_names)]
async fn nameless(_: (u32, String)) -> Outcome<u32> {
    Outcome::Success(1)
}

#[tokio::test]
async fn fault_55_hooks_of_a_task_that_panic_are_its_own_attempts_or_its_callers() {
    let builder = TaskScheduler::in_memory().detached().only::<FailOddly>().only::<Nameless>();
    let scheduler = soon("the start", builder.only::<Answer>().start()).await.unwrap();
    let work = FailOddly::schedule().on(&scheduler).await.unwrap();
    let info = ended(&scheduler, &work).await;
    assert_eq!((info.state, info.last_error()), (WorkState::Failed, Some("judged the error")));
    assert_eq!(info.history[0].end, AttemptEnd::Panicked);
    let calling = tokio::spawn(Nameless::schedule((1, String::new())).on(&scheduler).into_future());
    assert!(calling.await.unwrap_err().is_panic(), "the caller's own panic");
    works(&scheduler).await;
    end(scheduler).await;
}

/// Panics once at the next draw.
#[derive(Debug)]
struct Unlucky(SystemRandomness, Arc<AtomicBool>);

impl Randomness for Unlucky {
    fn bits(&self) -> u64 {
        assert!(!self.1.swap(false, Ordering::SeqCst), "no luck");
        self.0.bits()
    }
}

#[tokio::test]
async fn fault_54_a_panic_within_a_lock_of_the_engine_poisons_nothing() {
    let unlucky = Arc::new(AtomicBool::new(false));
    let randomness = Unlucky(SystemRandomness::new(), Arc::clone(&unlucky));
    let builder = TaskScheduler::in_memory().detached().only::<Answer>().randomness(randomness);
    let scheduler = soon("the start", builder.start()).await.unwrap();
    works(&scheduler).await;
    for _ in 0..10 {
        // Ids are made from random bits under a lock that all callers share.
        unlucky.store(true, Ordering::SeqCst);
        let calling = tokio::spawn(Answer::schedule().on(&scheduler).into_future());
        assert!(calling.await.unwrap_err().is_panic(), "the caller's own panic");
        assert!(!unlucky.load(Ordering::SeqCst), "within the lock");
        works(&scheduler).await;
    }
    end(scheduler).await;
}

/// A clock that panics on the thread of that name once it is told to.
#[derive(Clone, Debug)]
struct Broken {
    clock: SystemClock,
    on: &'static str,
    breaks: Arc<AtomicBool>,
}

impl Broken {
    fn look(&self) {
        let here = std::thread::current().name() == Some(self.on);
        assert!(!(here && self.breaks.load(Ordering::SeqCst)), "the clock is broken");
    }
}

impl Clock for Broken {
    fn wall(&self) -> WallTime {
        self.look();
        self.clock.wall()
    }

    fn mono(&self) -> MonoTime {
        self.look();
        self.clock.mono()
    }

    fn sleep_until(&self, moment: MonoTime) -> Sleep {
        self.clock.sleep_until(moment)
    }

    fn sleep_until_wall(&self, moment: WallTime) -> Sleep {
        self.clock.sleep_until_wall(moment)
    }

    fn boot_id(&self) -> Option<[u8; 16]> {
        self.clock.boot_id()
    }
}

/// Notes that it has begun, and hangs at its first attempt in its first process.
#[pushe_task]
async fn linger(State(begun): State<Arc<AtomicU32>>) -> Outcome<u32> {
    if begun.fetch_add(1, Ordering::SeqCst) == 0 {
        std::future::pending::<()>().await;
    }
    Outcome::Success(3)
}

#[tokio::test]
async fn fault_55_a_clock_that_panics_ends_the_engine_aloud_and_leaves_nobody_waiting() {
    for on in ["pushe-dispatcher", "pushe-writer"] {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("tasks.redb");
        let begun = Arc::new(AtomicU32::new(0));
        let builder = || {
            let builder = TaskScheduler::builder(&path).detached().state(Arc::clone(&begun));
            builder.only::<Answer>().only::<Linger>()
        };
        let clock = Broken { clock: SystemClock::new(), on, breaks: Arc::default() };
        let scheduler = soon("the start", builder().clock(clock.clone()).start()).await.unwrap();
        let work = Linger::schedule().on(&scheduler).await.unwrap();
        let later = Answer::schedule().delay("1h").on(&scheduler).await.unwrap();
        soon("the body", async {
            while begun.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let waiting = tokio::spawn({
            let (scheduler, id) = (scheduler.clone(), work.id());
            async move { scheduler.wait(id).await }
        });
        clock.breaks.store(true, Ordering::SeqCst);
        // Whoever asks while it breaks is answered, one way or another.
        let _ = soon("an answer", Answer::schedule().on(&scheduler).into_future()).await;
        soon("the end of the engine", scheduler.stopped()).await;
        let told = soon("the waiter's answer", waiting).await.unwrap();
        assert!(matches!(told, Err(CallError::Stopped)), "{on}: {told:?}");
        assert!(matches!(scheduler.health().await, Err(CallError::Stopped)), "{on}");
        end(scheduler).await;

        let scheduler = soon("a start on the same store", builder().start()).await.unwrap();
        let state = soon("the work", scheduler.wait(work.id())).await.unwrap();
        assert_eq!(state, WorkState::Succeeded, "{on}: nothing that was acknowledged is lost");
        assert_eq!(scheduler.info(later.id()).await.unwrap().state, WorkState::Enqueued, "{on}");
        end(scheduler).await;
    }
}

/// A task by hand, so that a panic comes from outside of a body too: from what it requires at the start.
struct Unready;

impl Task for Unready {
    const NAME: &'static str = "Unready";
    const OPTIONS: pushe_tasks::TaskOptions<Self> = pushe_tasks::TaskOptions::new().retry(SHORT);
    type Input = ();
    type Output = ();

    fn require(_: &pushe_tasks::StateMap) -> Result<(), pushe_tasks::MissingState> {
        panic!("asked for its states")
    }

    async fn perform((): (), _: TaskContext) -> Result<Outcome, TaskError> {
        Ok(Outcome::SUCCESS)
    }
}

#[tokio::test]
async fn fault_55_a_panic_at_the_start_is_its_callers_and_leaves_the_store_free() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let builder = TaskScheduler::builder(&path).detached().register::<Unready>().only::<Unready>();
    assert!(tokio::spawn(builder.start()).await.unwrap_err().is_panic());
    let scheduler =
        soon("a start", TaskScheduler::builder(&path).detached().only::<Answer>().start()).await.unwrap();
    let kept = Schedule::<Unready>::new(()).on(&scheduler).await.unwrap();
    works(&scheduler).await;
    assert_eq!(scheduler.info(kept.id()).await.unwrap().state, WorkState::Enqueued);
    end(scheduler).await;
}
