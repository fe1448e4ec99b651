//! A store's file whose syncs are timed.

use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pushe_tasks::clock::{Clock as _, SystemClock};
use pushe_tasks::store::redb::redb::{BackendError, StorageBackend};
use pushe_tasks::store::redb::{Guarded, Medium, Owner, StoreFile};

/// How long syncs have taken so far.
#[derive(Debug, Default)]
pub(crate) struct Syncs(AtomicU64);

impl Syncs {
    pub(crate) fn total(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

#[derive(Debug)]
pub(crate) struct Timed {
    file: StoreFile,
    syncs: Arc<Syncs>,
}

impl Timed {
    pub(crate) fn new(file: StoreFile, syncs: Arc<Syncs>) -> Self {
        Self { file, syncs }
    }
}

impl Medium for Timed {
    fn place(&self) -> String {
        self.file.place()
    }
    fn handle(&self) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(Handle { inner: self.file.handle()?, syncs: Arc::clone(&self.syncs) }))
    }
    fn rival(&self) -> io::Result<Option<Box<dyn StorageBackend>>> {
        self.file.rival()
    }
    fn network(&self) -> Option<String> {
        self.file.network()
    }
    fn guard(&self) -> io::Result<Guarded> {
        self.file.guard()
    }
    fn check_place(&self) -> Result<(), String> {
        self.file.check_place()
    }
    fn owner(&self) -> Option<Owner> {
        self.file.owner()
    }
    fn set_owner(&self, owner: &Owner) -> io::Result<()> {
        self.file.set_owner(owner)
    }
    fn holder(&self) -> String {
        self.file.holder()
    }
    fn keep_reserve(&self, bytes: u64) -> io::Result<bool> {
        self.file.keep_reserve(bytes)
    }
    fn release_reserve(&self) -> io::Result<bool> {
        self.file.release_reserve()
    }
}

#[derive(Debug)]
struct Handle {
    inner: Box<dyn StorageBackend>,
    syncs: Arc<Syncs>,
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        let clock = SystemClock::new();
        let begun = clock.mono();
        let synced = self.inner.sync_data();
        let took = u64::try_from(clock.mono().since(begun).as_nanos()).unwrap_or(u64::MAX);
        self.syncs.0.fetch_add(took, Ordering::Relaxed);
        synced
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.inner.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }
    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }
    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }
    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }
    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }
    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}
