//! Since when there has been more work than permits.
//!
//! Invariant: a pure function of the looks; a permit that is free for the moment between two bodies ends nothing.

use crate::clock::MonoTime;

/// The permits of one task, or of all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Contention {
    waiting: bool,
    since: Option<MonoTime>,
}

impl Contention {
    /// Looks whether all permits are taken, and whether work waits that could use one.
    pub(super) fn look(&mut self, full: bool, waiting: bool, now: MonoTime) {
        self.waiting = waiting;
        if !waiting {
            self.since = None;
        } else if full {
            self.since.get_or_insert(now);
        }
    }

    /// Whether work waited at the last look.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Since when work has waited for permits without a break.
    pub(super) fn since(&self) -> Option<MonoTime> {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_lasts_from_the_first_piece_without_a_permit_until_none_waits() {
        let at = |seconds| MonoTime::from_origin(Duration::from_secs(seconds));
        let mut contention = Contention::default();
        // Second, all taken, work waits; and since when it is contended then.
        for (second, full, waiting, since) in [
            (1, false, true, None),
            (2, true, false, None),
            (3, true, true, Some(3)),
            (4, false, true, Some(3)),
            (5, true, true, Some(3)),
            (6, true, false, None),
            (7, true, true, Some(7)),
            (8, false, false, None),
        ] {
            contention.look(full, waiting, at(second));
            assert_eq!(contention.since(), since.map(at), "at {second}");
        }
    }
}
