//! The application's own tables and its work in one commit (S6.6).
//!
//! Invariant: nothing of a transaction leaves its closure but what the closure answers, and that is answered once the
//! commit that holds it is durable.

use std::cell::{Cell, RefCell};
use std::fmt;

use pushe_tasks_store::redb::redb::{
    Key, MultimapTable, MultimapTableDefinition, Table, TableDefinition, TableError, Value,
};
use pushe_tasks_store::redb::{AppTable, AppTables};
use pushe_tasks_store::{NewWork, VerbError, Verbs, WallTime, WorkId};

use crate::engine::message::{Refusal, Request};
use crate::engine::transact::{Job, Outcome};
use crate::error::ScheduleError;
use crate::park::block_on;
use crate::receipt::Receipt;
use crate::schedule::{MOST_BYTES, MOST_PIECES, Schedule};
use crate::scheduler::TaskScheduler;
use crate::task::Task;

/// A transaction under way, as its closure sees it: the application's own redb tables, and
/// [`schedule_in`](Schedule::schedule_in).
///
/// The tables live in the store's file under names of their own, each behind the prefix `app/`: they cannot meet those of
/// the store. Nothing of it leaves the closure:
///
/// ```compile_fail
/// # use pushe_tasks::{TaskScheduler, redb::TableDefinition};
/// # async fn example(scheduler: TaskScheduler) {
/// const ORDERS: TableDefinition<'_, u64, &str> = TableDefinition::new("orders");
/// scheduler.transact(|tx| tx.open_table(ORDERS)).await;
/// # }
/// ```
pub struct Transaction<'a> {
    scheduler: &'a TaskScheduler,
    tables: &'a AppTables<'a>,
    verbs: RefCell<&'a mut (dyn Verbs + 'a)>,
    now: WallTime,
    scheduled: RefCell<Vec<WorkId>>,
    bytes: Cell<usize>,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(
        scheduler: &'a TaskScheduler,
        tables: &'a AppTables<'a>,
        verbs: &'a mut (dyn Verbs + 'a),
        now: WallTime,
    ) -> Self {
        let (verbs, scheduled) = (RefCell::new(verbs), RefCell::default());
        Self { scheduler, tables, verbs, now, scheduled, bytes: Cell::new(0) }
    }

    /// What has been scheduled in it.
    pub(crate) fn into_scheduled(self) -> Vec<WorkId> {
        self.scheduled.into_inner()
    }

    /// Opens a table of the application, or makes it.
    ///
    /// # Errors
    /// As redb's `open_table`: the table is open already, or was made with other types.
    pub fn open_table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<AppTable<'_, Table<'a, K, V>>, TableError> {
        self.tables.open_table(definition)
    }

    /// Opens a multimap table of the application, or makes it.
    ///
    /// # Errors
    /// As redb's `open_multimap_table`.
    pub fn open_multimap_table<K: Key + 'static, V: Key + 'static>(
        &self,
        definition: MultimapTableDefinition<'_, K, V>,
    ) -> Result<AppTable<'_, MultimapTable<'a, K, V>>, TableError> {
        self.tables.open_multimap_table(definition)
    }

    /// Deletes a table of the application with all that is in it; answers whether there was one.
    ///
    /// # Errors
    /// As redb's `delete_table`: the table is open.
    pub fn delete_table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<bool, TableError> {
        self.tables.delete_table(definition)
    }

    fn enqueue(&self, work: NewWork) -> Result<pushe_tasks_store::Enqueued, ScheduleError> {
        let pieces = self.scheduled.borrow().len() + 1;
        let bytes = self.bytes.get() + work.envelope.payload.len();
        if pieces > MOST_PIECES || (pieces > 1 && bytes > MOST_BYTES) {
            return Err(ScheduleError::TooMany { pieces, bytes });
        }
        let id = work.id;
        let enqueued = self.verbs.borrow_mut().enqueue(&[work], self.now);
        let enqueued = enqueued
            .and_then(|mut all| all.pop().ok_or_else(|| VerbError::Store("it answered nothing".to_owned())))
            .map_err(|error| ScheduleError::from_refusal(error.into(), id))?;
        self.bytes.set(bytes);
        self.scheduled.borrow_mut().push(enqueued.id);
        Ok(enqueued)
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("scheduled", &self.scheduled).finish_non_exhaustive()
    }
}

/// A transaction was not kept, or it is not known whether it was.
///
/// # Examples
/// ```
/// fn is_stored_for_certain<E>(error: &pushe_tasks::TransactError<E>) -> Option<bool> {
///     match error {
///         pushe_tasks::TransactError::Indeterminate { .. } => None,
///         _ => Some(false),
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransactError<E> {
    /// The closure answered an error; nothing was stored.
    #[error("the transaction was given up: {0}")]
    Aborted(E),
    /// The closure panicked; nothing was stored.
    #[error("the closure of the transaction panicked: {0}")]
    Panicked(String),
    /// The store is not the embedded one on a file; the closure was not run.
    #[error(
        "the store has no tables of the application; start the scheduler with `TaskScheduler::builder(path)`"
    )]
    Unsupported,
    /// The scheduler is shutting down or has been shut down; nothing was stored.
    #[error("the scheduler is shutting down; call `transact` before that, or start a new one")]
    ShuttingDown,
    /// It was called, by blocking on it, within another transaction of the same scheduler; nothing was stored.
    #[error("a transaction of this scheduler is under way on this thread; do all of it in one closure")]
    WithinTransaction,
    /// The store has no room; nothing was stored.
    #[error("the store has no room left; free some space and try again")]
    StoreFull,
    /// It is not known whether the transaction is stored: all of it is, or nothing.
    #[error("it is not known whether the transaction is stored, with {} pieces of work: {detail}", work_ids.len())]
    Indeterminate {
        /// The work that was scheduled in it, or was kept for it: where all of it can be found, it is stored.
        work_ids: Vec<WorkId>,
        /// What the store said.
        detail: String,
    },
    /// The store refused; nothing was stored.
    #[error("the store refused the transaction: {0}")]
    Store(String),
}

impl TaskScheduler {
    /// Runs `body` in one transaction of the store: the application's own redb tables and the work that is scheduled with
    /// [`schedule_in`](Schedule::schedule_in) are stored together or not at all.
    ///
    /// The closure runs on the thread that owns the store, alone in its transaction; everything that the scheduler stores
    /// waits for it, so that it is to be short. What it answers is answered here once the commit is durable. An error or a
    /// panic undoes this transaction alone. A closure that writes nothing costs no commit.
    ///
    /// No table, and no other value of redb, may be leaked in it (`std::mem::forget`): redb would wait for it for ever.
    ///
    /// # Errors
    /// [`TransactError`] says what became of it; unless it is `Indeterminate`, nothing was stored.
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves open whether the transaction, as a whole, is carried out.
    ///
    /// # Examples
    /// ```
    /// use pushe_tasks::prelude::*;
    /// use pushe_tasks::redb::TableDefinition;
    ///
    /// const ORDERS: TableDefinition<'_, u64, &str> = TableDefinition::new("orders");
    ///
    /// #[pushe_task]
    /// async fn send_invoice(order: u64) {}
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("tasks.redb");
    /// let scheduler = TaskScheduler::builder(path).detached().schedule_only().start().await?;
    /// let receipt = scheduler
    ///     .transact(|tx| {
    ///         tx.open_table(ORDERS)?.insert(7, "two chairs")?;
    ///         let receipt = SendInvoice::schedule(7).schedule_in(tx)?;
    ///         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(receipt)
    ///     })
    ///     .await?;
    /// assert!(scheduler.info(receipt.id()).await.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn transact<R, E, F>(&self, body: F) -> Result<R, TransactError<E>>
    where
        F: FnOnce(&Transaction<'_>) -> Result<R, E> + Send + 'static,
        R: Send + 'static,
        E: Send + 'static,
    {
        if self.shared().is_stopping() {
            return Err(TransactError::ShuttingDown);
        }
        let scheduler = self.clone();
        let done = self.store(0, |reply| Request::Transact(Job::boxed(scheduler, body, reply))).await;
        match done {
            Ok(Outcome::Answered(answer)) => answer.map_err(TransactError::Aborted),
            Ok(Outcome::Panicked(text)) => Err(TransactError::Panicked(text)),
            Ok(Outcome::InDoubt { work_ids, detail }) => {
                Err(TransactError::Indeterminate { work_ids, detail })
            }
            Ok(Outcome::Waiting) | Err(Refusal::Stopped) => Err(TransactError::ShuttingDown),
            Err(Refusal::WithinTransaction) => Err(TransactError::WithinTransaction),
            Err(Refusal::Store(error)) => Err(match error {
                pushe_tasks_store::StoreError::Full => TransactError::StoreFull,
                pushe_tasks_store::StoreError::Unsupported => TransactError::Unsupported,
                other => TransactError::Store(other.to_string()),
            }),
            Err(Refusal::Verb(error)) => Err(TransactError::Store(error.to_string())),
        }
    }

    /// Runs `body` as [`transact`](Self::transact) does, from a thread that may block.
    ///
    /// # Errors
    /// As there.
    pub fn transact_blocking<R, E, F>(&self, body: F) -> Result<R, TransactError<E>>
    where
        F: FnOnce(&Transaction<'_>) -> Result<R, E> + Send + 'static,
        R: Send + 'static,
        E: Send + 'static,
    {
        block_on(self.transact(body))
    }
}

impl<T: Task> Schedule<T> {
    /// Schedules it within a transaction: it is stored with what else the transaction holds, or not at all.
    ///
    /// The receipt speaks of stored work once `transact` has answered `Ok`.
    ///
    /// # Errors
    /// As `.await`; the transaction goes on without this piece if the closure does.
    pub fn schedule_in(mut self, transaction: &Transaction<'_>) -> Result<Receipt<T>, ScheduleError> {
        let scheduler = transaction.scheduler;
        if self.take_scheduler().is_some_and(|other| !other.is(scheduler)) {
            return Err(ScheduleError::OtherScheduler);
        }
        let work = self.prepare(scheduler)?;
        let enqueued = transaction.enqueue(work)?;
        Ok(Receipt::new(enqueued, scheduler.clone()))
    }
}
