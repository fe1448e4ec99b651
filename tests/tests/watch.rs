//! Following work: `watch`, `events`, `wait` and `next_output`, on a clock that stands still (S9.2, S6.5).

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pushe_tasks::{
    CallError, Events, Fail, FromTaskContext as _, LifecycleEvent, Outcome, OutputError, PeriodOptions,
    Reason, Receipt, RetryOptions, Schedule, Seen, State, StopReason, Task, TaskContext, TaskError,
    TaskOptions, Watch, WorkId, WorkState,
};
use pushe_tasks_store::StoreError;
use pushe_tasks_tests::still::Still;
use tokio::sync::mpsc;

use WorkState::{Cancelled, Enqueued, Failed, Running, Succeeded};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// What the next bodies do, in their order.
#[derive(Clone, Copy, Debug)]
enum Act {
    Answer(u32),
    Report(u32),
    Err,
    Fail,
}

#[derive(Clone)]
struct Acts(Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Act>>>);

/// Does what it is told to, and waits until it is.
struct Told;

impl Task for Told {
    const NAME: &'static str = "Told";
    const OPTIONS: TaskOptions<Self> =
        TaskOptions::new().retry(RetryOptions::new().delay(SECOND).jitter(0.0));
    type Input = ();
    type Output = u32;

    async fn perform((): (), cx: TaskContext) -> Result<Outcome<u32>, TaskError> {
        let State(acts) = State::<Acts>::from_task_context(&cx)?;
        loop {
            let act = tokio::select! {
                biased;
                () = cx.cancellation_token().cancelled() => return Err(TaskError::new("stopped")),
                act = async { acts.0.lock().await.recv().await } => act,
            };
            match act {
                Some(Act::Report(value)) => cx.progress(&value).await?,
                Some(Act::Answer(value)) => return Ok(Outcome::Success(value)),
                Some(Act::Err) => return Err(TaskError::new("told to")),
                Some(Act::Fail) | None => return Err(Fail::because("no more").into()),
            }
        }
    }
}

struct World {
    still: Still,
    acts: mpsc::UnboundedSender<Act>,
}

impl World {
    fn start() -> Self {
        let (acts, told) = mpsc::unbounded_channel();
        let told = Acts(Arc::new(tokio::sync::Mutex::new(told)));
        let mut still = Still::new();
        still.start(|builder| builder.state(told).register::<Told>().only::<Told>());
        Self { still, acts }
    }

    fn act(&self, act: Act) {
        self.acts.send(act).unwrap();
        self.still.settle();
    }

    fn receipt(&self, schedule: Schedule<Told>) -> Receipt<Told> {
        let receipt = self.still.block(schedule.on(self.still.scheduler()).into_future()).unwrap();
        self.still.settle();
        receipt
    }

    fn schedule(&self) -> WorkId {
        self.receipt(Schedule::new(())).id()
    }

    fn watch(&self, work: WorkId) -> Watch {
        self.still.block(self.still.scheduler().watch(work)).unwrap()
    }

    /// What can be heard now, without waiting.
    fn heard<T>(&self, next: impl Future<Output = T>) -> Option<T> {
        self.still.settle();
        self.still.block(async {
            tokio::select! {
                biased;
                heard = next => Some(heard),
                () = std::future::ready(()) => None,
            }
        })
    }

    /// All that a watch shows now: states, `None` for progress; and whether it has ended.
    fn seen(&self, watch: &mut Watch) -> (Vec<Option<WorkState>>, bool) {
        let mut states = Vec::new();
        while let Some(seen) = self.heard(watch.next()) {
            match seen.unwrap() {
                None => return (states, true),
                Some(Seen::Standing(info)) => states.push(Some(info.state)),
                Some(Seen::Moved(moved)) => states.push(Some(moved.to)),
                Some(Seen::Progressed) => states.push(None),
                Some(other) => panic!("{other:?}"),
            }
        }
        (states, false)
    }

    /// Begins something and answers where its end will be found.
    fn begin<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Arc<Mutex<Option<T>>> {
        let end = Arc::new(Mutex::new(None));
        let found = Arc::clone(&end);
        self.still.spawn(async move { *found.lock().unwrap() = Some(future.await) });
        self.still.settle();
        end
    }
}

fn take<T>(end: &Mutex<Option<T>>) -> Option<T> {
    end.lock().unwrap().take()
}

#[test]
fn s9_2_a_watch_shows_the_present_state_and_then_every_move() {
    let world = World::start();
    let work = world.schedule();
    let mut watch = world.watch(work);
    assert_eq!(watch.id(), work);
    assert_eq!(world.seen(&mut watch), (vec![Some(Running)], false));
    world.act(Act::Report(7));
    world.act(Act::Err);
    assert_eq!(world.seen(&mut watch), (vec![None, Some(Enqueued)], false));
    world.still.pass(SECOND);
    world.act(Act::Answer(1));
    assert_eq!(world.seen(&mut watch), (vec![Some(Running), Some(Succeeded)], true));
    // Of finished work there is nothing more to see.
    assert_eq!(world.seen(&mut world.watch(work)), (vec![Some(Succeeded)], true));
    let unknown = world.still.block(world.still.scheduler().watch("nobody"));
    assert!(matches!(unknown, Err(CallError::NotFound)), "{unknown:?}");
}

#[test]
fn s9_2_a_watch_by_task_id_is_of_the_newest_piece() {
    let world = World::start();
    let ids = [1, 2].map(|_| world.receipt(Schedule::new(()).id("one").delay("1h")).id());
    let mut watch = world.still.block(world.still.scheduler().watch("one")).unwrap();
    assert_eq!(watch.id(), ids[1]);
    world.still.block(world.still.scheduler().cancel("one")).unwrap();
    let moves = world.seen(&mut watch);
    assert_eq!(moves, (vec![Some(WorkState::Blocked), Some(Cancelled)], true));
}

#[test]
fn s9_2_nothing_uncommitted_is_seen() {
    let world = World::start();
    let work = world.schedule();
    let mut watch = world.watch(work);
    let mut events = world.still.block(world.still.scheduler().events()).unwrap();
    let wait = world.begin({
        let scheduler = world.still.scheduler().clone();
        async move { scheduler.wait(work).await }
    });
    assert_eq!(world.seen(&mut watch).0, [Some(Running)]);
    world.still.store.break_with(Some(StoreError::Failed("the test".to_owned())));
    world.act(Act::Answer(1));
    world.still.pass(20 * SECOND);
    // Its body has succeeded, and nobody hears of it.
    assert_eq!((world.seen(&mut watch), take(&wait).is_none()), ((vec![], false), true));
    let failed = world.heard(events.next()).unwrap();
    assert!(
        matches!(&failed, Some(LifecycleEvent::StoreFailed { why }) if why.contains("the test")),
        "{failed:?}"
    );
    assert_eq!(world.heard(events.next()), None);
    world.still.store.break_with(None);
    world.still.pass(10 * SECOND);
    assert_eq!(world.heard(events.next()), Some(Some(LifecycleEvent::StoreWorks)));
    let (states, ended) = world.seen(&mut watch);
    assert_eq!((states, ended), (vec![Some(Succeeded)], true));
    assert_eq!(take(&wait).unwrap().unwrap(), Succeeded);
}

#[test]
fn s7_5_s9_2_what_a_commit_in_doubt_has_moved_is_told_once_the_store_works() {
    let world = World::start();
    let receipt = world.receipt(Schedule::new(()));
    let work = receipt.id();
    let mut watch = world.watch(work);
    assert_eq!(world.seen(&mut watch).0, [Some(Running)]);
    let output = world.begin(async move { receipt.output().await });
    let wait = world.begin({
        let scheduler = world.still.scheduler().clone();
        async move { scheduler.wait(work).await }
    });
    world.still.store.doubt(1);
    world.act(Act::Answer(5));
    world.still.pass(10 * SECOND);
    assert_eq!(world.seen(&mut watch), (vec![Some(Succeeded)], true), "as it stands");
    assert_eq!(take(&wait).unwrap().unwrap(), Succeeded);
    assert_eq!(take(&output).unwrap().unwrap(), 5);

    let periodic = world.receipt(Schedule::new(()).period(PeriodOptions::every(HOUR)));
    let next = world.begin(async move { periodic.next_output().await });
    world.still.store.doubt(1);
    world.act(Act::Answer(6));
    world.still.pass(10 * SECOND);
    assert_eq!(take(&next).unwrap().unwrap(), 6);
}

#[test]
fn s9_2_fault_61_a_slow_watcher_lags_is_told_and_holds_nobody_up() {
    let world = World::start();
    let work = world.schedule();
    let mut slow = world.watch(work);
    for value in 0..200 {
        world.act(Act::Report(value));
    }
    world.act(Act::Answer(1));
    let info = world.still.block(world.still.scheduler().info(work)).unwrap();
    assert_eq!(info.state, Succeeded, "the store went on");
    let mut seen = Vec::new();
    while let Some(Ok(Some(next))) = world.heard(slow.next()) {
        seen.push(next);
    }
    // The present state, and the newest 64 of 200 reports and the success.
    assert!(matches!(seen[0], Seen::Standing(_)), "{:?}", seen[0]);
    assert!(matches!(seen[1], Seen::Lagged { missed: 137 }), "{:?}", seen[1]);
    assert_eq!(seen.len(), 2 + 64);
    assert!(matches!(&seen[65], Seen::Moved(moved) if moved.to == Succeeded), "{:?}", seen[65]);
    assert!(matches!(world.heard(slow.next()), Some(Ok(None))));
}

fn moves(world: &World, events: &mut Events) -> Vec<(WorkId, Option<WorkState>, WorkState, u64)> {
    let mut moves = Vec::new();
    while let Some(Some(event)) = world.heard(events.next()) {
        let LifecycleEvent::Moved(moved) = event else { panic!("{event:?}") };
        assert_eq!(&*moved.task, "Told");
        moves.push((moved.work, moved.from, moved.to, moved.claim));
    }
    moves
}

#[test]
fn s9_2_events_tell_every_move_in_order() {
    let world = World::start();
    let before = world.schedule();
    let mut events = world.still.block(world.still.scheduler().events()).unwrap();
    world.act(Act::Fail);
    let after = world.schedule();
    world.act(Act::Answer(1));
    // Work that may start at once is stored as it starts.
    let expected =
        [(before, Some(Running), Failed, 1), (after, None, Running, 1), (after, Some(Running), Succeeded, 1)];
    assert_eq!(moves(&world, &mut events), expected);
}

#[test]
fn s9_2_events_tell_of_stops_and_of_the_end() {
    let world = World::start();
    let work = world.schedule();
    let mut events = world.still.block(world.still.scheduler().events()).unwrap();
    let mut watch = world.watch(world.receipt(Schedule::new(()).delay("1h")).id());
    assert!(matches!(world.heard(events.next()), Some(Some(LifecycleEvent::Moved(_)))));
    world.still.block(world.still.scheduler().cancel(work)).unwrap();
    let cancelled = world.heard(events.next());
    let Some(Some(LifecycleEvent::Moved(moved))) = cancelled else { panic!("{cancelled:?}") };
    assert_eq!((moved.to, moved.reason), (Cancelled, Some(Reason::Cancelled)));
    let reason = StopReason::Cancelled;
    let stopping = LifecycleEvent::Stopping { work, task: "Told".into(), reason };
    assert_eq!(world.heard(events.next()), Some(Some(stopping)));
    world.still.block(world.still.scheduler().shutdown(SECOND));
    assert_eq!(world.heard(events.next()), Some(Some(LifecycleEvent::ShuttingDown)));
    assert_eq!(world.heard(events.next()), Some(None));
    assert!(matches!(world.heard(watch.next()), Some(Ok(Some(Seen::Standing(_))))));
    assert!(matches!(world.heard(watch.next()), Some(Err(CallError::Stopped))));
    let refused = world.still.block(world.still.scheduler().events());
    assert!(matches!(refused, Err(CallError::Stopped)));
}

#[test]
fn s9_2_fault_61_a_slow_listener_lags_is_told_and_holds_nobody_up() {
    let world = World::start();
    let mut events = world.still.block(world.still.scheduler().events()).unwrap();
    let pieces = (0..3_000).map(|_| Schedule::<Told>::new(()).delay("1h"));
    let receipts = world.still.block(world.still.scheduler().schedule_many(pieces)).unwrap();
    assert_eq!(world.heard(events.next()), Some(Some(LifecycleEvent::Lagged { missed: 3_000 - 1_024 })));
    let heard = moves(&world, &mut events);
    assert_eq!((heard.len(), heard[0].0), (1_024, receipts[3_000 - 1_024].id()));
}

#[test]
fn s9_2_wait_ends_with_the_work_and_may_be_dropped() {
    let world = World::start();
    let work = world.schedule();
    let scheduler = world.still.scheduler().clone();
    assert!(world.heard(scheduler.wait(work)).is_none());
    let waits = [1, 2].map(|_| {
        let scheduler = scheduler.clone();
        world.begin(async move { scheduler.wait(work).await })
    });
    world.act(Act::Fail);
    for wait in waits {
        assert_eq!(take(&wait).unwrap().unwrap(), Failed);
    }
    assert_eq!(world.still.block(scheduler.wait(work)).unwrap(), Failed, "it has finished already");
    assert!(matches!(world.still.block(scheduler.wait("nobody")), Err(CallError::NotFound)));
}

#[test]
fn s6_5_next_output_is_that_of_the_period_that_ends_next() {
    let world = World::start();
    let receipt = Arc::new(world.receipt(Schedule::new(()).period(PeriodOptions::every(HOUR))));
    let next = || {
        let receipt = Arc::clone(&receipt);
        world.begin(async move { receipt.next_output().await })
    };
    let first = [next(), next()];
    // An attempt that is made again ends no period.
    world.act(Act::Err);
    assert!(take(&first[0]).is_none());
    world.still.pass(SECOND);
    world.act(Act::Answer(1));
    assert_eq!(first.map(|end| take(&end).unwrap().unwrap()), [1, 1]);
    // What ends while nobody waits is not to be had later.
    world.still.pass(HOUR);
    world.act(Act::Answer(2));
    let third = next();
    assert!(take(&third).is_none());
    world.still.pass(HOUR);
    world.act(Act::Answer(3));
    assert_eq!(take(&third).unwrap().unwrap(), 3);
    let failed = next();
    world.still.pass(HOUR);
    world.act(Act::Fail);
    let failed = take(&failed).unwrap();
    assert!(matches!(&failed, Err(OutputError::Failed { error }) if error.contains("no more")), "{failed:?}");
    let cancelled = next();
    world.still.block(world.still.scheduler().cancel(receipt.id())).unwrap();
    world.still.settle();
    assert!(matches!(take(&cancelled).unwrap(), Err(OutputError::Cancelled)));
    assert!(matches!(world.still.block(receipt.next_output()), Err(OutputError::Cancelled)));
}

#[test]
fn s6_5_the_next_output_of_work_that_runs_once_is_its_output() {
    let world = World::start();
    let receipt = world.receipt(Schedule::new(()));
    let next = world.begin(async move { receipt.next_output().await });
    world.act(Act::Answer(9));
    assert_eq!(take(&next).unwrap().unwrap(), 9);
}
