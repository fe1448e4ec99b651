//! What a caller holds of scheduled work.

use std::fmt;
use std::marker::PhantomData;

use pushe_tasks_store::{Enqueued, How, Reason, WorkId, WorkState, WorkView};

use crate::codec;
use crate::engine::PeriodOutput;
use crate::error::{CallError, OutputError};
use crate::scheduler::TaskScheduler;
use crate::task::Task;

/// Says that work is durable, how it came to be, and where its output will be.
pub struct Receipt<T: Task> {
    id: WorkId,
    kind: ReceiptKind,
    scheduler: TaskScheduler,
    task: PhantomData<fn() -> T>,
}

/// How scheduled work came to be stored, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiptKind {
    /// It was stored; no unfinished work bore its task id.
    New,
    /// Unfinished work with its task id was kept, and the new input was dropped.
    Kept {
        /// The state of the work that was kept.
        state: WorkState,
        /// Whether its stored options differ from those of the call.
        options_differ: bool,
    },
    /// It took the place of these, which were cancelled.
    Replaced(Vec<WorkId>),
    /// It runs after this piece.
    Appended {
        /// The piece before it.
        after: WorkId,
    },
}

impl<T: Task> Receipt<T> {
    pub(crate) fn new(enqueued: Enqueued, scheduler: TaskScheduler) -> Self {
        let kind = match enqueued.how {
            How::Kept { state, options_differ, .. } => ReceiptKind::Kept { state, options_differ },
            How::Replaced(old) => ReceiptKind::Replaced(old),
            How::Appended(after) => ReceiptKind::Appended { after },
            _ => ReceiptKind::New,
        };
        Self { id: enqueued.id, kind, scheduler, task: PhantomData }
    }

    /// The piece of work that stands for the call: the new one, or the one that was kept.
    pub const fn id(&self) -> WorkId {
        self.id
    }

    /// How it came to be.
    pub const fn kind(&self) -> &ReceiptKind {
        &self.kind
    }

    /// Waits until the work has finished, and answers the state in which it did.
    ///
    /// # Errors
    /// [`CallError::NotFound`] once it has been pruned; [`CallError::Stopped`].
    pub async fn wait(&self) -> Result<WorkState, CallError> {
        self.scheduler.wait(self.id).await
    }

    /// Waits until the work has finished, and answers its output.
    ///
    /// # Errors
    /// [`OutputError::Failed`], [`OutputError::Cancelled`] and [`OutputError::Gone`] where there is none to be had.
    ///
    /// # Cancel safety
    /// Dropping the future only stops the wait.
    pub async fn output(&self) -> Result<T::Output, OutputError> {
        self.wait().await?;
        let view = self.own_view().await?;
        let error = || match (view.errors.last(), view.record.reason) {
            (None, Some(Reason::Prerequisite)) => "the work before it failed".to_owned(),
            (_, Some(Reason::Expired)) => "it expired before it was started".to_owned(),
            (Some((_, text)), _) => text.clone(),
            (None, _) => String::new(),
        };
        match view.record.state {
            WorkState::Succeeded => {}
            WorkState::Failed => return Err(OutputError::Failed { error: error() }),
            WorkState::Quarantined => return Err(OutputError::Quarantined { error: error() }),
            _ => return Err(OutputError::Cancelled),
        }
        let bytes = self.scheduler.stored_output(self.id).await?.unwrap_or_default();
        Ok(codec::decode(&bytes)?)
    }
}

impl<T: Task> Receipt<T> {
    /// Waits until the present or next period of periodic work is over, and answers its output.
    ///
    /// Attempts of the period that are made again, and slots that are left out, are waited through. The outputs of periods are
    /// not stored: what ends while nobody waits is not to be had later. Of work that runs once it is
    /// [`output`](Self::output).
    ///
    /// # Errors
    /// [`OutputError::Failed`] where the period fails, after which the work goes on; else as [`output`](Self::output).
    ///
    /// # Cancel safety
    /// Dropping the future only stops the wait.
    ///
    /// # Examples
    /// ```no_run
    /// use pushe_tasks::prelude::*;
    ///
    /// #[pushe_task(every = "1h", name = "measured")]
    /// async fn measure() -> Outcome<u32> {
    ///     Outcome::Success(21)
    /// }
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let receipt = Measure::schedule().await?;
    /// println!("this hour: {}", receipt.next_output().await?);
    /// println!("the next one: {}", receipt.next_output().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next_output(&self) -> Result<T::Output, OutputError> {
        self.own_view().await?;
        match self.scheduler.next_period(self.id).await? {
            PeriodOutput::Done(bytes) => Ok(codec::decode(&bytes)?),
            PeriodOutput::Failed(error) => Err(OutputError::Failed { error }),
            PeriodOutput::Over => self.output().await,
        }
    }

    /// The work as it stands, where it is of this task.
    async fn own_view(&self) -> Result<WorkView, OutputError> {
        let view = self.scheduler.view(self.id.into()).await?;
        let task = &view.lane.task;
        if task != T::NAME && !T::ALIASES.contains(&task.as_str()) {
            return Err(OutputError::OtherTask { task: task.clone() });
        }
        Ok(view)
    }
}

impl<T: Task> fmt::Debug for Receipt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("task", &T::NAME)
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
