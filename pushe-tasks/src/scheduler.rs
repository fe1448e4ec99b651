//! The running engine as a program holds it.
//!
//! Invariant: a handle owns nothing but the right to ask. What it answers `Ok` to has been made durable.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pushe_tasks_store::{Filter, Target, WorkId, WorkState, WorkView};
use tokio::sync::oneshot;

use crate::builder::SchedulerBuilder;
use crate::engine::executor::Executor;
use crate::engine::message::{Event, Read, Refusal, Reply, Request, Write};
use crate::engine::room::Place;
use crate::engine::shared::Shared;
use crate::error::{CallError, ScheduleError, StartError};
use crate::info::WorkInfo;
use crate::options::TaskOptions;
use crate::receipt::Receipt;
use crate::schedule::{Schedule, enqueue};
use crate::task::Task;

/// The engine that a call uses where it names none.
static DEFAULT: Mutex<Option<TaskScheduler>> = Mutex::new(None);

tokio::task_local! {
    /// The engine whose body is running.
    static RUNNING: Option<TaskScheduler>;
}

/// A running scheduler; clones speak of the same one.
///
/// It stops when [`shutdown`](Self::shutdown) is called. Dropping the last handle of a detached scheduler stops it too,
/// as a crash would: bodies are dropped and run again at the next start. So does the end of the runtime it was started on.
///
/// # Examples
/// ```
/// use pushe_tasks::TaskScheduler;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let scheduler = TaskScheduler::in_memory().detached().schedule_only().start().await?;
/// let report = scheduler.shutdown(Duration::from_secs(10)).await;
/// assert!(report.still_running().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TaskScheduler {
    handle: Arc<Handle>,
}

/// What the clones of a scheduler share; its end is the end of the last of them.
pub(crate) struct Handle {
    shared: Arc<Shared>,
    executor: Arc<dyn Executor>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = self.shared.events.send(Event::Abandon);
    }
}

/// Stops an engine whose runtime has ended: no body could run any more, and its store is to be free for the next one.
struct Sentinel(Arc<Shared>);

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.0.events.send(Event::Abandon);
    }
}

/// Watches, on the runtime of the bodies, for the end of that runtime.
pub(crate) fn watch_runtime(runtime: &tokio::runtime::Handle, scheduler: &TaskScheduler) {
    let sentinel = Sentinel(Arc::clone(&scheduler.handle.shared));
    runtime.spawn(async move { sentinel.0.ended().await });
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("store", &self.shared.facts.place).finish_non_exhaustive()
    }
}

impl TaskScheduler {
    /// Begins to set up a scheduler whose work lives in the file at `path`, which is created where there is none.
    #[cfg(feature = "redb")]
    pub fn builder(path: impl AsRef<std::path::Path>) -> SchedulerBuilder {
        SchedulerBuilder::on_file(path.as_ref().to_owned())
    }

    /// Begins to set up a scheduler whose work lives in memory and ends with the process.
    pub fn in_memory() -> SchedulerBuilder {
        SchedulerBuilder::in_memory()
    }

    pub(crate) fn new(shared: Arc<Shared>, executor: Arc<dyn Executor>) -> Self {
        let handle = Arc::new(Handle { shared, executor });
        let _ = handle.shared.handle.set(Arc::downgrade(&handle));
        Self { handle }
    }

    /// The handle of an engine, while anybody holds one.
    pub(crate) fn of(shared: &Shared) -> Option<Self> {
        Some(Self { handle: shared.handle.get()?.upgrade()? })
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    pub(crate) fn executor(&self) -> &dyn Executor {
        &*self.handle.executor
    }

    pub(crate) fn downgrade(&self) -> WeakScheduler {
        WeakScheduler(Arc::downgrade(&self.handle))
    }

    /// The scheduler that a call uses where it names none: the one whose body is running, else the process default.
    ///
    /// # Errors
    /// [`ScheduleError::NoScheduler`] where there is neither.
    pub fn current() -> Result<Self, ScheduleError> {
        let running = RUNNING.try_with(Clone::clone).ok().flatten();
        #[cfg(feature = "testing")]
        let running = running.or_else(crate::testing::current::of_this_thread);
        running.or_else(|| lock_default().clone()).ok_or(ScheduleError::NoScheduler)
    }

    /// Makes this one the process default.
    pub(crate) fn become_default(&self) -> Result<(), StartError> {
        let mut default = lock_default();
        if default.as_ref().is_some_and(|other| !other.shared().has_ended()) {
            return Err(StartError::DefaultTaken);
        }
        *default = Some(self.clone());
        Ok(())
    }

    pub(crate) fn default_is_taken() -> bool {
        lock_default().as_ref().is_some_and(|other| !other.shared().has_ended())
    }

    /// Schedules one piece of work; the form of the reference document. [`Schedule`] has the options of one call.
    ///
    /// # Errors
    /// As [`Schedule`].
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves either the whole work or nothing stored; while it waits for room in
    /// the queue, nothing.
    pub async fn schedule_task<T: Task>(
        &self,
        options: TaskOptions<T>,
        input: T::Input,
    ) -> Result<Receipt<T>, ScheduleError> {
        Schedule::with_options(options, input).on(self).await
    }

    /// Schedules one piece of work from a thread that may block, inside of a runtime or not.
    ///
    /// # Errors
    /// As [`Schedule`].
    pub fn schedule_blocking<T: Task>(
        &self,
        options: TaskOptions<T>,
        input: T::Input,
    ) -> Result<Receipt<T>, ScheduleError> {
        Schedule::with_options(options, input).on(self).blocking()
    }

    /// Schedules many pieces in one transaction: all of them or none, judged in order, one receipt each (S4.12).
    ///
    /// # Errors
    /// As [`Schedule`]; [`ScheduleError::TooMany`] for more than 10,000 pieces or 64 MiB; [`ScheduleError::OtherScheduler`]
    /// for a piece that names another one.
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves either all of them or nothing stored; while it waits for room in the
    /// queue, nothing.
    pub async fn schedule_many<T: Task>(
        &self,
        batch: impl IntoIterator<Item = Schedule<T>>,
    ) -> Result<Vec<Receipt<T>>, ScheduleError> {
        enqueue(self, batch.into_iter().collect()).await
    }

    /// Cancels a piece of work, or every unfinished piece that bears a task id; answers what was cancelled.
    ///
    /// A body that runs is told to stop and dropped after its grace; whatever it answers, its work stays cancelled.
    ///
    /// # Errors
    /// [`CallError::Stopped`], [`CallError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves open whether the work is cancelled.
    pub async fn cancel(&self, work: impl Into<WorkRef>) -> Result<Vec<WorkId>, CallError> {
        let target = Target::from(work.into());
        let moved = self.request(|reply| Request::Write(Write::Cancel(target, reply))).await?;
        Ok(moved.into_iter().map(|moved| moved.attempt.work).collect())
    }

    /// One piece of work as it stands: by its id, or by its task id the newest piece that bore it, finished or not.
    ///
    /// # Errors
    /// [`CallError::NotFound`] for work that never was or has been pruned.
    pub async fn info(&self, work: impl Into<WorkRef>) -> Result<WorkInfo, CallError> {
        Ok(self.view(work.into()).await?.into())
    }

    /// The pieces of work in one of these states, oldest first, at most `limit`; all states where none is named.
    ///
    /// # Errors
    /// [`CallError::Stopped`], [`CallError::Store`].
    pub async fn list(&self, states: &[WorkState], limit: usize) -> Result<Vec<WorkInfo>, CallError> {
        let filter = Filter { states: states.to_vec(), tasks: Vec::new(), after: None, limit };
        let page = self.request(|reply| Request::Read(Read::List(filter, reply))).await?;
        Ok(page.into_iter().map(WorkInfo::from).collect())
    }

    /// Stops in order: claims nothing more, tells running bodies to stop, waits `grace`, gives their attempts back, and
    /// closes the store. No async body runs after it returns; what is left over is named in the report.
    ///
    /// Calling it again waits for the same end. Awaited within one of its own bodies, which it would wait for, it answers as
    /// soon as the shutdown has begun; the body is told to stop like all others.
    ///
    /// # Cancel safety
    /// Dropping the future before it completes does not take the shutdown back.
    pub async fn shutdown(&self, grace: Duration) -> ShutdownReport {
        self.shared().begin_stop();
        let (reply, report) = oneshot::channel();
        let _ = self.handle.shared.events.send(Event::Shutdown(grace, reply));
        let own_body = RUNNING.try_with(|running| running.as_ref().is_some_and(|running| running.is(self)));
        if own_body.unwrap_or(false) || self.refuse_within().is_err() {
            return ShutdownReport::default();
        }
        let ended = async {
            self.stopped().await;
            ShutdownReport::default()
        };
        let report = tokio::select! {
            biased;
            Ok(report) = report => report,
            report = ended => report,
        };
        let mut default = lock_default();
        if default.as_ref().is_some_and(|default| default.is(self)) {
            *default = None;
        }
        report
    }

    /// Whether both are handles of one scheduler.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.handle, &other.handle)
    }

    pub(crate) fn has_stopped(&self) -> bool {
        self.shared().has_ended()
    }

    /// Ends when the scheduler has been shut down, by whomever.
    ///
    /// # Cancel safety
    /// Dropping the future only stops the wait.
    pub async fn stopped(&self) {
        self.shared().ended().await;
    }

    /// The output of a piece that succeeded, as it is stored.
    pub(crate) async fn stored_output(&self, id: WorkId) -> Result<Option<Vec<u8>>, CallError> {
        Ok(self.request(|reply| Request::Read(Read::Output(id, reply))).await?)
    }

    pub(crate) async fn view(&self, work: WorkRef) -> Result<WorkView, CallError> {
        let view = match work {
            WorkRef::Work(id) => self.request(|reply| Request::Read(Read::Work(id, reply))).await,
            WorkRef::TaskId(id) => self.request(|reply| Request::Read(Read::TaskId(id, reply))).await,
        };
        view?.ok_or(CallError::NotFound)
    }

    /// Asks the writer something small, once there is room for it.
    pub(crate) async fn request<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Refusal> {
        self.refuse_within()?;
        let place = self.shared().side_room.enter(0).await;
        self.ask(place, request).await
    }

    /// Has the writer store what takes so many bytes until then, once there is room for it.
    pub(crate) async fn store<T>(
        &self,
        bytes: usize,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T, Refusal> {
        self.refuse_within()?;
        let place = self.shared().room.enter(bytes).await;
        self.ask(place, request).await
    }

    /// Refuses what is blocked on within a transaction, which the writer would wait for and it for the writer.
    #[cfg(feature = "redb")]
    fn refuse_within(&self) -> Result<(), Refusal> {
        if crate::engine::transact::is_within(self) { Err(Refusal::WithinTransaction) } else { Ok(()) }
    }

    #[cfg(not(feature = "redb"))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "there are no transactions of the application"
    )]
    fn refuse_within(&self) -> Result<(), Refusal> {
        Ok(())
    }

    /// Tells one scheduler from another.
    #[cfg(feature = "redb")]
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.handle).addr()
    }

    async fn ask<T>(&self, place: Place, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        let request = request(Reply::new(reply, place));
        self.shared().requests.send(request).map_err(|_| Refusal::Stopped)?;
        answer.await.unwrap_or(Err(Refusal::Stopped))
    }

    pub(crate) fn tell(&self, event: Event) -> Result<(), CallError> {
        if self.shared().has_ended() {
            return Err(CallError::Stopped);
        }
        self.shared().events.send(event).map_err(|_| CallError::Stopped)
    }
}

impl fmt::Debug for TaskScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskScheduler").field("store", &self.shared().facts.place).finish_non_exhaustive()
    }
}

/// A handle that keeps nothing alive.
pub(crate) struct WeakScheduler(std::sync::Weak<Handle>);

impl WeakScheduler {
    pub(crate) fn upgrade(&self) -> Option<TaskScheduler> {
        Some(TaskScheduler { handle: self.0.upgrade()? })
    }
}

/// Names work: one piece, or all that bears a task id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkRef {
    /// One piece.
    Work(WorkId),
    /// What bears this task id.
    TaskId(String),
}

impl From<WorkRef> for Target {
    fn from(work: WorkRef) -> Self {
        match work {
            WorkRef::Work(id) => Self::Work(id),
            WorkRef::TaskId(id) => Self::TaskId(id),
        }
    }
}

impl From<WorkId> for WorkRef {
    fn from(id: WorkId) -> Self {
        Self::Work(id)
    }
}

impl From<&str> for WorkRef {
    fn from(task_id: &str) -> Self {
        Self::TaskId(task_id.to_owned())
    }
}

impl From<String> for WorkRef {
    fn from(task_id: String) -> Self {
        Self::TaskId(task_id)
    }
}

/// What a shutdown left over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    still_running: Vec<String>,
}

impl ShutdownReport {
    pub(crate) fn new(still_running: Vec<String>) -> Self {
        Self { still_running }
    }

    /// The task names of bodies that nobody could stop: blocking ones, which go on until they return or the process ends.
    pub fn still_running(&self) -> &[String] {
        &self.still_running
    }
}

/// Runs a future as part of an engine: what it schedules goes there.
pub(crate) fn within<F: Future>(
    scheduler: Option<TaskScheduler>,
    future: F,
) -> impl Future<Output = F::Output> {
    RUNNING.scope(scheduler, future)
}

fn lock_default() -> std::sync::MutexGuard<'static, Option<TaskScheduler>> {
    DEFAULT.lock().unwrap_or_else(PoisonError::into_inner)
}
