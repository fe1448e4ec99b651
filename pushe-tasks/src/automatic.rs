//! What is scheduled when a scheduler starts (S5.5).
//!
//! Invariant: a task that is not registered here, or not run here, is left alone; and nothing stored keeps a scheduler from
//! starting.

use std::collections::BTreeMap;

use pushe_tasks_store::{Enqueued, NewWork, Target, WorkId};

use crate::engine::message::{Refusal, Request, Write};
use crate::error::ScheduleError;
use crate::options::ExistingWorkPolicy;
use crate::schedule::Schedule;
use crate::scheduler::TaskScheduler;
use crate::task::Task;

/// The work of the task `T` that a start schedules, where it does.
pub(crate) fn work<T: Task>(scheduler: &TaskScheduler) -> Option<Result<NewWork, ScheduleError>> {
    let input = T::OPTIONS.automatic_input()?();
    let prepared = Schedule::<T>::new(input).policy(ExistingWorkPolicy::Update).prepare(scheduler);
    Some(prepared.map(|mut work| {
        work.options.automatic = true;
        work
    }))
}

/// Schedules what is automatic, and cancels what was and is no longer.
pub(crate) async fn schedule(scheduler: &TaskScheduler) {
    let entries = scheduler.shared().registry.entries();
    let (mut wanted, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry.automatic(scheduler) {
            Some(Ok(work)) => wanted.push((entry.name(), work)),
            Some(Err(error)) => {
                tracing::error!(task = entry.name(), %error, "automatic work could not be scheduled");
                failed.push(entry.name());
            }
            None => {}
        }
    }
    let mut stored = BTreeMap::new();
    if !wanted.is_empty() {
        let all = wanted.iter().map(|(_, work)| work.clone()).collect();
        if let Ok(enqueued) = enqueue(scheduler, all).await {
            stored.extend(wanted.iter().zip(enqueued).map(|((task, _), enqueued)| (*task, enqueued.id)));
        } else {
            // One that is refused does not keep the others.
            for (task, work) in wanted {
                match enqueue(scheduler, vec![work]).await {
                    Ok(enqueued) => stored.extend(enqueued.first().map(|enqueued| (task, enqueued.id))),
                    Err(error) => {
                        tracing::error!(task, %error, "automatic work could not be scheduled");
                        failed.push(task);
                    }
                }
            }
        }
    }
    // What could not be scheduled anew stays as it is.
    let tasks = entries.iter().filter(|entry| !failed.contains(&entry.name()));
    let tasks: Vec<_> = tasks
        .flat_map(|entry| std::iter::once(entry.name()).chain(entry.aliases().iter().copied()))
        .map(str::to_owned)
        .collect();
    if !tasks.is_empty() {
        cancel(scheduler, tasks, stored.into_values().collect()).await;
    }
}

async fn enqueue(scheduler: &TaskScheduler, work: Vec<NewWork>) -> Result<Vec<Enqueued>, Refusal> {
    scheduler.request(|reply| Request::Write(Write::Enqueue(work, reply))).await
}

async fn cancel(scheduler: &TaskScheduler, tasks: Vec<String>, except: Vec<WorkId>) {
    let target = Target::Automatic { tasks, except };
    match scheduler.request(|reply| Request::Write(Write::Cancel(target, reply))).await {
        Ok(moved) => {
            for moved in moved {
                tracing::info!(work = %moved.attempt.work, "what is automatic no longer was cancelled");
            }
        }
        Err(error) => tracing::error!(%error, "what is automatic no longer could not be looked for"),
    }
}
