//! The clock of all measurements, and the only file that reads it.

use std::time::{Duration, Instant};

/// A moment of the measuring clock.
pub type Moment = Instant;

/// Now.
#[expect(clippy::disallowed_methods, reason = "what is measured is time itself")]
pub fn now() -> Moment {
    Instant::now()
}

/// Blocks the thread for a while: between two measurements, so that an engine is idle at the second.
#[expect(clippy::disallowed_methods, reason = "an idle engine has nothing to wait for")]
pub fn nap(length: Duration) {
    std::thread::sleep(length);
}

/// Blocks the thread until a moment: an open-loop producer keeps its own pace, whatever the other side does.
pub fn pause_until(moment: Moment) {
    nap(moment.saturating_duration_since(now()));
}

/// Nanoseconds since a moment that is the same for the whole process, so that an atomic can hold a moment.
pub fn since_epoch_nanos() -> u64 {
    static EPOCH: std::sync::OnceLock<Moment> = std::sync::OnceLock::new();
    u64::try_from(EPOCH.get_or_init(now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}
