//! A file whose opening writes nothing until it is known to be a store.
//!
//! Invariant: what was written is written later in the same order, syncs included, so that a power cut leaves what it would
//! have left; a file that is refused is as it was found.

use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redb::{BackendError, StorageBackend};

use super::overlay::Overlay;

/// A file under a recovery that may yet be given up.
#[derive(Debug)]
pub(super) struct Deferred {
    below: Arc<dyn StorageBackend>,
    over: Overlay,
    calls: Mutex<Vec<Call>>,
    /// Whether calls go to the file by now.
    released: AtomicBool,
}

#[derive(Debug)]
enum Call {
    Write(u64, Vec<u8>),
    SetLen(u64),
    Sync,
}

impl Deferred {
    pub(super) fn new(below: Arc<dyn StorageBackend>) -> io::Result<Self> {
        let over = Overlay::new(Arc::clone(&below))?;
        Ok(Self { below, over, calls: Mutex::default(), released: AtomicBool::new(false) })
    }

    /// Carries out what was asked for; from here on calls go to the file at once.
    pub(super) fn release(&self) -> io::Result<()> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        for call in calls.drain(..) {
            match call {
                Call::Write(offset, data) => self.below.write(offset, &data)?,
                Call::SetLen(len) => self.below.set_len(len)?,
                Call::Sync => self.below.sync_data()?,
            }
        }
        self.over.clear();
        self.released.store(true, Ordering::Release);
        Ok(())
    }

    fn is_released(&self) -> bool {
        self.released.load(Ordering::Acquire)
    }

    fn note(&self, call: Call) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

impl StorageBackend for Deferred {
    fn len(&self) -> io::Result<u64> {
        if self.is_released() { self.below.len() } else { self.over.len() }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if self.is_released() { self.below.read(offset, out) } else { self.over.read(offset, out) }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.is_released() {
            return self.below.set_len(len);
        }
        self.note(Call::SetLen(len));
        self.over.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.is_released() {
            return self.below.sync_data();
        }
        self.note(Call::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.is_released() {
            return self.below.write(offset, data);
        }
        self.note(Call::Write(offset, data.to_vec()));
        self.over.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.below.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.query_lock_range(start, end)
    }
}
