//! Sets up a scheduler and starts it.
//!
//! Invariant: everything that can be wrong with tasks, states and options is found before the store is touched.

use std::any::TypeId;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pushe_tasks_store::{MemoryStore, Store, StoreError, WallTime};
use tokio::runtime::Handle;

use crate::clock::{Clock, SystemClock};
use crate::engine::mailbox::Mailbox;
use crate::engine::message::Event;
use crate::engine::shared::{Limits, Shared};
use crate::engine::{CrashRules, Dispatcher, Host, OpenStore, WriterSeat, start_dispatcher, start_writer};
use crate::entry::{Place, TaskEntry};
use crate::error::StartError;
use crate::extract::StateMap;
use crate::random::{Randomness, SystemRandomness};
use crate::registry::Registry;
use crate::scheduler::{TaskScheduler, watch_runtime};
use crate::signals;
use crate::task::Task;

mod constraints;

use constraints::ConstraintSetup;

/// How many bodies run at once where the program does not say.
const MAX_RUNNING: usize = 64;

/// How long a body may go on after it was told to stop.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// The first time that a suspect runs alone is this long.
const SUSPECT_WINDOW: Duration = Duration::from_secs(30);

/// Crashes that set work aside. With fewer it could not have been found alone: it runs alone after the second.
const MAX_INTERRUPTIONS: u32 = 3;

/// The largest limit on payloads and outputs: 64 MiB.
const LARGEST_LIMIT: usize = 64 << 20;

/// Sets up a [`TaskScheduler`].
///
/// # Examples
/// ```no_run
/// use pushe_tasks::prelude::*;
/// use pushe_tasks::TaskScheduler;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let scheduler = TaskScheduler::builder("tasks.redb").max_running(16).stop_on_signals().start().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a scheduler runs only once it is started"]
pub struct SchedulerBuilder {
    place: StorePlace,
    store_options: Option<FileOptions>,
    states: StateMap,
    entries: Vec<TaskEntry>,
    only: Option<HashSet<TypeId>>,
    skipped: HashSet<TypeId>,
    schedules_only: bool,
    detached: bool,
    stops_on_signals: bool,
    max_running: usize,
    stop_grace: Duration,
    suspect_window: Duration,
    crashes: CrashRules,
    payload: usize,
    output: usize,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    constraints: ConstraintSetup,
    host: Host,
}

enum StorePlace {
    Memory,
    Own(Box<dyn Store>),
    #[cfg_attr(not(feature = "redb"), expect(dead_code, reason = "there is no store on a file then"))]
    File(PathBuf),
}

/// How the store on a file is opened.
#[cfg(feature = "redb")]
type FileOptions = pushe_tasks_store::redb::StoreOptions;
#[cfg(not(feature = "redb"))]
#[derive(Default)]
struct FileOptions;

impl StorePlace {
    /// The directory that holds the store, if it is in one.
    fn directory(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => std::path::absolute(path).ok()?.parent().map(PathBuf::from),
            Self::Memory | Self::Own(_) => None,
        }
    }
}

impl SchedulerBuilder {
    fn new(place: StorePlace) -> Self {
        Self {
            place,
            store_options: None,
            states: StateMap::new(),
            entries: Vec::new(),
            only: None,
            skipped: HashSet::new(),
            schedules_only: false,
            detached: false,
            stops_on_signals: false,
            max_running: MAX_RUNNING,
            stop_grace: STOP_GRACE,
            suspect_window: SUSPECT_WINDOW,
            crashes: CrashRules {
                charge_within: Duration::from_secs(600),
                max_interruptions: MAX_INTERRUPTIONS,
            },
            payload: 1 << 20,
            output: 1 << 20,
            clock: Arc::new(SystemClock::new()),
            randomness: Arc::new(SystemRandomness::new()),
            constraints: ConstraintSetup::default(),
            host: Host::default(),
        }
    }

    pub(crate) fn in_memory() -> Self {
        Self::new(StorePlace::Memory)
    }

    #[cfg(feature = "redb")]
    pub(crate) fn on_file(path: PathBuf) -> Self {
        Self::new(StorePlace::File(path))
    }

    /// Begins to set up a scheduler on a store of your own, one that passes the conformance suite.
    pub fn on_store(store: Box<dyn Store>) -> Self {
        Self::new(StorePlace::Own(store))
    }

    /// How the store on a file is opened: durability, memory for pages, what is done with a damaged file, and more.
    ///
    /// # Examples
    /// ```no_run
    /// use pushe_tasks::TaskScheduler;
    /// use pushe_tasks::store::redb::{OnDamage, StoreOptions};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut options = StoreOptions::default();
    /// options.on_damage = OnDamage::MoveAside;
    /// let scheduler = TaskScheduler::builder("tasks.redb").store_options(options).start().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "redb")]
    pub fn store_options(mut self, options: pushe_tasks_store::redb::StoreOptions) -> Self {
        self.store_options = Some(options);
        self
    }

    /// Shares a value with tasks, which take it as `State<T>`; a second one of the same type takes the place of the first.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    /// Registers a task that `inventory` does not find: one without the attribute, or of a crate that nothing names.
    #[track_caller]
    pub fn register<T: Task>(mut self) -> Self {
        let at = std::panic::Location::caller();
        self.entries.push(TaskEntry::of::<T>(Place {
            file: at.file(),
            line: at.line(),
            column: at.column(),
        }));
        self
    }

    /// Runs this task and, of all that is linked, only those named in the same way.
    pub fn only<T: Task>(mut self) -> Self {
        self.only.get_or_insert_default().insert(TypeId::of::<T>());
        self
    }

    /// Does not run this task; its work is kept and waits.
    pub fn skip<T: Task>(mut self) -> Self {
        self.skipped.insert(TypeId::of::<T>());
        self
    }

    /// Runs no task at all; work can be scheduled and looked at.
    pub fn schedule_only(mut self) -> Self {
        self.schedules_only = true;
        self
    }

    /// Does not make the scheduler the process default; calls then name it with `.on(&scheduler)`.
    pub fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// Begins a shutdown on SIGINT and SIGTERM; any later signal ends the process at once.
    ///
    /// `TaskScheduler::stopped` tells the program that the shutdown is over.
    pub fn stop_on_signals(mut self) -> Self {
        self.stops_on_signals = true;
        self
    }

    /// The most bodies that run at once, of all tasks together: at least 1, by default 64.
    pub fn max_running(mut self, bodies: usize) -> Self {
        self.max_running = bodies;
        self
    }

    /// How long a body may go on after it was told to stop, before it is dropped: by default 10 s.
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.stop_grace = grace;
        self
    }

    /// How many crashes of the process that found the same work running set it aside as `Quarantined`: by default 3, and at
    /// least that.
    ///
    /// After two such crashes the work is a suspect and runs alone; it is set aside only where the last crash found it so.
    /// What counts as a crash says [`charge_within`](Self::charge_within).
    pub fn max_interruptions(mut self, crashes: u32) -> Self {
        self.crashes.max_interruptions = crashes;
        self
    }

    /// A crash counts against work only if it comes this soon after the start of its attempt: by default 10 min, so that long
    /// work is not suspected because a machine is logged out of every evening. Zero suspects nothing, ever.
    ///
    /// A crash is an end of the process without a shutdown, in the same boot of the machine.
    pub fn charge_within(mut self, age: Duration) -> Self {
        self.crashes.charge_within = age;
        self
    }

    /// How long a suspect, work that two crashes have found running, runs alone: by default 30 s.
    ///
    /// Nothing else starts until it has an outcome or this time has passed; it doubles with each further crash, up to
    /// 10 min.
    pub fn suspect_window(mut self, window: Duration) -> Self {
        self.suspect_window = window;
        self
    }

    /// The most bytes of an encoded input: by default 1 MiB, at most 64 MiB.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.payload = bytes;
        self
    }

    /// The most bytes of an encoded output: by default 1 MiB, at most 64 MiB.
    pub fn max_output(mut self, bytes: usize) -> Self {
        self.output = bytes;
        self
    }

    /// Where time comes from: by default the machine's clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where randomness comes from: by default the operating system's.
    pub fn randomness(mut self, randomness: impl Randomness) -> Self {
        self.randomness = Arc::new(randomness);
        self
    }

    /// Who drives the engine: by default threads of its own.
    #[cfg(feature = "testing")]
    pub fn driver(mut self, driver: crate::Driver) -> Self {
        self.host = driver.into();
        self
    }

    /// Runs everything as part of this process.
    #[cfg(feature = "testing")]
    pub(crate) fn life(mut self, life: crate::testing::life::Life) -> Self {
        self.host = Host::Caller(life);
        self
    }

    /// Starts the scheduler on the tokio runtime of the caller: opens the store, rescues what a crash has left, and runs.
    ///
    /// Unless [`detached`](Self::detached) was asked for, it becomes the process default. Tasks with `start = Automatic` that
    /// it runs are scheduled; where one is refused, since work of another task bears its id, the log says so.
    ///
    /// # Errors
    /// [`StartError`] says what to do. Nothing runs then.
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves no scheduler running.
    pub async fn start(self) -> Result<TaskScheduler, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        if !self.detached && TaskScheduler::default_is_taken() {
            return Err(StartError::DefaultTaken);
        }
        self.check()?;
        let registry = self.registry()?;
        registry.require(&self.states)?;
        let spread = self.constraints.spread;
        let directory = self.place.directory();
        let kinds = self.constraints.kinds(&registry, &self.clock, &self.randomness, directory)?;
        let kinds = Arc::new(kinds);

        let (requests, events) = (Arc::new(Mailbox::new()), Arc::new(Mailbox::new()));
        let figures = Arc::default();
        let seat = WriterSeat {
            requests: Arc::clone(&requests),
            events: Arc::clone(&events),
            clock: Arc::clone(&self.clock),
            figures: Arc::clone(&figures),
            crashes: self.crashes,
        };
        let opened = start_writer(
            &self.host,
            seat,
            opener(self.place, self.store_options.unwrap_or_default(), &*self.randomness, self.clock.wall()),
        )
        .await?;
        crate::engine::tell_findings(&opened.facts, 0);
        let rescued = &opened.rescued;
        for work in &rescued.quarantined {
            crate::contain::tell!(error, %work, "work was set aside: crashes found it running, and the last one alone");
        }
        crate::contain::tell!(info, store = %opened.facts.place, orphans = rescued.orphans.len(), "the store is open");

        let shared = Arc::new(Shared::new(
            registry,
            Arc::new(self.states),
            Limits { payload: self.payload, output: self.output },
            self.clock,
            self.randomness,
            requests,
            Arc::clone(&events),
            figures,
            opened.facts,
            Arc::clone(&kinds),
        ));
        let paused = opened.changes.paused.clone().unwrap_or_default();
        let _ = events.send(Event::Committed(opened.changes, Vec::new()));
        let executor = self.host.executor(runtime.clone());
        let mut dispatcher = Dispatcher::new(
            Arc::clone(&shared),
            Arc::clone(&executor),
            kinds,
            self.max_running as u64,
            self.stop_grace,
            self.suspect_window,
        );
        dispatcher.spread = spread.unwrap_or(dispatcher.spread);
        #[cfg(feature = "testing")]
        if let Host::Caller(life) = &self.host {
            dispatcher.allowed = life.starts();
        }
        let scheduler = TaskScheduler::new(shared, executor);
        // Before anything may be claimed.
        scheduler
            .pause_new_names(&paused)
            .await
            .map_err(|error| StartError::Store(StoreError::Failed(error.to_string())))?;
        scheduler
            .set_retention()
            .await
            .map_err(|error| StartError::Store(StoreError::Failed(error.to_string())))?;
        crate::automatic::schedule(&scheduler).await;
        start_dispatcher(&self.host, dispatcher)?;
        opened.tenure.hand_over();
        watch_runtime(&runtime, &scheduler);
        if !self.detached {
            scheduler.become_default()?;
        }
        if self.stops_on_signals {
            signals::stop_on_signals(&runtime, &scheduler, self.stop_grace);
        }
        Ok(scheduler)
    }

    fn check(&self) -> Result<(), StartError> {
        let refuse = |what: String| Err(StartError::Builder(what));
        if self.max_running == 0 {
            return refuse("`max_running(0)`, under which nothing would run; give at least 1".to_owned());
        }
        if self.store_options.is_some() && !matches!(self.place, StorePlace::File(_)) {
            return refuse(
                "`store_options`, which are those of a store on a file; use `TaskScheduler::builder(path)`"
                    .to_owned(),
            );
        }
        let (crashes, least) = (self.crashes.max_interruptions, MAX_INTERRUPTIONS);
        if crashes < least {
            let why = "work runs alone only after its second crash";
            return refuse(format!("`max_interruptions({crashes})`; {least} are the least, since {why}"));
        }
        for (name, bytes) in [("max_payload", self.payload), ("max_output", self.output)] {
            if bytes > LARGEST_LIMIT {
                return refuse(format!("`{name}({bytes})`; {LARGEST_LIMIT} bytes (64 MiB) are the most"));
            }
        }
        Ok(())
    }

    fn registry(&self) -> Result<Registry, StartError> {
        if self.schedules_only {
            return Ok(Registry::default());
        }
        let linked = linked().chain(self.entries.iter().copied());
        let wanted = linked.filter(|entry| {
            let task = entry.task_type();
            self.only.as_ref().is_none_or(|only| only.contains(&task)) && !self.skipped.contains(&task)
        });
        Ok(Registry::new(wanted)?)
    }
}

/// The annotated tasks of every linked crate.
#[cfg(feature = "inventory")]
pub(crate) fn linked() -> impl Iterator<Item = TaskEntry> {
    inventory::iter::<TaskEntry>().copied()
}

#[cfg(not(feature = "inventory"))]
pub(crate) fn linked() -> impl Iterator<Item = TaskEntry> {
    std::iter::empty()
}

fn opener(place: StorePlace, options: FileOptions, randomness: &dyn Randomness, now: WallTime) -> OpenStore {
    let mut uuid = [0; 16];
    uuid[..8].copy_from_slice(&randomness.bits().to_le_bytes());
    uuid[8..].copy_from_slice(&randomness.bits().to_le_bytes());
    Box::new(move || match place {
        StorePlace::Memory => Ok(Box::new(MemoryStore::new(uuid)) as Box<dyn Store>),
        StorePlace::Own(store) => Ok(store),
        StorePlace::File(path) => open_file(&path, options, uuid, now),
    })
}

#[cfg(feature = "redb")]
fn open_file(
    path: &std::path::Path,
    options: FileOptions,
    uuid: [u8; 16],
    now: WallTime,
) -> Result<Box<dyn Store>, pushe_tasks_store::OpenError> {
    use pushe_tasks_store::redb::{Opening, RedbStore};

    let program =
        std::env::current_exe().ok().and_then(|exe| Some(exe.file_name()?.to_string_lossy().into_owned()));
    let opening = Opening { now, new_uuid: uuid, program: program.unwrap_or_default() };
    Ok(Box::new(RedbStore::open(path, options, opening)?))
}

#[cfg(not(feature = "redb"))]
fn open_file(
    path: &std::path::Path,
    _: FileOptions,
    _: [u8; 16],
    _: WallTime,
) -> Result<Box<dyn Store>, pushe_tasks_store::OpenError> {
    let problem = "this build has no store on a file; turn the feature `redb` on".to_owned();
    Err(pushe_tasks_store::OpenError::Path { path: path.to_owned(), problem })
}

impl std::fmt::Debug for SchedulerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SchedulerBuilder").field("states", &self.states).finish_non_exhaustive()
    }
}
