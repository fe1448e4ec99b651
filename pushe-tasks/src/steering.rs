//! Orders about single pieces of work and about all that bears a task id (S9.1).

use std::time::SystemTime;

use pushe_tasks_store::{Target, WallTime, WorkId};
use tokio::sync::oneshot;

use crate::engine::message::{Event, Request, Write};
use crate::error::CallError;
use crate::scheduler::{TaskScheduler, WorkRef};

impl TaskScheduler {
    /// Lets the next run of periodic work be at this moment, or, with `None`, where it would have been; answers the pieces
    /// that it was given to.
    ///
    /// It is that run alone, and takes the place of the run of its slot; it beats the period and a back-off. While a run goes
    /// on it is for the run after that.
    ///
    /// # Errors
    /// [`CallError::NotFound`] where no unfinished periodic work is named so; [`CallError::Stopped`], [`CallError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves open whether the time is given.
    ///
    /// # Examples
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use pushe_tasks::prelude::*;
    ///
    /// #[pushe_task(every = "1d", name = "tidy up")]
    /// async fn tidy_up() {}
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let scheduler = TaskScheduler::in_memory().detached().schedule_only().start().await?;
    /// let receipt = TidyUp::schedule().on(&scheduler).await?;
    /// let soon = SystemTime::now() + Duration::from_secs(60);
    /// assert_eq!(scheduler.next_run_override("tidy up", Some(soon)).await?, [receipt.id()]);
    /// # scheduler.shutdown(Duration::ZERO).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next_run_override(
        &self,
        work: impl Into<WorkRef>,
        at: Option<SystemTime>,
    ) -> Result<Vec<WorkId>, CallError> {
        let target = Target::from(work.into());
        let at = at.map(WallTime::from);
        let moved = self.request(|reply| Request::Write(Write::OverrideNext(target, at, reply))).await?;
        if moved.is_empty() { Err(CallError::NotFound) } else { Ok(moved) }
    }

    /// Ends the delay or back-off of a piece of work, or of all waiting work that bears a task id; answers those pieces.
    ///
    /// They start as soon as constraints, permits and earlier work allow; pauses hold. Attempts go on counting. Periodic work
    /// that waits for its slot has its next run now, as by [`next_run_override`](Self::next_run_override).
    ///
    /// # Errors
    /// [`CallError::WrongState`] for a single piece that does not wait; [`CallError::NotFound`] where nothing that waits is
    /// named so; [`CallError::Stopped`], [`CallError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves open whether the waits are ended.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use pushe_tasks::prelude::*;
    ///
    /// #[pushe_task(name = "send the report", delay = "1h")]
    /// async fn send_report() {}
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let scheduler = TaskScheduler::in_memory().detached().schedule_only().start().await?;
    /// let receipt = SendReport::schedule().on(&scheduler).await?;
    /// assert_eq!(scheduler.retry_now(receipt.id()).await?, [receipt.id()]);
    /// # scheduler.shutdown(Duration::ZERO).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn retry_now(&self, work: impl Into<WorkRef>) -> Result<Vec<WorkId>, CallError> {
        let target = Target::from(work.into());
        let moved = self.request(|reply| Request::Write(Write::RetryNow(target, reply))).await?;
        if moved.is_empty() { Err(CallError::NotFound) } else { Ok(moved) }
    }

    /// Enqueues a piece of work that has failed, or was quarantined, anew.
    ///
    /// It is the same work, with its id, its payload and its history; its attempts begin at 1, and what `expires` had ended does
    /// not expire again. It takes its task id again. Quarantined work behind which other work was appended goes to the end of
    /// that queue. What had depended on it is not revived.
    ///
    /// # Errors
    /// [`CallError::IdBusy`] where other unfinished work has taken its task id; [`CallError::WrongState`] for work that has
    /// neither failed nor was quarantined; [`CallError::NotFound`]; [`CallError::Stopped`]; [`CallError::Store`], among others
    /// where its record or payload does not read back.
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves open whether the work is enqueued.
    ///
    /// # Examples
    /// ```
    /// # use pushe_tasks::{CallError, TaskScheduler, WorkId};
    /// async fn again(scheduler: &TaskScheduler, work: WorkId) -> Result<(), CallError> {
    ///     match scheduler.requeue(work).await {
    ///         Err(CallError::IdBusy { holder, .. }) => println!("{holder} does it already"),
    ///         other => other?,
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub async fn requeue(&self, work: WorkId) -> Result<(), CallError> {
        let found = self.request(|reply| Request::Write(Write::Requeue(work, reply))).await?;
        if found { Ok(()) } else { Err(CallError::NotFound) }
    }

    /// Ends a quarantined piece of work: it has failed, for the reason for which it was set aside, and is kept and pruned as
    /// failed work is. What waited for it goes on.
    ///
    /// # Errors
    /// [`CallError::WrongState`] for work that is not quarantined; [`CallError::NotFound`], [`CallError::Stopped`],
    /// [`CallError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves open whether the work is ended.
    ///
    /// # Examples
    /// ```
    /// # use pushe_tasks::{CallError, TaskScheduler, WorkState};
    /// async fn give_up_on_all(scheduler: &TaskScheduler) -> Result<(), CallError> {
    ///     for work in scheduler.list(&[WorkState::Quarantined], 100).await? {
    ///         scheduler.discard(work.id).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub async fn discard(&self, work: WorkId) -> Result<(), CallError> {
        let found = self.request(|reply| Request::Write(Write::Discard(work, reply))).await?;
        if found { Ok(()) } else { Err(CallError::NotFound) }
    }

    /// Cancels as [`cancel`](Self::cancel) does, and waits until no body of that work lives any more.
    ///
    /// Bodies are told to stop and dropped after the scheduler's grace. A blocking body that nobody can stop is not waited for
    /// longer than that: it is named in the answer.
    ///
    /// Awaited within a body that it cancels, it waits for that body itself: it ends when the body is dropped.
    ///
    /// # Errors
    /// [`CallError::Stopped`], [`CallError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves open whether the work is cancelled; once it is, only the wait ends.
    ///
    /// # Examples
    /// ```
    /// # use pushe_tasks::{CallError, TaskScheduler};
    /// async fn make_room(scheduler: &TaskScheduler) -> Result<(), CallError> {
    ///     let cancelled = scheduler.cancel_and_wait("sync/photos").await?;
    ///     assert!(cancelled.still_running.is_empty(), "a blocking body goes on");
    ///     Ok(())
    /// }
    /// ```
    pub async fn cancel_and_wait(&self, work: impl Into<WorkRef>) -> Result<Cancelled, CallError> {
        let work = work.into();
        let single = if let WorkRef::Work(id) = &work { Some(*id) } else { None };
        let works = self.cancel(work).await?;
        // It may have been cancelled before and still have a body.
        let mut awaited = works.clone();
        awaited.extend(single.filter(|id| !works.contains(id)));
        let (reply, ended) = oneshot::channel();
        self.tell(Event::Bodies(awaited, reply))?;
        let still_running = ended.await.map_err(|_| CallError::Stopped)?;
        Ok(Cancelled { works, still_running })
    }
}

/// What [`cancel_and_wait`](TaskScheduler::cancel_and_wait) did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cancelled {
    /// The pieces that were cancelled.
    pub works: Vec<WorkId>,
    /// Those whose body goes on, because it blocks and nobody can stop it.
    pub still_running: Vec<WorkId>,
}
