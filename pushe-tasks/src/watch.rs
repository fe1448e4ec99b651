//! Following one piece of work: first where it stands, then every move (S9.2).
//!
//! Invariant: between the present state and the first move that is told nothing is missed and nothing is told twice, since the
//! store is asked within the one order in which commits are told.

use std::fmt;
use std::sync::Weak;

use pushe_tasks_store::{WorkId, WorkState};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::engine::mailbox::Mailbox;
use crate::engine::message::Event;
use crate::error::CallError;
use crate::event::WorkEvent;
use crate::info::WorkInfo;

/// So many moves are kept for a watcher that is slow.
pub(crate) const MOVES: usize = 64;

/// What a [`Watch`] shows.
///
/// # Examples
/// ```
/// use pushe_tasks::{Seen, WorkState};
///
/// fn state(seen: &Seen) -> Option<WorkState> {
///     match seen {
///         Seen::Standing(info) => Some(info.state),
///         Seen::Moved(moved) => Some(moved.to),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Seen {
    /// The work as it stands: what is seen first, and again after the store had failed, since a move may then be untold.
    Standing(Box<WorkInfo>),
    /// It has moved.
    Moved(WorkEvent),
    /// Its body has reported progress, which `info` shows.
    Progressed,
    /// The watcher was slow: it has missed so much before what it sees next. The newest is never missed.
    Lagged {
        /// How many moves and reports.
        missed: u64,
    },
}

/// One piece of work that is being watched.
///
/// 64 moves are kept for a watcher that is slow; of more, the oldest are lost to it and it is told how many.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
/// use pushe_tasks::{Seen, WorkState};
///
/// #[pushe_task(name = "watched")]
/// async fn watched() {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let scheduler = TaskScheduler::in_memory().detached().schedule_only().start().await?;
/// let receipt = Watched::schedule().on(&scheduler).await?;
/// let mut watch = scheduler.watch(receipt.id()).await?;
/// let Some(Seen::Standing(info)) = watch.next().await? else { panic!("its present state comes first") };
/// assert_eq!(info.state, WorkState::Enqueued);
/// scheduler.cancel(receipt.id()).await?;
/// let Some(Seen::Moved(moved)) = watch.next().await? else { panic!("it has moved") };
/// assert_eq!(moved.to, WorkState::Cancelled);
/// assert!(watch.next().await?.is_none(), "it has finished");
/// # scheduler.shutdown(std::time::Duration::ZERO).await;
/// # Ok(())
/// # }
/// ```
pub struct Watch {
    first: Option<Box<WorkInfo>>,
    last: WorkState,
    seen: broadcast::Receiver<Seen>,
    listening: Listening,
}

impl Watch {
    pub(crate) fn new(first: Box<WorkInfo>, seen: broadcast::Receiver<Seen>, listening: Listening) -> Self {
        Self { last: first.state, first: Some(first), seen, listening }
    }

    /// The piece that is watched.
    ///
    /// # Examples
    /// ```
    /// fn named(watch: &pushe_tasks::Watch) -> String {
    ///     format!("work {}", watch.id())
    /// }
    /// ```
    pub fn id(&self) -> WorkId {
        self.listening.work
    }

    /// What is seen next; `None` once the work has finished. Work that is requeued afterwards is to be watched anew.
    ///
    /// # Errors
    /// [`CallError::Stopped`] where the scheduler ends before the work does.
    ///
    /// # Cancel safety
    /// Dropping the future misses nothing.
    ///
    /// # Examples
    /// ```
    /// use pushe_tasks::{CallError, Seen, Watch};
    ///
    /// async fn follow(mut watch: Watch) -> Result<(), CallError> {
    ///     while let Some(seen) = watch.next().await? {
    ///         if let Seen::Moved(moved) = seen {
    ///             println!("{} is {}", moved.work, moved.to);
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub async fn next(&mut self) -> Result<Option<Seen>, CallError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(Seen::Standing(first)));
        }
        match self.seen.recv().await {
            Ok(seen) => {
                match &seen {
                    Seen::Standing(info) => self.last = info.state,
                    Seen::Moved(moved) => self.last = moved.to,
                    _ => {}
                }
                Ok(Some(seen))
            }
            Err(RecvError::Lagged(missed)) => Ok(Some(Seen::Lagged { missed })),
            Err(RecvError::Closed) if self.last.is_finished() => Ok(None),
            Err(RecvError::Closed) => Err(CallError::Stopped),
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unseen = self.seen.len() + usize::from(self.first.is_some());
        f.debug_struct("Watch").field("work", &self.id()).field("unseen", &unseen).finish_non_exhaustive()
    }
}

/// Somebody listens for what becomes of a piece; the dispatcher learns when that is over, so that nothing is kept for nobody.
pub(crate) struct Listening {
    work: WorkId,
    events: Weak<Mailbox<Event>>,
}

impl Listening {
    pub(crate) const fn new(work: WorkId, events: Weak<Mailbox<Event>>) -> Self {
        Self { work, events }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(events) = self.events.upgrade() {
            let _ = events.send(Event::Forget(self.work));
        }
    }
}
