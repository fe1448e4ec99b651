//! The gate: damps what a constraint says, so that a flapping device neither starts nor stops work at every turn.
//!
//! Two edges, two speeds: a loss closes the gate at once, and running work is stopped only after the loss has lasted
//! for `fall`; a gain must last for `rise` before the gate opens.
//!
//! Invariant: the gate is never open while the last verdict is not met. It has no clock and does no I/O; what it says
//! is a function of the verdicts it was told and of the moment it is asked about.

use std::borrow::Cow;
use std::time::Duration;

use super::{Damping, Verdict};
use crate::clock::MonoTime;

/// As many changes of the verdict are free within [`FLAP_WINDOW`]; a gain beyond them doubles the rise.
const FREE_FLIPS: usize = 3;
const FLAP_WINDOW: Duration = Duration::from_secs(60);
/// Flapping stretches the rise up to this.
const LONGEST_RISE: Duration = Duration::from_secs(30);
/// So long without a change, and the rise is what the constraint asks for again.
const CALM: Duration = Duration::from_secs(300);

/// Whether work may be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GateState<'a> {
    /// It may.
    Open,
    /// It may not.
    Closed {
        /// The present reason.
        why: &'a str,
        /// When the gate closed; for a gate that was never open, when it was made.
        since: MonoTime,
    },
}

/// The damped state of one constraint.
#[derive(Debug)]
pub(crate) struct Gate {
    damping: Damping,
    /// The present rise: that of `damping`, or longer while the constraint flaps.
    rise: Duration,
    said: Said,
    /// When the gate was last closed; meaningless while it is open.
    closed_since: MonoTime,
    /// Whether it was ever closed by a verdict: what opens then releases work that has waited.
    has_held: bool,
    /// The last changes of the verdict, newest first.
    flips: [Option<MonoTime>; FREE_FLIPS],
}

/// What the constraint said last.
#[derive(Debug)]
enum Said {
    Nothing,
    Met { opens_at: MonoTime, waiting: String },
    Hold { why: Cow<'static, str>, lost_at: MonoTime, at_once: bool },
}

impl Gate {
    /// A gate that has heard nothing yet and is closed.
    pub(crate) fn new(damping: Damping, started_at: MonoTime) -> Self {
        Self {
            damping,
            rise: damping.rise,
            said: Said::Nothing,
            closed_since: started_at,
            has_held: false,
            flips: [None; FREE_FLIPS],
        }
    }

    /// Takes note of a verdict. The first one acts without the rise; tell it only once the source has a reading.
    pub(crate) fn observe(&mut self, verdict: &Verdict, now: MonoTime) {
        match (&mut self.said, verdict) {
            (Said::Met { .. }, Verdict::Met { .. }) => {}
            (Said::Hold { why, at_once, .. }, Verdict::Hold { why: new, at_once: now_at_once, .. }) => {
                why.clone_from(new);
                *at_once = *now_at_once;
            }
            (Said::Nothing, Verdict::Met { .. }) => {
                self.said = Said::Met { opens_at: now, waiting: String::new() };
            }
            (Said::Nothing, Verdict::Hold { why, at_once, .. }) => {
                self.has_held = true;
                self.said = Said::Hold { why: why.clone(), lost_at: now, at_once: *at_once };
            }
            (Said::Hold { .. }, Verdict::Met { .. }) => {
                if self.flip(now) {
                    let longest = LONGEST_RISE.max(self.damping.rise);
                    self.rise = self.rise.saturating_mul(2).min(longest);
                }
                let waiting = format!("met; must hold for {:?} first", self.rise);
                self.said = Said::Met { opens_at: now.plus(self.rise), waiting };
            }
            (Said::Met { .. }, Verdict::Hold { why, at_once, .. }) => {
                let (why, at_once) = (why.clone(), *at_once);
                self.has_held = true;
                if self.is_open(now) {
                    self.closed_since = now;
                }
                self.flip(now);
                self.said = Said::Hold { why, lost_at: now, at_once };
            }
        }
    }

    /// Whether work may be claimed at this moment, and why not.
    pub(crate) fn state(&self, now: MonoTime) -> GateState<'_> {
        let why = match &self.said {
            Said::Met { opens_at, .. } if *opens_at <= now => return GateState::Open,
            Said::Met { waiting, .. } => waiting,
            Said::Hold { why, .. } => &**why,
            Said::Nothing => "no reading yet",
        };
        GateState::Closed { why, since: self.closed_since }
    }

    /// Whether work may be claimed at this moment.
    pub(crate) fn is_open(&self, now: MonoTime) -> bool {
        self.state(now) == GateState::Open
    }

    /// When it opens if nothing changes, while it waits for the end of its rise.
    pub(crate) fn opens_at(&self, now: MonoTime) -> Option<MonoTime> {
        match &self.said {
            Said::Met { opens_at, .. } => Some(*opens_at).filter(|at| *at > now),
            _ => None,
        }
    }

    /// Whether it has ever been closed by a verdict, and not only for want of one.
    pub(crate) fn has_held(&self) -> bool {
        self.has_held
    }

    /// Whether the loss has lasted so long that running work must stop.
    pub(crate) fn stop_due(&self, now: MonoTime) -> bool {
        self.stops_at().is_some_and(|at| at <= now)
    }

    /// When [`Gate::state`] or [`Gate::stop_due`] will next change by the passing of time alone.
    pub(crate) fn next_change(&self, now: MonoTime) -> Option<MonoTime> {
        let at = match &self.said {
            Said::Met { opens_at, .. } => Some(*opens_at),
            Said::Hold { .. } => self.stops_at(),
            Said::Nothing => None,
        };
        at.filter(|at| *at > now)
    }

    fn stops_at(&self) -> Option<MonoTime> {
        match &self.said {
            #[cfg(pushe_planted)]
            Said::Hold { lost_at, .. }
                if pushe_tasks_store::planted::is(pushe_tasks_store::planted::Bug::StopAtOnce) =>
            {
                Some(*lost_at)
            }
            // What is never stopped is not stopped at once either.
            Said::Hold { .. } if self.damping.fall == Duration::MAX => None,
            Said::Hold { lost_at, at_once: true, .. } => Some(*lost_at),
            Said::Hold { lost_at, .. } => Some(lost_at.plus(self.damping.fall)),
            _ => None,
        }
    }

    /// Records a change of the verdict; true where it is one too many within the window.
    fn flip(&mut self, now: MonoTime) -> bool {
        if self.flips[0].is_some_and(|last| now.since(last) >= CALM) {
            self.rise = self.damping.rise;
        }
        let oldest = self.flips[FREE_FLIPS - 1];
        self.flips.rotate_right(1);
        self.flips[0] = Some(now);
        oldest.is_some_and(|oldest| now.since(oldest) < FLAP_WINDOW)
    }
}

#[cfg(test)]
mod tests;
