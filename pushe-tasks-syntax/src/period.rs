//! When periodic work runs: its grid of slots, and what becomes of slots that were missed (S5).
//!
//! Invariant: everything follows from what is stored (the slot that waits, when it was first claimed, when the run before
//! began) and from a moment. So an attempt that is made again, even after a crash, stands for the same slot. Moments and
//! lengths are milliseconds.

use crate::cron::{Cron, Zone};

/// Under `All`, so many slots are run after a pause; older ones are dropped.
pub const CAUGHT_UP: u64 = 1_000;

/// A slot that nobody has claimed so long after its time has been missed, even where the period is long.
const LONGEST_LATENESS: i64 = 60_000;

/// Where the slots lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid<Z> {
    /// This long after each other, from the first one on.
    Every {
        /// The period, more than zero.
        every: i64,
    },
    /// Where the clock on the wall shows what the text says.
    Cron {
        /// The text.
        cron: Cron,
        /// Whose clock.
        zone: Z,
    },
}

/// One time at which periodic work is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// Its number: it only grows, and stays when the clock is set.
    pub number: u64,
    /// Its time.
    pub at: i64,
}

/// What becomes of slots that were missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Missed {
    /// They are made up for by one run, which stands for the latest.
    #[default]
    Once,
    /// They are left out.
    Skip,
    /// Each gets its run, the newest 1,000 of them.
    All,
}

/// How periodic work runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan<Z> {
    /// Where its slots lie.
    pub grid: Grid<Z>,
    /// How much sooner than its slot a run may begin; zero for not at all.
    pub flex: i64,
    /// What becomes of missed slots.
    pub missed: Missed,
    /// The least time between the beginnings of two runs; zero for none.
    pub min_gap: i64,
}

/// A run that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coming {
    /// The slot that it stands for.
    pub slot: Slot,
    /// From when it may begin along with other work; not later than the slot.
    pub early: i64,
}

/// What a claim is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The slot that the run stands for.
    pub slot: Slot,
    /// How many slots had been missed, this one included where it was; those that no run stands for any more too.
    pub missed: u64,
    /// Whether there is a run; otherwise the slot is left out.
    pub runs: bool,
}

impl<Z: Zone> Grid<Z> {
    /// The first slot after this one; `None` past the year 9999.
    pub fn after(&self, slot: Slot) -> Option<Slot> {
        self.first_after(slot, slot.at)
    }

    /// The first slot behind `slot` that is later than `moment`.
    pub fn first_after(&self, slot: Slot, moment: i64) -> Option<Slot> {
        match self {
            Self::Every { every } => {
                let behind = moment.checked_sub(slot.at)?.max(0);
                self.later(slot, u64::try_from(behind / every).ok()?.checked_add(1)?)
            }
            Self::Cron { cron, zone } => {
                let (from, moment) = (seconds(slot.at), seconds(moment).max(seconds(slot.at)));
                let at = cron.next(zone, moment)?;
                let passed = cron.count(zone, from, moment);
                Some(Slot {
                    number: slot.number.checked_add(passed)?.checked_add(1)?,
                    at: at.checked_mul(1_000)?,
                })
            }
        }
    }

    /// The latest slot from `slot` on that is not later than `moment`; `slot` itself where it is still to come.
    pub fn latest(&self, slot: Slot, moment: i64) -> Slot {
        self.newest(slot, moment, 1)
    }

    /// The first of the newest `keep` slots from `slot` on that are not later than `moment`.
    fn newest(&self, slot: Slot, moment: i64, keep: u64) -> Slot {
        if moment < slot.at {
            return slot;
        }
        match self {
            Self::Every { every } => {
                let passed = u64::try_from((moment - slot.at) / every).unwrap_or(0);
                self.later(slot, (passed + 1).saturating_sub(keep)).unwrap_or(slot)
            }
            Self::Cron { cron, zone } => {
                // One before the slot, so that it counts itself.
                let (from, until) = (seconds(slot.at) - 1, seconds(moment));
                let behind = cron.newest(zone, from, until, keep);
                let Some(at) = cron.next(zone, behind).filter(|at| *at <= until) else { return slot };
                Slot { number: slot.number + cron.count(zone, from, behind), at: at * 1_000 }
            }
        }
    }

    /// The slot so many further on.
    fn later(&self, slot: Slot, count: u64) -> Option<Slot> {
        let Self::Every { every } = self else { return None };
        let at = i64::try_from(count).ok()?.checked_mul(*every)?.checked_add(slot.at)?;
        Some(Slot { number: slot.number.checked_add(count)?, at })
    }

    /// Until when a slot may be claimed without having been missed: its time and a tenth of the period, 60 s at most.
    fn in_time_until(&self, slot: Slot) -> i64 {
        let next = self.after(slot).map_or(i64::MAX, |next| next.at);
        slot.at.saturating_add((next.saturating_sub(slot.at) / 10).min(LONGEST_LATENESS))
    }
}

impl<Z: Zone> Plan<Z> {
    /// The first run of work whose grid begins at `start`; `None` where there is none before the year 10000.
    ///
    /// At once for a period without `flex`, at the end of the first period with it, at the first slot for cron.
    pub fn first(&self, start: i64) -> Option<Coming> {
        let slot = match &self.grid {
            Grid::Every { .. } if self.flex == 0 => Slot { number: 0, at: start },
            Grid::Every { .. } => self.grid.after(Slot { number: 0, at: start })?,
            Grid::Cron { cron, zone } => {
                // A slot at the start itself is one.
                let at = cron.next(zone, seconds(start.checked_sub(1)?))?;
                Slot { number: 0, at: at.checked_mul(1_000)? }
            }
        };
        Some(self.coming(slot, None))
    }

    /// What the work runs that waited for `slot` and was first claimed at `began`.
    ///
    /// A run whose time was `overridden` takes the place of that of its slot: it has missed nothing.
    pub fn turn(&self, slot: Slot, began: i64, overridden: bool) -> Turn {
        let latest = self.grid.latest(slot, began);
        if overridden {
            return Turn { slot: latest, missed: 0, runs: true };
        }
        let is_missed = began > self.grid.in_time_until(latest);
        // The latest is in time or missed; all before it are missed.
        let missed = latest.number - slot.number + u64::from(is_missed);
        match self.missed {
            Missed::Once => Turn { slot: latest, missed, runs: true },
            Missed::Skip => Turn { slot: latest, missed, runs: !is_missed },
            Missed::All => {
                let slot_run = self.grid.newest(slot, began, CAUGHT_UP);
                let late = u64::from(began > self.grid.in_time_until(slot_run));
                Turn { slot: slot_run, missed: slot_run.number - slot.number + late, runs: true }
            }
        }
    }

    /// The run after the one of `ran`, decided at `now`, where the last run began at `began`.
    pub fn next(&self, ran: Slot, now: i64, began: Option<i64>) -> Option<Coming> {
        let mut slot = self.grid.after(ran)?;
        if self.missed == Missed::Skip {
            let latest = self.grid.latest(slot, now);
            slot = if now > self.grid.in_time_until(latest) { self.grid.after(latest)? } else { latest };
        }
        // Too soon after the last start: left out.
        if let Some(earliest) =
            began.filter(|_| self.min_gap > 0).map(|began| began.saturating_add(self.min_gap))
        {
            // Under `Once` the slots of a pause are one run, which begins now.
            let begins = if self.missed == Missed::Once { slot.at.max(now) } else { slot.at };
            if begins < earliest {
                slot = self.grid.first_after(slot, earliest.saturating_sub(1))?;
            }
        }
        Some(self.coming(slot, began))
    }

    /// When an attempt of the period of `ran` is made again that would be made at `due`; `None` where the next slot comes
    /// first, which then takes its place.
    pub fn again(&self, ran: Slot, due: i64) -> Option<i64> {
        match self.grid.after(ran) {
            Some(next) if next.at <= due => None,
            _ => Some(due),
        }
    }

    fn coming(&self, slot: Slot, began: Option<i64>) -> Coming {
        let earliest = began.map_or(i64::MIN, |began| began.saturating_add(self.min_gap));
        Coming { slot, early: slot.at.saturating_sub(self.flex).max(earliest).min(slot.at) }
    }
}

/// Whether work ends whose periods have failed so often one after the other; `limit` is its `stop_after` (S5.4).
///
/// # Examples
/// ```
/// use pushe_tasks_syntax::period::ends;
///
/// assert!(ends(Some(3), 3));
/// assert!(!ends(Some(3), 2) && !ends(None, 1_000));
/// ```
pub const fn ends(limit: Option<u32>, failed: u32) -> bool {
    matches!(limit, Some(limit) if failed >= limit)
}

/// By how much a grid is moved back when the clock was set back: not at all where the wait is at most one period longer
/// than it was to be, else so much that it is as long as it was to be (S8.1).
///
/// # Examples
/// ```
/// use pushe_tasks_syntax::period::moved_back;
///
/// let hour = 3_600_000;
/// // An hourly slot that is due in half an hour, and then the clock is set back.
/// assert_eq!(moved_back(hour / 2, hour / 2, hour), 0);
/// assert_eq!(moved_back(hour / 2, hour, hour), 0);
/// assert_eq!(moved_back(hour / 2, hour / 2 + 24 * hour, hour), 24 * hour);
/// ```
pub const fn moved_back(was_to_be: i64, is: i64, every: i64) -> i64 {
    let excess = is.saturating_sub(was_to_be);
    if excess > every { excess } else { 0 }
}

/// The second in which a moment lies.
const fn seconds(moment: i64) -> i64 {
    moment.div_euclid(1_000)
}

#[cfg(test)]
mod tests;
