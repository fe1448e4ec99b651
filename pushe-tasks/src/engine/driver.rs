//! What drives writer and dispatcher: in production a thread each, in simulations the caller's own runtime.
//!
//! Invariant: with threads, the store is opened, used and closed on the writer's thread; the dispatcher's thread has a
//! runtime of its own, so that a body that spins on the application's stops no timer and no constraint source. Both
//! drivers run the same two loops and differ in nothing but where.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pushe_tasks_store::{
    Changes, OpenError, RescueRequest, Rescued, Store, StoreError, StoreFacts, VerbError,
};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::dispatcher::Dispatcher;
use super::executor::{Executor, TokioExecutor};
use super::mailbox::Mailbox;
use super::message::{Event, Request};
use super::writer::{Writer, WriterFigures};
use crate::clock::Clock;
use crate::error::StartError;
use crate::park::block_on;
#[cfg(feature = "testing")]
use crate::testing::life::{Life, LifeExecutor};

/// What opening the store has found.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) facts: StoreFacts,
    pub(crate) rescued: Rescued,
    pub(crate) changes: Changes,
    /// Ends the writer unless a dispatcher takes over.
    pub(crate) tenure: Tenure,
}

/// Ends a writer whose engine does not come about, so that the store is closed: `start` may be dropped at any moment.
#[derive(Debug)]
pub(crate) struct Tenure(Option<Arc<Mailbox<Request>>>);

impl Tenure {
    /// A dispatcher runs, and will end the writer itself.
    pub(crate) fn hand_over(mut self) {
        self.0 = None;
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        if let Some(requests) = self.0.take() {
            requests.close_with(&mut vec![Request::Finish]);
        }
    }
}

/// Tells of the writer's end, however it came: in order, or by a panic. Whoever still waits for an answer learns that
/// there will be none.
struct Farewell {
    requests: Arc<Mailbox<Request>>,
    events: Arc<Mailbox<Event>>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.requests.close();
        let mut unanswered = Vec::new();
        self.requests.take(&mut unanswered);
        drop(unanswered);
        let _ = self.events.send(Event::WriterEnded);
    }
}

/// Where an engine runs.
#[derive(Clone, Debug, Default)]
pub(crate) enum Host {
    #[default]
    Threads,
    #[cfg(feature = "testing")]
    Caller(Life),
}

impl Host {
    /// Where bodies run.
    pub(crate) fn executor(&self, runtime: Handle) -> Arc<dyn Executor> {
        match self {
            Self::Threads => Arc::new(TokioExecutor::new(runtime)),
            #[cfg(feature = "testing")]
            Self::Caller(life) => Arc::new(LifeExecutor { life: life.clone(), runtime }),
        }
    }
}

#[cfg(feature = "testing")]
impl From<Driver> for Host {
    fn from(driver: Driver) -> Self {
        match driver {
            Driver::Threads => Self::Threads,
            Driver::Caller => Self::Caller(Life::default()),
        }
    }
}

/// Who drives the writer and the dispatcher of an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg(feature = "testing")]
pub enum Driver {
    /// A thread each, so that no body can hold them up.
    #[default]
    Threads,
    /// The runtime that `start` is called on: its tasks, beside the bodies. The store is opened and used on the threads
    /// of that runtime and blocks them.
    ///
    /// On a current-thread runtime, with a clock, a randomness and a store that a test holds in its hand, everything that
    /// the engine does is a function of them: nothing of it depends on threads, real time or chance.
    Caller,
}

/// Opens a store; called on the thread that will own it.
pub(crate) type OpenStore = Box<dyn FnOnce() -> Result<Box<dyn Store>, OpenError> + Send>;

/// What the writer's thread is given.
pub(crate) struct WriterSeat {
    pub(crate) requests: Arc<Mailbox<Request>>,
    pub(crate) events: Arc<Mailbox<Event>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) figures: Arc<WriterFigures>,
    pub(crate) crashes: CrashRules,
}

/// How the crash of an earlier process is judged (S7.2, S7.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct CrashRules {
    /// Attempts that had run at least this long are not charged.
    pub(crate) charge_within: Duration,
    /// So many crashes set a piece aside, if the last of them found it alone.
    pub(crate) max_interruptions: u32,
}

/// Has the store opened and its orphans rescued, and starts the writer.
pub(crate) async fn start_writer(
    host: &Host,
    seat: WriterSeat,
    open: OpenStore,
) -> Result<Opened, StartError> {
    match host {
        Host::Threads => spawn_writer(seat, open).await,
        #[cfg(feature = "testing")]
        Host::Caller(life) => {
            let (writing, opened) = seat.open(open)?;
            life.spawn(writing);
            Ok(opened)
        }
    }
}

async fn spawn_writer(seat: WriterSeat, open: OpenStore) -> Result<Opened, StartError> {
    let (tell, told) = oneshot::channel();
    let run = move || match seat.open(open) {
        Ok((writing, opened)) => {
            // Where whoever started it is gone, the tenure ends here and the writer at once.
            let _ = tell.send(Ok(opened));
            block_on(writing);
        }
        Err(error) => drop(tell.send(Err(error))),
    };
    thread::Builder::new().name("pushe-writer".to_owned()).spawn(run).map_err(StartError::Thread)?;
    let lost = || StartError::Thread(io::Error::other("the writer's thread ended before it had begun"));
    told.await.unwrap_or_else(|_| Err(lost()))
}

impl WriterSeat {
    /// Opens the store; answers the writer's whole life and what was found.
    fn open(self, open: OpenStore) -> Result<(impl Future<Output = ()> + Send, Opened), StartError> {
        let mut store = open()?;
        let tenure = Tenure(Some(Arc::clone(&self.requests)));
        let opened = begin(&mut *store, &self, tenure)?;
        let Self { requests, events, clock, figures, .. } = self;
        let writer = Writer::new(store, Arc::clone(&requests), Arc::clone(&events), clock, figures);
        let farewell = Farewell { requests, events };
        let writing = async move {
            let _farewell = farewell;
            writer.run().await;
        };
        Ok((writing, opened))
    }
}

/// The opening transaction: every Running row is an orphan, since the lock proves that no other process runs it.
fn begin(store: &mut dyn Store, seat: &WriterSeat, tenure: Tenure) -> Result<Opened, StartError> {
    let mut request = RescueRequest::new(seat.clock.wall(), seat.clock.boot_id());
    (request.charge_within, request.max_interruptions) =
        (seat.crashes.charge_within, seat.crashes.max_interruptions);
    let mut rescued: Result<Rescued, VerbError> = Ok(Rescued::default());
    let mut changes = store.write(&mut |verbs| rescued = verbs.rescue(&request))?;
    let rescued = rescued.map_err(|error| StartError::Store(StoreError::Failed(error.to_string())))?;
    // A new dispatcher knows no lane: it is told of all of them, and moves that it could not follow are left out.
    let mut lanes = Ok(Vec::new());
    store.read(&mut |look| {
        lanes = look.lanes();
        changes.paused = look.paused().ok();
    })?;
    let lanes = lanes.map_err(|error| StartError::Store(StoreError::Failed(error.to_string())))?;
    changes.moves.clear();
    changes.ready = lanes.iter().map(|lane| (lane.id, lane.ready)).collect();
    changes.new_lanes = lanes.into_iter().map(|lane| (lane.id, lane.lane)).collect();
    Ok(Opened { facts: store.facts().clone(), rescued, changes, tenure })
}

/// Starts the dispatcher.
pub(crate) fn start_dispatcher(host: &Host, dispatcher: Dispatcher) -> Result<(), StartError> {
    match host {
        Host::Threads => spawn_dispatcher(dispatcher),
        #[cfg(feature = "testing")]
        Host::Caller(life) => {
            life.spawn(dispatcher.run());
            Ok(())
        }
    }
}

fn spawn_dispatcher(dispatcher: Dispatcher) -> Result<(), StartError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
    let run = move || runtime.block_on(dispatcher.run());
    thread::Builder::new().name("pushe-dispatcher".to_owned()).spawn(run).map_err(StartError::Thread)?;
    Ok(())
}
