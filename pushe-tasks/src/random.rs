//! The randomness seam: the only place where chance enters the engine.
//!
//! Invariant: ids and jitter draw from one `Randomness` that the engine was given, so that a simulation can give its own.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::Mutex;

use pushe_tasks_store::WorkId;

use crate::clock::WallTime;

/// Where an engine draws its random numbers.
pub trait Randomness: fmt::Debug + Send + Sync + 'static {
    /// The next 64 random bits.
    fn bits(&self) -> u64;
}

/// Random numbers from a seed that the operating system gave.
#[derive(Debug)]
pub struct SystemRandomness(Mutex<fastrand::Rng>);

impl SystemRandomness {
    /// A generator with a seed of its own.
    pub fn new() -> Self {
        // The keys of a `RandomState` come from the operating system.
        Self(Mutex::new(fastrand::Rng::with_seed(RandomState::new().build_hasher().finish())))
    }
}

impl Default for SystemRandomness {
    fn default() -> Self {
        Self::new()
    }
}

impl Randomness for SystemRandomness {
    fn bits(&self) -> u64 {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).u64(..)
    }
}

/// A number in `0.0..1.0` from 64 random bits.
pub(crate) fn unit(bits: u64) -> f64 {
    // 53 bits are what an f64 holds exactly.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let (numerator, denominator) = ((bits >> 11) as f64, (1u64 << 53) as f64);
    numerator / denominator
}

/// Makes work ids that grow: two ids of one source sort in the order in which they were made.
///
/// Ids that grow keep a store's newest rows side by side, which is what makes inserts cheap.
#[derive(Debug, Default)]
pub(crate) struct WorkIds(Mutex<Last>);

#[derive(Debug, Default)]
struct Last {
    millis: u64,
    low: u128,
}

/// The random part of a version 7 id, of which this source counts the upper bits within one millisecond.
const RANDOM_BITS: u32 = 74;

impl WorkIds {
    /// The next id.
    pub(crate) fn next(&self, now: WallTime, randomness: &dyn Randomness) -> WorkId {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0) & ((1 << 48) - 1);
        let mut last = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if millis > last.millis {
            last.millis = millis;
            // The top bit is left free, so that a millisecond has room to count in.
            last.low = (u128::from(randomness.bits()) << 9) & ((1 << (RANDOM_BITS - 1)) - 1);
        } else {
            last.low += 1 + u128::from(randomness.bits() & 0xffff_ffff);
            if last.low >> RANDOM_BITS != 0 {
                last.millis += 1;
                last.low = 0;
            }
        }
        WorkId::from_parts(last.millis, spread(last.low))
    }
}

/// Lays 74 bits out in the ten bytes of which a version 7 id takes all but six: the version's four and the variant's two.
fn spread(low: u128) -> [u8; 10] {
    let (upper, lower) = (low >> 62, low & ((1 << 62) - 1));
    let mut bytes = [0; 10];
    bytes[..2].copy_from_slice(&upper.to_be_bytes()[14..]);
    bytes[2..].copy_from_slice(&lower.to_be_bytes()[8..]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_whatever_the_clock_does() {
        let (ids, randomness) = (WorkIds::default(), SystemRandomness::new());
        let mut last = ids.next(WallTime::from_millis(5), &randomness);
        for millis in [5, 5, 5, 4, 6, 0, -3, 1 << 40, 7].repeat(500) {
            let next = ids.next(WallTime::from_millis(millis), &randomness);
            assert!(next > last, "{next} after {last}");
            last = next;
        }
    }

    #[test]
    fn unit_stays_below_one() {
        assert!(unit(0).abs() < f64::EPSILON);
        assert!(unit(u64::MAX) < 1.0);
    }
}
