//! A file that redb may recover and check without touching it: what is written stays in memory.
//!
//! Invariant: nothing but reads reaches what lies below.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

const BLOCK: u64 = 4096;

/// The file, with what has been written over it.
#[derive(Debug)]
pub(super) struct Overlay {
    below: Arc<dyn StorageBackend>,
    over: Mutex<Over>,
}

#[derive(Debug)]
struct Over {
    len: u64,
    /// So much of what lies below still counts; what was cut off and grown again is zeros.
    below: u64,
    blocks: BTreeMap<u64, Box<[u8]>>,
}

impl Overlay {
    pub(super) fn new(below: Arc<dyn StorageBackend>) -> io::Result<Self> {
        let len = below.len()?;
        Ok(Self { below, over: Mutex::new(Over { len, below: len, blocks: BTreeMap::new() }) })
    }

    /// Forgets what was written.
    pub(super) fn clear(&self) {
        self.over().blocks.clear();
    }

    fn over(&self) -> MutexGuard<'_, Over> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One block as it reads now.
    fn block(&self, over: &Over, number: u64) -> io::Result<Box<[u8]>> {
        if let Some(block) = over.blocks.get(&number) {
            return Ok(block.clone());
        }
        let mut block = vec![0; usize::try_from(BLOCK).unwrap_or_default()].into_boxed_slice();
        let there = over.below.saturating_sub(number * BLOCK).min(BLOCK);
        if let (Ok(there), true) = (usize::try_from(there), there > 0) {
            self.below.read(number * BLOCK, &mut block[..there])?;
        }
        Ok(block)
    }

    /// Calls `visit` with each block of the range: its number, where the range begins in it, and that part of the range.
    fn blocks(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
        let mut done = 0;
        std::iter::from_fn(move || {
            let at = offset + done as u64;
            let within = usize::try_from(at % BLOCK).ok()?;
            let part = (len - done).min(usize::try_from(BLOCK).ok()? - within);
            let range = done..done + part;
            done += part;
            if part == 0 { None } else { Some((at / BLOCK, within, range)) }
        })
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.over().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let over = self.over();
        if offset.saturating_add(out.len() as u64) > over.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let end = offset + out.len() as u64;
        if end <= over.below && over.blocks.range(offset / BLOCK..end.div_ceil(BLOCK)).next().is_none() {
            return self.below.read(offset, out);
        }
        for (number, within, range) in Self::blocks(offset, out.len()) {
            let block = self.block(&over, number)?;
            let part = range.len();
            out[range].copy_from_slice(&block[within..within + part]);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut over = self.over();
        if len < over.len {
            over.below = over.below.min(len);
            over.blocks.retain(|number, _| number * BLOCK < len);
            if let (Some(last), Ok(kept)) =
                (over.blocks.get_mut(&(len / BLOCK)), usize::try_from(len % BLOCK))
            {
                last[kept..].fill(0);
            }
        }
        over.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut over = self.over();
        for (number, within, range) in Self::blocks(offset, data.len()) {
            let mut block = self.block(&over, number)?;
            block[within..within + range.len()].copy_from_slice(&data[range]);
            over.blocks.insert(number, block);
        }
        over.len = over.len.max(offset + data.len() as u64);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        Ok(())
    }

    // The lock of the file below is held by whoever made this.
    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::backends::InMemoryBackend;

    #[test]
    fn it_reads_as_a_file_does_and_leaves_what_lies_below() {
        let below = Arc::new(InMemoryBackend::new());
        below.set_len(10_000).unwrap();
        below.write(0, &[1; 10_000]).unwrap();
        let over = Overlay::new(Arc::clone(&below) as Arc<dyn StorageBackend>).unwrap();
        over.write(4000, &[2; 200]).unwrap();
        over.set_len(9000).unwrap();
        over.set_len(20_000).unwrap();
        let mut expected = [vec![1; 4000], vec![2; 200], vec![1; 4800], vec![0; 11_000]].concat();
        let read = |from: &dyn StorageBackend, len: usize| {
            let mut out = vec![9; len];
            from.read(0, &mut out).map(|()| out)
        };
        assert!(read(&over, 20_000).unwrap() == expected);
        over.set_len(4100).unwrap();
        over.set_len(4300).unwrap();
        expected.truncate(4100);
        expected.resize(4300, 0);
        assert!(read(&over, 4300).unwrap() == expected);
        read(&over, 4301).unwrap_err();
        assert!(read(&*below, 10_000).unwrap() == vec![1; 10_000]);
    }
}
