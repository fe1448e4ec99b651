//! Fault 68: inputs, outputs, progress and states are in no log, no error text and nothing that is shown.

use std::fmt::{self, Debug, Write as _};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pushe_tasks::constraint::{Manual, NetworkState};
use pushe_tasks::store::{
    Changes, ClaimRequest, Claimed, Envelope, Grant, Lane, Look, MemoryStore, NewWork, Settle, Settlement,
    Start, Store, StoreError, StoreFacts, StoredOptions, Verbs, WallTime,
};
use pushe_tasks::{
    FromTaskContext as _, NetworkType, Outcome, Receipt, RetryOptions, Schedule, ScheduleError,
    SchedulerBuilder, State, Task, TaskContext, TaskError, TaskOptions, TaskScheduler, WorkId, WorkState,
    task_data,
};
use pushe_tasks_tests::deadline::soon;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What must be seen nowhere: as text, as the numbers of its bytes, and in hexadecimal digits.
const CANARY: &str = "kanarienvogel";

static LOG: Mutex<String> = Mutex::new(String::new());

fn log() -> String {
    LOG.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Writes down every event and every span of every level, with all their fields.
struct Everything;

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        log.push_str(span.metadata().name());
        span.record(&mut Line(&mut log));
        log.push('\n');
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Line(&mut LOG.lock().unwrap_or_else(PoisonError::into_inner)));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        write!(log, "{} {}", event.metadata().level(), event.metadata().target()).unwrap();
        event.record(&mut Line(&mut log));
        log.push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Whether the canary is in it, in any of its forms.
fn shows(text: &str) -> bool {
    let part = &CANARY.as_bytes()[2..6];
    let numbers = part.iter().map(u8::to_string).collect::<Vec<_>>();
    let spread = text.replace(['\n', ' '], "");
    let hex = part.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    text.contains(CANARY) || spread.contains(&numbers.join(",")) || spread.to_lowercase().contains(&hex)
}

#[track_caller]
fn hides(what: &str, shown: impl fmt::Display) {
    let text = shown.to_string();
    assert!(!shows(&text), "{what} shows the canary: {text}");
}

#[track_caller]
fn hides_all<T: Debug>(what: &str, value: &T) {
    hides(what, format_args!("{value:?}"));
    hides(what, format_args!("{value:#?}"));
}

/// A state that holds a secret, and what bodies wait for.
#[derive(Clone)]
struct Vault(Arc<Semaphore>, #[expect(dead_code, reason = "it is only there to be shown by mistake")] String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Deed {
    Succeed,
    Retry,
    Panic,
    TooLarge,
    Hang,
}

/// Takes, reports and gives secrets.
struct Keep;

impl Task for Keep {
    const NAME: &'static str = "Keep";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new()
        .retry(RetryOptions::new().delay(Duration::from_millis(1)).jitter(0.0).max_attempts(2));
    type Input = (Deed, String);
    type Output = String;

    async fn perform((deed, secret): Self::Input, cx: TaskContext) -> Result<Outcome<String>, TaskError> {
        let State(vault) = State::<Vault>::from_task_context(&cx)?;
        cx.progress(&secret).await?;
        hides_all("a context", &cx);
        match deed {
            Deed::Succeed => Ok(Outcome::Success(secret)),
            Deed::Retry => Err(TaskError::new("told to")),
            Deed::Panic => panic!("told to"),
            Deed::TooLarge => Ok(Outcome::Success(secret.repeat(1_000))),
            Deed::Hang => {
                vault.0.add_permits(1);
                cx.cancellation_token().cancelled().await;
                Err(TaskError::new("stopped"))
            }
        }
    }
}

/// Another program's task of the same name, whose type quotes what it refuses.
struct Quoting;

#[derive(Debug, Serialize)]
struct Address(Ipv4Addr);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| serde::de::Error::custom(format!("`{text}` is no address")))
    }
}

impl Task for Quoting {
    const NAME: &'static str = "Keep";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = (u8, Address);
    type Output = ();

    async fn perform(_: Self::Input, _: TaskContext) -> Result<Outcome, TaskError> {
        Ok(Outcome::SUCCESS)
    }
}

/// A store whose commits can be made to fail.
struct Failing(MemoryStore, Arc<Mutex<Option<StoreError>>>);

impl Store for Failing {
    fn write(&mut self, body: &mut dyn FnMut(&mut dyn Verbs)) -> Result<Changes, StoreError> {
        match self.1.lock().unwrap().clone() {
            Some(error) => Err(error),
            None => self.0.write(body),
        }
    }

    fn read(&mut self, body: &mut dyn FnMut(&dyn Look)) -> Result<(), StoreError> {
        self.0.read(body)
    }

    fn facts(&self) -> &StoreFacts {
        self.0.facts()
    }
}

fn secret() -> String {
    CANARY.to_owned()
}

async fn look(scheduler: &TaskScheduler, id: WorkId) {
    let info = scheduler.info(id).await.unwrap();
    hides_all("info", &info);
    hides("an error", info.last_error().unwrap_or_default());
    let standing = scheduler.explain(id).await.unwrap();
    hides_all("a standing", &standing);
    hides("a standing", standing);
    hides_all("health", &scheduler.health().await.unwrap());
    hides_all("a list", &scheduler.list(&[], 100).await.unwrap());
    hides_all("a scheduler", scheduler);
}

async fn keep(scheduler: &TaskScheduler, deed: Deed) -> Receipt<Keep> {
    let schedule = Schedule::<Keep>::new((deed, secret())).on(scheduler);
    hides_all("what is about to be scheduled", &schedule);
    let receipt = schedule.await.unwrap();
    hides_all("a receipt", &receipt);
    receipt
}

#[tokio::test]
async fn fault_68_no_payload_is_in_a_log_or_an_error_or_anything_that_is_shown() {
    tracing::subscriber::set_global_default(Everything).unwrap();
    let (fails, seats) = (Arc::<Mutex<Option<StoreError>>>::default(), Arc::new(Semaphore::new(0)));
    let network = Manual::new(NetworkState::offline());
    let builder = SchedulerBuilder::on_store(Box::new(Failing(MemoryStore::default(), Arc::clone(&fails))));
    let builder = builder.detached().state(Vault(Arc::clone(&seats), secret())).network_source(network);
    let builder = builder.register::<Keep>().only::<Keep>().max_output(1_000).max_payload(2_000);
    let scheduler = soon("the start", builder.stop_grace(Duration::ZERO).start()).await.unwrap();

    for (deed, state) in [
        (Deed::Succeed, WorkState::Succeeded),
        (Deed::Retry, WorkState::Failed),
        (Deed::Panic, WorkState::Failed),
        (Deed::TooLarge, WorkState::Failed),
    ] {
        let work = keep(&scheduler, deed.clone()).await;
        assert_eq!(soon("an end", work.wait()).await.unwrap(), state, "{deed:?}");
        look(&scheduler, work.id()).await;
        if let Err(error) = work.output().await {
            hides_all("an output's error", &error);
            hides("an output's error", error);
        }
    }
    let waiting = Schedule::<Keep>::new((Deed::Succeed, secret())).network(NetworkType::Connected);
    look(&scheduler, waiting.on(&scheduler).await.unwrap().id()).await;
    let hanging = keep(&scheduler, Deed::Hang).await;
    soon("the body", seats.acquire()).await.unwrap().forget();
    look(&scheduler, hanging.id()).await;
    scheduler.cancel(hanging.id()).await.unwrap();
    look(&scheduler, hanging.id()).await;

    let refused = |error: ScheduleError| {
        hides_all("a refusal", &error);
        hides("a refusal", error);
    };
    let large = Schedule::<Keep>::new((Deed::Succeed, secret().repeat(1_000)));
    refused(large.on(&scheduler).await.unwrap_err());
    for error in ["told to"].map(str::to_owned).into_iter().flat_map(|text| {
        [
            StoreError::Undone(text.clone()),
            StoreError::InDoubt(text.clone()),
            StoreError::Failed(text),
            StoreError::Full,
        ]
    }) {
        *fails.lock().unwrap() = Some(error);
        let call = Schedule::<Keep>::new((Deed::Succeed, secret())).on(&scheduler).into_future();
        refused(soon("a refusal", call).await.unwrap_err());
    }
    *fails.lock().unwrap() = None;
    hides_all("data", &task_data! { "first" => CANARY });
    soon("the shutdown", scheduler.shutdown(Duration::ZERO)).await;
    meet_a_type_that_quotes().await;

    let seen = log();
    hides("the log", &seen);
    for part in ["a commit failed", "the store is open"] {
        assert!(seen.contains(part), "the log is written down: {seen}");
    }
    // The capture sees what it must not find.
    tracing::trace!(secret = %secret());
    assert!(shows(&log()));
    assert!(shows(&format!("{:?}", CANARY.as_bytes())) && shows(&format!("{:#?}", CANARY.as_bytes())));
}

/// A type that quotes what it refuses is not repeated.
async fn meet_a_type_that_quotes() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let before = TaskScheduler::builder(&path).detached().schedule_only();
    let before = soon("the start", before.start()).await.unwrap();
    let work = keep(&before, Deed::Succeed).await.id();
    soon("the shutdown", before.shutdown(Duration::ZERO)).await;
    let after = TaskScheduler::builder(&path).detached().register::<Quoting>().only::<Quoting>();
    let after = soon("the start", after.start()).await.unwrap();
    assert_eq!(soon("the end", after.wait(work)).await.unwrap(), WorkState::Quarantined);
    look(&after, work).await;
    let info = after.info(work).await.unwrap();
    assert!(info.last_error().unwrap().contains("the type refuses"), "{info:?}");
    soon("the shutdown", after.shutdown(Duration::ZERO)).await;
}

#[test]
fn fault_68_what_passes_between_engine_and_store_shows_lengths_alone() {
    let mut store = MemoryStore::default();
    let work = NewWork {
        id: WorkId::from_parts(1, [0; 10]),
        lane: Arc::new(Lane::of("Keep")),
        aliases: &[],
        unique: None,
        start: Start::After(Duration::ZERO),
        boost_millis: 0,
        options: StoredOptions::default(),
        envelope: Envelope { codec: 1, version: 1, fingerprint: 0, payload: CANARY.into() },
    };
    hides_all("a new piece", &work);
    let now = WallTime::from_millis(1_795_500_619_000);
    let mut claimed: Vec<Claimed> = Vec::new();
    store
        .write(&mut |verbs| {
            verbs.enqueue(std::slice::from_ref(&work), now).unwrap();
            let lanes = vec![pushe_tasks::store::LaneId(1)];
            let grants = vec![Grant { permits: 1, lanes }];
            claimed =
                verbs.claim(&ClaimRequest { now, limit: 1, grants, ..ClaimRequest::default() }).unwrap();
            verbs.progress(&[(claimed[0].attempt(), CANARY.as_bytes().to_vec())]).unwrap();
        })
        .unwrap();
    hides_all("a claim", &claimed);
    let mut view = None;
    store.read(&mut |look| view = look.get(work.id).unwrap()).unwrap();
    assert_eq!(view.as_ref().unwrap().record.progress.as_deref(), Some(CANARY.as_bytes()));
    hides_all("a view", &view);
    let settlement = Settlement::Succeeded { output: Some(CANARY.as_bytes().to_vec().into()) };
    let body = pushe_tasks::store::Body::Ended;
    hides_all("the end of an attempt", &Settle { attempt: claimed[0].attempt(), at: now, settlement, body });
    hides_all("a store", &store);
}
