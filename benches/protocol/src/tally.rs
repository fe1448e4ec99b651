//! Which pieces ran, how often and how soon: what makes a count honest.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::Latencies;

/// How often each piece ran.
#[derive(Debug)]
pub struct Tally {
    runs: Vec<AtomicU8>,
    /// How long after it was sent each began, in nanoseconds.
    ages: Vec<AtomicU64>,
    ran: AtomicU64,
    twice: AtomicU64,
}

impl Tally {
    /// A tally of pieces numbered from 0 up to `most`.
    pub fn new(most: usize) -> Self {
        let runs = std::iter::repeat_with(|| AtomicU8::new(0)).take(most).collect();
        let ages = std::iter::repeat_with(|| AtomicU64::new(0)).take(most).collect();
        Self { runs, ages, ran: AtomicU64::new(0), twice: AtomicU64::new(0) }
    }

    /// A body began, of the piece with this number that was sent at this moment; answers whether it is the first one.
    pub fn ran(&self, number: u64, sent_nanos: u64) -> bool {
        let age = crate::since_epoch_nanos().saturating_sub(sent_nanos);
        let place = usize::try_from(number).ok().filter(|number| *number < self.runs.len());
        let first = place.is_some_and(|place| {
            self.ages[place].store(age, Ordering::Relaxed);
            self.runs[place].fetch_add(1, Ordering::Relaxed) == 0
        });
        let count = if first { &self.ran } else { &self.twice };
        count.fetch_add(1, Ordering::Release);
        first
    }

    /// How many different pieces ran.
    pub fn count(&self) -> u64 {
        self.ran.load(Ordering::Acquire)
    }

    /// How often a piece ran that had run before, or that nobody sent.
    pub fn twice(&self) -> u64 {
        self.twice.load(Ordering::Acquire)
    }

    /// How long after they were sent the pieces began that ran.
    pub fn latencies(&self) -> Latencies {
        let mut latencies = Latencies::default();
        for (runs, age) in self.runs.iter().zip(&self.ages) {
            if runs.load(Ordering::Relaxed) > 0 {
                latencies.add_nanos(age.load(Ordering::Relaxed));
            }
        }
        latencies
    }

    /// How many of the first `sent` pieces did not run.
    pub fn lost(&self, sent: u64) -> u64 {
        let sent = usize::try_from(sent).unwrap_or(usize::MAX).min(self.runs.len());
        self.runs[..sent].iter().filter(|runs| runs.load(Ordering::Relaxed) == 0).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_and_repeated_pieces_are_seen() {
        let tally = Tally::new(3);
        assert!(tally.ran(0, 0));
        assert!(!tally.ran(0, 0));
        assert!(tally.ran(2, 0));
        assert!(!tally.ran(9, 0), "nobody sent it");
        assert_eq!((tally.count(), tally.twice(), tally.lost(3), tally.lost(1)), (2, 2, 1, 0));
    }
}
