//! Networks of the swarm that came into use here, and whether their peers were made known since: who comes after the first waits for them, too, as
//! long as they are not.
//!
//! In memory: after a restart the first on each network has its peers looked at once more. What must not live here: who the peers are
//! (`attachments`).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use netloom_model::NetworkId;

/// What is known of networks.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(Mutex<HashMap<NetworkId, Arrival>>);

#[derive(Debug, Default)]
struct Arrival {
    /// The number as of which the network came into use.
    since: u64,
    /// Whether everybody else on it was made known after that.
    known: bool,
}

impl Arrivals {
    fn lock(&self) -> MutexGuard<'_, HashMap<NetworkId, Arrival>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A network comes into use as of a number, by the transaction that is under way: should that be taken back, a later one only waits for what
    /// is known.
    pub(super) fn begin(&self, network: NetworkId, revision: u64) {
        self.lock().insert(network, Arrival { since: revision, known: false });
    }

    /// Whether its peers were made known.
    pub(super) fn is_known(&self, network: NetworkId) -> bool {
        self.lock().get(&network).is_some_and(|arrival| arrival.known)
    }

    /// The kernel holds the peers of networks as they were at a number; one that came into use later is another matter.
    pub(crate) fn known(&self, networks: impl IntoIterator<Item = NetworkId>, revision: u64) {
        let mut arrivals = self.lock();
        for network in networks {
            let arrival = arrivals.entry(network).or_default();
            arrival.known |= arrival.since <= revision;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waited_for_an_earlier_use_says_nothing_of_a_later_one() {
        let (arrivals, network) = (Arrivals::default(), NetworkId::from_random([1; 16]));
        assert!(!arrivals.is_known(network));
        arrivals.known([network], 3);
        assert!(arrivals.is_known(network));
        arrivals.begin(network, 7);
        arrivals.known([network], 6);
        assert!(!arrivals.is_known(network));
        arrivals.known([network], 7);
        assert!(arrivals.is_known(network));
    }
}
