//! A store that tells what it asks of the disk while an engine owns it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pushe_tasks::store::redb::RedbStore;
use pushe_tasks::store::{Changes, Look, Store, StoreError, StoreFacts, Verbs};

/// What has been counted so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) commits: AtomicU64,
    pub(super) syncs: AtomicU64,
    pub(super) bytes: AtomicU64,
}

/// The embedded store, watched.
pub(super) struct Watched {
    inner: RedbStore,
    counts: Arc<Counts>,
}

impl Watched {
    pub(super) fn new(inner: RedbStore) -> (Self, Arc<Counts>) {
        let counts = Arc::<Counts>::default();
        (Self { inner, counts: Arc::clone(&counts) }, counts)
    }
}

impl Store for Watched {
    fn write(&mut self, body: &mut dyn FnMut(&mut dyn Verbs)) -> Result<Changes, StoreError> {
        let changes = self.inner.write(body)?;
        let disk = self.inner.disk_counts();
        self.counts.commits.store(changes.commit, Ordering::SeqCst);
        self.counts.syncs.store(disk.syncs, Ordering::SeqCst);
        self.counts.bytes.store(disk.bytes_written, Ordering::SeqCst);
        Ok(changes)
    }

    fn read(&mut self, body: &mut dyn FnMut(&dyn Look)) -> Result<(), StoreError> {
        self.inner.read(body)
    }

    fn facts(&self) -> &StoreFacts {
        self.inner.facts()
    }
}
