//! What a use case chooses at random: IDs, and Ethernet addresses that follow from no IPv4 address.
//!
//! A write that nobody planned draws from the kernel. A dry run and the applying of its plan draw from one seed, in the same order, so that
//! applying makes the very IDs and addresses that the plan shows. What must not live here: secrets, which are never drawn from a seed.

use std::sync::atomic::{AtomicU64, Ordering};

use netloom_model::{LeaseId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::random;
use crate::error::Error;

/// What dice are made from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seed(Option<[u8; 16]>);

impl Seed {
    /// A seed of its own, for a plan.
    pub(crate) fn fresh() -> Result<Self, Error> {
        Ok(Self(Some(random()?)))
    }

    /// ID of a lease that is the write's own object.
    pub(crate) fn lease_id(self, now: Timestamp) -> Result<LeaseId, Error> {
        self.dice("object").lease_id(now)
    }

    /// Dice for one purpose: for another, they fall otherwise.
    pub(crate) const fn dice(self, purpose: &'static str) -> Dice {
        Dice { seed: self, purpose, drawn: AtomicU64::new(0) }
    }
}

/// Dice of one purpose. A transaction that is run again takes new ones, which fall as the first did.
#[derive(Debug)]
pub(crate) struct Dice {
    seed: Seed,
    purpose: &'static str,
    drawn: AtomicU64,
}

impl Dice {
    /// ID of a lease. Of a plan's it has no time in it: that would be another when it is applied.
    pub(crate) fn lease_id(&self, now: Timestamp) -> Result<LeaseId, Error> {
        let bytes = self.draw()?;
        Ok(if self.seed.0.is_some() { LeaseId::from_random(bytes) } else { LeaseId::at(now, bytes) })
    }

    /// The next random bytes, 32 at most.
    ///
    /// # Errors
    /// Internal, when the kernel gives none.
    pub(crate) fn draw<const N: usize>(&self) -> Result<[u8; N], Error> {
        let Some(seed) = self.seed.0 else { return random() };
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        let mut hash = Sha256::new();
        hash.update(seed);
        hash.update(number.to_be_bytes());
        hash.update(self.purpose);
        let mut bytes = [0; N];
        bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, drawn)| *byte = drawn);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_falls_alike_each_time_and_otherwise_for_another_purpose() {
        let draws = |seed: Seed, purpose| {
            let dice = seed.dice(purpose);
            [dice.draw::<16>().expect("bytes"), dice.draw::<16>().expect("bytes")]
        };
        let seed = Seed(Some([7; 16]));
        let [first, second] = draws(seed, "id");
        assert_eq!(draws(seed, "id"), [first, second]);
        assert_ne!(first, second);
        assert_ne!(draws(seed, "job")[0], first);
        assert_ne!(draws(Seed::default(), "id"), draws(Seed::default(), "id"), "the kernel's are never alike");
        assert_ne!(draws(Seed::fresh().expect("a seed"), "id"), [first, second]);
    }
}
