//! Orders about work that waits for its next run.

use std::time::SystemTime;

use pushe_tasks_store::{Target, WallTime, WorkId};

use crate::engine::message::{Request, Write};
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
        let target = match work.into() {
            WorkRef::Work(id) => Target::Work(id),
            WorkRef::TaskId(id) => Target::TaskId(id),
        };
        let at = at.map(WallTime::from);
        let moved = self.request(|reply| Request::Write(Write::OverrideNext(target, at, reply))).await?;
        if moved.is_empty() { Err(CallError::NotFound) } else { Ok(moved) }
    }
}
