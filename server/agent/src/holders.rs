//! Sandboxes here: who of them holds which address and which Ethernet address on which network; and which endpoints on other nodes stand back for that.
//!
//! A node knows its own endpoints from the first, and hears of others' with delay: an address that went from there to here in the meantime is said
//! to be at both. Here it is then: what leads to the other node would take it away. What must not live here: what is wanted of the kernel (`plan`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use netloom_kernel::OverlayEntry;
use netloom_model::assignment::{AssignedEndpoint, AssignedPeer, AssignedSandbox, Assignment, Key};
use netloom_model::{EndpointId, NetworkId, SandboxId};
use tokio::time::Instant;

use crate::peers::entries_of;
use crate::state::State;

/// What somebody can hold: an address of either kind on a network.
type Place = (NetworkId, OverlayEntry);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    by_place: HashMap<Place, SandboxId>,
    by_sandbox: HashMap<SandboxId, Vec<Place>>,
    /// By whom they stand back for.
    standing_back: BTreeMap<SandboxId, BTreeSet<EndpointId>>,
}

impl Holders {
    /// Who holds it.
    pub(crate) fn of(&self, network: NetworkId, entry: OverlayEntry) -> Option<SandboxId> {
        self.by_place.get(&(network, entry)).copied()
    }

    /// Writes down what a sandbox holds; says whether that is another than before.
    fn set(&mut self, sandbox: SandboxId, places: &[Place]) -> bool {
        if self.by_sandbox.get(&sandbox).map_or(&[][..], Vec::as_slice) == places {
            return false;
        }
        for place in self.by_sandbox.remove(&sandbox).unwrap_or_default() {
            // Another's by now, if that was assigned first.
            if self.by_place.get(&place) == Some(&sandbox) {
                self.by_place.remove(&place);
            }
        }
        self.by_place.extend(places.iter().map(|place| (*place, sandbox)));
        if !places.is_empty() {
            self.by_sandbox.insert(sandbox, places.to_vec());
        }
        true
    }

    /// The sandbox here that holds something of what an endpoint on another node is said to have.
    fn instead_of(&self, peer: &AssignedPeer) -> Option<SandboxId> {
        entries_of(peer).find_map(|entry| self.of(peer.network, entry))
    }
}

/// Learns what a sandbox holds, once it is assigned or before that is applied. Endpoints on other nodes that are said to have some of it are looked at
/// again, and those that stood back for what it held.
pub(crate) fn learn(state: &mut State, sandbox: &AssignedSandbox) {
    let places: Vec<Place> = sandbox.endpoints.iter().flat_map(places_of).collect();
    if !state.holders.set(sandbox.id, &places) {
        return;
    }
    let others = places.iter().filter_map(|(network, entry)| state.peers.behind(*network, *entry));
    let others: Vec<EndpointId> = others.map(|behind| behind.id).collect();
    wake(state, others);
    wake_those_behind(state, sandbox.id);
}

/// Forgets what a sandbox held.
pub(crate) fn forget(state: &mut State, sandbox: SandboxId) {
    if state.holders.set(sandbox, &[]) {
        wake_those_behind(state, sandbox);
    }
}

/// Takes endpoints on other nodes out of what a pass is made for while sandboxes here hold what they are said to have: nothing leads to them then.
pub(crate) fn give_way(state: &mut State, assignment: &mut Assignment) {
    assignment.sandboxes.values().for_each(|sandbox| learn(state, sandbox));
    let holders = &mut state.holders;
    assignment.peers.retain(|id, peer| {
        let Some(sandbox) = holders.instead_of(peer) else { return true };
        tracing::debug!(endpoint = %id, %sandbox, "an endpoint of another node has what a sandbox here holds by now");
        holders.standing_back.entry(sandbox).or_default().insert(*id);
        false
    });
}

fn wake_those_behind(state: &mut State, sandbox: SandboxId) {
    let stood_back = state.holders.standing_back.remove(&sandbox).unwrap_or_default();
    wake(state, stood_back);
}

fn wake(state: &mut State, peers: impl IntoIterator<Item = EndpointId>) {
    let now = Instant::now();
    peers.into_iter().for_each(|id| state.wake(Key::Peer(id), now, false));
}

/// What an endpoint holds. One that is fenced does not: its addresses may be somebody else's.
fn places_of(endpoint: &AssignedEndpoint) -> Vec<Place> {
    if endpoint.fenced {
        return Vec::new();
    }
    let addresses = endpoint.addresses.iter().map(|one| OverlayEntry::Neighbour(one.address));
    addresses.chain([OverlayEntry::Forwarding(endpoint.mac)]).map(|entry| (endpoint.network, entry)).collect()
}
