//! What redb and the store see of a simulated disk.
//!
//! Invariant: every call is counted and may meet a fault before it has any effect.

use std::io;
use std::ops::Bound;

use redb::{BackendError, StorageBackend};

use super::super::medium::{Guarded, Medium};
use super::super::owner::Owner;
use super::{Call, Locks, Pending, SECTOR, SimDisk, State, below, put, to_usize};

/// One handle to the disk.
#[derive(Debug)]
struct Handle {
    disk: SimDisk,
    number: u64,
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.begin(Call::Len, 0, &[])?;
        Ok(state.cache.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        state.begin(Call::Read, offset, &[])?;
        let start = to_usize(offset);
        let bytes = start.checked_add(out.len()).and_then(|end| state.cache.get(start..end));
        out.copy_from_slice(bytes.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.begin(Call::SetLen, len, &[])?;
        state.room(len)?;
        state.cache.resize(to_usize(len), 0);
        state.pending.push(Pending::SetLen(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let answer = state.begin(Call::Sync, 0, &[]);
        if answer.is_err() && !state.carried_out {
            if !state.is_frozen() {
                state.pending.clear();
            }
            return answer;
        }
        for pending in std::mem::take(&mut state.pending) {
            match pending {
                Pending::SetLen(len) => state.durable.resize(to_usize(len), 0),
                Pending::Write(offset, data) => put(&mut state.durable, offset, &data),
            }
        }
        answer
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let answer = state.begin(Call::Write, offset, data);
        let mut done = data;
        if answer.is_err() && !state.carried_out {
            // A write that fails may have gone half-way; one after the stop has not begun.
            let sectors = if state.is_frozen() { 0 } else { data.len() / SECTOR };
            let some = below(&mut state.random, sectors as u64 + 1);
            done = &data[..to_usize(some) * SECTOR];
        } else {
            state.room(offset + data.len() as u64)?;
        }
        if !done.is_empty() {
            put(&mut state.cache, offset, done);
            state.pending.push(Pending::Write(offset, done.to_vec()));
        }
        answer
    }

    fn close(&self) -> io::Result<()> {
        self.disk.state().locks.retain(|lock| lock.0 != self.number);
        Ok(())
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.lock(start, end, false)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.lock(start, end, true)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        let (start, end) = ends(start, end);
        self.disk.state().locks.retain(|lock| (lock.0, lock.1, lock.2) != (self.number, start, end));
        Ok(())
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        let (start, end) = ends(start, end);
        let locks = &self.disk.state().locks;
        Ok(locks.iter().any(|lock| lock.0 != self.number && lock.1 < end && start < lock.2))
    }
}

impl Handle {
    fn lock(&self, start: Bound<u64>, end: Bound<u64>, shared: bool) -> Result<bool, BackendError> {
        let (start, end) = ends(start, end);
        let mut state = self.disk.state();
        match state.lock_kind {
            Locks::Work => {}
            Locks::Unsupported => return Err(BackendError::Unsupported),
            Locks::Pretend => return Ok(true),
        }
        let meets = |lock: &(u64, u64, u64, bool)| {
            lock.0 != self.number && lock.1 < end && start < lock.2 && !(shared && lock.3)
        };
        if state.locks.iter().any(meets) {
            return Ok(false);
        }
        state.locks.push((self.number, start, end, shared));
        Ok(true)
    }
}

impl Medium for SimDisk {
    fn place(&self) -> String {
        "a simulated disk".to_owned()
    }

    fn handle(&self) -> io::Result<Box<dyn StorageBackend>> {
        let mut state = self.state();
        state.handle += 1;
        Ok(Box::new(Handle { disk: self.clone(), number: state.handle }))
    }

    fn rival(&self) -> io::Result<Option<Box<dyn StorageBackend>>> {
        self.handle().map(Some)
    }

    fn network(&self) -> Option<String> {
        self.state().network.clone()
    }

    fn guard(&self) -> io::Result<Guarded> {
        // What could be written has been or never will be: a sync, then the cache is what the disk holds.
        let handle = self.handle()?;
        handle.sync_data().or_else(|_| handle.sync_data())?;
        let mut state = self.state();
        let State { cache, durable, .. } = &mut *state;
        cache.clone_from(durable);
        Ok(Guarded::FromDisk)
    }

    fn check_place(&self) -> Result<(), String> {
        self.state().problem.clone().map_or(Ok(()), Err)
    }

    fn owner(&self) -> Option<Owner> {
        self.state().owner.clone()
    }

    fn set_owner(&self, owner: &Owner) -> io::Result<()> {
        self.state().owner = Some(owner.clone());
        Ok(())
    }

    fn holder(&self) -> String {
        self.owner().map_or_else(|| "another handle".to_owned(), |owner| owner.describe())
    }

    fn keep_reserve(&self, bytes: u64) -> io::Result<bool> {
        let mut state = self.state();
        let used = state.cache.len() as u64;
        if state.reserve == 0 && used.saturating_add(bytes.saturating_mul(3)) <= state.capacity {
            state.reserve = bytes;
        }
        Ok(state.reserve >= bytes)
    }

    fn release_reserve(&self) -> io::Result<bool> {
        Ok(std::mem::take(&mut self.state().reserve) > 0)
    }
}

fn ends(start: Bound<u64>, end: Bound<u64>) -> (u64, u64) {
    let start = match start {
        Bound::Unbounded => 0,
        Bound::Included(at) => at,
        Bound::Excluded(at) => at + 1,
    };
    let end = match end {
        Bound::Unbounded => u64::MAX,
        Bound::Included(at) => at + 1,
        Bound::Excluded(at) => at,
    };
    (start, end)
}
