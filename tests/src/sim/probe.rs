//! The store of the simulated process, with a window for the world: it looks at what is durable, and it stops the process
//! at the points between a transaction and its answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pushe_tasks::{WorkId, WorkState};
use pushe_tasks_store::redb::{RedbStore, SimDisk};
use pushe_tasks_store::{Changes, Filter, Look, Store, StoreError, StoreFacts, StoreHealth, Verbs, WorkView};

use super::ledger::Shared;

/// The store. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Probe(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    store: Option<RedbStore>,
    disk: SimDisk,
    ledger: Shared,
    stop: Option<Stop>,
}

/// Where the process stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// When this many more transactions have been applied, before the commit.
    BeforeCommit(u8),
    /// When this many more have been committed, before anybody is told.
    AfterCommit(u8),
}

impl Probe {
    /// The window of this store on this disk.
    pub fn new(store: RedbStore, disk: SimDisk, ledger: Shared) -> Self {
        Self(Arc::new(Mutex::new(Inner { store: Some(store), disk, ledger, stop: None })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the process there.
    pub fn stop_at(&self, stop: Stop) {
        self.inner().stop = Some(stop);
    }

    /// The process is killed at this moment.
    pub fn kill(&self) {
        self.inner().die();
    }

    /// The claim number and state of a piece; `None` where the store is in trouble and is not to be disturbed.
    pub fn claim_of(&self, id: WorkId) -> Option<Option<(u64, WorkState)>> {
        let mut found = None;
        self.look(|look| found = look.get(id).ok())?;
        found.map(|view| view.map(|view| (view.record.claim, view.record.state)))
    }

    /// All records; `None` where the store is in trouble.
    pub fn all(&self) -> Option<Vec<WorkView>> {
        let filter = Filter { states: Vec::new(), tasks: Vec::new(), after: None, limit: 100_000 };
        let mut found = None;
        self.look(|look| found = look.list(&filter).ok())?;
        found
    }

    /// Whether every index equals what the records say.
    pub fn check(&self) -> Result<(), String> {
        let mut inner = self.inner();
        if !inner.is_well() {
            return Ok(());
        }
        inner.store.as_mut().map_or(Ok(()), RedbStore::check)
    }

    /// What the store says of itself.
    pub fn facts(&self) -> Option<StoreFacts> {
        self.inner().store.as_ref().map(|store| store.facts().clone())
    }

    fn look(&self, mut body: impl FnMut(&dyn Look)) -> Option<()> {
        let mut inner = self.inner();
        if !inner.is_well() {
            return None;
        }
        inner.store.as_mut()?.read(&mut body).ok()
    }
}

impl Inner {
    /// Whether a look disturbs nothing: a read that fails would be another fault of the disk.
    fn is_well(&self) -> bool {
        let healthy = self.store.as_ref().is_some_and(|store| store.facts().health == StoreHealth::Healthy);
        healthy && !self.disk.is_stopped() && !self.disk.has_faults()
    }

    /// The process is gone at this very moment: it tells nobody anything any more.
    fn die(&self) -> StoreError {
        self.disk.freeze_at(0);
        let mut ledger = self.ledger.open();
        (ledger.dead, ledger.die) = (true, true);
        StoreError::InDoubt("the process has been killed".to_owned())
    }
}

/// What the engine is given.
#[derive(Debug)]
pub struct Seen(pub Probe, pub StoreFacts);

impl Store for Seen {
    fn write(&mut self, body: &mut dyn FnMut(&mut dyn Verbs)) -> Result<Changes, StoreError> {
        let mut inner = self.0.inner();
        if let Some(Stop::BeforeCommit(0)) = inner.stop {
            let disk = inner.disk.clone();
            let mut stopped = false;
            if let Some(store) = &mut inner.store {
                let _ = store.write(&mut |verbs| {
                    body(verbs);
                    stopped = true;
                    disk.freeze_at(0);
                });
            }
            inner.ledger.open().count("crash before a commit");
            return Err(inner.die());
        }
        let Some(store) = &mut inner.store else { return Err(StoreError::Failed("it is closed".into())) };
        let answer = store.write(body);
        match &mut inner.stop {
            Some(Stop::AfterCommit(0)) if answer.is_ok() => {
                inner.ledger.open().count("crash after a commit");
                return Err(inner.die());
            }
            Some(Stop::AfterCommit(left) | Stop::BeforeCommit(left)) => *left = left.saturating_sub(1),
            None => {}
        }
        inner.ledger.open().failing = answer.is_err();
        if let Err(error) = &answer {
            let mut ledger = inner.ledger.open();
            ledger.note(format!("a commit failed: {error}"));
            ledger.soil();
        }
        answer
    }

    fn read(&mut self, body: &mut dyn FnMut(&dyn Look)) -> Result<(), StoreError> {
        let mut inner = self.0.inner();
        match &mut inner.store {
            Some(store) => store.read(body),
            None => Err(StoreError::Failed("it is closed".into())),
        }
    }

    fn facts(&self) -> &StoreFacts {
        &self.1
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        // The writer has ended: the store is closed, though the world still looks at this window.
        let store = self.0.inner().store.take();
        drop(store);
    }
}
