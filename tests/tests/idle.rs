//! An engine with nothing waiting does not wake up: no polling tick anywhere.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::sync::mpsc as blocking;
use std::time::Duration;

use pushe_tasks::clock::{Clock, MonoTime, Sleep, SystemClock, WallTime};
use pushe_tasks::{Outcome, Schedule, Task, TaskContext, TaskError, TaskOptions, TaskScheduler};
use pushe_tasks_tests::child;
use pushe_tasks_tests::deadline::soon;
use tokio::sync::mpsc;

/// Does nothing.
struct Nothing;

impl Task for Nothing {
    const NAME: &'static str = "Nothing";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = ();
    type Output = ();

    async fn perform((): (), _: TaskContext) -> Result<Outcome, TaskError> {
        Ok(Outcome::SUCCESS)
    }
}

/// How the dispatcher waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// By the monotonic clock: asleep until then.
    Mono,
    /// By the wall clock, which may be set: with a look at it every 30 s.
    Wall,
}

/// The machine's clock, which tells how it is waited by.
#[derive(Debug)]
struct Watched {
    clock: SystemClock,
    waits: mpsc::UnboundedSender<By>,
}

impl Clock for Watched {
    fn wall(&self) -> WallTime {
        self.clock.wall()
    }

    fn mono(&self) -> MonoTime {
        self.clock.mono()
    }

    fn sleep_until(&self, moment: MonoTime) -> Sleep {
        let _ = self.waits.send(By::Mono);
        self.clock.sleep_until(moment)
    }

    fn sleep_until_wall(&self, moment: WallTime) -> Sleep {
        let _ = self.waits.send(By::Wall);
        self.clock.sleep_until_wall(moment)
    }

    fn boot_id(&self) -> Option<[u8; 16]> {
        self.clock.boot_id()
    }
}

#[tokio::test]
async fn s8_3_the_wall_clock_is_watched_only_while_work_is_delayed() {
    let (waits, mut waited) = mpsc::unbounded_channel();
    let clock = Watched { clock: SystemClock::new(), waits };
    let builder = TaskScheduler::in_memory().detached().clock(clock);
    let builder = builder.register::<Nothing>().only::<Nothing>();
    let scheduler = soon("the start", builder.start()).await.unwrap();
    let work = Schedule::<Nothing>::new(()).on(&scheduler).await.unwrap();
    soon("a piece of work", work.output()).await.unwrap();
    // Its record may be pruned tomorrow, which is all that is waited for.
    assert_eq!(soon("a wait", waited.recv()).await, Some(By::Mono));
    assert_ne!(waited.try_recv(), Ok(By::Wall));
    Schedule::<Nothing>::new(()).delay("1d").on(&scheduler).await.unwrap();
    while soon("a wait", waited.recv()).await != Some(By::Wall) {}
    scheduler.shutdown(Duration::ZERO).await;
}

/// How often each thread of the engine has gone to sleep by itself: each wake-up ends in one more.
fn sleeps() -> BTreeMap<String, u64> {
    let mut sleeps = BTreeMap::new();
    for thread in fs::read_dir("/proc/self/task").unwrap() {
        let thread = thread.unwrap().path();
        let name = fs::read_to_string(thread.join("comm")).unwrap_or_default();
        if !name.starts_with("pushe-") {
            continue;
        }
        let status = fs::read_to_string(thread.join("status")).unwrap();
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        sleeps.insert(name.trim().to_owned(), count.trim().parse().unwrap());
    }
    sleeps
}

/// Lets time pass in which nothing happens. What is to be shown is that nothing does, for which there is no event: a
/// bounded real wait is all there is, on a channel to which nobody sends.
fn pass(time: Duration) {
    let (_nobody, nothing) = blocking::channel::<()>();
    assert_eq!(nothing.recv_timeout(time), Err(blocking::RecvTimeoutError::Timeout));
}

#[test]
fn s8_3_an_engine_with_nothing_waiting_does_not_wake_up() {
    let Some(path) = child::path() else {
        // A process of its own, in which no other test has an engine.
        let place = tempfile::tempdir().unwrap();
        let name = "s8_3_an_engine_with_nothing_waiting_does_not_wake_up";
        return child::Process::start(name, &place.path().join("tasks.redb")).finish();
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let scheduler = runtime.block_on(async {
        let builder = TaskScheduler::builder(path).detached().register::<Nothing>().only::<Nothing>();
        let scheduler = soon("the start", builder.start()).await.unwrap();
        // It has worked before, so that a finished record stands in the store, which is pruned tomorrow.
        let work = Schedule::<Nothing>::new(()).on(&scheduler).await.unwrap();
        soon("a piece of work", work.output()).await.unwrap();
        // Both threads have answered: what they still do is to fall asleep.
        scheduler.health().await.unwrap();
        scheduler.info(work.id()).await.unwrap();
        scheduler
    });
    pass(Duration::from_millis(200));
    let before = sleeps();
    let names: Vec<_> = before.keys().map(String::as_str).collect();
    // The kernel keeps 15 bytes of a name.
    assert_eq!(names, ["pushe-dispatche", "pushe-writer"]);
    pass(Duration::from_secs(1));
    assert_eq!(sleeps(), before, "nobody has woken up");
    runtime.block_on(scheduler.shutdown(Duration::ZERO));
}
