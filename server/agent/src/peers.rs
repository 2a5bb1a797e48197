//! Endpoints on other nodes: which of them is behind an entry in the overlay namespace, so that what is heard of one is one look.
//!
//! What must not live here: what is wanted of the kernel for one (`plan`).

use std::collections::HashMap;
use std::net::IpAddr;

use netloom_kernel::OverlayEntry;
use netloom_model::assignment::{AssignedPeer, Key};
use netloom_model::{EndpointId, NetworkId};
use netloom_plan::Object;

use crate::state::{Assigned, State};

/// Who is behind which entry, of what is assigned or about to be applied.
#[derive(Debug, Default)]
pub(crate) struct Peers(HashMap<(NetworkId, OverlayEntry), Behind>);

/// An endpoint on another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Behind {
    /// The endpoint.
    pub(crate) id: EndpointId,
    /// The node.
    pub(crate) vtep: IpAddr,
}

impl Peers {
    /// Learns of one. To be done before its entries are made: they are heard of at once.
    pub(crate) fn learn(&mut self, peer: &AssignedPeer) {
        let behind = Behind { id: peer.id, vtep: peer.vtep };
        self.0.extend(entries_of(peer).map(|entry| ((peer.network, entry), behind)));
    }

    /// Forgets one, but for what is another's by now.
    pub(crate) fn forget(&mut self, peer: &AssignedPeer) {
        for entry in entries_of(peer) {
            if self.behind(peer.network, entry).is_some_and(|behind| behind.id == peer.id) {
                self.0.remove(&(peer.network, entry));
            }
        }
    }

    /// Who is behind an entry.
    pub(crate) fn behind(&self, network: NetworkId, entry: OverlayEntry) -> Option<Behind> {
        self.0.get(&(network, entry)).copied()
    }

    /// Whether what once led to one is another's by now.
    pub(crate) fn is_anothers(&self, former: &AssignedPeer, object: &Object) -> bool {
        let entry = match object {
            Object::Forwarding(one) => OverlayEntry::Forwarding(one.mac),
            Object::Neighbour(one) => OverlayEntry::Neighbour(one.address),
            _ => return false,
        };
        self.behind(former.network, entry).is_some_and(|behind| behind.id != former.id)
    }
}

/// Under what one is found in the overlay namespace.
pub(crate) fn entries_of(peer: &AssignedPeer) -> impl Iterator<Item = OverlayEntry> {
    let neighbours = peer.addresses.iter().copied().map(OverlayEntry::Neighbour);
    std::iter::once(OverlayEntry::Forwarding(peer.mac)).chain(neighbours)
}

/// What a peer was last assigned as.
pub(crate) fn former(state: &State, id: EndpointId) -> Option<&AssignedPeer> {
    match state.tracked.get(&Key::Peer(id))?.assigned.as_ref()? {
        Assigned::Peer(peer) => Some(peer),
        _ => None,
    }
}

/// A network is assigned: where it goes out of use, so does all that led to its endpoints on other nodes, and that that is missing when it comes
/// into use again is no drift. To be called before what is assigned now is written down.
pub(crate) fn follow(state: &mut State, key: Key, assigned: Option<&Assigned>) {
    let Key::Network(id) = key else { return };
    let in_use = |assigned: Option<&Assigned>| matches!(assigned, Some(Assigned::Network(network)) if network.overlay.is_some() && network.in_use && !network.deleting);
    let before = state.tracked.get(&key).and_then(|tracked| tracked.assigned.as_ref());
    if !in_use(before) || in_use(assigned) {
        return;
    }
    for (key, tracked) in &mut state.tracked {
        if matches!(&tracked.assigned, Some(Assigned::Peer(peer)) if peer.network == id) {
            tracked.verified_as = None;
            state.unrecorded.insert(*key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netloom_model::MacAddr;
    use netloom_plan::entries;

    fn peer(number: u8, last: u8) -> AssignedPeer {
        AssignedPeer {
            id: EndpointId::from_random([number; 16]),
            network: NetworkId::from_random([1; 16]),
            mac: MacAddr([2, 0, 0, 0, 0, last]),
            addresses: vec![[10, 0, 0, last].into()],
            vtep: [192, 0, 2, 1].into(),
            sandbox: netloom_model::SandboxId::from_random([9; 16]),
            names: Vec::new(),
        }
    }

    #[test]
    fn an_address_that_changed_hands_stays_with_its_new_holder() {
        let (first, second) = (peer(1, 5), peer(2, 5));
        let mut peers = Peers::default();
        peers.learn(&first);
        peers.learn(&second);
        let held: Vec<bool> = entries(&first).iter().map(|object| peers.is_anothers(&first, object)).collect();
        assert_eq!(held, [true, true, true]);
        peers.forget(&first);
        let behind = peers.behind(first.network, OverlayEntry::Forwarding(first.mac));
        assert_eq!(behind.map(|behind| behind.id), Some(second.id));
        peers.forget(&second);
        assert_eq!(peers.behind(first.network, OverlayEntry::Neighbour(first.addresses[0])), None);
    }
}
