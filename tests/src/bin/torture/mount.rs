//! File systems of its own, as root, in a private mount namespace: on a loop device, cut off, thin.
//!
//! Invariant: nothing is mounted where another process could see it, and all of it goes with the last process of the namespace.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::figures::say;

/// Tells a process that it has mounts of its own.
const INSIDE: &str = "PUSHE_TORTURE_INSIDE";
/// When set, what cannot run here is a failure.
const REQUIRE_ALL: &str = "PUSHE_REQUIRE_ALL";
/// The size of a file system.
const BYTES: u64 = 32 << 20;
/// What a thin file system's pool has beyond it, until it is filled.
const SPARE: u64 = 8 << 20;

/// Whether this process has mounts of its own; where it has not, it becomes one that has. `false` where that cannot be, which
/// has been said aloud.
pub(crate) fn have_own_mounts(command: &str) -> Result<bool, String> {
    if env::var_os(INSIDE).is_some() {
        return Ok(true);
    }
    let trial = "mount -t tmpfs none /tmp && perl -e 'exit 0' && command -v mkfs.ext4 fstrim >/dev/null";
    let tried = Command::new("unshare").args(["-m", "--propagation", "private", "sh", "-c", trial]).output();
    let why = match tried {
        Ok(output) if output.status.success() => {
            let program = env::current_exe().map_err(|error| error.to_string())?;
            let error = Command::new("unshare")
                .args(["-m", "--propagation", "private"])
                .arg(program)
                .args(env::args_os().skip(1))
                .env(INSIDE, "1")
                .exec();
            return Err(error.to_string());
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => format!("`unshare` cannot be run: {error}"),
    };
    let line = format!("SKIPPED {command}: needs root, mounts of its own, mkfs.ext4, fstrim and perl: {why}");
    if env::var_os(REQUIRE_ALL).is_some() {
        return Err(line);
    }
    say(&line);
    Ok(false)
}

/// A file system on a loop device.
#[derive(Debug)]
pub(crate) struct Mount {
    image: PathBuf,
    at: PathBuf,
    mounted: bool,
    /// Whether it lies on a thin pool.
    thin: bool,
}

impl Mount {
    /// Makes an ext4 in an image in this directory, and mounts it beside.
    pub(crate) fn new(directory: &Path) -> Result<Self, String> {
        let mount =
            Self { image: directory.join("image"), at: directory.join("disk"), mounted: false, thin: false };
        File::create(&mount.image).and_then(|file| file.set_len(BYTES)).map_err(|error| error.to_string())?;
        fs::create_dir(&mount.at).map_err(|error| error.to_string())?;
        // Blocks of a page, as on every disk of today: with smaller ones ext4 itself loses what it has confirmed after a failed
        // sync, whatever the program does.
        run(
            "mkfs.ext4",
            [
                OsStr::new("-b"),
                OsStr::new("4096"),
                OsStr::new("-q"),
                OsStr::new("-F"),
                mount.image.as_os_str(),
            ],
        )?;
        Ok(mount)
    }

    /// Where files of it are.
    pub(crate) fn path(&self) -> &Path {
        &self.at
    }

    pub(crate) fn mount(&mut self) -> Result<(), String> {
        run("mount", [OsStr::new("-o"), OsStr::new("loop"), self.image.as_os_str(), self.at.as_os_str()])?;
        self.mounted = true;
        if self.thin { self.ask_page_by_page() } else { Ok(()) }
    }

    /// Makes each request to the loop device one page long. The device confirms a longer one of which only a part had room
    /// (Linux 6.18), and against a device that lies nothing helps.
    fn ask_page_by_page(&self) -> Result<(), String> {
        let mounts = fs::read_to_string("/proc/self/mounts").map_err(|error| error.to_string())?;
        let at = self.at.to_str().ok_or("the place of temporary files is no text")?;
        let line = mounts.lines().find(|line| line.split(' ').nth(1) == Some(at));
        let device = line.and_then(|line| line.split(' ').next()?.strip_prefix("/dev/"));
        let device = device.ok_or("the loop device is not found")?;
        fs::write(format!("/sys/block/{device}/queue/max_sectors_kb"), "4")
            .map_err(|error| format!("the requests of {device} cannot be made short: {error}"))
    }

    /// Lets go of it, and with it of all that the system had cached of its files.
    pub(crate) fn unmount(&mut self) -> Result<(), String> {
        run("umount", [self.at.as_os_str()])?;
        self.mounted = false;
        Ok(())
    }

    /// Cuts the power: what is not synced is gone, and every later call fails.
    pub(crate) fn cut(&self) -> Result<(), String> {
        // EXT4_IOC_SHUTDOWN with the flag "do not flush the log".
        let script =
            "open(my $d, '<', $ARGV[0]) or die $!; my $f = pack('L', 2); ioctl($d, 0x8004587D, $f) or die $!";
        run("perl", [OsStr::new("-e"), OsStr::new(script), self.at.as_os_str()])
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.mounted {
            // What stays mounted goes with the namespace.
            let _ = self.unmount();
        }
    }
}

/// A pool that is smaller than the file system on it says: blocks of its free space have no room yet.
#[derive(Debug)]
pub(crate) struct ThinPool {
    at: PathBuf,
}

impl ThinPool {
    /// Makes a pool in this directory.
    pub(crate) fn new(directory: &Path) -> Result<Self, String> {
        let at = directory.join("pool");
        fs::create_dir(&at).map_err(|error| error.to_string())?;
        let size = format!("size={}", BYTES + SPARE);
        run(
            "mount",
            ["-t", "tmpfs", "-o", &size, "none"].map(OsStr::new).into_iter().chain([at.as_os_str()]),
        )?;
        Ok(Self { at })
    }

    /// Makes a file system on it, and mounts it; its own tables and log have their room, its free space has none.
    pub(crate) fn file_system(&self) -> Result<Mount, String> {
        let mut mount = Mount::new(&self.at)?;
        mount.thin = true;
        touch(&mount.image).map_err(|error| error.to_string())?;
        mount.mount()?;
        run("fstrim", [mount.at.as_os_str()])?;
        Ok(mount)
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) -> Result<(), String> {
        let mut file = File::create(self.filler()).map_err(|error| error.to_string())?;
        loop {
            match file.write(&[1; 4096]) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Gives it back.
    pub(crate) fn empty(&self) -> Result<(), String> {
        fs::remove_file(self.filler()).map_err(|error| error.to_string())
    }
}

impl Drop for ThinPool {
    fn drop(&mut self) {
        // What stays mounted goes with the namespace.
        let _ = run("umount", [self.at.as_os_str()]);
    }
}

/// Writes every block of a file as it is, so that each has its room.
fn touch(path: &Path) -> io::Result<()> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let mut block = vec![0; 1 << 20];
    for _ in 0..BYTES >> 20 {
        file.read_exact(&mut block)?;
        file.seek_relative(-(1 << 20))?;
        file.write_all(&block)?;
    }
    file.sync_all()
}

fn run<'a>(program: &str, words: impl IntoIterator<Item = &'a OsStr>) -> Result<(), String> {
    let output = Command::new(program)
        .args(words)
        .output()
        .map_err(|error| format!("`{program}` cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`{program}` failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
