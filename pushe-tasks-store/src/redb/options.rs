//! How a store is opened.

use crate::time::WallTime;

/// Choices that the application makes for its store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreOptions {
    /// What a commit does before it is acknowledged.
    pub durability: Durability,
    /// Memory for pages, in bytes.
    pub cache_bytes: usize,
    /// Room that is set aside beside the file, so that work can finish when the disk is full; 0 for none.
    pub reserve_bytes: u64,
    /// Whether every page is checked when the store is opened.
    pub integrity: Integrity,
    /// Whether the store may stand in a directory that others can write.
    pub directory: Directory,
    /// Who makes sure that one process at a time has it open.
    pub exclusion: Exclusion,
    /// What opening does with a file that is damaged.
    pub on_damage: OnDamage,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Standard,
            cache_bytes: 24 << 20,
            reserve_bytes: 1 << 20,
            integrity: Integrity::WhenSmall,
            directory: Directory::Own,
            exclusion: Exclusion::ByLock,
            on_damage: OnDamage::Refuse,
        }
    }
}

/// What a commit does before it is acknowledged. Either survives a power cut at any moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// One sync; after a power cut a checksum tells a whole commit from a torn one.
    Standard,
    /// Two syncs: a power cut that meets a damaged sector does not take back the last commit either.
    Paranoid,
}

/// Whether every page is checked when the store is opened. redb does not check pages as it reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Integrity {
    /// Up to 64 MiB, which takes about a tenth of a second.
    WhenSmall,
    /// Always.
    Always,
    /// Only after a crash, which redb does by itself.
    AfterCrash,
}

impl Integrity {
    pub(super) const fn checks(self, file_bytes: u64) -> bool {
        match self {
            Self::WhenSmall => file_bytes <= 64 << 20,
            Self::Always => true,
            Self::AfterCrash => false,
        }
    }
}

/// Whether the store may stand in a directory that others can write: they could put another file in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Directory {
    /// Only in one that no other user can change names in: not writable by others, or with the sticky bit, like `/tmp`.
    Own,
    /// In any.
    Shared,
}

/// Who makes sure that one process at a time has the store open: what is found running in it is taken for an orphan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exclusion {
    /// A file lock, which has been tried. A network file system is refused, since another machine may not see the lock and
    /// since its syncs may promise what its server does not keep; so is one without locks.
    ByLock,
    /// The application, by whatever means: any file system is taken, and one whose locks do not work.
    Promised,
}

/// What opening does with a file that is damaged beyond what a power cut leaves. It is never deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnDamage {
    /// Refuses, and leaves it as it is.
    Refuse,
    /// Renames it to `<path>.damaged-1`, or the first number that is free, and starts with an empty store. The findings say
    /// so, and `salvage` gets out of it what can be read. A file that nothing tells to be a store is refused all the same.
    MoveAside,
}

/// What a store asks of the world when it is opened: time and randomness come in as parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Now.
    pub now: WallTime,
    /// The uuid of the store, should this opening create it.
    pub new_uuid: [u8; 16],
    /// What this program is called; it is told to whoever finds the store in use.
    pub program: String,
}
