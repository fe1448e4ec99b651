//! A store's file, and what stands beside it: `<path>.owner` and `<path>.reserve`.
//!
//! Invariant: the file is opened once, here, without following a link, for its owner alone; every handle that redb gets
//! is a duplicate of that one, so that a file put in its place later is never written.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use redb::StorageBackend;
use redb::backends::FileBackend;

use super::inspect::Locked;
use super::medium::{Guarded, Medium};
use super::network::network_of;
use super::options::{Directory, StoreOptions};
use super::owner::Owner;
use super::{holder, os};
use crate::error::OpenError;

/// An owner note is a few lines; whatever is longer is none.
const LONGEST_NOTE: u64 = 4096;

/// Of a file that is longer, the rest would push the start out of the cache of a small machine.
const LONGEST_READ_AHEAD: u64 = 1 << 30;

/// A file that holds a store, or will.
#[derive(Debug)]
pub struct StoreFile {
    path: PathBuf,
    file: File,
    identity: os::Identity,
    pid: u32,
}

impl StoreFile {
    /// Opens the file, or creates it empty.
    pub fn open(path: &Path, options: &StoreOptions) -> Result<Self, OpenError> {
        let refuse = |problem: String| OpenError::Path { path: path.to_owned(), problem };
        // Later calls look the path up again; the working directory may have changed by then.
        let path = &std::path::absolute(path).map_err(|source| failed(path, source))?;
        check_kind(path)?;
        if options.directory == Directory::Own {
            let directory = path.parent().unwrap_or(path);
            os::check_directory(directory).map_err(refuse)?;
        }
        let file = os::open(path).map_err(|source| failed(path, source))?;
        let found = file.metadata().map_err(|source| failed(path, source))?;
        // Once more, for what was put there between the two calls.
        if !found.is_file() {
            return Err(refuse(not_a_file(&found)));
        }
        os::check_file(&found).map_err(refuse)?;
        Ok(Self { path: path.clone(), identity: os::identity(&found), file, pid: std::process::id() })
    }

    /// Opens a file to be looked at and not written, which may stand where it could not be.
    pub(super) fn look(path: &Path) -> Result<Self, OpenError> {
        let path = &std::path::absolute(path).map_err(|source| failed(path, source))?;
        check_kind(path)?;
        let file = os::open_reading(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                OpenError::Path { path: path.clone(), problem: "there is no such file".to_owned() }
            }
            _ => failed(path, source),
        })?;
        let found = file.metadata().map_err(|source| failed(path, source))?;
        if !found.is_file() {
            return Err(OpenError::Path { path: path.clone(), problem: not_a_file(&found) });
        }
        Ok(Self { path: path.clone(), identity: os::identity(&found), file, pid: std::process::id() })
    }

    /// The same file again.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { path: self.path.clone(), file: self.file.try_clone()?, ..*self })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Renames a damaged file to the first free name beside it; answers that name. Where another process has done so, or has
    /// the file, nothing is done and the next opening tells.
    pub(super) fn move_aside(&self, options: &StoreOptions) -> io::Result<Option<PathBuf>> {
        // Under the lock, so that nobody moves aside what another opener has put in its place.
        let Ok(_locked) = Locked::take(self, options.exclusion) else { return Ok(None) };
        if self.check_place().is_err() {
            return Ok(None);
        }
        for number in 1.. {
            let aside = self.beside(&format!(".damaged-{number}"));
            // The name is taken first, so that the rename replaces nothing but what was made for it.
            match os::create_new(&aside) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            fs::rename(&self.path, &aside)?;
            sync_directory(&self.path)?;
            return Ok(Some(aside));
        }
        Ok(None)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        path.into()
    }

    /// Reads the file from its start to its end, so that a recovery, which reads it page by page in the order of its
    /// trees, finds it in the cache: it takes the disk a third of the time.
    fn read_ahead(&self) -> io::Result<()> {
        let mut file = self.file.try_clone()?;
        let at = file.stream_position()?;
        file.seek(SeekFrom::Start(0))?;
        let mut block = vec![0; 1 << 20];
        let mut left = LONGEST_READ_AHEAD;
        while left > 0 {
            let read = file.read(&mut block)? as u64;
            left = if read == 0 { 0 } else { left.saturating_sub(read) };
        }
        file.seek(SeekFrom::Start(at))?;
        Ok(())
    }

    fn handle_of(file: File) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(FileBackend::new(file).map_err(io::Error::other)?))
    }
}

impl Medium for StoreFile {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn handle(&self) -> io::Result<Box<dyn StorageBackend>> {
        Self::handle_of(self.file.try_clone()?)
    }

    fn rival(&self) -> io::Result<Option<Box<dyn StorageBackend>>> {
        // Locks belong to what `open` answers, and a duplicate shares them: a rival must open the file anew.
        let file = os::open_existing(&self.path)?;
        if os::identity(&file.metadata()?) != self.identity {
            return Ok(None);
        }
        Self::handle_of(file).map(Some)
    }

    fn network(&self) -> Option<String> {
        network_of(&self.file)
    }

    fn guard(&self) -> io::Result<Guarded> {
        // A first error is that of an earlier write, which is what the guard is for; a second one is news.
        self.file.sync_all().or_else(|_| self.file.sync_all())?;
        let guarded = os::drop_cache(&self.file)?;
        // What it cannot read, recovery meets by itself.
        let _ = self.read_ahead();
        Ok(guarded)
    }

    fn check_place(&self) -> Result<(), String> {
        if std::process::id() != self.pid {
            return Err(
                "this process was forked from the one that opened the store; open it after the fork".into()
            );
        }
        match fs::symlink_metadata(&self.path) {
            Ok(found) if os::identity(&found) == self.identity => Ok(()),
            Ok(_) => Err(format!(
                "another file has been put in the place of {}; stop the program before a store is replaced",
                self.path.display()
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(format!(
                "{} has been deleted or moved while the store was open; put it back or start anew",
                self.path.display()
            )),
            Err(error) => Err(format!("{} cannot be looked up: {error}", self.path.display())),
        }
    }

    fn owner(&self) -> Option<Owner> {
        let mut text = String::new();
        let file = os::open_existing(&self.beside(".owner")).ok()?;
        file.metadata().ok().filter(fs::Metadata::is_file)?;
        file.take(LONGEST_NOTE).read_to_string(&mut text).ok()?;
        Owner::from_text(&text)
    }

    fn set_owner(&self, owner: &Owner) -> io::Result<()> {
        let (path, new) = (self.beside(".owner"), self.beside(".owner.new"));
        remove(&new)?;
        let mut file = os::create_new(&new)?;
        file.write_all(owner.to_text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)
    }

    fn holder(&self) -> String {
        holder::describe(self.owner(), os::lock_holder(self.identity))
    }

    fn keep_reserve(&self, bytes: u64) -> io::Result<bool> {
        let path = self.beside(".reserve");
        if bytes == 0 || fs::symlink_metadata(&path).is_ok() {
            return Ok(true);
        }
        if os::room(&self.file)? < bytes.saturating_mul(3) {
            return Ok(false);
        }
        let file = os::create_new(&path)?;
        // Written and not only declared, so that the room is taken on every file system.
        let block = [0x5a; 4096];
        let mut left = bytes;
        while left > 0 {
            let part = left.min(block.len() as u64);
            // `part` is at most the block's length.
            let written = (&file).write_all(&block[..usize::try_from(part).unwrap_or(block.len())]);
            if let Err(error) = written {
                remove(&path)?;
                return Err(error);
            }
            left -= part;
        }
        Ok(true)
    }

    fn release_reserve(&self) -> io::Result<bool> {
        remove(&self.beside(".reserve"))
    }
}

/// Makes the name of a file that was just created durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    os::sync_directory(path.parent().unwrap_or(path))
}

/// Judges what stands at the path, without opening it: opening a device may do things.
fn check_kind(path: &Path) -> Result<(), OpenError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(found) => Err(OpenError::Path { path: path.to_owned(), problem: not_a_file(&found) }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(path, error)),
    }
}

fn not_a_file(found: &fs::Metadata) -> String {
    if found.is_dir() {
        "it is a directory; name a file in it, such as `tasks.redb`".to_owned()
    } else if found.is_symlink() {
        "it is a symbolic link; name the file that it leads to".to_owned()
    } else {
        "it is neither a file nor a directory; name a file".to_owned()
    }
}

/// The error of a call on the path.
pub(super) fn failed(path: &Path, source: io::Error) -> OpenError {
    let path = path.to_owned();
    let refuse = |path, problem: &str| OpenError::Path { path, problem: problem.to_owned() };
    match source.kind() {
        io::ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly { path },
        io::ErrorKind::PermissionDenied => {
            refuse(path, "this process may not read and write it; change its owner, or name another file")
        }
        io::ErrorKind::NotFound => refuse(path, "its directory does not exist; create it first"),
        io::ErrorKind::NotADirectory => {
            refuse(path, "a part of its path is not a directory; name another file")
        }
        io::ErrorKind::IsADirectory => {
            refuse(path, "it is a directory; name a file in it, such as `tasks.redb`")
        }
        io::ErrorKind::InvalidInput => {
            refuse(path, "it is empty or holds a zero byte; name a file, such as `tasks.redb`")
        }
        _ if os::met_a_link(&source) => refuse(path, "it is a symbolic link; name the file that it leads to"),
        _ => OpenError::Io { path, source },
    }
}

/// Removes a file; answers whether there was one.
fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
