//! The wrapper through which redb reaches what it lives on: it counts, and it remembers what failed first.
//!
//! Invariant: every call is handed on, the six lock calls and `close` among them: redb's own trait answers them with
//! "unsupported" where a wrapper forgets them, and opens without any lock.

use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redb::{BackendError, StorageBackend};

/// What has been asked of the disk, since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskCounts {
    /// Reads.
    pub reads: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Writes.
    pub writes: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Syncs: the price of a commit.
    pub syncs: u64,
    /// Changes of the file's length.
    pub resizes: u64,
    /// Calls that failed.
    pub errors: u64,
}

/// A failed call, in words and by kind: redb tells only the first caller, and only some of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DiskError {
    pub(super) call: &'static str,
    pub(super) kind: io::ErrorKind,
    pub(super) text: String,
}

impl DiskError {
    /// Whether it says that there is no room.
    pub(super) fn is_full(&self) -> bool {
        matches!(self.kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// What the wrapper writes down. It outlives each handle, so that a reopen does not lose the count.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    reads: AtomicU64,
    bytes_read: AtomicU64,
    writes: AtomicU64,
    bytes_written: AtomicU64,
    syncs: AtomicU64,
    resizes: AtomicU64,
    errors: AtomicU64,
    first_error: Mutex<Option<DiskError>>,
}

impl Ledger {
    pub(super) fn counts(&self) -> DiskCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        DiskCounts {
            reads: read(&self.reads),
            bytes_read: read(&self.bytes_read),
            writes: read(&self.writes),
            bytes_written: read(&self.bytes_written),
            syncs: read(&self.syncs),
            resizes: read(&self.resizes),
            errors: read(&self.errors),
        }
    }

    /// Takes the first error since the last call; later ones follow from it.
    pub(super) fn take_error(&self) -> Option<DiskError> {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note<R>(&self, call: &'static str, result: io::Result<R>) -> io::Result<R> {
        if let Err(error) = &result {
            self.errors.fetch_add(1, Ordering::Relaxed);
            let mut first = self.first_error.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| DiskError { call, kind: error.kind(), text: error.to_string() });
        }
        result
    }
}

/// The wrapper.
#[derive(Debug)]
pub(super) struct Counted {
    inner: Arc<dyn StorageBackend>,
    ledger: Arc<Ledger>,
}

impl Counted {
    pub(super) fn new(inner: Arc<dyn StorageBackend>, ledger: Arc<Ledger>) -> Self {
        Self { inner, ledger }
    }
}

fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(more as u64, Ordering::Relaxed);
}

impl StorageBackend for Counted {
    fn len(&self) -> io::Result<u64> {
        self.ledger.note("asking for the length", self.inner.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        add(&self.ledger.reads, 1);
        add(&self.ledger.bytes_read, out.len());
        self.ledger.note("reading", self.inner.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        add(&self.ledger.resizes, 1);
        self.ledger.note("changing the length", self.inner.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        add(&self.ledger.syncs, 1);
        self.ledger.note("syncing", self.inner.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        add(&self.ledger.writes, 1);
        add(&self.ledger.bytes_written, data.len());
        self.ledger.note("writing", self.inner.write(offset, data))
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

#[cfg(test)]
mod tests {
    use super::*;
    use redb::backends::FileBackend;
    use std::ops::Bound::{Excluded, Included};

    fn wrapped(file: &tempfile::NamedTempFile) -> Counted {
        let backend = FileBackend::new(file.reopen().unwrap()).unwrap();
        Counted::new(Arc::new(backend), Arc::default())
    }

    #[test]
    fn every_lock_call_reaches_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (ours, other) = (wrapped(&file), wrapped(&file));
        let (start, end) = (Included(8), Excluded(16));
        assert!(ours.try_lock_range(start, end).unwrap());
        assert!(!other.try_lock_range(start, end).unwrap());
        assert!(!other.try_lock_shared_range(start, end).unwrap());
        assert!(other.query_lock_range(start, end).unwrap());
        ours.unlock_range(start, end).unwrap();
        assert!(!other.query_lock_range(start, end).unwrap());
        other.lock_shared_range(start, end).unwrap();
        assert!(ours.try_lock_shared_range(start, end).unwrap());
        ours.unlock_range(start, end).unwrap();
        assert!(!ours.try_lock_range(start, end).unwrap());
        other.close().unwrap();
        ours.lock_range(start, end).unwrap();
        assert!(!other.try_lock_range(start, end).unwrap(), "close had let go, and the lock is held again");
    }

    #[test]
    fn calls_bytes_and_the_first_error_are_written_down() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let wrapped = wrapped(&file);
        wrapped.set_len(4096).unwrap();
        wrapped.write(0, &[1; 512]).unwrap();
        wrapped.sync_data().unwrap();
        let mut out = [0; 100];
        wrapped.read(0, &mut out).unwrap();
        wrapped.read(4090, &mut out).unwrap_err();
        wrapped.read(9000, &mut out).unwrap_err();
        let expected = DiskCounts {
            reads: 3,
            bytes_read: 300,
            writes: 1,
            bytes_written: 512,
            syncs: 1,
            resizes: 1,
            errors: 2,
        };
        assert_eq!(wrapped.ledger.counts(), expected);
        let error = wrapped.ledger.take_error().unwrap();
        assert_eq!((error.call, error.kind), ("reading", io::ErrorKind::UnexpectedEof));
        assert_eq!(wrapped.ledger.take_error(), None);
    }
}
