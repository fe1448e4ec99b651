//! Tokio's paused time as a clock, for tests: its wall moves with it.
#![expect(clippy::disallowed_methods, reason = "it belongs to the seam")]

use super::{Clock, MonoTime, Sleep, WallTime};

/// A clock that jumps from timer to timer, on a runtime that was started paused.
#[derive(Debug)]
pub(crate) struct Paused(tokio::time::Instant);

impl Paused {
    /// A clock whose origin is now.
    pub(crate) fn new() -> Self {
        Self(tokio::time::Instant::now())
    }
}

impl Clock for Paused {
    fn wall(&self) -> WallTime {
        WallTime::from_millis(1_000_000_000_000).plus(self.0.elapsed())
    }

    fn mono(&self) -> MonoTime {
        MonoTime::from_origin(self.0.elapsed())
    }

    fn sleep_until(&self, moment: MonoTime) -> Sleep {
        let at = self.0.checked_add(moment.since_origin());
        Box::pin(async move {
            match at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        })
    }

    fn sleep_until_wall(&self, moment: WallTime) -> Sleep {
        Box::pin(tokio::time::sleep(moment.since(self.wall())))
    }

    fn boot_id(&self) -> Option<[u8; 16]> {
        None
    }
}
