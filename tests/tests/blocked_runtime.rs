//! Fault 30: a body that blocks the runtime of all bodies is told by health and by the log.

use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pushe_tasks::{
    FromTaskContext as _, Outcome, State, Task, TaskContext, TaskError, TaskOptions, TaskScheduler,
};
use pushe_tasks_tests::clock::Hurried;
use pushe_tasks_tests::deadline::soon;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static LOG: Mutex<String> = Mutex::new(String::new());

struct Texts;

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
        writeln!(self.0, "{value:?}").unwrap();
    }
}

impl Subscriber for Texts {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Text(&mut LOG.lock().unwrap_or_else(PoisonError::into_inner)));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn says(text: &str) -> usize {
    LOG.lock().unwrap_or_else(PoisonError::into_inner).matches(text).count()
}

#[derive(Clone, Default)]
struct Stage {
    begun: Arc<AtomicU32>,
    freed: Arc<AtomicBool>,
}

/// Blocks the thread that polls it, or waits as it should.
struct Work;

impl Task for Work {
    const NAME: &'static str = "Work";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = bool;
    type Output = ();

    async fn perform(blocks: bool, cx: TaskContext) -> Result<Outcome, TaskError> {
        let State(stage) = State::<Stage>::from_task_context(&cx)?;
        stage.begun.fetch_add(1, Ordering::SeqCst);
        while !stage.freed.load(Ordering::SeqCst) {
            if blocks {
                std::thread::yield_now();
            } else {
                tokio::task::yield_now().await;
            }
        }
        Ok(Outcome::SUCCESS)
    }
}

#[test]
fn fault_30_a_runtime_that_polls_nothing_is_told_by_health_and_the_log() {
    tracing::subscriber::set_global_default(Texts).unwrap();
    let bodies = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let callers = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (clock, stage) = (Hurried::new(200), Stage::default());
    let builder = TaskScheduler::in_memory().detached().clock(clock).state(stage.clone());
    let scheduler = bodies.block_on(builder.register::<Work>().only::<Work>().start()).unwrap();
    let until = async |what: &str, wanted: &dyn Fn(&pushe_tasks::Health) -> bool| {
        soon(what, async {
            loop {
                let health = scheduler.health().await.unwrap();
                if wanted(&health) {
                    return health;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    };
    callers.block_on(async {
        // A body that takes long and waits as it should is nothing to tell of.
        let long = scheduler.schedule_task(Work::OPTIONS, false).await.unwrap();
        let begun = pushe_tasks::clock::Clock::mono(&clock);
        let patient = |health: &pushe_tasks::Health| {
            assert_eq!(health.blocked_since, None);
            pushe_tasks::clock::Clock::mono(&clock).since(begun) > Duration::from_secs(100)
        };
        until("a long body", &patient).await;
        scheduler.schedule_task(Work::OPTIONS, true).await.unwrap();
        let health = until("the block", &|health| health.blocked_since.is_some()).await;
        assert!(health.running >= 1, "{health:?}");
        until("the log", &|_| says("some body blocks its threads") == 1).await;
        stage.freed.store(true, Ordering::SeqCst);
        soon("the long body", long.wait()).await.unwrap();
        until("the end of the block", &|health| health.blocked_since.is_none()).await;
        assert_eq!((says("some body blocks its threads"), says("polls bodies again")), (1, 1), "each once");
        soon("the shutdown", scheduler.shutdown(Duration::ZERO)).await;
    });
}
