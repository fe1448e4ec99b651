//! Looking at work and at the scheduler itself (S9.2 to S9.4).
//!
//! Invariant: nothing here changes anything, and what it shows has been made durable.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pushe_tasks_store::{Census, WallTime, WorkId, WorkState};
use tokio::sync::oneshot;

use crate::engine::PeriodOutput;
use crate::engine::message::{Event, Read, Request, Watching};
use crate::error::CallError;
use crate::event::Events;
use crate::explain::Standing;
use crate::health::{EngineHealth, Health, Liveness, StoreHealth};
use crate::info::when;
use crate::scheduler::{TaskScheduler, WorkRef};
use crate::watch::{Listening, Watch};

/// What says nothing for so long is not well.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

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

    /// An answer, unless it takes longer than somebody who asks how things are should have to wait.
    async fn soon<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        let clock = &self.shared().clock;
        let enough = clock.mono().plus(ANSWERS_WITHIN);
        tokio::select! {
            biased;
            answer = answer => Some(answer),
            () = clock.sleep_until(enough) => None,
        }
    }

    /// How this scheduler is.
    ///
    /// It answers although the store or the dispatcher hangs: a store that has said nothing for 1 s is `Degraded`, a dispatcher
    /// `Stalled`.
    ///
    /// # Errors
    /// [`CallError::Stopped`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    ///
    /// # Examples
    /// See [`Health`].
    pub async fn health(&self) -> Result<Health, CallError> {
        let shared = self.shared();
        let (reply, answer) = oneshot::channel();
        self.tell(Event::Health(reply))?;
        let asked = shared.clock.wall();
        let (engine, facts, census) = tokio::join!(
            self.soon(answer),
            self.soon(self.request(|reply| Request::Read(Read::Facts(reply)))),
            self.soon(self.request(|reply| Request::Read(Read::Census(reply)))),
        );
        let (engine, dispatcher) = match engine {
            Some(engine) => (engine.map_err(|_| CallError::Stopped)?, Liveness::Alive),
            None => (EngineHealth::default(), Liveness::Stalled { since: when(self.stalled_since(asked)) }),
        };
        let silent = facts.is_none();
        let facts = facts.transpose()?.unwrap_or_else(|| shared.facts.clone());
        let held_settles = shared.figures.held.load(Ordering::Relaxed);
        let store = match (&facts.health, engine.trouble) {
            (StoreHealth::Healthy, None) if silent => {
                StoreHealth::Degraded(format!("it has not answered for {ANSWERS_WITHIN:?}"))
            }
            // What the engine has met says more than that all is well again by now.
            (StoreHealth::Healthy, Some(trouble)) => StoreHealth::Degraded(trouble),
            // The writer knows before anybody has been told.
            (StoreHealth::Healthy, None) if held_settles > 0 => {
                StoreHealth::Degraded(format!("ends of attempts wait to be stored: {held_settles}"))
            }
            (health, _) => health.clone(),
        };
        // A store that cannot be read has said so above.
        let census = census.and_then(Result::ok);
        Ok(Health {
            store,
            facts,
            dispatcher,
            oldest_waiting: census.as_ref().and_then(|census| self.oldest_waiting(census)),
            quarantined: census.map(|census| census.quarantined),
            running: engine.running,
            ready: engine.ready,
            no_handler: engine.no_handler,
            zombies: engine.zombies,
            suspects: engine.suspects,
            alone: engine.alone,
            sources: engine.sources,
            blocked_since: engine.blocked_since,
            queue_depth: shared.requests.depth(),
            callers_waiting: shared.room.waiting(),
            held_settles,
        })
    }

    /// Since when the dispatcher does not answer: since its step began, or since it was asked.
    fn stalled_since(&self, asked: WallTime) -> WallTime {
        let shared = self.shared();
        let stuck = |since| shared.clock.wall().minus(shared.clock.mono().since(since));
        shared.pulse.in_step_since().map_or(asked, stuck)
    }

    fn oldest_waiting(&self, census: &Census) -> Option<Duration> {
        let shared = self.shared();
        let now = shared.clock.wall();
        let registered =
            census.first_in_line.iter().filter(|(lane, _)| shared.registry.find(&lane.task).is_some());
        registered.map(|(_, due)| *due).filter(|due| *due <= now).min().map(|due| now.since(due))
    }
}
