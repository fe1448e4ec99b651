//! What a store lives on: a file, or in simulations a disk in memory.
//!
//! Invariant: a medium is opened once and stays the same thing: a reopened store reads and writes what it read and wrote
//! before, never something that has taken its place.

use std::fmt;
use std::io;

use redb::StorageBackend;

use super::owner::Owner;

/// What a store lives on, apart from the bytes themselves, which are redb's `StorageBackend`.
pub trait Medium: fmt::Debug + Send {
    /// Where it is, for people.
    fn place(&self) -> String;

    /// A handle to its bytes. A handle that redb has closed holds no lock; one medium gives many in its life, one after
    /// another.
    fn handle(&self) -> io::Result<Box<dyn StorageBackend>>;

    /// A handle that must not get a lock while another holds one; `None` where locks need no trial.
    fn rival(&self) -> io::Result<Option<Box<dyn StorageBackend>>> {
        Ok(None)
    }

    /// The kind of file system it is on, where that is one of a network.
    fn network(&self) -> Option<String> {
        None
    }

    /// Makes what is read next come from the disk, and answers whether that is certain.
    ///
    /// After a failed sync the system's cache holds bytes that the disk does not, and takes them for clean. A recovery
    /// that reads them builds on sand: the store is lost as soon as the cache is (seen on ext4, RELIABILITY §2.2).
    fn guard(&self) -> io::Result<Guarded>;

    /// Whether its place still names it; an error says what is wrong and what to do.
    fn check_place(&self) -> Result<(), String>;

    /// What is known of who had it open last.
    fn owner(&self) -> Option<Owner>;

    /// Writes down who has it open.
    fn set_owner(&self, owner: &Owner) -> io::Result<()>;

    /// Who holds the lock, for people; asked when another handle could not get it.
    fn holder(&self) -> String;

    /// Sets some room aside, unless that is done or leaves less than twice as much; answers whether it is set aside.
    fn keep_reserve(&self, bytes: u64) -> io::Result<bool>;

    /// Gives the room back; answers whether there was some.
    fn release_reserve(&self) -> io::Result<bool>;
}

/// How sure it is that what is read next comes from the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    /// The system's cache has let go of it.
    FromDisk,
    /// This system cannot be told to let go: what is read may be what a failed sync left in the cache.
    PerhapsFromCache,
}
