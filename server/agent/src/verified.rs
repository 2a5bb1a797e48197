//! What was assigned, and as what it was verified: the difference between a change and drift.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use netloom_model::assignment::{AssignedNetwork, AssignedPeer, AssignedSandbox, Assignment};
use netloom_model::facts::Facts;

use crate::ground::{Ground, Host};

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

/// As what something was verified, short enough to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// Of what is assigned, and its ground.
    pub(crate) itself: u64,
    /// Of the ground of its forwarding.
    pub(crate) ways: Option<u64>,
}

/// What decides about an object's kernel objects: the same again, and other kernel objects, is drift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VerifiedAs {
    assigned: Assigned,
    /// The networks of a sandbox, whose settings its links have; that of a peer.
    networks: Vec<AssignedNetwork>,
    /// What of the host it stood on.
    ground: Ground,
    /// What of the host its forwarding stood on, of a network that has any.
    ways: Option<Ground>,
}

impl VerifiedAs {
    /// Of something assigned.
    pub(crate) fn new(assigned: Assigned, assignment: &Assignment, host: &Host) -> Self {
        let networks = match &assigned {
            Assigned::Network(_) => Vec::new(),
            Assigned::Sandbox(sandbox) => {
                let found = sandbox.endpoints.iter().filter_map(|endpoint| assignment.networks.get(&endpoint.network));
                // Whether others use it is nothing of this sandbox's.
                found.map(|network| AssignedNetwork { in_use: true, ..without_vteps(network) }).collect()
            }
            Assigned::Peer(peer) => assignment.networks.get(&peer.network).map(without_vteps).into_iter().collect(),
        };
        let ground = Ground::of(&assigned, &networks, &host.facts);
        let ways = match &assigned {
            Assigned::Network(network) => host.ways_out.ground(network),
            Assigned::Sandbox(_) | Assigned::Peer(_) => None,
        };
        Self { assigned, networks, ground, ways }
    }

    /// Whether it is assigned alike, on the same ground; and if so, whether its forwarding is, too.
    pub(crate) fn compare(&self, now: &Self) -> Option<bool> {
        let is_alike = self.assigned == now.assigned && self.networks == now.networks && self.ground == now.ground;
        is_alike.then(|| self.ways == now.ways)
    }

    /// Whether it stands on the same of the host now.
    pub(crate) fn stands_on(&self, facts: &Facts) -> bool {
        self.ground == Ground::of(&self.assigned, &self.networks, facts)
    }

    /// The same for what is assigned alike and stands on the same, also in another life of this program; nothing where it can't be told.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        let mut hasher = DefaultHasher::new();
        let text = match &self.assigned {
            Assigned::Network(network) => serde_json::to_string(&**network),
            Assigned::Sandbox(sandbox) => serde_json::to_string(&(&**sandbox, &self.networks)),
            Assigned::Peer(peer) => serde_json::to_string(&(&**peer, &self.networks)),
        };
        text.ok()?.hash(&mut hasher);
        self.ground.hash(&mut hasher);
        Some(Fingerprint { itself: hasher.finish(), ways: self.ways.map(|ways| ways.0) })
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
