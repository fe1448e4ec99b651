//! Looks that are taken although nothing was reported, all at the same moments.
//!
//! Invariant: sources of one engine that look every 30 or 60 s wake it together, not one after another.

use std::time::Duration;

use crate::clock::{Clock, MonoTime};

/// The first moment after now that is a multiple of `every` on the monotonic clock, and at least half of it away.
pub(super) fn next_look(clock: &dyn Clock, every: Duration) -> MonoTime {
    let now = clock.mono().since_origin();
    let every_millis = every.as_millis().max(1);
    let half = every_millis / 2;
    let looks = (now.as_millis() + half) / every_millis + 1;
    let at = u64::try_from(looks * every_millis).unwrap_or(u64::MAX);
    MonoTime::from_origin(Duration::from_millis(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Sleep, WallTime};

    #[derive(Debug)]
    struct Stands(u64);

    impl Clock for Stands {
        fn wall(&self) -> WallTime {
            WallTime::from_millis(0)
        }

        fn mono(&self) -> MonoTime {
            MonoTime::from_origin(Duration::from_millis(self.0))
        }

        fn sleep_until(&self, _: MonoTime) -> Sleep {
            Box::pin(std::future::pending())
        }

        fn sleep_until_wall(&self, _: WallTime) -> Sleep {
            Box::pin(std::future::pending())
        }

        fn boot_id(&self) -> Option<[u8; 16]> {
            None
        }
    }

    #[test]
    fn looks_fall_together_and_are_never_near() {
        let check = |now, expected| {
            let at = next_look(&Stands(now), Duration::from_secs(30));
            assert_eq!(at.since_origin().as_millis(), expected, "from {now}");
        };
        check(0, 30_000);
        check(14_999, 30_000);
        check(15_000, 60_000);
        check(30_000, 60_000);
        check(30_001, 60_000);
        check(46_000, 90_000);
    }
}
