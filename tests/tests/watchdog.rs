//! A dispatcher that is held up, or that panics, is seen from a thread that does not depend on it (S9.4, fault 55).
//!
//! Both are brought about by the clock, which is a stranger's code that the dispatcher calls. The tests share the subscriber of
//! the process, and so each has a process of its own.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use pushe_tasks::clock::{Clock, MonoTime, Sleep, SystemClock, WallTime};
use pushe_tasks::{
    CallError, Liveness, Outcome, Schedule, Task, TaskContext, TaskError, TaskOptions, TaskScheduler,
    WorkState,
};
use pushe_tasks_tests::child;
use pushe_tasks_tests::collector::Collector;
use pushe_tasks_tests::deadline::soon;
use tokio::sync::Notify;

/// Waits for its end.
struct Waits;

impl Task for Waits {
    const NAME: &'static str = "Waits";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = bool;
    type Output = ();

    async fn perform(forever: bool, cx: TaskContext) -> Result<Outcome, TaskError> {
        if forever {
            cx.cancellation_token().cancelled().await;
        }
        Ok(Outcome::SUCCESS)
    }
}

const GOES: u8 = 0;
const HOLDS: u8 = 1;
const PANICS: u8 = 2;

/// The machine's clock, which can hold the dispatcher up.
#[derive(Clone, Debug)]
struct Treacherous {
    clock: SystemClock,
    does: Arc<AtomicU8>,
    gate: Arc<(Mutex<bool>, Condvar)>,
    held: Arc<Notify>,
}

impl Treacherous {
    fn new() -> Self {
        let does = Arc::new(AtomicU8::new(GOES));
        Self { clock: SystemClock::new(), does, gate: Arc::default(), held: Arc::default() }
    }

    fn betray(&self) {
        if thread::current().name() != Some("pushe-dispatcher") {
            return;
        }
        match self.does.load(Ordering::SeqCst) {
            HOLDS => {
                self.held.notify_one();
                let (open, opened) = &*self.gate;
                drop(opened.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
            }
            PANICS => panic!("the clock has stopped"),
            _ => {}
        }
    }

    fn release(&self) {
        self.does.store(GOES, Ordering::SeqCst);
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }
}

impl Clock for Treacherous {
    // What a step begins with is the monotonic clock; the wall clock is asked within it.
    fn wall(&self) -> WallTime {
        self.betray();
        self.clock.wall()
    }

    fn mono(&self) -> MonoTime {
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

/// Runs a test in a process of its own, with a subscriber that keeps everything.
fn alone(name: &str, test: impl AsyncFnOnce(TaskScheduler, Treacherous, Collector)) {
    let Some(path) = child::path() else {
        let place = tempfile::tempdir().unwrap();
        return child::Process::start(name, &place.path().join("tasks.redb")).finish();
    };
    let collector = Collector::default();
    tracing::subscriber::set_global_default(collector.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Treacherous::new();
        let builder = TaskScheduler::builder(path).detached().clock(clock.clone());
        let scheduler = soon("the start", builder.register::<Waits>().only::<Waits>().start()).await.unwrap();
        test(scheduler, clock, collector).await;
    });
}

async fn says(collector: &Collector, message: &str) {
    soon(message, async {
        while collector.events(message).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

const SILENT: &str = "the dispatcher does not answer; nothing starts or stops until it does";

#[test]
fn s9_4_a_dispatcher_that_is_held_up_is_seen_and_said_to_be_so() {
    let name = "s9_4_a_dispatcher_that_is_held_up_is_seen_and_said_to_be_so";
    alone(name, async |scheduler, clock, collector| {
        let health = soon("health", scheduler.health()).await.unwrap();
        assert_eq!((health.dispatcher, health.quarantined), (Liveness::Alive, Some(0)));
        clock.does.store(HOLDS, Ordering::SeqCst);
        let work =
            soon("a receipt", Schedule::<Waits>::new(false).on(&scheduler).into_future()).await.unwrap();
        soon("the dispatcher", clock.held.notified()).await;
        let before = clock.clock.wall();
        let health = soon("health", scheduler.health()).await.unwrap();
        let Liveness::Stalled { since } = health.dispatcher else { panic!("{health:?}") };
        // A moment read from two clocks may be off by what lies between the looks at them.
        assert!(
            WallTime::from(since) <= before.plus(Duration::from_millis(100)),
            "its step began before it was asked"
        );
        // The store answers on its own: of what was claimed, nothing waits.
        assert_eq!(health.quarantined, Some(0));
        says(&collector, SILENT).await;
        // It is said once, however long it lasts; the next look comes two seconds later.
        clock.release();
        says(&collector, "the dispatcher answers again").await;
        assert_eq!(collector.events(SILENT).len(), 1);
        soon("the work", work.output()).await.unwrap();
        assert_eq!(soon("health", scheduler.health()).await.unwrap().dispatcher, Liveness::Alive);
        soon("the end", scheduler.shutdown(Duration::ZERO)).await;
    });
}

#[test]
fn fault_55_a_dispatcher_that_panics_ends_its_scheduler_and_leaves_the_store_for_the_next() {
    let name = "fault_55_a_dispatcher_that_panics_ends_its_scheduler_and_leaves_the_store_for_the_next";
    alone(name, async |scheduler, clock, collector| {
        let running =
            soon("a receipt", Schedule::<Waits>::new(true).on(&scheduler).into_future()).await.unwrap();
        let wait = running.wait();
        tokio::pin!(wait);
        clock.does.store(PANICS, Ordering::SeqCst);
        // Whatever it is told next is its end, though it may answer before; then who asks learns that there is no answer.
        let refused = soon("a refusal", async {
            loop {
                if let Err(error) = scheduler.health().await {
                    break error;
                }
            }
        });
        let refused = refused.await;
        assert!(matches!(refused, CallError::Stopped), "{refused:?}");
        assert!(matches!(soon("the wait", wait).await, Err(CallError::Stopped)));
        soon("the end", scheduler.stopped()).await;
        says(
            &collector,
            "the dispatcher has panicked: the scheduler ends, and what ran begins again at the next start",
        )
        .await;
        let refused = soon("a refusal", Schedule::<Waits>::new(false).on(&scheduler).into_future()).await;
        assert!(refused.is_err(), "{refused:?}");
        soon("a second end", scheduler.shutdown(Duration::ZERO)).await;
        // The store is closed, and the next scheduler finds what ran.
        let builder =
            TaskScheduler::builder(child::path().unwrap()).detached().register::<Waits>().only::<Waits>();
        let next = soon("the next start", builder.start()).await.unwrap();
        let info = soon("the work", next.info(running.id())).await.unwrap();
        assert_eq!((info.attempt, info.state.is_finished()), (1, false));
        soon("its cancellation", next.cancel(running.id())).await.unwrap();
        assert_eq!(soon("its end", next.wait(running.id())).await.unwrap(), WorkState::Cancelled);
        soon("the end", next.shutdown(Duration::from_secs(5))).await;
    });
}
