//! What was assigned, and as what it was verified: the difference between a change and drift.

use std::sync::Arc;

use netloom_model::assignment::{AssignedNetwork, AssignedPeer, AssignedSandbox, Assignment};

/// What was assigned under a key when it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Assigned {
    /// A network.
    Network(Arc<AssignedNetwork>),
    /// A sandbox.
    Sandbox(Arc<AssignedSandbox>),
    /// An endpoint on another node.
    Peer(Arc<AssignedPeer>),
}

/// What decides about an object's kernel objects: the same again, and other kernel objects, is drift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VerifiedAs {
    assigned: Assigned,
    /// The networks of a sandbox, whose settings its links have; that of a peer.
    networks: Vec<AssignedNetwork>,
    /// Which state the host was in.
    host_generation: u64,
}

impl VerifiedAs {
    /// Of something assigned.
    pub(crate) fn new(assigned: Assigned, assignment: &Assignment, host_generation: u64) -> Self {
        let networks = match &assigned {
            Assigned::Network(_) => Vec::new(),
            Assigned::Sandbox(sandbox) => {
                let found = sandbox.endpoints.iter().filter_map(|endpoint| assignment.networks.get(&endpoint.network));
                // Whether others use it is nothing of this sandbox's.
                found.map(|network| AssignedNetwork { in_use: true, ..without_vteps(network) }).collect()
            }
            Assigned::Peer(peer) => assignment.networks.get(&peer.network).map(without_vteps).into_iter().collect(),
        };
        Self { assigned, networks, host_generation }
    }

    /// Whether it was verified on the host as that is now.
    pub(crate) const fn is_of(&self, host_generation: u64) -> bool {
        self.host_generation == host_generation
    }

    /// The sandbox, if it is one.
    pub(crate) fn sandbox(&self) -> Option<&AssignedSandbox> {
        match &self.assigned {
            Assigned::Sandbox(sandbox) => Some(sandbox),
            Assigned::Network(_) | Assigned::Peer(_) => None,
        }
    }
}

/// A network without what of it is no sandbox's and no peer's: which other nodes are on it.
fn without_vteps(network: &AssignedNetwork) -> AssignedNetwork {
    let mut network = network.clone();
    if let Some(overlay) = &mut network.overlay {
        overlay.vteps.clear();
        overlay.hostnames.clear();
    }
    network
}
