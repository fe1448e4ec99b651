//! Wall time as it is stored: whole milliseconds since the Unix epoch.
//!
//! Invariant: arithmetic saturates, so that no clock and no option can overflow a stored time.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment on the wall clock, in milliseconds since the Unix epoch; it may lie before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(i64);

impl WallTime {
    /// The earliest moment that can be stored.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest moment that can be stored.
    pub const MAX: Self = Self(i64::MAX);

    /// The moment `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The moment `length` later; the latest moment where that would overflow.
    #[must_use]
    pub fn plus(self, length: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(length.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment `length` earlier; the earliest moment where that would overflow.
    #[must_use]
    pub fn minus(self, length: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(length.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero where it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl From<SystemTime> for WallTime {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(0).plus(after),
            Err(before) => Self(0).minus(before.duration()),
        }
    }
}

impl From<WallTime> for SystemTime {
    fn from(time: WallTime) -> Self {
        let length = Duration::from_millis(time.0.unsigned_abs());
        let moved = if time.0 < 0 { UNIX_EPOCH.checked_sub(length) } else { UNIX_EPOCH.checked_add(length) };
        moved.unwrap_or(UNIX_EPOCH)
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let hour = Duration::from_secs(3600);
        assert_eq!(WallTime::MAX.plus(hour), WallTime::MAX);
        assert_eq!(WallTime::MIN.minus(hour), WallTime::MIN);
        assert_eq!(WallTime::from_millis(5).plus(Duration::MAX), WallTime::MAX);
        assert_eq!(WallTime::from_millis(5).since(WallTime::from_millis(9)), Duration::ZERO);
        assert_eq!(WallTime::MAX.since(WallTime::MIN), Duration::from_millis(i64::MAX as u64));
    }

    #[test]
    fn converts_both_ways_around_the_epoch() {
        for millis in [-86_400_000, -1, 0, 1, 1_800_000_000_000] {
            let time = WallTime::from_millis(millis);
            assert_eq!(WallTime::from(SystemTime::from(time)), time);
        }
    }
}
