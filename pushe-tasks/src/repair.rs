//! Looking at a store's file without opening it as one, and getting out of a damaged one what can be read.
//!
//! Invariant: the file that is looked at is never written, and nobody has it open meanwhile.

use std::path::Path;

use pushe_tasks_store::{OpenError, redb};
pub use pushe_tasks_store::{Problem, Salvaged, Verified};

use crate::clock::{Clock as _, SystemClock};
use crate::random::{Randomness as _, SystemRandomness};

/// Reads everything in the store at `path`, and says what is not as it was written: all pages, the checksum of every row, and
/// the indexes against the records. The file is not changed, and may stand where it cannot be written; a store that was not
/// closed is recovered in memory.
///
/// For a file that a disk is suspected of, for a backup, and before and after [`salvage`]. It blocks, takes memory for the
/// keys of all rows, and as much time as reading the file takes a few times over.
///
/// # Errors
/// Only where the file cannot be looked at: `InUse` while a scheduler has it open, `Io`, `Newer`, and `Path` where there is none
/// or one of another kind. What is wrong in it is no error: it is among [`Verified::problems`].
///
/// # Examples
/// ```no_run
/// let found = pushe_tasks::verify("tasks.redb")?;
/// println!("{} pieces of work", found.records);
/// for problem in &found.problems {
///     println!("{problem}");
/// }
/// # Ok::<_, pushe_tasks::OpenError>(())
/// ```
pub fn verify(path: impl AsRef<Path>) -> Result<Verified, OpenError> {
    redb::verify(path)
}

/// Copies every piece of work that can be read in the store at `from` into a new store at `to`: its id, state, payload,
/// output and errors. `from` is never written; nothing may stand at `to`.
///
/// For a file that `start` refuses as `Damaged`, or that [`OnDamage::MoveAside`](crate::store::redb::OnDamage) has moved
/// aside. Beside whatever is damaged it goes on. Work that was running runs again when the new store is opened, and what waited
/// for work that is lost goes on. A piece whose payload is lost is kept, and quarantined when its turn comes; one whose record is
/// lost is kept among the Quarantined with its payload. What cannot be read is among [`Salvaged::problems`]; the application's
/// own tables are named and not copied, since their types are not known here. Where only an earlier state of some work
/// is left, that is taken and told, so that a body may run again which had ended.
///
/// It blocks, and takes memory for the records of all work.
///
/// # Errors
/// Where there is nothing to read from: `InUse`, `Io`, `Newer`, `Path`, and `Damaged` where nothing of it can be read; where there
/// is no place to write to: `Path` where something stands at `to`, `ReadOnly`, `Io`. Nothing is left at `to` then.
///
/// # Examples
/// ```no_run
/// let found = pushe_tasks::salvage("tasks.redb.damaged-1", "salvaged.redb")?;
/// println!("{} pieces of work are in the new store", found.records);
/// if !found.is_whole() {
///     println!("not copied: the tables {:?}", found.app_tables);
///     found.problems.iter().for_each(|problem| println!("{problem}"));
/// }
/// # Ok::<_, pushe_tasks::OpenError>(())
/// ```
pub fn salvage(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<Salvaged, OpenError> {
    let random = SystemRandomness::new();
    let mut uuid = [0; 16];
    uuid[..8].copy_from_slice(&random.bits().to_le_bytes());
    uuid[8..].copy_from_slice(&random.bits().to_le_bytes());
    let now = SystemClock::new().wall();
    redb::salvage(from, to, &redb::Opening { now, new_uuid: uuid, program: "salvage".to_owned() })
}
