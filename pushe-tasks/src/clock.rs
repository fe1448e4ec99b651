//! The clock seam: the only place where time enters the engine.
//!
//! Invariant: `SystemTime::now`, `Instant::now` and `tokio::time` appear here and nowhere else.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};

pub use pushe_tasks_store::WallTime;

#[cfg(all(target_os = "linux", feature = "net"))]
pub(crate) mod alarm;
#[cfg(test)]
pub(crate) mod paused;

/// A moment on the monotonic clock: time since an origin that the clock chose when it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoTime(Duration);

impl MonoTime {
    /// The moment `since_origin` after the clock's origin.
    pub const fn from_origin(since_origin: Duration) -> Self {
        Self(since_origin)
    }

    /// Time since the clock's origin.
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// The moment `length` later, saturating.
    #[must_use]
    pub fn plus(self, length: Duration) -> Self {
        Self(self.0.saturating_add(length))
    }

    /// How long after `earlier` this is; zero where it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A future that ends when the clock has reached a moment.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where an engine reads the time, and how it waits.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall clock now.
    fn wall(&self) -> WallTime;

    /// The monotonic clock now.
    fn mono(&self) -> MonoTime;

    /// Waits until the monotonic clock has reached `moment`.
    ///
    /// # Cancel safety
    /// Dropping the future only stops the wait.
    fn sleep_until(&self, moment: MonoTime) -> Sleep;

    /// Waits until the wall clock has reached `moment`, however it is moved meanwhile.
    ///
    /// # Cancel safety
    /// Dropping the future only stops the wait.
    fn sleep_until_wall(&self, moment: WallTime) -> Sleep;

    /// Names the current boot of the machine, where the system tells it: a crash of the process
    /// leaves it unchanged, a crash of the machine does not.
    fn boot_id(&self) -> Option<[u8; 16]>;
}

/// The wall clock now, for texts that people read; what the engine decides by comes from its [`Clock`].
#[expect(clippy::disallowed_methods, reason = "this is the seam")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Waits until that moment: on the engine's own thread with as few wake-ups as can be.
#[expect(clippy::disallowed_methods, reason = "this is the seam")]
async fn until(instant: Instant) {
    #[cfg(all(target_os = "linux", feature = "net"))]
    if instant.saturating_duration_since(Instant::now()) > alarm::LONG
        && let Some(alarm) = alarm::here()
    {
        return alarm.wait(instant).await;
    }
    tokio::time::sleep_until(instant.into()).await;
}

/// After so long at the most a wait for a wall time looks at the wall clock again (S8.3).
const LONGEST_NAP: Duration = Duration::from_secs(30);

/// A wall clock that is so much behind has been set back.
const SET_BACK: Duration = Duration::from_secs(1);

/// How long a wait with so much left sleeps before it looks at the wall clock again, which may be set while the machine runs
/// and while it sleeps. Naps end at the moments at which sources look, so that both cost one wake-up.
fn nap(left: Duration, now: MonoTime) -> Duration {
    let now = now.since_origin();
    let naps = now.as_secs() / LONGEST_NAP.as_secs() + 1;
    left.min(Duration::from_secs(naps * LONGEST_NAP.as_secs()).saturating_sub(now))
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose monotonic origin is now.
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    fn wall(&self) -> WallTime {
        WallTime::from(SystemTime::now())
    }

    fn mono(&self) -> MonoTime {
        MonoTime(self.origin.elapsed())
    }

    fn sleep_until(&self, moment: MonoTime) -> Sleep {
        let origin = self.origin;
        Box::pin(async move {
            match origin.checked_add(moment.0) {
                Some(instant) => until(instant).await,
                None => std::future::pending().await,
            }
        })
    }

    fn sleep_until_wall(&self, moment: WallTime) -> Sleep {
        let clock = *self;
        Box::pin(async move {
            loop {
                let left = moment.since(clock.wall());
                if left.is_zero() {
                    return;
                }
                let now = clock.mono();
                let nap = nap(left, now);
                clock.sleep_until(now.plus(nap)).await;
                if moment.since(clock.wall()) > left.saturating_sub(nap) + SET_BACK {
                    return;
                }
            }
        })
    }

    fn boot_id(&self) -> Option<[u8; 16]> {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        Some(u128::from_str_radix(&digits, 16).ok()?.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_26_no_wait_for_a_wall_time_sleeps_longer_than_30_s() {
        let check = |left: u64, now: u64, nap_millis: u64| {
            let millis = Duration::from_millis;
            assert_eq!(
                nap(millis(left), MonoTime::from_origin(millis(now))),
                millis(nap_millis),
                "{left} {now}"
            );
        };
        check(0, 0, 0);
        check(5, 0, 5);
        check(8 * 3_600_000, 0, 30_000);
        check(8 * 3_600_000, 29_999, 1);
        check(8 * 3_600_000, 30_000, 30_000);
        check(u64::MAX, 75_000, 15_000);
    }
}
