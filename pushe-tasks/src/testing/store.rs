//! The store of a test: in memory, and at hand while the engine runs on it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pushe_tasks_store::{
    Changes, Filter, Look, MemoryStore, Moved, Store, StoreError, StoreFacts, Verbs, WorkState, WorkView,
};
use tokio::sync::watch;

/// The store. Clones are the same store, which outlives the engines that run on it one after another.
#[derive(Clone, Debug)]
pub(super) struct Memory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Empty only while it is being opened anew.
    store: Mutex<Option<MemoryStore>>,
    /// All that has moved.
    moves: Mutex<Vec<Moved>>,
    commits: watch::Sender<u64>,
}

impl Memory {
    pub(super) fn new(uuid: [u8; 16]) -> Self {
        Self(Arc::new(Inner {
            store: Mutex::new(Some(MemoryStore::new(uuid))),
            moves: Mutex::default(),
            commits: watch::Sender::new(0),
        }))
    }

    /// What an engine is given.
    pub(super) fn seat(&self) -> Box<dyn Store> {
        let facts = self.with(|store| store.facts().clone());
        Box::new(Seat { memory: self.clone(), facts })
    }

    /// The store as a new process finds it.
    pub(super) fn reopen(&self) {
        let mut store = self.store();
        *store = store.take().map(MemoryStore::reopen);
    }

    /// Tells of commits from now on.
    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.0.commits.subscribe()
    }

    /// All that has moved, oldest first.
    pub(super) fn moves(&self) -> MutexGuard<'_, Vec<Moved>> {
        self.0.moves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pieces in these states, oldest first; all where none is named.
    pub(super) fn list(&self, states: &[WorkState]) -> Vec<WorkView> {
        let filter = Filter { states: states.to_vec(), tasks: Vec::new(), after: None, limit: usize::MAX };
        self.with(|store| {
            let mut found = Vec::new();
            // Neither reading nor decoding fails in memory; what does not read back is shown as quarantined.
            let _ = store.read(&mut |look: &dyn Look| found = look.list(&filter).unwrap_or_default());
            found
        })
    }

    fn with<R>(&self, visit: impl FnOnce(&mut MemoryStore) -> R) -> R {
        visit(self.store().as_mut().expect("it is there but while it is reopened, on this very thread"))
    }

    fn store(&self) -> MutexGuard<'_, Option<MemoryStore>> {
        self.0.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The store as the engine has it.
struct Seat {
    memory: Memory,
    facts: StoreFacts,
}

impl Store for Seat {
    fn write(&mut self, body: &mut dyn FnMut(&mut dyn Verbs)) -> Result<Changes, StoreError> {
        let changes = self.memory.with(|store| store.write(body))?;
        self.memory.moves().extend(changes.moves.iter().cloned());
        self.memory.0.commits.send_modify(|commits| *commits += 1);
        Ok(changes)
    }

    fn read(&mut self, body: &mut dyn FnMut(&dyn Look)) -> Result<(), StoreError> {
        self.memory.with(|store| store.read(body))
    }

    fn facts(&self) -> &StoreFacts {
        &self.facts
    }
}
