//! Names of sandboxes on other nodes, on the overlay networks that are in use here: known from when the kernel forwards to them.

use std::collections::{BTreeMap, BTreeSet};

use netloom_model::assignment::{AssignedPeer, Assignment, Key};
use netloom_model::{EndpointId, SandboxId};
use netloom_names::{Directory, Entry};

use super::Naming;

/// What the directory has of peers. What one costs does not grow with their number.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// Whose each endpoint is.
    sandbox_of: BTreeMap<EndpointId, SandboxId>,
    entries: BTreeMap<SandboxId, BTreeMap<EndpointId, Entry>>,
}

impl Peers {
    /// Forgets an endpoint; answers whose it was.
    fn remove(&mut self, id: EndpointId) -> Option<SandboxId> {
        let sandbox = self.sandbox_of.remove(&id)?;
        if let Some(own) = self.entries.get_mut(&sandbox) {
            own.remove(&id);
            if own.is_empty() {
                self.entries.remove(&sandbox);
            }
        }
        Some(sandbox)
    }

    /// Notes an endpoint; answers whether that is news.
    fn put(&mut self, id: EndpointId, sandbox: SandboxId, entry: Entry) -> bool {
        self.sandbox_of.insert(id, sandbox);
        let own = self.entries.entry(sandbox).or_default();
        let news = own.get(&id) != Some(&entry);
        if news {
            own.insert(id, entry);
        }
        news
    }

    /// Puts all that is known of a sandbox into the directory.
    fn tell(&self, directory: &Directory, sandbox: SandboxId) {
        match self.entries.get(&sandbox) {
            Some(own) => directory.set(sandbox, own.values().cloned().collect()),
            None => directory.remove(sandbox),
        }
    }
}

impl Naming {
    /// Before a pass works: peers that are assigned no more are answered no more. `keys` are those that the pass is for; none means everything.
    pub(super) fn withdraw_peers(&self, assignment: &Assignment, keys: Option<&BTreeSet<Key>>) {
        let mut known = self.known();
        let absent = |id: &EndpointId| !assignment.peers.contains_key(id);
        let leaving: Vec<EndpointId> = match keys {
            Some(keys) => keys.iter().filter_map(peer_of).filter(absent).collect(),
            None => known.peers.sandbox_of.keys().copied().filter(absent).collect(),
        };
        for id in leaving {
            if let Some(sandbox) = known.peers.remove(id) {
                known.peers.tell(&self.directory, sandbox);
            }
        }
    }

    /// The kernel forwards to a peer: from now on its names are answered.
    pub(crate) fn reaches(&self, peer: &AssignedPeer) {
        let entry = Entry { network: peer.network, names: peer.names.clone(), addresses: peer.addresses.clone() };
        let mut known = self.known();
        if known.peers.put(peer.id, peer.sandbox, entry) {
            known.peers.tell(&self.directory, peer.sandbox);
        }
    }
}

const fn peer_of(key: &Key) -> Option<EndpointId> {
    match key {
        Key::Peer(id) => Some(*id),
        Key::Network(_) | Key::Sandbox(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use netloom_model::{MacAddr, NetworkId};

    use super::*;

    fn peer(endpoint: u8, sandbox: u8, network: u8, name: &str) -> AssignedPeer {
        AssignedPeer {
            id: EndpointId::from_random([endpoint; 16]),
            network: NetworkId::from_random([network; 16]),
            mac: MacAddr([2, 0, 0, 0, 0, endpoint]),
            addresses: vec![IpAddr::from([10, 0, network, endpoint])],
            vtep: IpAddr::from([192, 0, 2, 1]),
            sandbox: SandboxId::from_random([sandbox; 16]),
            names: vec![name.to_owned()],
        }
    }

    #[test]
    fn a_peers_names_are_answered_while_it_is_assigned() {
        let naming = Naming::start().expect("a resolver");
        let (one, other) = (peer(1, 1, 1, "db"), peer(2, 1, 2, "db"));
        naming.reaches(&one);
        naming.reaches(&other);
        let asked = |of: &AssignedPeer| naming.directory.lookup(&[of.network], "db");
        assert_eq!((asked(&one), asked(&other)), (Some(one.addresses.clone()), Some(other.addresses.clone())));
        let left = Assignment { peers: [(other.id, other.clone())].into(), ..Assignment::default() };
        naming.withdraw_peers(&left, Some(&BTreeSet::from([Key::Peer(one.id)])));
        assert_eq!((asked(&one), asked(&other)), (None, Some(other.addresses.clone())));
        let moved = AssignedPeer { addresses: vec![IpAddr::from([10, 0, 2, 9])], ..other.clone() };
        naming.reaches(&moved);
        assert_eq!(asked(&other), Some(moved.addresses));
        naming.withdraw_peers(&Assignment::default(), None);
        assert_eq!(asked(&other), None);
    }
}
