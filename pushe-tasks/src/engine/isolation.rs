//! How long suspects run alone, and how long others wait for them (S7.3): the dispatcher's side. The store's claim starts
//! a suspect only while no body lives, and starts nothing beside it; this says when it may go on.
//!
//! A suspect that runs alone does so for a window, which doubles with each further crash. One that waits for the bodies
//! that live to end holds others back for a window as well. Where that was in vain, others go on at least as long, and until
//! all that outlasted it has ended; the next wait is twice as long. So neither side starves: others keep at least half of
//! the time, and a suspect finds its turn unless bodies of more than ten minutes follow each other without a gap.
//!
//! Invariant: it waits for nothing; each wait is a moment of the monotonic clock that `next_moment` names.

use std::collections::HashSet;
use std::time::Duration;

use pushe_tasks_store::{Attempt, WorkId};

use super::credit::Turn;
use crate::clock::MonoTime;

/// No window is longer, unless the first one is.
const LONGEST_WINDOW: Duration = Duration::from_secs(600);

/// The suspect that runs alone, and the one that waits for that.
#[derive(Debug)]
pub(super) struct Isolation {
    window: Duration,
    alone: Option<Alone>,
    waiting: Option<Waiting>,
    /// Waits in a row that were in vain.
    vain: u32,
}

/// A suspect that was started while nothing else lived.
#[derive(Debug)]
struct Alone {
    attempt: Attempt,
    since: MonoTime,
    until: MonoTime,
    passed: bool,
}

/// A suspect that may start once nothing else lives.
#[derive(Debug)]
struct Waiting {
    work: WorkId,
    /// Since when others are held back for it, or go on.
    since: MonoTime,
    until: MonoTime,
    /// Whether others are held back for it until then; else they go on at least until then.
    holds: bool,
    /// What had outlasted the last wait and still lives.
    outlasting: HashSet<Attempt>,
}

/// For whom others are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeldFor {
    pub(super) work: WorkId,
    pub(super) since: MonoTime,
    pub(super) until: MonoTime,
}

impl Isolation {
    pub(super) const fn new(window: Duration) -> Self {
        Self { window, alone: None, waiting: None, vain: 0 }
    }

    /// A suspect that this many crashes have found was started alone.
    pub(super) fn began(&mut self, attempt: Attempt, interruptions: u32, now: MonoTime) {
        let until = now.plus(self.doubled(interruptions.saturating_sub(2)));
        self.alone = Some(Alone { attempt, since: now, until, passed: false });
        (self.waiting, self.vain) = (None, 0);
    }

    /// The body of an attempt has ended.
    pub(super) fn ended(&mut self, attempt: Attempt) {
        self.alone.take_if(|alone| alone.attempt == attempt);
        if let Some(waiting) = &mut self.waiting {
            waiting.outlasting.remove(&attempt);
        }
    }

    /// The store has told which suspect waits for the bodies that live to end.
    pub(super) fn waits(&mut self, suspect: Option<WorkId>, now: MonoTime) {
        let Some(work) = suspect else {
            (self.waiting, self.vain) = (None, 0);
            return;
        };
        if let Some(waiting) = &mut self.waiting {
            waiting.work = work;
            return;
        }
        // Behind another suspect it does not hold anybody back: what lives is known to outlast it.
        let outlasting: HashSet<_> = self.alone.iter().map(|alone| alone.attempt).collect();
        let holds = outlasting.is_empty();
        let until = if holds { now.plus(self.doubled(0)) } else { now };
        self.waiting = Some(Waiting { work, since: now, until, holds, outlasting });
    }

    /// Does what is due; `living` are the attempts whose bodies live.
    pub(super) fn pass(&mut self, now: MonoTime, living: impl Iterator<Item = Attempt>) {
        if let Some(alone) = &mut self.alone {
            alone.passed |= alone.until <= now;
        }
        let Some(waiting) = self.waiting.as_mut().filter(|waiting| waiting.until <= now) else { return };
        if waiting.holds {
            self.vain = self.vain.saturating_add(1);
            (waiting.holds, waiting.outlasting) = (false, living.collect());
            (waiting.since, waiting.until) = (now, now.plus(doubled(self.window, self.vain - 1)));
        } else if waiting.outlasting.is_empty() {
            waiting.holds = true;
            (waiting.since, waiting.until) = (now, now.plus(doubled(self.window, self.vain)));
        }
    }

    /// The next moment at which something is due.
    pub(super) fn next_moment(&self) -> Option<MonoTime> {
        let alone = self.alone.as_ref().filter(|alone| !alone.passed).map(|alone| alone.until);
        // What waits for bodies to end is woken by their ends.
        let due = |waiting: &&Waiting| waiting.holds || waiting.outlasting.is_empty();
        let waiting = self.waiting.as_ref().filter(due).map(|waiting| waiting.until);
        alone.into_iter().chain(waiting).min()
    }

    /// What the writer is to know of it.
    pub(super) fn turn(&self) -> Turn {
        Turn {
            beside: self.alone.as_ref().filter(|alone| alone.passed).map(|alone| alone.attempt),
            passes_suspects: self.waiting.as_ref().is_some_and(|waiting| !waiting.holds),
        }
    }

    /// The suspect for which others are held back now.
    pub(super) fn holds_others(&self) -> Option<HeldFor> {
        let alone = self.alone.as_ref().filter(|alone| !alone.passed);
        let alone = alone.map(|it| HeldFor { work: it.attempt.work, since: it.since, until: it.until });
        let waiting = || self.waiting.as_ref().filter(|waiting| waiting.holds);
        alone.or_else(|| waiting().map(|it| HeldFor { work: it.work, since: it.since, until: it.until }))
    }

    /// The suspect that runs within its window, or has outlasted it.
    pub(super) fn alone(&self) -> Option<WorkId> {
        self.alone.as_ref().map(|alone| alone.attempt.work)
    }

    fn doubled(&self, times: u32) -> Duration {
        doubled(self.window, times)
    }
}

fn doubled(window: Duration, times: u32) -> Duration {
    window.saturating_mul(2_u32.saturating_pow(times)).min(LONGEST_WINDOW.max(window))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(30);

    fn attempt(work: u8) -> Attempt {
        Attempt { work: WorkId::from_bytes([work; 16]), claim: 1 }
    }

    fn at(seconds: u64) -> MonoTime {
        MonoTime::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn s7_3_the_window_doubles_with_each_further_crash_up_to_ten_minutes() {
        for (interruptions, seconds) in
            [(2, 30), (3, 60), (4, 120), (5, 240), (6, 480), (7, 600), (40, 600), (u32::MAX, 600)]
        {
            let mut isolation = Isolation::new(WINDOW);
            isolation.began(attempt(1), interruptions, at(5));
            assert_eq!(isolation.next_moment(), Some(at(5 + seconds)), "after {interruptions} crashes");
        }
        assert_eq!(doubled(Duration::from_secs(3_600), 3), Duration::from_secs(3_600));
    }

    #[test]
    fn s7_3_others_start_beside_a_suspect_once_its_window_has_passed() {
        let mut isolation = Isolation::new(WINDOW);
        isolation.began(attempt(1), 2, at(0));
        isolation.pass(at(29), std::iter::empty());
        assert_eq!(isolation.turn(), Turn::default());
        assert_eq!(
            isolation.holds_others(),
            Some(HeldFor { work: attempt(1).work, since: at(0), until: at(30) })
        );
        isolation.pass(at(30), std::iter::empty());
        assert_eq!(isolation.turn(), Turn { beside: Some(attempt(1)), passes_suspects: false });
        assert_eq!((isolation.next_moment(), isolation.holds_others()), (None, None));
        isolation.ended(attempt(1));
        assert_eq!((isolation.turn(), isolation.alone()), (Turn::default(), None));
    }

    #[test]
    fn s7_3_a_suspect_that_waits_holds_others_back_for_a_while() {
        let mut isolation = Isolation::new(WINDOW);
        let suspect = attempt(1).work;
        let passes = |isolation: &Isolation| isolation.turn().passes_suspects;
        isolation.waits(Some(suspect), at(0));
        isolation.waits(Some(suspect), at(20));
        assert_eq!(isolation.holds_others(), Some(HeldFor { work: suspect, since: at(0), until: at(30) }));
        isolation.pass(at(29), [attempt(2)].into_iter());
        assert!(!passes(&isolation));
        // In vain: attempt 2 has outlasted it.
        isolation.pass(at(30), [attempt(2)].into_iter());
        assert!(passes(&isolation));
        assert_eq!(isolation.next_moment(), None, "the end of a body wakes it");
        isolation.pass(at(100), [attempt(2), attempt(3)].into_iter());
        assert!(passes(&isolation));
        isolation.ended(attempt(2));
        assert_eq!(isolation.next_moment(), Some(at(60)));
        isolation.pass(at(100), [attempt(3)].into_iter());
        assert_eq!(
            isolation.holds_others(),
            Some(HeldFor { work: suspect, since: at(100), until: at(160) }),
            "twice as long"
        );
        isolation.began(attempt(1), 2, at(110));
        assert!(!passes(&isolation));
        assert_eq!(isolation.next_moment(), Some(at(140)));
    }

    #[test]
    fn s7_3_a_second_suspect_holds_nobody_back_while_the_first_one_lives() {
        let mut isolation = Isolation::new(WINDOW);
        isolation.began(attempt(1), 2, at(0));
        isolation.waits(Some(attempt(2).work), at(1));
        isolation.pass(at(30), [attempt(1)].into_iter());
        assert_eq!(isolation.turn(), Turn { beside: Some(attempt(1)), passes_suspects: true });
        isolation.waits(None, at(31));
        assert!(!isolation.turn().passes_suspects, "it was cancelled");
    }
}
