//! Whether the wall clock goes as the monotonic clock does (S8.1, S8.2).
//!
//! Invariant: a pure function of the moments at which it is asked; it wakes nobody.

use std::time::Duration;

use crate::clock::{MonoTime, WallTime};

/// The clocks may differ by so much in a window without having jumped.
const SLACK: i64 = 1_000;

/// A jump by more than this holds back what removes records.
const LARGE: i64 = 3_600_000;

/// So long the clocks have to go together before records are removed again.
const STEADY: Duration = Duration::from_secs(60);

/// What the dispatcher knows of the two clocks.
#[derive(Debug)]
pub(super) struct ClockWatch {
    /// The last look.
    last: (MonoTime, WallTime),
    /// Since when the clocks have gone together.
    steady: (MonoTime, WallTime),
    /// Whether a large jump, or the start of the engine, is not yet a steady minute ago.
    holds: bool,
}

impl ClockWatch {
    /// A watch that begins now.
    pub(super) const fn new(mono: MonoTime, wall: WallTime) -> Self {
        Self { last: (mono, wall), steady: (mono, wall), holds: true }
    }

    /// Looks at the clocks; answers whether the wall clock was set back since the last look.
    pub(super) fn look(&mut self, mono: MonoTime, wall: WallTime) -> bool {
        let jump = drift(self.last, (mono, wall));
        self.last = (mono, wall);
        if drift(self.steady, (mono, wall)).saturating_abs() > SLACK {
            self.steady = (mono, wall);
        }
        self.holds = if jump.saturating_abs() > LARGE {
            true
        } else {
            self.holds && mono.since(self.steady.0) < STEADY
        };
        jump < -SLACK
    }

    /// Until when at least no record is to be removed for its age.
    pub(super) fn holds_until(&self) -> Option<MonoTime> {
        self.holds.then(|| self.steady.0.plus(STEADY))
    }
}

/// By how many milliseconds the wall clock went further than the monotonic one.
fn drift(from: (MonoTime, WallTime), to: (MonoTime, WallTime)) -> i64 {
    let expected = from.1.plus(to.0.since(from.0));
    to.1.as_millis().saturating_sub(expected.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_800_000_000_000;

    fn at(mono: u64, wall: i64) -> (MonoTime, WallTime) {
        (MonoTime::from_origin(Duration::from_secs(mono)), WallTime::from_millis(START + wall * 1_000))
    }

    /// Seconds of both clocks since the start, whether the clock was set back, and until when records are kept.
    fn check(looks: &[(u64, i64, bool, Option<u64>)]) {
        let (mono, wall) = at(0, 0);
        let mut watch = ClockWatch::new(mono, wall);
        for (seconds, wall_seconds, set_back, holds) in looks {
            let (mono, wall) = at(*seconds, *wall_seconds);
            assert_eq!(watch.look(mono, wall), *set_back, "at {seconds}");
            let expected = holds.map(|until| MonoTime::from_origin(Duration::from_secs(until)));
            assert_eq!(watch.holds_until(), expected, "at {seconds}");
        }
    }

    #[test]
    fn s8_2_records_are_kept_for_a_steady_minute_after_the_start() {
        check(&[(0, 0, false, Some(60)), (59, 59, false, Some(60)), (60, 60, false, None)]);
        check(&[(30, 35, false, Some(90)), (89, 94, false, Some(90)), (90, 95, false, None)]);
    }

    #[test]
    fn s8_2_a_jump_of_more_than_an_hour_holds_again() {
        check(&[(60, 60, false, None), (61, 61 + 3_600, false, None), (62, 62 + 3_600, false, None)]);
        check(&[
            (60, 60, false, None),
            (61, 62 + 3_600, false, Some(121)),
            (100, 101 + 3_600, false, Some(121)),
            (110, 115 + 3_600, false, Some(170)),
            (170, 175 + 3_600, false, None),
        ]);
        check(&[(60, 60, false, None), (61, 61 - 3_601, true, Some(121)), (121, 121 - 3_601, false, None)]);
    }

    #[test]
    fn s8_1_a_clock_that_was_set_back_is_noticed_and_one_that_is_slewed_is_not() {
        check(&[(60, 60, false, None), (61, 59, true, None), (62, 60, false, None)]);
        check(&[(60, 59, false, None), (120, 118, false, None), (180, 177, false, None)]);
    }
}
