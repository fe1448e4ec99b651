//! Looking at work and at the scheduler itself (S9.2 to S9.4).
//!
//! Invariant: nothing here changes anything, and what it shows has been made durable.

use std::sync::atomic::Ordering;
use std::time::Duration;

use pushe_tasks_store::{StoreFacts, WorkState};
use tokio::sync::oneshot;

use crate::engine::message::{Event, Read, Request};
use crate::error::CallError;
use crate::explain::Standing;
use crate::health::{Health, StoreHealth};
use crate::scheduler::{TaskScheduler, WorkRef};

/// A store that says nothing for so long is not well.
const STORE_ANSWERS_WITHIN: Duration = Duration::from_secs(1);

impl TaskScheduler {
    /// Waits until a piece of work has finished or was quarantined, and answers that state.
    ///
    /// # Errors
    /// [`CallError::NotFound`]; [`CallError::Stopped`] where the scheduler ends before the work does.
    pub async fn wait(&self, work: impl Into<WorkRef>) -> Result<WorkState, CallError> {
        let id = match work.into() {
            WorkRef::Work(id) => id,
            named @ WorkRef::TaskId(_) => self.view(named).await?.record.id,
        };
        // The waiter is in line before the store is asked, so that an end in between is not missed.
        let (finished, end) = oneshot::channel();
        self.tell(Event::Wait(id, finished))?;
        let state = self.view(WorkRef::Work(id)).await?.record.state;
        let is_over = state.is_finished() || state == WorkState::Quarantined;
        if is_over { Ok(state) } else { end.await.map_err(|_| CallError::Stopped) }
    }

    /// Where a piece of work stands, and all that keeps it from running now, each with since when.
    ///
    /// # Errors
    /// [`CallError::NotFound`], [`CallError::Stopped`]; [`CallError::Store`] where the store cannot even be read, which is
    /// then what keeps all work from running.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    ///
    /// # Examples
    /// ```
    /// use pushe_tasks::TaskScheduler;
    ///
    /// async fn tell(scheduler: &TaskScheduler) -> Result<(), pushe_tasks::CallError> {
    ///     // Such as: waits for network: Connected (no usable default route, for 7 s)
    ///     println!("{}", scheduler.explain("upload/holidays").await?);
    ///     Ok(())
    /// }
    /// ```
    pub async fn explain(&self, work: impl Into<WorkRef>) -> Result<Standing, CallError> {
        let view = self.view(work.into()).await?;
        let (reply, answer) = oneshot::channel();
        self.tell(Event::Explain(Box::new(view), reply))?;
        answer.await.map_err(|_| CallError::Stopped)
    }

    /// What the store says of itself, and whether it was silent: then it is what it said when it was opened.
    async fn store_facts(&self) -> Result<(StoreFacts, bool), CallError> {
        let shared = self.shared();
        let enough = shared.clock.mono().plus(STORE_ANSWERS_WITHIN);
        tokio::select! {
            biased;
            facts = self.request(|reply| Request::Read(Read::Facts(reply))) => Ok((facts?, false)),
            () = shared.clock.sleep_until(enough) => Ok((shared.facts.clone(), true)),
        }
    }

    /// How this scheduler is.
    ///
    /// It answers although the store hangs: a store that has said nothing for 1 s is `Degraded`.
    ///
    /// # Errors
    /// [`CallError::Stopped`].
    pub async fn health(&self) -> Result<Health, CallError> {
        let (reply, answer) = oneshot::channel();
        self.tell(Event::Health(reply))?;
        let engine = answer.await.map_err(|_| CallError::Stopped)?;
        let (facts, silent) = self.store_facts().await?;
        let store = match (&facts.health, engine.trouble) {
            (StoreHealth::Healthy, None) if silent => {
                StoreHealth::Degraded(format!("it has not answered for {STORE_ANSWERS_WITHIN:?}"))
            }
            // What the engine has met says more than that all is well again by now.
            (StoreHealth::Healthy, Some(trouble)) => StoreHealth::Degraded(trouble),
            (health, _) => health.clone(),
        };
        let shared = self.shared();
        Ok(Health {
            store,
            facts,
            running: engine.running,
            ready: engine.ready,
            no_handler: engine.no_handler,
            zombies: engine.zombies,
            suspects: engine.suspects,
            alone: engine.alone,
            queue_depth: shared.requests.depth(),
            callers_waiting: shared.room.waiting(),
            held_settles: shared.figures.held.load(Ordering::Relaxed),
        })
    }
}
