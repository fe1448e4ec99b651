//! Looking at work and at the scheduler itself (S9.2 to S9.4).
//!
//! Invariant: nothing here changes anything, and what it shows has been made durable.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pushe_tasks_store::{StoreFacts, WorkId, WorkState};
use tokio::sync::oneshot;

use crate::engine::PeriodOutput;
use crate::engine::message::{Event, Read, Request, Watching};
use crate::error::CallError;
use crate::event::Events;
use crate::explain::Standing;
use crate::health::{Health, StoreHealth};
use crate::scheduler::{TaskScheduler, WorkRef};
use crate::watch::{Listening, Watch};

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
        let _listening = self.listening(id);
        // The waiter is in line before the store is asked, so that an end in between is not missed.
        let (finished, end) = oneshot::channel();
        self.tell(Event::Wait(id, finished))?;
        let state = self.view(WorkRef::Work(id)).await?.record.state;
        let is_over = state.is_finished() || state == WorkState::Quarantined;
        if is_over { Ok(state) } else { end.await.map_err(|_| CallError::Stopped) }
    }

    /// Follows a piece of work: first where it stands, then every move, none of it before it is durable. By a task id it is
    /// the newest piece that bore it.
    ///
    /// # Errors
    /// [`CallError::NotFound`], [`CallError::Stopped`], [`CallError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    ///
    /// # Examples
    /// See [`Watch`].
    pub async fn watch(&self, work: impl Into<WorkRef>) -> Result<Watch, CallError> {
        let work = work.into();
        let watching = self.request(|reply| Request::Read(Read::Watch(work, reply))).await?;
        let Watching { first, seen } = watching.ok_or(CallError::NotFound)?;
        let listening = self.listening(first.id);
        Ok(Watch::new(first, seen, listening))
    }

    /// What happens in this scheduler from now on, to every piece of work and to the scheduler itself.
    ///
    /// # Errors
    /// [`CallError::Stopped`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    ///
    /// # Examples
    /// See [`Events`].
    pub async fn events(&self) -> Result<Events, CallError> {
        let (reply, answer) = oneshot::channel();
        self.tell(Event::Listen(reply))?;
        Ok(Events::new(answer.await.map_err(|_| CallError::Stopped)?))
    }

    /// Waits until a period of this work is over, or the work itself.
    pub(crate) async fn next_period(&self, id: WorkId) -> Result<PeriodOutput, CallError> {
        let _listening = self.listening(id);
        // The waiter is in line before the store is asked, so that an end in between is not missed.
        let (tell, told) = oneshot::channel();
        self.tell(Event::WaitForOutput(id, tell))?;
        let state = self.view(WorkRef::Work(id)).await?.record.state;
        let is_over = state.is_finished() || state == WorkState::Quarantined;
        if is_over { Ok(PeriodOutput::Over) } else { told.await.map_err(|_| CallError::Stopped) }
    }

    fn listening(&self, work: WorkId) -> Listening {
        Listening::new(work, Arc::downgrade(&self.shared().events))
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
            sources: engine.sources,
            held_settles: shared.figures.held.load(Ordering::Relaxed),
        })
    }
}
