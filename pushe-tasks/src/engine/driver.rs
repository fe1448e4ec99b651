//! What drives writer and dispatcher in production: a thread each.
//!
//! Invariant: the store is opened, used and closed on the writer's thread; the dispatcher's thread has a runtime of its
//! own, so that a body that spins on the application's stops no timer and no constraint source.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pushe_tasks_store::{
    Changes, OpenError, RescueRequest, Rescued, Store, StoreError, StoreFacts, VerbError,
};
use tokio::sync::oneshot;

use super::dispatcher::Dispatcher;
use super::mailbox::Mailbox;
use super::message::{Event, Request};
use super::writer::{Writer, WriterFigures};
use crate::clock::Clock;
use crate::error::StartError;
use crate::park::block_on;

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

/// Starts the writer's thread, which opens the store and rescues orphans before it answers.
pub(crate) async fn spawn_writer(seat: WriterSeat, open: OpenStore) -> Result<Opened, StartError> {
    let (tell, told) = oneshot::channel();
    let run = move || {
        let mut store = match open() {
            Ok(store) => store,
            Err(error) => return drop(tell.send(Err(error.into()))),
        };
        let tenure = Tenure(Some(Arc::clone(&seat.requests)));
        let opened = match begin(&mut *store, &seat, tenure) {
            Ok(opened) => opened,
            Err(error) => return drop(tell.send(Err(error))),
        };
        let WriterSeat { requests, events, clock, figures, .. } = seat;
        let writer = Writer::new(store, Arc::clone(&requests), Arc::clone(&events), clock, figures);
        // Where whoever started it is gone, the tenure ends here and the writer at once.
        let _ = tell.send(Ok(opened));
        let _farewell = Farewell { requests, events };
        block_on(writer.run());
    };
    thread::Builder::new().name("pushe-writer".to_owned()).spawn(run).map_err(StartError::Thread)?;
    let lost = || StartError::Thread(io::Error::other("the writer's thread ended before it had begun"));
    told.await.unwrap_or_else(|_| Err(lost()))
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
    store.read(&mut |look| lanes = look.lanes())?;
    let lanes = lanes.map_err(|error| StartError::Store(StoreError::Failed(error.to_string())))?;
    changes.moves.clear();
    changes.ready = lanes.iter().map(|lane| (lane.id, lane.ready)).collect();
    changes.new_lanes = lanes.into_iter().map(|lane| (lane.id, lane.lane)).collect();
    Ok(Opened { facts: store.facts().clone(), rescued, changes, tenure })
}

/// Starts the dispatcher's thread.
pub(crate) fn spawn_dispatcher(dispatcher: Dispatcher) -> Result<(), StartError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
    let run = move || runtime.block_on(dispatcher.run());
    thread::Builder::new().name("pushe-dispatcher".to_owned()).spawn(run).map_err(StartError::Thread)?;
    Ok(())
}
