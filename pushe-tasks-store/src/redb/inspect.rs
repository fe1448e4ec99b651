//! Looks at a file before redb does: what it is, whether it is free, whether it was left in the middle of something.
//!
//! Invariant: whatever is not a store is left as it is. Only an empty file becomes one, and a file that holds nothing but
//! what redb writes before its first mark: that of a store whose creation was cut off.

use std::io;
use std::ops::Bound::Unbounded;

use redb::{BackendError, StorageBackend};

use super::medium::Medium;
use super::options::Exclusion;
use super::pages::{Doubt, HEADER, Pages};

/// How redb's files begin. redb writes it last when it creates one, after a sync of the rest.
const MAGIC: [u8; 9] = *b"redb\x1A\x0A\xA9\x0D\x0A";
/// Behind the mark: flags.
const FLAGS_AT: usize = 9;
/// The flag that is set while a file is open, so that it is found set after a crash.
const RECOVERY_REQUIRED: u8 = 2;
/// Where the page size stands, in 4 bytes.
const PAGE_SIZE_AT: usize = 12;
const PAGE_SIZE: u32 = 4096;
/// A file that is just being created is smaller than this; a longer one held data.
const LARGEST_NEWBORN: u64 = 4 << 20;

/// What stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Empty,
    /// A store whose creation was cut off.
    HalfCreated,
    /// A file of redb, closed in order.
    Closed,
    /// A file of redb that was open when its process ended.
    Unclosed,
    /// Zeros where the mark should be.
    Zeros,
    /// Something else.
    Foreign,
}

/// Why a file cannot be looked at.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Another handle has the lock.
    InUse,
    /// Locks do not work here.
    NoLocks(&'static str),
    /// A call failed.
    Io(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A handle with the lock of the whole file.
#[derive(Debug)]
pub(super) struct Locked(Box<dyn StorageBackend>);

impl Locked {
    /// Takes the lock, and makes sure that it is one.
    pub(super) fn take(medium: &dyn Medium, exclusion: Exclusion) -> Result<Self, Refusal> {
        let handle = medium.handle()?;
        if exclusion == Exclusion::Promised {
            return match try_lock(&*handle) {
                Ok(true) | Err(Refusal::NoLocks(_)) => Ok(Self(handle)),
                Ok(false) => Err(Refusal::InUse),
                Err(other) => Err(other),
            };
        }
        if !try_lock(&*handle)? {
            return Err(Refusal::InUse);
        }
        // From here on the drop gives the lock back.
        let locked = Self(handle);
        if let Some(rival) = medium.rival()?
            && try_lock(&*rival)?
        {
            rival.close()?;
            return Err(Refusal::NoLocks("locks on its file system do not keep a second opener out"));
        }
        Ok(locked)
    }

    /// Takes a lock beside others that only look, where there are locks.
    pub(super) fn share(medium: &dyn Medium) -> Result<Self, Refusal> {
        let handle = medium.handle()?;
        match handle.try_lock_shared_range(Unbounded, Unbounded) {
            Ok(true) | Err(BackendError::Unsupported) => Ok(Self(handle)),
            Ok(false) => Err(Refusal::InUse),
            Err(other) => Err(Refusal::Io(other.into())),
        }
    }

    /// What stands in the file. `noted` says whether a note tells of a store that was here, complete.
    pub(super) fn inspect(&self, noted: bool) -> io::Result<Found> {
        let len = self.0.len()?;
        if len == 0 {
            return Ok(Found::Empty);
        }
        let mut header = [0; HEADER];
        let have = usize::try_from(len).unwrap_or(HEADER).min(HEADER);
        self.0.read(0, &mut header[..have])?;
        if header[..MAGIC.len()] == MAGIC {
            let unclosed = header[FLAGS_AT] & RECOVERY_REQUIRED != 0;
            return Ok(if unclosed { Found::Unclosed } else { Found::Closed });
        }
        if header[..MAGIC.len()] != [0; MAGIC.len()] {
            return Ok(Found::Foreign);
        }
        let newborn =
            !noted && len <= LARGEST_NEWBORN && could_be_new(&header) && self.is_zero_behind(len)?;
        Ok(if newborn { Found::HalfCreated } else { Found::Zeros })
    }

    /// What is wrong with the header of a store, apart from its mark.
    pub(super) fn doubt(&self) -> io::Result<Option<Doubt>> {
        Ok(Pages::open(&*self.0)?.real_doubt())
    }

    /// How long the file is.
    pub(super) fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    /// Empties a file whose creation was cut off.
    pub(super) fn wipe(&self) -> io::Result<()> {
        self.0.set_len(0)?;
        self.0.sync_data()
    }

    fn is_zero_behind(&self, len: u64) -> io::Result<bool> {
        let mut block = vec![0; 64 << 10];
        let mut at = HEADER as u64;
        while at < len {
            let part = usize::try_from(len - at).unwrap_or(block.len()).min(block.len());
            self.0.read(at, &mut block[..part])?;
            if block[..part].iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at += part as u64;
        }
        Ok(true)
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // The system lets go of what this does not, as soon as the handle is closed.
        let _ = self.0.close();
    }
}

/// Whether a header without its mark is all zeros, or one that redb writes before the mark.
fn could_be_new(header: &[u8; HEADER]) -> bool {
    let page_size = header[PAGE_SIZE_AT..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    page_size == PAGE_SIZE || header.iter().all(|byte| *byte == 0)
}

fn try_lock(handle: &dyn StorageBackend) -> Result<bool, Refusal> {
    handle.try_lock_range(Unbounded, Unbounded).map_err(|error| match error {
        BackendError::Unsupported => Refusal::NoLocks("its file system has no file locks"),
        other => Refusal::Io(other.into()),
    })
}
