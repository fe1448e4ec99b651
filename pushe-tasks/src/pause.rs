//! Pausing work and letting it go on (S9.1).
//!
//! Invariant: the switches live in the store. What a call of `pause` answers `Ok` to holds for every claim after it.

use std::collections::BTreeMap;
use std::time::SystemTime;

use pushe_tasks_store::{PauseScope, WallTime};
use pushe_tasks_syntax::limits::NAME_BYTES;

use crate::engine::message::{Read, Request, Write};
use crate::error::CallError;
use crate::info::when;
use crate::registry::Registry;
use crate::scheduler::TaskScheduler;

/// What is paused, each with since when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Paused {
    /// All work, by [`TaskScheduler::pause`].
    pub all: Option<SystemTime>,
    /// Single tasks, by their stored names, by [`TaskScheduler::pause_task`].
    pub tasks: BTreeMap<String, SystemTime>,
}

impl TaskScheduler {
    /// Pauses all work: no attempt starts until [`resume`](Self::resume).
    ///
    /// It is durable and holds over restarts. Bodies that run go on to their end, delays run out and `expires` counts as
    /// ever, and scheduling works: only starting does not. Periodic work misses slots that pass meanwhile.
    ///
    /// # Errors
    /// [`CallError::Stopped`], [`CallError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves open whether work is paused.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use pushe_tasks::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let scheduler = TaskScheduler::in_memory().detached().schedule_only().start().await?;
    /// scheduler.pause().await?;
    /// assert!(scheduler.paused().await?.all.is_some());
    /// scheduler.resume().await?;
    /// # scheduler.shutdown(Duration::ZERO).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn pause(&self) -> Result<(), CallError> {
        self.turn(PauseScope::All, Write::Pause).await
    }

    /// Lets work start again after [`pause`](Self::pause). Tasks that were paused one by one stay so.
    ///
    /// # Errors
    /// [`CallError::Stopped`], [`CallError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves open whether work is resumed.
    ///
    /// # Examples
    /// See [`pause`](Self::pause).
    pub async fn resume(&self) -> Result<(), CallError> {
        self.turn(PauseScope::All, Write::Resume).await
    }

    /// Pauses the work of one task, by its stored name or an alias of it, as [`pause`](Self::pause) does all work.
    ///
    /// Its other names are paused with it, also those that it is given later. A name that nobody registers here is
    /// paused too.
    ///
    /// # Errors
    /// [`CallError::Invalid`] for a name that no task can bear; [`CallError::Stopped`], [`CallError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves open whether the task is paused.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use pushe_tasks::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let scheduler = TaskScheduler::in_memory().detached().schedule_only().start().await?;
    /// scheduler.pause_task("UploadPhoto").await?;
    /// assert!(scheduler.paused().await?.tasks.contains_key("UploadPhoto"));
    /// scheduler.resume_task("UploadPhoto").await?;
    /// # scheduler.shutdown(Duration::ZERO).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn pause_task(&self, task: &str) -> Result<(), CallError> {
        self.turn(self.names_of(task)?, Write::Pause).await
    }

    /// Lets work of the task start again after [`pause_task`](Self::pause_task). While all work is paused it still waits.
    ///
    /// # Errors
    /// As [`pause_task`](Self::pause_task).
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves open whether the task is resumed.
    ///
    /// # Examples
    /// See [`pause_task`](Self::pause_task).
    pub async fn resume_task(&self, task: &str) -> Result<(), CallError> {
        self.turn(self.names_of(task)?, Write::Resume).await
    }

    /// What is paused.
    ///
    /// # Errors
    /// [`CallError::Stopped`], [`CallError::Store`].
    ///
    /// # Examples
    /// See [`pause`](Self::pause).
    pub async fn paused(&self) -> Result<Paused, CallError> {
        let paused = self.request(|reply| Request::Read(Read::Paused(reply))).await?;
        let tasks = paused.tasks.into_iter().map(|(task, since)| (task, when(since)));
        Ok(Paused { all: paused.all.map(when), tasks: tasks.collect() })
    }

    async fn turn(
        &self,
        scope: PauseScope,
        write: fn(PauseScope, crate::engine::message::Reply<()>) -> Write,
    ) -> Result<(), CallError> {
        Ok(self.request(|reply| Request::Write(write(scope, reply))).await?)
    }

    fn names_of(&self, task: &str) -> Result<PauseScope, CallError> {
        if task.is_empty() || task.len() > NAME_BYTES {
            let problem = format!("a task's name has 1 to {NAME_BYTES} bytes, and this one {}", task.len());
            return Err(CallError::Invalid { problem });
        }
        Ok(PauseScope::Tasks(names(&self.shared().registry, task)))
    }

    /// Pauses tasks under all their names where one of them is paused: they may have been given new ones since.
    pub(crate) async fn pause_new_names(&self, paused: &pushe_tasks_store::Paused) -> Result<(), CallError> {
        let registry = &self.shared().registry;
        let all: Vec<_> = paused.tasks.keys().flat_map(|task| names(registry, task)).collect();
        if all.iter().all(|task| paused.tasks.contains_key(task)) {
            return Ok(());
        }
        self.turn(PauseScope::Tasks(all), Write::Pause).await
    }
}

/// All names of the task that bears this one.
fn names(registry: &Registry, task: &str) -> Vec<String> {
    match registry.find(task).map(|index| registry.entries()[index]) {
        Some(entry) => {
            std::iter::once(entry.name()).chain(entry.aliases().iter().copied()).map(str::to_owned).collect()
        }
        None => vec![task.to_owned()],
    }
}

/// Since when work of a task may not start, and whether that is the switch of the task itself.
pub(crate) fn since(paused: &pushe_tasks_store::Paused, task: &str) -> Option<(bool, WallTime)> {
    match (paused.tasks.get(task), paused.all) {
        (Some(since), _) => Some((true, *since)),
        (None, Some(since)) => Some((false, since)),
        (None, None) => None,
    }
}
