//! One transaction of the application, on its way to the writer and back.
//!
//! Invariant: whatever the closure does, the writer goes on: its panics, and those of what it drops, end here.

use std::cell::Cell;

use pushe_tasks_store::redb::AppTables;
use pushe_tasks_store::{StoreError, Verbs, Verdict, WallTime, WorkId};

use super::message::Reply;
use crate::contain::{guarded, panic_text, tell};
use crate::scheduler::TaskScheduler;
use crate::transact::Transaction;

thread_local! {
    /// The scheduler whose closure runs on this thread, by its address; 0 for none.
    static WITHIN: Cell<usize> = const { Cell::new(0) };
}

/// Whether this thread is in the middle of a closure of this scheduler, whose writer can answer nothing meanwhile.
pub(crate) fn is_within(scheduler: &TaskScheduler) -> bool {
    WITHIN.get() == scheduler.address()
}

/// What became of a closure.
#[derive(Debug)]
pub(crate) enum Outcome<R, E> {
    /// It has not been run.
    Waiting,
    /// What it answered.
    Answered(Result<R, E>),
    /// It panicked, with this text.
    Panicked(String),
    /// Its commit failed in a way that leaves open whether it is durable.
    InDoubt { work_ids: Vec<WorkId>, detail: String },
}

/// A transaction of whatever types.
pub(crate) trait Transact: Send {
    /// Runs the closure.
    fn run(&mut self, verbs: &mut dyn Verbs, tables: &AppTables<'_>, now: WallTime) -> Verdict;

    /// Tells its caller: whether it was kept, or why that is not so.
    fn answer(self: Box<Self>, kept: Result<bool, StoreError>);
}

/// A transaction that waits.
pub(crate) struct Job<F, R, E> {
    scheduler: TaskScheduler,
    body: Option<F>,
    outcome: Outcome<R, E>,
    scheduled: Vec<WorkId>,
    reply: Reply<Outcome<R, E>>,
}

impl<F, R, E> Job<F, R, E>
where
    F: FnOnce(&Transaction<'_>) -> Result<R, E> + Send + 'static,
    R: Send + 'static,
    E: Send + 'static,
{
    pub(crate) fn boxed(scheduler: TaskScheduler, body: F, reply: Reply<Outcome<R, E>>) -> Box<dyn Transact> {
        let (body, outcome) = (Some(body), Outcome::Waiting);
        Box::new(Self { scheduler, body, outcome, scheduled: Vec::new(), reply })
    }
}

impl<F, R, E> Transact for Job<F, R, E>
where
    F: FnOnce(&Transaction<'_>) -> Result<R, E> + Send,
    R: Send,
    E: Send,
{
    fn run(&mut self, verbs: &mut dyn Verbs, tables: &AppTables<'_>, now: WallTime) -> Verdict {
        let Some(body) = self.body.take() else { return Verdict::Abort };
        let transaction = Transaction::new(&self.scheduler, tables, verbs, now);
        WITHIN.set(self.scheduler.address());
        let ran = guarded(|| body(&transaction));
        WITHIN.set(0);
        self.scheduled = transaction.into_scheduled();
        self.outcome = match ran {
            Ok(answer) => Outcome::Answered(answer),
            Err(panic) => Outcome::Panicked(panic_text(panic)),
        };
        if matches!(self.outcome, Outcome::Answered(Ok(_))) { Verdict::Commit } else { Verdict::Abort }
    }

    fn answer(self: Box<Self>, kept: Result<bool, StoreError>) {
        let Self { body, outcome, scheduled: work_ids, reply, .. } = *self;
        let answer = match (kept, outcome) {
            (Ok(false), Outcome::Answered(Ok(_))) => {
                Ok(Outcome::Panicked("a panic ran through an open table".to_owned()))
            }
            (Ok(_), outcome) => Ok(outcome),
            (Err(error @ (StoreError::InDoubt(_) | StoreError::Failed(_))), Outcome::Answered(Ok(_))) => {
                Ok(Outcome::InDoubt { work_ids, detail: error.to_string() })
            }
            // It was not run, or what it answered itself is not worth the store's error.
            (Err(error), _) => Err(error.into()),
        };
        // Values of the application: what their drops do is its own.
        let sent = guarded(|| {
            drop(body);
            reply.send(answer);
        });
        if let Err(panic) = sent {
            tell!(
                error,
                panic = panic_text(panic),
                "what a transaction answered panicked when it was dropped"
            );
        }
    }
}
