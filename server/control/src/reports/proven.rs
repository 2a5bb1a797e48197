//! Networks proven gone that still have endpoints on their way out: in memory, because after a restart the node says it again.
//!
//! Several reports come at once. Each adds what it proves before its transaction, and each transaction reads all that is
//! proven by then: whichever of them purges the last endpoint also sees the proof of the network.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use netloom_model::NetworkId;

/// The networks.
#[derive(Default)]
pub(crate) struct Proven {
    networks: Mutex<BTreeSet<NetworkId>>,
}

impl Proven {
    /// These are proven gone.
    pub(super) fn add(&self, networks: &[NetworkId]) {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner).extend(networks);
    }

    /// All that are proven gone and not yet purged.
    pub(super) fn now(&self) -> BTreeSet<NetworkId> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// These are purged.
    pub(super) fn purged(&self, networks: &BTreeSet<NetworkId>) {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner).retain(|id| !networks.contains(id));
    }
}
