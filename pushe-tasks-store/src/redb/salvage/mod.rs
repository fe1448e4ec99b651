//! Gets what can be read of a store into a new one.
//!
//! Invariant: the source is never written; the new store is at its place whole, or not at all; what is not in it is told.
//!
//! Pages that nothing leads to any more are not searched for work: they hold earlier states of it too, and nothing tells an
//! earlier state from the last. They are searched for lists of tables where there is no other way to any.

mod copy;
mod target;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use self::copy::Copy;
use self::target::Target;
use super::file::{self, StoreFile};
use super::medium::Medium;
use super::options::{Directory, Opening, StoreOptions};
use super::os;
use super::survey::{Source, Survey};
use crate::error::OpenError;
use crate::problem::Salvaged;

/// Copies every piece of work that can be read in the store at `from` into a new store at `to`: its id, state, payload,
/// output and errors. `from` is never written, and nobody may have it open; nothing may stand at `to`.
///
/// It goes on beside whatever is damaged, even where the store cannot be opened. Work that was running is enqueued again
/// when the new store is opened. A piece whose payload is lost is kept, and quarantined when it is claimed; one whose record
/// is lost is kept among the Quarantined with its payload. What cannot be read is told, and so are the application's own
/// tables, which are not copied: their types are not known here. What hangs on a damaged branch of a tree, with nothing in
/// the last two commits that leads to it, is not found. Where the file's header or its list of tables is lost, the newest list
/// that is left is taken, which may be of an earlier commit: that is told too.
///
/// It takes memory for the records of all work. While it works, what it has copied stands in `<to>.salvage`.
///
/// # Errors
/// Where there is nothing to read from (`InUse`, `Io`, `Path`, `Newer`, and `Damaged` where nothing of it can be read) or no
/// place to write to; nothing is left at `to` then.
pub fn salvage(
    from: impl AsRef<Path>,
    to: impl AsRef<Path>,
    opening: &Opening,
) -> Result<Salvaged, OpenError> {
    let source = StoreFile::look(from.as_ref())?;
    let to = &std::path::absolute(to.as_ref()).map_err(|error| file::failed(to.as_ref(), error))?;
    let failed = |error| file::failed(to, error);
    refuse_what_stands(to, "something is there already; name a new file")?;
    let mut building = to.clone().into_os_string();
    building.push(".salvage");
    let building = PathBuf::from(building);
    refuse_what_stands(&building, "it was left by a salvage that was cut off; delete it first")?;
    drop(os::create_new(&building).map_err(failed)?);
    let shared = StoreOptions { directory: Directory::Shared, ..StoreOptions::default() };
    let copied = StoreFile::open(&building, &shared).and_then(|target| {
        let salvaged = salvage_into(&source, &target, opening)?;
        name(&building, to).map_err(failed)?;
        file::sync_directory(to).map_err(failed)?;
        Ok(salvaged)
    });
    if copied.is_err() {
        // It is this call's own; where it cannot be removed, its name says what it is.
        let _ = fs::remove_file(&building);
    }
    copied
}

fn refuse_what_stands(path: &Path, problem: &str) -> Result<(), OpenError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(OpenError::Path { path: path.to_owned(), problem: problem.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(file::failed(path, error)),
    }
}

/// Gives the file its name, which nothing may have taken meanwhile.
fn name(building: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(building, to) {
        Ok(()) => fs::remove_file(building),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // A file system without second names.
        Err(_) if fs::symlink_metadata(to).is_err() => fs::rename(building, to),
        Err(error) => Err(error),
    }
}

/// As `salvage`, between two media.
pub(super) fn salvage_into(
    source: &dyn Medium,
    target: &dyn Medium,
    opening: &Opening,
) -> Result<Salvaged, OpenError> {
    let from = Source::take(source)?;
    let mut found = Salvaged::default();
    let failed = |error| file::failed(source.place().as_ref(), error);
    let survey = Survey::of(&*from.handle, &mut found.problems).map_err(failed)?;
    if survey.is_blind() {
        let detail = "nothing in it leads to any table".to_owned();
        return Err(OpenError::Damaged { path: source.place().into(), detail });
    }
    found.app_tables = survey.app_tables();
    let mut into = Target::create(target)?;
    let copied = Copy::new(survey, source, &mut found, opening).all(&mut into);
    match (copied, into.end()) {
        (Ok(()), Ok(())) => Ok(found),
        (Err(error), _) | (Ok(()), Err(error)) => Err(error),
    }
}
