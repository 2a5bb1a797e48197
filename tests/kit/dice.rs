//! Chance that can be had again: a generator of numbers from a seed.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use crate::number;

/// `SplitMix64` (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// With a seed.
    pub fn new(seed: u32) -> Self {
        Self(u64::from(seed))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Yes, once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of several; nothing of none.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let count = all.len() as u64;
        (count > 0).then(|| self.below(count)).and_then(|at| all.get(usize::try_from(at).ok()?))
    }
}

/// From the environment, or another one each time.
pub fn seed() -> u32 {
    // What the standard library spreads hashes with, as it has no other source of chance.
    let chance = RandomState::new().build_hasher().finish();
    number("SEED", u32::try_from(chance >> 32).expect("half of it"))
}
