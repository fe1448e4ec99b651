//! How much room a file system has, and when that is little.
//!
//! Invariant: the thresholds stand here once and are plain functions of the figures.

use std::io;
use std::path::Path;

const MIB: u64 = 1 << 20;
/// The most that is ever asked to be free.
const MOST: u64 = 500 * MIB;

/// What a file system has left, in bytes, and whether a file can still be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) available: u64,
    pub(super) total: u64,
    pub(super) no_inode: bool,
}

impl Room {
    /// The room of the file system that holds `path`.
    #[cfg(all(target_os = "linux", feature = "net"))]
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let room = rustix::fs::statvfs(path)?;
        Ok(Self {
            // What the administrator has reserved (`f_bfree` counts it) is not for us.
            available: room.f_bavail.saturating_mul(room.f_frsize),
            total: room.f_blocks.saturating_mul(room.f_frsize),
            // A file system without inodes of its own says zero of zero.
            no_inode: room.f_files > 0 && room.f_favail == 0,
        })
    }

    /// The same, by a library that knows other systems.
    #[cfg(all(not(all(target_os = "linux", feature = "net")), feature = "portable"))]
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Self::portable(path)
    }

    /// The same without the means to find out.
    #[cfg(not(any(all(target_os = "linux", feature = "net"), feature = "portable")))]
    pub(super) fn of(_: &Path) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this build cannot; turn the feature `portable` on"))
    }

    /// The room as a library finds it that knows other systems too.
    #[cfg(all(feature = "portable", any(test, not(all(target_os = "linux", feature = "net")))))]
    pub(super) fn portable(path: &Path) -> io::Result<Self> {
        let room = fs4::statvfs(path)?;
        Ok(Self { available: room.available_space(), total: room.total_space(), no_inode: false })
    }

    /// What must be free: a tenth, and never more than 500 MiB.
    const fn threshold(&self) -> u64 {
        let tenth = self.total / 10;
        if tenth < MOST { tenth } else { MOST }
    }

    /// Whether this is little, by whether it was.
    pub(super) const fn is_low(&self, was_low: bool) -> bool {
        let threshold = self.threshold();
        let needed = if was_low { threshold + threshold / 2 } else { threshold };
        self.no_inode || self.available < needed
    }

    /// Whether it may soon be little.
    pub(super) const fn is_near(&self) -> bool {
        self.available < 2 * self.threshold()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_a_tenth_or_500_mib_and_lasts_until_half_as_much_again() {
        let check = |available, total, was_low, low| {
            let room = Room { available: available * MIB, total: total * MIB, no_inode: false };
            assert_eq!(room.is_low(was_low), low, "{available} of {total} MiB, low before: {was_low}");
        };
        check(10, 100, false, false);
        check(9, 100, false, true);
        check(14, 100, true, true);
        check(15, 100, true, false);
        check(500, 100_000, false, false);
        check(499, 100_000, false, true);
        check(749, 100_000, true, true);
        check(750, 100_000, true, false);
        check(0, 0, false, false);
    }

    #[test]
    fn a_file_system_without_inodes_is_full() {
        let room = Room { available: 90 * MIB, total: 100 * MIB, no_inode: true };
        assert!(room.is_low(false) && room.is_low(true));
    }

    #[test]
    fn near_is_less_than_twice_the_threshold() {
        let near = |available| Room { available, total: 1_000, no_inode: false }.is_near();
        assert!(near(199) && !near(200));
    }

    #[test]
    #[cfg(all(target_os = "linux", feature = "net", feature = "portable"))]
    fn both_ways_find_the_same() {
        let (one, other) = (Room::of(Path::new("/")).unwrap(), Room::portable(Path::new("/")).unwrap());
        assert_eq!(one.total, other.total);
        assert!(one.available.abs_diff(other.available) < 64 * MIB, "{one:?} {other:?}");
    }
}
