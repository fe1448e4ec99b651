//! The messages between callers, writer, dispatcher and attempts.
//!
//! Invariant: every piece of state has one owner, and these are the only ways to reach it.

use std::time::Duration;

use pushe_tasks_store::{
    Attempt, CancelledPage, Changes, Claimed, Enqueued, Moved, NewWork, Opaque, Page, PauseScope, Paused,
    Query, Settle, StoreError, StoreFacts, Target, VerbError, WorkId, WorkState, WorkView,
};
use tokio::sync::{broadcast, oneshot};

use super::credit::CreditUpdate;
use super::listeners::PeriodOutput;
use super::room::Place;
use super::second_look::SecondLook;
use crate::clock::{MonoTime, WallTime};
use crate::constraint::erased::{ErasedReading, SourceKey};
use crate::event::LifecycleEvent;
use crate::explain::Standing;
use crate::health::EngineHealth;
use crate::info::WorkInfo;
use crate::outcome::TaskError;
use crate::scheduler::{ShutdownReport, WorkRef};
use crate::watch::Seen;

/// Why a verb was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The verb was refused and changed nothing.
    #[error(transparent)]
    Verb(#[from] VerbError),
    /// Its transaction did not become durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine has stopped.
    #[error("the scheduler has been shut down; schedule before that, or start a new one")]
    Stopped,
    /// The calling thread is the writer's, in the middle of a transaction of the application.
    #[cfg(feature = "redb")]
    #[error("a transaction of this scheduler is under way on this thread; use `schedule_in` there")]
    WithinTransaction,
}

/// Where the answer to a request goes; until then it keeps the room that its request takes.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    answer: oneshot::Sender<Result<T, Refusal>>,
    _place: Place,
}

impl<T> Reply<T> {
    pub(crate) fn new(answer: oneshot::Sender<Result<T, Refusal>>, place: Place) -> Self {
        Self { answer, _place: place }
    }

    /// Answers; whoever no longer waits for it hears nothing.
    pub(crate) fn send(self, answer: Result<T, Refusal>) {
        let _ = self.answer.send(answer);
    }
}

/// What the writer is asked to do.
pub(crate) enum Request {
    /// Verbs that change the store: they share a transaction with all that wait beside them.
    Write(Write),
    /// A transaction of the application, which shares it with nobody.
    #[cfg(feature = "redb")]
    Transact(Box<dyn super::transact::Transact>),
    /// Looks at what is durable, after the writes that wait beside it.
    Read(Read),
    /// The dispatcher lets more or less be claimed.
    Credit(CreditUpdate),
    /// Delayed work may have fallen due, held settles may be tried again.
    Wake,
    /// No more requests will come: carry out what waits and end.
    Finish,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Write(write) => f.debug_tuple("Write").field(write).finish(),
            #[cfg(feature = "redb")]
            Self::Transact(_) => f.write_str("Transact"),
            Self::Read(read) => f.debug_tuple("Read").field(read).finish(),
            Self::Credit(update) => f.debug_tuple("Credit").field(update).finish(),
            Self::Wake => f.write_str("Wake"),
            Self::Finish => f.write_str("Finish"),
        }
    }
}

/// A verb that changes the store.
#[derive(Debug)]
pub(crate) enum Write {
    Enqueue(Vec<NewWork>, Reply<Vec<Enqueued>>),
    Cancel(Target, Reply<Vec<Moved>>),
    /// One step of a cancel that names many.
    CancelPage(Box<Query>, Reply<CancelledPage>),
    OverrideNext(Target, Option<WallTime>, Reply<Vec<WorkId>>),
    Requeue(WorkId, Reply<bool>),
    Discard(WorkId, Reply<bool>),
    RetryNow(Target, Reply<Vec<WorkId>>),
    Pause(PauseScope, Reply<()>),
    Resume(PauseScope, Reply<()>),
    /// The clock was set back.
    Clamp,
    Settle(Settle),
    Release(Attempt),
    /// It takes room as the requests of callers do: a body may report as often as it likes.
    Progress(Attempt, Opaque, Place),
    Prune(usize),
    Expire(usize),
    /// The answer is an event, so that it comes after all that was claimed before.
    RecordStop,
}

/// A look at the store.
#[derive(Debug)]
pub(crate) enum Read {
    Work(WorkId, Reply<Option<WorkView>>),
    TaskId(String, Reply<Option<WorkView>>),
    Output(WorkId, Reply<Option<Vec<u8>>>),
    Query(Box<Query>, Reply<Page>),
    /// Somebody is to watch it: the dispatcher answers, so that what is told follows upon what is seen here.
    Watch(WorkRef, Reply<Option<Watching>>),
    /// The dispatcher wants to know where it stands.
    Again(WorkId),
    Paused(Reply<Paused>),
    /// What the store says of itself now.
    Facts(Reply<StoreFacts>),
}

/// A piece that is being watched.
#[derive(Debug)]
pub(crate) struct Watching {
    /// How it stood at the beginning.
    pub(crate) first: Box<WorkInfo>,
    /// What it has done since.
    pub(crate) seen: broadcast::Receiver<Seen>,
}

/// What the dispatcher is told.
pub(crate) enum Event {
    /// A commit is durable, and these attempts were claimed in it.
    Committed(Changes, Vec<Claimed>),
    /// A commit failed; settles are held until the writer is woken again.
    StoreTrouble(StoreError),
    /// The body of an attempt was polled for the first time.
    Started(Attempt, MonoTime),
    /// An attempt has ended, and its body with it.
    Ended(Attempt, Ended),
    /// A constraint source read something new.
    Reading(SourceKey, ErasedReading),
    /// The sources that a claimed attempt needs were read once more.
    LookedAgain(Attempt, Vec<SecondLook>),
    /// Somebody waits for a piece of work to finish.
    Wait(WorkId, oneshot::Sender<WorkState>),
    /// Somebody waits for the next output of periodic work.
    WaitForOutput(WorkId, oneshot::Sender<PeriodOutput>),
    /// Somebody watches a piece of work, which stands like this.
    Watch(Box<WorkView>, Reply<Option<Watching>>),
    /// Somebody listens to everything.
    Listen(oneshot::Sender<broadcast::Receiver<LifecycleEvent>>),
    /// Somebody who listened for a piece of work has gone.
    Forget(WorkId),
    /// A report of progress is durable.
    Progressed(Attempt),
    /// A piece of work that somebody listens for stands like this.
    Again(Box<WorkView>),
    /// Somebody waits until no body of these pieces lives, or nobody can stop it; answers those that go on.
    Bodies(Vec<WorkId>, oneshot::Sender<Vec<WorkId>>),
    /// Somebody asks what keeps a piece of work from running.
    Explain(Box<WorkView>, oneshot::Sender<Standing>),
    /// Somebody asks how the engine is.
    Health(oneshot::Sender<EngineHealth>),
    /// The engine is to stop, giving bodies this long.
    Shutdown(Duration, oneshot::Sender<ShutdownReport>),
    /// A test lets so many more pieces start from now on.
    #[cfg(feature = "testing")]
    Allow(u64),
    /// The stop is on record, or cannot be: nothing more will be claimed.
    StopRecorded,
    /// The writer has carried out its last request and closed the store.
    WriterEnded,
    /// The last handle is gone: stop without waiting for anybody.
    Abandon,
}

/// How the body of an attempt ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It succeeded, with this encoded output.
    Success(Option<Opaque>),
    /// It succeeded, but its output cannot be stored.
    BadOutput(String),
    /// It answered an error or asked for something else than success.
    Error(TaskError),
    /// It panicked.
    Panic(String),
    /// It was dropped after it had been told to stop and its grace had passed.
    Dropped,
    /// It never began: the payload does not read back.
    BadPayload(String),
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Committed(changes, claimed) => {
                return write!(f, "Committed({}, {} claimed)", changes.commit, claimed.len());
            }
            Self::StoreTrouble(_) => "StoreTrouble",
            Self::Started(..) => "Started",
            Self::Ended(..) => "Ended",
            Self::Reading(..) => "Reading",
            Self::LookedAgain(..) => "LookedAgain",
            Self::Wait(..) => "Wait",
            Self::WaitForOutput(..) => "WaitForOutput",
            Self::Watch(..) => "Watch",
            Self::Listen(_) => "Listen",
            Self::Forget(_) => "Forget",
            Self::Progressed(_) => "Progressed",
            Self::Again(_) => "Again",
            Self::Bodies(..) => "Bodies",
            Self::Explain(..) => "Explain",
            Self::Health(_) => "Health",
            Self::Shutdown(..) => "Shutdown",
            #[cfg(feature = "testing")]
            Self::Allow(_) => "Allow",
            Self::StopRecorded => "StopRecorded",
            Self::WriterEnded => "WriterEnded",
            Self::Abandon => "Abandon",
        };
        f.write_str(name)
    }
}
