//! How work that a constraint has held is spread once it is let go, so that a server is not stampeded.
//!
//! Invariant: the first pieces, as many as may run at once, are never kept back; nothing is kept back for longer than the
//! length, which grows with the logarithm of the number of pieces.

use std::collections::BTreeMap;
use std::time::Duration;

use super::dispatcher::Dispatcher;
use crate::clock::MonoTime;

/// Fewer pieces than this are let go together.
const MANY: u64 = 100;
/// Two steps of a release are at least so far apart, so that a long one costs few wake-ups.
const STEP: Duration = Duration::from_millis(20);

/// Over how long a release is spread for each doubling of its pieces, where the program does not say.
pub(crate) const SPREAD: Duration = Duration::from_secs(2);

/// One release under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// Claims that were allowed at its beginning.
    base: u64,
    /// Pieces that come after the first ones.
    later: u64,
    from: MonoTime,
    length: Duration,
}

impl Pace {
    /// The release of so many pieces of a task of which `seen` were claimed so far and `free` may start now; `None` where
    /// it need not be spread.
    pub(super) fn new(pieces: u64, seen: u64, free: u64, now: MonoTime, spread: Duration) -> Option<Self> {
        let later = pieces.saturating_sub(free);
        if pieces < MANY || later == 0 || spread.is_zero() {
            return None;
        }
        let doublings = pieces.ilog2();
        Some(Self { base: seen + free, later, from: now, length: spread.saturating_mul(doublings) })
    }

    /// Claims that are allowed by now in total; `None` once the release is over.
    pub(super) fn allowed(&self, now: MonoTime) -> Option<u64> {
        let passed = now.since(self.from);
        if passed >= self.length {
            return None;
        }
        let share = u128::from(self.later) * passed.as_micros() / self.length.as_micros().max(1);
        Some(self.base + u64::try_from(share).unwrap_or(u64::MAX))
    }

    /// When it began, and when it is over.
    pub(super) fn span(&self) -> (MonoTime, MonoTime) {
        (self.from, self.from.plus(self.length))
    }

    /// When more will be allowed than now.
    pub(super) fn next(&self, now: MonoTime) -> MonoTime {
        let each = self.length.as_micros() / u128::from(self.later) + 1;
        let each = Duration::from_micros(u64::try_from(each).unwrap_or(u64::MAX));
        now.plus(each.max(STEP)).min(self.from.plus(self.length)).max(now)
    }
}

impl Dispatcher {
    /// Begins to spread the work of lanes that a constraint has held until now.
    pub(super) fn spread_releases(&mut self, now: MonoTime) {
        let mut released: BTreeMap<usize, u64> = BTreeMap::new();
        for lane in self.lanes.iter_mut() {
            let open = self.conditions.all_open(&lane.conditions, now);
            if let Some(task) = lane.task
                && open
                && !lane.open
                && self.conditions.have_held(&lane.conditions)
            {
                *released.entry(task).or_default() += lane.ready;
            }
            lane.open = open;
        }
        for (task, pieces) in released {
            self.tasks[task].release(pieces, now, self.spread);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> MonoTime {
        MonoTime::from_origin(Duration::from_millis(millis))
    }

    fn pace(pieces: u64, free: u64) -> Option<Pace> {
        Pace::new(pieces, 7, free, at(1_000), SPREAD)
    }

    #[test]
    fn few_pieces_and_those_that_may_all_run_are_not_spread() {
        assert_eq!(pace(99, 4), None);
        assert_eq!(pace(100, 100), None);
        assert_eq!(Pace::new(1_000, 0, 4, at(0), Duration::ZERO), None);
        assert!(pace(100, 99).is_some());
    }

    #[test]
    fn the_first_start_at_once_and_the_rest_evenly() {
        // 1,024 pieces: ten doublings, 20 s.
        let pace = pace(1_024, 24).unwrap();
        assert_eq!(pace.allowed(at(1_000)), Some(31));
        assert_eq!(pace.allowed(at(11_000)), Some(31 + 500));
        assert_eq!(pace.allowed(at(20_999)), Some(31 + 999));
        assert_eq!(pace.allowed(at(21_000)), None);
    }

    #[test]
    fn a_step_allows_more_and_is_never_shorter_than_20_ms() {
        let check = |pieces, free| {
            let pace = pace(pieces, free).unwrap();
            let (mut now, mut steps, mut allowed) = (at(1_000), 0_u32, pace.allowed(at(1_000)));
            while let Some(before) = allowed {
                let next = pace.next(now);
                assert!(next > now);
                now = next;
                allowed = pace.allowed(now);
                assert!(allowed.is_none_or(|after| after > before), "{pieces}: {allowed:?} at {now:?}");
                steps += 1;
            }
            assert!(u64::from(steps) <= pieces - free + 1 && steps <= 1_700, "{pieces}: {steps} steps");
        };
        check(100, 99);
        check(128, 4);
        check(100_000, 64);
    }
}
