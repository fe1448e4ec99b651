//! Work that kills the process: real aborts, stack overflows and SIGKILLs in children, and whose turn it is afterwards
//! (S7.2, S7.3).

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pushe_tasks::clock::{Clock, SystemClock};
use pushe_tasks::store::{
    AttemptEnd, Changes, ClaimRequest, Grant, Look, MemoryStore, Reason, RescueRequest, Store, StoreError,
    StoreFacts, Verbs,
};
use pushe_tasks::{
    FromTaskContext, Obstacle, Outcome, SchedulerBuilder, State, Task, TaskContext, TaskError, TaskOptions,
    TaskScheduler, WorkId, WorkState,
};
use pushe_tasks_tests::child;
use pushe_tasks_tests::deadline::soon;
use tokio::sync::{Semaphore, mpsc};

/// What the body of a piece does to its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Deed {
    Abort,
    OverflowTheStack,
    /// As the kernel does it when memory runs out.
    BeKilled,
    /// Goes on until so many crashes have been charged to it, and then succeeds.
    Outlast(u32),
    /// Panics, and again while what it held is dropped.
    PanicTwice,
    /// Never ends.
    Hang,
}

/// Where the pieces note that they have begun.
#[derive(Clone)]
struct Ledger(PathBuf);

impl Ledger {
    /// Notes one more start of a piece.
    fn note(&self, work: WorkId) {
        let path = self.0.join(work.to_string());
        let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        file.write_all(b"x").unwrap();
    }

    fn starts(&self, work: WorkId) -> u64 {
        std::fs::metadata(self.0.join(work.to_string())).map_or(0, |noted| noted.len())
    }
}

struct Act;

impl Task for Act {
    const NAME: &'static str = "Act";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = Deed;
    type Output = ();

    async fn perform(deed: Deed, cx: TaskContext) -> Result<Outcome, TaskError> {
        let State(ledger) = State::<Ledger>::from_task_context(&cx)?;
        ledger.note(cx.work_id());
        match deed {
            Deed::Abort => std::process::abort(),
            Deed::PanicTwice => {
                let _second = PanicsInDrop;
                panic!("the first of two");
            }
            Deed::OverflowTheStack => drop(std::hint::black_box(deeper(0))),
            Deed::BeKilled => {
                let id = std::process::id().to_string();
                assert!(Command::new("kill").args(["-KILL", &id]).status()?.success());
                std::future::pending::<()>().await;
            }
            Deed::Outlast(crashes)
                if TaskScheduler::current()?.info(cx.work_id()).await?.interruptions >= crashes => {}
            Deed::Outlast(_) | Deed::Hang => {
                child::say("hangs");
                std::future::pending::<()>().await;
            }
        }
        Ok(Outcome::Success(()))
    }
}

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("the second of two");
    }
}

/// An input within an input within an input.
#[derive(serde::Serialize, serde::Deserialize)]
struct Nested(Option<Box<Nested>>);

/// Takes an input whose reading takes more stack than a thread has.
struct Dig;

impl Task for Dig {
    const NAME: &'static str = "Dig";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = Nested;
    type Output = ();

    async fn perform(_: Nested, _: TaskContext) -> Result<Outcome, TaskError> {
        Ok(Outcome::SUCCESS)
    }
}

/// Recurs until the stack is used up.
fn deeper(depth: u64) -> u64 {
    let page = std::hint::black_box([depth; 512]);
    if depth == u64::MAX { 0 } else { deeper(depth + 1) + page[7] }
}

fn builder(path: &Path) -> SchedulerBuilder {
    let ledger = Ledger(path.parent().unwrap().to_owned());
    let builder = TaskScheduler::builder(path).detached().state(ledger);
    builder.register::<Act>().only::<Act>().register::<Dig>().only::<Dig>()
}

/// Stores these pieces in order, by a scheduler that runs none.
async fn store(path: &Path, deeds: &[Deed]) -> Vec<WorkId> {
    let scheduler = builder(path).schedule_only().start().await.unwrap();
    let mut ids = Vec::new();
    for deed in deeds {
        let receipt = scheduler.schedule_task(Act::OPTIONS, *deed).await.unwrap();
        ids.push(receipt.id());
    }
    scheduler.shutdown(Duration::ZERO).await;
    ids
}

/// A program with these tasks: it runs until nothing is left to do.
async fn run_until_nothing_is_left(path: &Path) {
    let scheduler = builder(path).suspect_window(Duration::from_secs(20)).start().await.unwrap();
    for info in scheduler.list(&[], 100).await.unwrap() {
        soon("the end of a piece", scheduler.wait(info.id)).await.unwrap();
    }
    scheduler.shutdown(Duration::ZERO).await;
}

/// Starts the program until it comes up clean; answers how many starts that took.
fn start_until_clean(name: &str, path: &Path, most: usize) -> usize {
    for starts in 1..=most {
        if child::Process::start(name, path).ended() {
            return starts;
        }
    }
    panic!("the program does not come up clean in {most} starts");
}

async fn check_poison(name: &str, deeds: &[Deed]) {
    if let Some(path) = child::path() {
        return run_until_nothing_is_left(&path).await;
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let ids = store(&path, deeds).await;
    let poison = deeds.iter().filter(|deed| !matches!(deed, Deed::Outlast(_))).count();
    let bound = if poison == 1 { 3 + 2 } else { 3 + 2 + poison };
    let starts = start_until_clean(name, &path, bound);
    assert!(starts > 3, "three crashes are charged before anything is set aside: {starts} starts");

    let scheduler = builder(&path).schedule_only().start().await.unwrap();
    let ledger = Ledger(place.path().to_owned());
    for (id, deed) in ids.iter().zip(deeds) {
        let info = scheduler.info(*id).await.unwrap();
        if let Deed::Outlast(crashes) = deed {
            assert_eq!((info.state, info.reason), (WorkState::Succeeded, None), "{deed:?}");
            assert_eq!((info.attempt, info.history.last().unwrap().attempt), (1, 1), "it lost no attempt");
            let interrupted = info.history.iter().filter(|past| past.end == AttemptEnd::Interrupted).count();
            assert!(interrupted >= *crashes as usize, "crashes have found it running: {interrupted}");
        } else {
            assert_eq!((info.state, info.reason), (WorkState::Quarantined, Some(Reason::Interruptions)));
            // Of those that were claimed together, some have not begun when the first one ends the process.
            let starts = ledger.starts(*id);
            assert!(
                info.interruptions == 3 && (1..=3).contains(&starts),
                "{deed:?}: {info:?}, {starts} starts"
            );
        }
    }
    scheduler.shutdown(Duration::ZERO).await;
    let measured =
        format!("{poison} poisonous pieces of {}: clean at start {starts} of {bound}", deeds.len());
    writeln!(io::stderr().lock(), "MEASURED {measured}").unwrap();
}

#[tokio::test]
async fn s7_3_an_abort_ends_in_quarantine() {
    check_poison("s7_3_an_abort_ends_in_quarantine", &[Deed::Abort]).await;
}

#[tokio::test]
async fn s7_3_a_stack_overflow_ends_in_quarantine() {
    check_poison("s7_3_a_stack_overflow_ends_in_quarantine", &[Deed::OverflowTheStack]).await;
}

#[tokio::test]
async fn s7_3_an_out_of_memory_kill_ends_in_quarantine() {
    check_poison("s7_3_an_out_of_memory_kill_ends_in_quarantine", &[Deed::BeKilled]).await;
}

#[tokio::test]
async fn fault_29_a_panic_within_a_panic_ends_in_quarantine() {
    check_poison("fault_29_a_panic_within_a_panic_ends_in_quarantine", &[Deed::PanicTwice]).await;
}

#[tokio::test]
async fn fault_41_an_input_too_deep_for_the_stack_ends_in_quarantine() {
    let name = "fault_41_an_input_too_deep_for_the_stack_ends_in_quarantine";
    if let Some(path) = child::path() {
        return run_until_nothing_is_left(&path).await;
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let scheduler = builder(&path).schedule_only().start().await.unwrap();
    let on_thread = scheduler.clone();
    let deep = move || {
        let innermost = Nested(None);
        let input = (0..20_000).fold(innermost, |inner, _| Nested(Some(Box::new(inner))));
        on_thread.schedule_blocking(Dig::OPTIONS, input).unwrap().id()
    };
    // Whoever schedules it has the stack for it.
    let thread = std::thread::Builder::new().stack_size(1 << 30).spawn(deep).unwrap();
    let deep = tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
    let beside = scheduler.schedule_task(Act::OPTIONS, Deed::Outlast(1)).await.unwrap().id();
    scheduler.shutdown(Duration::ZERO).await;

    let starts = start_until_clean(name, &path, 3 + 2);
    assert!(starts > 3, "three crashes are charged before anything is set aside: {starts} starts");
    let scheduler = builder(&path).schedule_only().start().await.unwrap();
    let info = scheduler.info(deep).await.unwrap();
    assert_eq!((info.state, info.reason), (WorkState::Quarantined, Some(Reason::Interruptions)));
    assert_eq!(
        (info.interruptions, info.attempt),
        (3, 1),
        "crashes are counted, before anything is read: {info:?}"
    );
    assert_eq!(scheduler.info(beside).await.unwrap().state, WorkState::Succeeded);
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn s7_3_many_poisons_end_in_quarantine_and_take_nothing_with_them() {
    let deeds = [
        Deed::Outlast(1),
        Deed::Abort,
        Deed::Outlast(2),
        Deed::OverflowTheStack,
        Deed::BeKilled,
        Deed::Outlast(2),
        Deed::Abort,
    ];
    check_poison("s7_3_many_poisons_end_in_quarantine_and_take_nothing_with_them", &deeds).await;
}

#[tokio::test]
async fn s7_2_work_older_than_the_bound_is_charged_at_no_kill() {
    let name = "s7_2_work_older_than_the_bound_is_charged_at_no_kill";
    if let Some(path) = child::path() {
        let _running = builder(&path).charge_within(Duration::ZERO).start().await.unwrap();
        return tokio::task::spawn_blocking(child::wait_for_parent).await.unwrap();
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let ids = store(&path, &[Deed::Hang, Deed::Hang]).await;
    for _ in 0..4 {
        let logged_out = child::Process::start(name, &path);
        assert_eq!([logged_out.hear(), logged_out.hear()], ["hangs", "hangs"], "both run, side by side");
        logged_out.kill();
    }
    let scheduler = builder(&path).charge_within(Duration::ZERO).schedule_only().start().await.unwrap();
    for id in ids {
        let info = scheduler.info(id).await.unwrap();
        assert_eq!((info.state, info.interruptions, info.attempt), (WorkState::Enqueued, 0, 1));
    }
    scheduler.shutdown(Duration::ZERO).await;
}

/// A store in memory that outlives its scheduler.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<MemoryStore>>);

impl Store for Kept {
    fn write(&mut self, body: &mut dyn FnMut(&mut dyn Verbs)) -> Result<Changes, StoreError> {
        self.0.lock().unwrap().write(body)
    }

    fn read(&mut self, body: &mut dyn FnMut(&dyn Look)) -> Result<(), StoreError> {
        self.0.lock().unwrap().read(body)
    }

    fn facts(&self) -> &StoreFacts {
        static FACTS: StoreFacts = StoreFacts::new("memory", String::new(), [0; 16], 1);
        &FACTS
    }
}

impl Kept {
    /// What a crash leaves: everything that may start has just been started, and then the process is another.
    fn crash(&self) {
        let clock = SystemClock::new();
        let mut kept = self.0.lock().unwrap();
        let mut lanes = Vec::new();
        kept.read(&mut |look| lanes = look.lanes().unwrap().iter().map(|lane| lane.id).collect()).unwrap();
        let mut request = ClaimRequest::default();
        (request.now, request.limit) = (clock.wall(), 9);
        request.grants = vec![Grant { permits: 9, lanes }];
        kept.write(&mut |verbs| drop(verbs.claim(&request).unwrap())).unwrap();
        Self::reopen(&mut kept);
    }

    fn reopen(kept: &mut MemoryStore) {
        let clock = SystemClock::new();
        let rescue = RescueRequest::new(clock.wall(), clock.boot_id());
        *kept = std::mem::take(kept).reopen();
        kept.write(&mut |verbs| drop(verbs.rescue(&rescue).unwrap())).unwrap();
    }
}

/// What bodies tell, and what lets them end.
#[derive(Clone)]
struct Stage {
    began: mpsc::UnboundedSender<WorkId>,
    gate: Arc<Semaphore>,
}

struct Gated;

impl Task for Gated {
    const NAME: &'static str = "Gated";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = ();
    type Output = ();

    async fn perform((): (), cx: TaskContext) -> Result<Outcome, TaskError> {
        let State(stage) = State::<Stage>::from_task_context(&cx)?;
        stage.began.send(cx.work_id())?;
        stage.gate.acquire().await?.forget();
        Ok(Outcome::Success(()))
    }
}

/// A scheduler on a store that holds one suspect, and an ordinary piece beside it.
async fn with_suspect(
    window: Duration,
) -> (TaskScheduler, mpsc::UnboundedReceiver<WorkId>, Arc<Semaphore>, [WorkId; 2]) {
    let (began, heard) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let stage = Stage { began, gate: Arc::clone(&gate) };
    let kept = Kept::default();
    let builder = || {
        let builder = SchedulerBuilder::on_store(Box::new(kept.clone())).detached().state(stage.clone());
        builder.register::<Gated>().only::<Gated>().suspect_window(window)
    };
    let before = builder().schedule_only().start().await.unwrap();
    let suspect = before.schedule_task(Gated::OPTIONS, ()).await.unwrap().id();
    before.shutdown(Duration::ZERO).await;
    // The shutdown is on record, and counts for one opening.
    Kept::reopen(&mut kept.0.lock().unwrap());
    kept.crash();
    kept.crash();
    let between = builder().schedule_only().start().await.unwrap();
    let other = between.schedule_task(Gated::OPTIONS, ()).await.unwrap().id();
    between.shutdown(Duration::ZERO).await;
    let scheduler = builder().start().await.unwrap();
    (scheduler, heard, gate, [suspect, other])
}

#[tokio::test]
async fn s7_3_nothing_starts_beside_a_suspect_until_its_outcome() {
    let (scheduler, mut heard, gate, [suspect, other]) = with_suspect(Duration::from_secs(3_600)).await;
    assert_eq!(soon("the suspect", heard.recv()).await, Some(suspect));
    let later = scheduler.schedule_task(Gated::OPTIONS, ()).await.unwrap().id();
    for waiting in [other, later] {
        let standing = scheduler.explain(waiting).await.unwrap();
        let named =
            |obstacle: &Obstacle| matches!(obstacle, Obstacle::Suspect { work, .. } if *work == suspect);
        assert!(standing.obstacles.iter().any(named), "{standing}");
        assert!(standing.to_string().contains("which crashes have found running"), "{standing}");
    }
    assert_eq!(scheduler.info(suspect).await.unwrap().interruptions, 2);
    let health = scheduler.health().await.unwrap();
    assert_eq!((health.alone, health.suspects, health.running), (Some(suspect), 0, 1));
    assert!(heard.try_recv().is_err(), "nothing has started beside it");
    gate.add_permits(1);
    for next in [other, later] {
        assert_eq!(soon("the others", heard.recv()).await, Some(next));
    }
    assert_eq!(scheduler.info(suspect).await.unwrap().interruptions, 0, "its outcome has cleared it");
    assert_eq!(scheduler.health().await.unwrap().alone, None);
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn s7_3_others_start_once_the_window_of_a_suspect_has_passed() {
    let (scheduler, mut heard, _gate, [suspect, other]) = with_suspect(Duration::from_millis(50)).await;
    let clock = SystemClock::new();
    let before = clock.mono();
    assert_eq!(soon("the suspect", heard.recv()).await, Some(suspect));
    assert_eq!(soon("the other piece", heard.recv()).await, Some(other));
    assert!(clock.mono().since(before) >= Duration::from_millis(40), "it has had its time alone");
    assert_eq!(scheduler.info(suspect).await.unwrap().state, WorkState::Running);
    scheduler.shutdown(Duration::ZERO).await;
}
