//! What can go wrong in a store, by what the caller can do next.

use std::io;
use std::path::PathBuf;

use crate::id::WorkId;
use crate::state::WorkState;
use crate::tables::TableError;
use crate::wire::Damage;

/// A store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another scheduler of this one, has it open.
    #[error("the store {} is in use by {holder}; stop that one, or give each its own file", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
        /// Who has it, as far as it is known.
        holder: String,
    },
    /// The path cannot hold a store.
    #[error("{} cannot be a store: {problem}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The file system refuses to be written.
    #[error("{} is on a file system that cannot be written; put the store on one that can", path.display())]
    ReadOnly {
        /// The path.
        path: PathBuf,
    },
    /// The file was written by a version that this one does not know.
    #[error("the store {} has format {found}, and this build reads up to {known}; use the version that wrote it, or a newer one", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest format known.
        known: u64,
    },
    /// The file is damaged; it has not been touched.
    #[error("the store {} is damaged: {detail}; the file has been left as it is", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The operating system answered an error.
    #[error("the store {} could not be opened", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// A transaction did not become durable.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no room; nothing of the transaction is stored.
    #[error("the store has no room left; free some space, the engine goes on by itself")]
    Full,
    /// The transaction is known to be undone.
    #[error("the store refused the transaction: {0}")]
    Undone(String),
    /// The commit failed in a way that leaves open whether it is durable.
    #[error("it is not known whether the commit is durable: {0}")]
    InDoubt(String),
    /// The store does not work until it is opened anew.
    #[error("the store has failed: {0}")]
    Failed(String),
    /// Stores of this kind cannot do it.
    #[error("stores of this kind have no tables of the application; use the embedded store on a file")]
    Unsupported,
}

/// A verb was refused and changed nothing; the transaction goes on without it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerbError {
    /// Unfinished work of another task bears the task id.
    #[error(
        "the id `{}` is held by unfinished work of the task `{task}`; give each task ids of its own",
        task_id.escape_debug()
    )]
    IdHeldBy {
        /// The task id.
        task_id: String,
        /// The name of the task that holds it.
        task: String,
        /// The piece that holds it.
        holder: WorkId,
    },
    /// Unfinished work with the task id is periodic and the new one is not, or the other way round.
    #[error(
        "the id `{}` is held by unfinished work that is {}; cancel that first, or use `Replace`",
        task_id.escape_debug(),
        if *periodic { "periodic, and this is not" } else { "not periodic, and this is" }
    )]
    KindDiffers {
        /// The task id.
        task_id: String,
        /// Whether the work that holds it is periodic.
        periodic: bool,
        /// The piece that holds it.
        holder: WorkId,
    },
    /// Unfinished work bears the task id that the piece would take again.
    #[error(
        "the id `{task_id}` has been taken by other unfinished work; cancel that first, or wait until it has finished"
    )]
    IdBusy {
        /// The task id.
        task_id: String,
        /// The piece that bears it.
        holder: WorkId,
    },
    /// The piece is in a state that the verb is not for.
    #[error("the work is {state}; {only}")]
    WrongState {
        /// Its state.
        state: WorkState,
        /// What the verb is for.
        only: &'static str,
    },
    /// A record that the verb needs does not read back.
    #[error("a stored record does not read back: {0}")]
    Damaged(Damage),
    /// The store's tables could not be read or written; the transaction cannot be made durable.
    #[error("the store could not carry it out: {0}")]
    Store(String),
}

impl From<TableError> for VerbError {
    fn from(error: TableError) -> Self {
        Self::Store(error.0)
    }
}
