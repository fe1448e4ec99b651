//! Fault 58: a constraint that is lost between the claim and the first poll of the body.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use pushe_tasks::constraint::{Damping, Manual, NetworkConstraint, NetworkState};
use pushe_tasks::store::{Changes, Look, MemoryStore, Store, StoreError, StoreFacts, Verbs};
use pushe_tasks::{
    AttemptEnd, FromTaskContext as _, NetworkType, Outcome, Receipt, Schedule, SchedulerBuilder, State, Task,
    TaskContext, TaskError, TaskOptions, TaskScheduler, WorkInfo, WorkState,
};
use pushe_tasks_tests::deadline::soon;

/// A store in memory that takes the network away when it has stored a claim, before anybody is told of it.
struct Takes(MemoryStore, Manual<NetworkState>, Arc<AtomicBool>);

impl Store for Takes {
    fn write(&mut self, body: &mut dyn FnMut(&mut dyn Verbs)) -> Result<Changes, StoreError> {
        let changes = self.0.write(body)?;
        let claims = changes.moves.iter().any(|moved| moved.to == WorkState::Running);
        if claims && self.2.swap(false, Ordering::SeqCst) {
            self.1.set(NetworkState::offline());
        }
        Ok(changes)
    }

    fn read(&mut self, body: &mut dyn FnMut(&dyn Look)) -> Result<(), StoreError> {
        self.0.read(body)
    }

    fn facts(&self) -> &StoreFacts {
        self.0.facts()
    }
}

/// What bodies tell, and what lets the blocking one end.
#[derive(Clone, Default)]
struct Stage {
    sent: Arc<AtomicU32>,
    blocks: Arc<AtomicBool>,
    freed: Arc<AtomicBool>,
}

/// Needs the network.
struct Send;

impl Task for Send {
    const NAME: &'static str = "Send";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new().network(NetworkType::Connected);
    type Input = ();
    type Output = u32;

    async fn perform((): (), cx: TaskContext) -> Result<Outcome<u32>, TaskError> {
        let State(stage) = State::<Stage>::from_task_context(&cx)?;
        stage.sent.fetch_add(1, Ordering::SeqCst);
        Ok(Outcome::Success(cx.attempt()))
    }
}

/// Blocks the thread that polls it until it is freed.
struct Block;

impl Task for Block {
    const NAME: &'static str = "Block";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = ();
    type Output = ();

    async fn perform((): (), cx: TaskContext) -> Result<Outcome, TaskError> {
        let State(stage) = State::<Stage>::from_task_context(&cx)?;
        stage.blocks.store(true, Ordering::SeqCst);
        while !stage.freed.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        Ok(Outcome::SUCCESS)
    }
}

fn builder(store: Takes, stage: &Stage) -> SchedulerBuilder {
    let network = store.1.clone();
    let builder = SchedulerBuilder::on_store(Box::new(store)).detached().state(stage.clone());
    let builder = builder.register::<Send>().only::<Send>().register::<Block>().only::<Block>();
    builder.network_source(network).damping::<NetworkConstraint>(Damping::NONE)
}

async fn given_back(scheduler: &TaskScheduler, work: &Receipt<Send>) -> WorkInfo {
    soon("the attempt to be given back", async {
        loop {
            let info = scheduler.info(work.id()).await.unwrap();
            if !info.history.is_empty() {
                return info;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

fn check_given_back(info: &WorkInfo) {
    assert_eq!((info.state, info.attempt, info.history.len()), (WorkState::Enqueued, 1, 1), "{info:?}");
    assert_eq!(info.history[0].end, AttemptEnd::Returned);
}

#[tokio::test]
async fn fault_58_a_network_lost_at_the_claim_starts_no_body() {
    let (network, stage, armed) =
        (Manual::new(NetworkState::routed()), Stage::default(), Arc::new(AtomicBool::new(true)));
    let store = Takes(MemoryStore::default(), network.clone(), Arc::clone(&armed));
    let scheduler = soon("the start", builder(store, &stage).start()).await.unwrap();
    let work = Schedule::<Send>::new(()).on(&scheduler).await.unwrap();
    check_given_back(&given_back(&scheduler, &work).await);
    assert!(!armed.load(Ordering::SeqCst), "the network was taken at the claim");
    assert_eq!(stage.sent.load(Ordering::SeqCst), 0, "no body has begun");
    let standing = scheduler.explain(work.id()).await.unwrap().to_string();
    assert!(standing.starts_with("waits for network: Connected"), "{standing}");
    network.set(NetworkState::routed());
    assert_eq!(soon("the work", work.output()).await.unwrap(), 1, "no attempt was burnt");
    assert_eq!(stage.sent.load(Ordering::SeqCst), 1);
    soon("the shutdown", scheduler.shutdown(Duration::ZERO)).await;
}

#[test]
fn fault_58_a_network_lost_before_the_first_poll_starts_no_body() {
    let bodies = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (network, stage) = (Manual::new(NetworkState::routed()), Stage::default());
    let store = Takes(MemoryStore::default(), network.clone(), Arc::default());
    // A long grace: a body that had begun would go on to its end, which is a success.
    let starting = builder(store, &stage).stop_grace(Duration::from_secs(600)).start();
    let scheduler = bodies.block_on(starting).unwrap();
    let callers = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    callers.block_on(async {
        scheduler.schedule_task(Block::OPTIONS, ()).await.unwrap();
        soon("the thread to be blocked", async {
            while !stage.blocks.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
        })
        .await;
        // It is claimed, and nothing polls it.
        let work = Schedule::<Send>::new(()).on(&scheduler).await.unwrap();
        soon("the claim", async {
            while scheduler.info(work.id()).await.unwrap().state != WorkState::Running
                || scheduler.health().await.unwrap().running < 2
            {
                tokio::task::yield_now().await;
            }
        })
        .await;
        network.set(NetworkState::offline());
        soon("the loss to be known", async {
            while network.watches() > 0 && !lost(&scheduler).await {
                tokio::task::yield_now().await;
            }
        })
        .await;
        stage.freed.store(true, Ordering::SeqCst);
        check_given_back(&given_back(&scheduler, &work).await);
        assert_eq!(stage.sent.load(Ordering::SeqCst), 0, "no body has begun");
        network.set(NetworkState::routed());
        assert_eq!(soon("the work", work.output()).await.unwrap(), 1, "no attempt was burnt");
        soon("the shutdown", scheduler.shutdown(Duration::ZERO)).await;
    });
}

/// Whether the dispatcher knows that there is no network: another piece then waits for it.
async fn lost(scheduler: &TaskScheduler) -> bool {
    let other = Schedule::<Send>::new(()).id("other").policy(pushe_tasks::ExistingWorkPolicy::Keep);
    let other = other.on(scheduler).await.unwrap();
    let standing = scheduler.explain(other.id()).await.unwrap().to_string();
    standing.starts_with("waits for network")
}
