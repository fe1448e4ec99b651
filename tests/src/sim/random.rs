//! The randomness of a simulation: all of it comes from one seed.

use std::sync::Mutex;
use std::sync::PoisonError;

use pushe_tasks::Randomness;

/// The `SplitMix64` generator.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub const fn below(&mut self, limit: u64) -> u64 {
        self.bits() % limit
    }

    /// True in so many of a hundred cases.
    pub const fn percent(&mut self, cases: u64) -> bool {
        self.below(100) < cases
    }

    /// One of these.
    pub const fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        #[expect(clippy::cast_possible_truncation, reason = "it is below a length")]
        let index = self.below(among.len() as u64) as usize;
        &among[index]
    }
}

/// The engine's randomness.
#[derive(Debug)]
pub struct SimRandomness(Mutex<Random>);

impl SimRandomness {
    /// The numbers of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(Mutex::new(Random::new(seed)))
    }
}

impl Randomness for SimRandomness {
    fn bits(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bits()
    }
}
