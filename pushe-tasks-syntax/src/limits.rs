//! The numbers that options are measured against.
//!
//! Invariant: a limit stands here once; texts that name it take it from here.

use std::time::Duration;

/// Longest task id, in bytes.
pub const ID_BYTES: usize = 512;

/// Longest task name or alias, in bytes.
pub const NAME_BYTES: usize = 512;

/// Longest tag, in bytes.
pub const TAG_BYTES: usize = 128;

/// Most tags of one piece of work.
pub const TAGS: usize = 32;

/// Longest name of a host, in bytes.
pub const HOST_BYTES: usize = 253;

/// Longest duration that can be written: 100 years of 365 days.
pub const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Minutes by which a priority moves work at most, up or down: a week.
pub const PRIORITY_MINUTES: i64 = 7 * 24 * 60;

/// Shortest period.
pub const SHORTEST_PERIOD: Duration = Duration::from_secs(1);

/// Shortest snooze.
pub const SHORTEST_SNOOZE: Duration = Duration::from_secs(1);

/// Back-off before the second attempt, where nothing else is said.
pub const RETRY_DELAY: Duration = Duration::from_secs(30);

/// Longest back-off, where nothing else is said.
pub const RETRY_MAX_DELAY: Duration = Duration::from_secs(5 * 60 * 60);

/// Random part of the back-off, where nothing else is said.
pub const RETRY_JITTER: f64 = 0.1;
