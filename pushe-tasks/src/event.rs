//! Lifecycle events: what becomes of work, and of the scheduler itself, told to whoever listens (S9.2).
//!
//! Invariant: nothing is told before it is durable, in the order in which it became so; a listener that is slow loses the
//! oldest of what it has not heard, is told how much, and holds nobody up.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use pushe_tasks_store::{Reason, WorkId, WorkState};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::info::StopReason;

/// So many events are kept for a listener that is slow.
pub(crate) const EVENTS: usize = 1_024;

/// A move of one piece of work from one state to another, which is durable.
///
/// # Examples
/// ```
/// fn is_first_claim(event: &pushe_tasks::WorkEvent) -> bool {
///     event.to == pushe_tasks::WorkState::Running && event.claim == 1
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkEvent {
    /// The piece.
    pub work: WorkId,
    /// Its stored task name.
    pub task: Arc<str>,
    /// The number of its newest claim; 0 where it was never claimed.
    pub claim: u64,
    /// Where it stood; `None` for a new piece.
    pub from: Option<WorkState>,
    /// Where it stands.
    pub to: WorkState,
    /// Why, where there is more to say.
    pub reason: Option<Reason>,
    /// When this was told, by the clock of the scheduler.
    pub at: SystemTime,
}

/// Something that has happened in a scheduler.
///
/// Payloads, outputs and error texts are in none of them.
///
/// # Examples
/// ```
/// use pushe_tasks::{LifecycleEvent, WorkState};
///
/// fn is_failure(event: &LifecycleEvent) -> bool {
///     matches!(event, LifecycleEvent::Moved(moved) if moved.to == WorkState::Failed)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LifecycleEvent {
    /// A piece of work has moved.
    Moved(WorkEvent),
    /// A running body was told to stop.
    Stopping {
        /// Its work.
        work: WorkId,
        /// Its task.
        task: Arc<str>,
        /// Why.
        reason: StopReason,
    },
    /// A body that did not stop was given up; it goes on, and its work is not run again until it ends.
    GivenUp {
        /// Its work.
        work: WorkId,
        /// Its task.
        task: Arc<str>,
    },
    /// A transaction of the store has failed.
    StoreFailed {
        /// What the store said.
        why: Arc<str>,
    },
    /// The store works again. Of what was in doubt when it failed, not every move may have been told.
    StoreWorks,
    /// The scheduler has begun to shut down.
    ShuttingDown,
    /// The listener was slow: it has missed so many events before the next one.
    Lagged {
        /// How many.
        missed: u64,
    },
}

/// What happens in a scheduler, from the call of [`events`](crate::TaskScheduler::events) on.
///
/// 1,024 events are kept for a listener that is slow; of more, the oldest are lost to it and it is told how many.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
/// use pushe_tasks::{LifecycleEvent, WorkState};
///
/// #[pushe_task(name = "listened to")]
/// async fn listened() {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let scheduler = TaskScheduler::in_memory().detached().schedule_only().start().await?;
/// let mut events = scheduler.events().await?;
/// let receipt = Listened::schedule().on(&scheduler).await?;
/// let Some(LifecycleEvent::Moved(moved)) = events.next().await else { panic!("it has moved") };
/// assert_eq!((moved.work, moved.to), (receipt.id(), WorkState::Enqueued));
/// # scheduler.shutdown(std::time::Duration::ZERO).await;
/// # Ok(())
/// # }
/// ```
pub struct Events {
    receiver: broadcast::Receiver<LifecycleEvent>,
}

impl Events {
    pub(crate) const fn new(receiver: broadcast::Receiver<LifecycleEvent>) -> Self {
        Self { receiver }
    }

    /// The next event; `None` once the scheduler has ended and all of them were heard.
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    ///
    /// # Examples
    /// ```
    /// async fn print(mut events: pushe_tasks::Events) {
    ///     while let Some(event) = events.next().await {
    ///         println!("{event:?}");
    ///     }
    /// }
    /// ```
    pub async fn next(&mut self) -> Option<LifecycleEvent> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(LifecycleEvent::Lagged { missed }),
            Err(RecvError::Closed) => None,
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("unheard", &self.receiver.len()).finish()
    }
}
