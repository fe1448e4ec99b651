//! What the store asks of the operating system beyond `std`: modes, identity, cache and room.
//!
//! Invariant: this is the only file of the store that differs from system to system.

#[cfg(unix)]
mod imp {
    use std::fs::{self, File, Metadata, OpenOptions};
    use std::io;
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
    use std::path::Path;

    use rustix::fs::OFlags;

    use super::super::medium::Guarded;

    /// What tells one file from another while it is open: device and inode.
    pub(in super::super) type Identity = (u64, u64);

    pub(in super::super) fn identity(found: &Metadata) -> Identity {
        (found.dev(), found.ino())
    }

    fn flags() -> i32 {
        // Not blocking: a fifo that was put there would make the open wait for its other end.
        (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
    }

    /// Opens the file or creates it, for its owner alone; a link is an error.
    pub(in super::super) fn open(path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(flags());
        match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match options.create_new(true).mode(0o600).open(path) {
                    // Another opener was first: the lock tells which of the two goes on.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        options.create_new(false).open(path)
                    }
                    result => result,
                }
            }
            result => result,
        }
    }

    pub(in super::super) fn open_existing(path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).custom_flags(flags()).open(path)
    }

    pub(in super::super) fn open_reading(path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).custom_flags(flags()).open(path)
    }

    /// Creates a file for its owner alone; what stands there already, a link too, is an error.
    pub(in super::super) fn create_new(path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    }

    /// Whether an open failed because a symbolic link stands there.
    pub(in super::super) fn met_a_link(error: &io::Error) -> bool {
        rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::LOOP)
    }

    /// Refuses a file that others may write.
    pub(in super::super) fn check_file(found: &Metadata) -> Result<(), String> {
        let mode = found.permissions().mode() & 0o7777;
        if mode & others(found) != 0 {
            return Err(format!("others may write it (mode {mode:04o}); run `chmod go-w` on it"));
        }
        Ok(())
    }

    /// Refuses a directory in which others can put another file in the store's place.
    pub(in super::super) fn check_directory(directory: &Path) -> Result<(), String> {
        const STICKY: u32 = 0o1000;
        let found = fs::metadata(directory).map_err(|error| {
            format!("its directory cannot be looked up ({error}); create it, or name another file")
        })?;
        let mode = found.permissions().mode() & 0o7777;
        if mode & STICKY == 0 && mode & others(&found) != 0 {
            return Err(format!(
                "others can change names in its directory (mode {mode:04o}); run `chmod go-w` on the directory, \
                 or open with `Directory::Shared`"
            ));
        }
        Ok(())
    }

    /// The write bits of others. A group of the user's own, with the number of the user, is no other: many systems give
    /// each user one and a umask of 002 with it.
    fn others(found: &Metadata) -> u32 {
        let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        if found.gid() == group && group == user { 0o002 } else { 0o022 }
    }

    /// Lets go of what the cache holds of the file.
    #[cfg(target_os = "linux")]
    pub(in super::super) fn drop_cache(file: &File) -> io::Result<Guarded> {
        rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?;
        Ok(Guarded::FromDisk)
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unnecessary_wraps, reason = "the same shape on every system")]
    pub(in super::super) fn drop_cache(_: &File) -> io::Result<Guarded> {
        Ok(Guarded::PerhapsFromCache)
    }

    /// Room for this user on the file's file system.
    pub(in super::super) fn room(file: &File) -> io::Result<u64> {
        let found = rustix::fs::fstatvfs(file)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    pub(in super::super) fn sync_directory(directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    /// The process that holds the lock of the file, as far as the kernel tells.
    pub(in super::super) fn lock_holder((device, inode): Identity) -> Option<u32> {
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let place = format!("{major:02x}:{minor:02x}:{inode}");
        let locks = fs::read_to_string("/proc/locks").ok()?;
        let held = locks.lines().find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let is_ours = fields.get(1) == Some(&"FLOCK") && fields.get(5) == Some(&place.as_str());
            if is_ours { fields.get(4)?.parse::<u32>().ok() } else { None }
        });
        held.filter(|pid| *pid != 0)
    }

    /// What a process calls itself.
    pub(in super::super) fn program_of(pid: u32) -> Option<String> {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        Some(name.trim_end().chars().filter(|c| !c.is_control()).collect())
    }
}

#[cfg(not(unix))]
mod imp {
    use std::fs::{File, Metadata, OpenOptions};
    use std::io;
    use std::path::Path;

    use super::super::medium::Guarded;

    /// Files cannot be told apart with `std` alone on this system.
    pub(in super::super) type Identity = ();

    pub(in super::super) fn identity(_: &Metadata) -> Identity {}

    pub(in super::super) fn open(path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
    }

    pub(in super::super) fn open_existing(path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(path)
    }

    pub(in super::super) fn open_reading(path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).open(path)
    }

    pub(in super::super) fn create_new(path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    pub(in super::super) fn met_a_link(_: &io::Error) -> bool {
        false
    }

    pub(in super::super) fn check_file(_: &Metadata) -> Result<(), String> {
        Ok(())
    }

    pub(in super::super) fn check_directory(_: &Path) -> Result<(), String> {
        Ok(())
    }

    pub(in super::super) fn drop_cache(_: &File) -> io::Result<Guarded> {
        Ok(Guarded::PerhapsFromCache)
    }

    pub(in super::super) fn room(_: &File) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    pub(in super::super) fn sync_directory(_: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(in super::super) fn lock_holder((): Identity) -> Option<u32> {
        None
    }

    pub(in super::super) fn program_of(_: u32) -> Option<String> {
        None
    }
}

pub(super) use imp::{
    Identity, check_directory, check_file, create_new, drop_cache, identity, lock_holder, met_a_link, open,
    open_existing, open_reading, program_of, room, sync_directory,
};
