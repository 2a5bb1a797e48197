//! What a pass is made for: what is wanted of the kernel, and where it has to be looked for.

use std::collections::BTreeSet;

use netloom_model::NetworkId;
use netloom_model::assignment::{Assignment, Key, PROBES};
use netloom_plan::{Compiled, compile, host_addresses};

use crate::agent::Inner;
use crate::ground::Host;
use crate::state::{Assigned, State};
use crate::{gateways, peers};

/// Compiles an assignment against the host as it is known, for these keys or for everything, but for the networks that stand; with the host as
/// it was known.
pub(crate) fn compiled(
    inner: &Inner,
    assignment: &Assignment,
    keys: Option<&BTreeSet<Key>>,
    standing: &BTreeSet<NetworkId>,
) -> (Compiled, Host) {
    let (host, gates) = {
        let state = inner.state();
        let mut gates = state.gates(assignment.sandboxes.keys());
        if assignment.sandboxes.values().any(|sandbox| !host_addresses(sandbox).is_empty()) {
            gates.gateways = gateways::all(&state, assignment);
        }
        gates.standing.clone_from(standing);
        (state.host.clone(), gates)
    };
    let mut wanted = compile(assignment, &host.facts, &gates);
    look_for_former_probes(&inner.state(), assignment, &mut wanted);
    let Some(keys) = keys else {
        // Adopted namespaces that nobody wants any more are under nobody's directory: only memory leads there.
        let mut state = inner.state();
        assignment.peers.values().for_each(|peer| state.peers.learn(peer));
        for key in state.tracked.keys() {
            if let Key::Peer(id) = key
                && !assignment.peers.contains_key(id)
                && let Some(former) = peers::former(&state, *id)
            {
                wanted.look_for_peer(*id, former, |object| state.peers.is_anothers(former, object));
            }
            if let Key::Sandbox(id) = key
                && !assignment.sandboxes.contains_key(id)
            {
                wanted.look_into(*id, state.source_of(*id));
            }
        }
        wanted.look_everywhere();
        if !state.ready {
            wanted.look_for_strangers();
        }
        return (wanted, host);
    };
    let mut state = inner.state();
    assignment.peers.values().for_each(|peer| state.peers.learn(peer));
    for key in keys {
        let renamed = state.tracked.get(key).map(|tracked| &tracked.renamed);
        wanted.scope.host_links.extend(renamed.into_iter().flatten().cloned());
        match key {
            Key::Peer(id) => {
                if let Some(former) = peers::former(&state, *id) {
                    wanted.look_for_peer(*id, former, |object| state.peers.is_anothers(former, object));
                }
            }
            Key::Sandbox(id) => {
                if !assignment.sandboxes.contains_key(id) {
                    wanted.look_into(*id, state.source_of(*id));
                }
                state.addresses_of(*id).into_iter().for_each(|address| wanted.claim(*id, address));
            }
            Key::Network(id) if !assignment.networks.contains_key(id) => wanted.look_for_network(*id),
            Key::Network(_) => {}
        }
    }
    let sandboxes = keys.iter().filter_map(|key| match key {
        Key::Sandbox(id) => Some(*id),
        Key::Network(_) | Key::Peer(_) => None,
    });
    wanted.look_from_outside(sandboxes, assignment);
    (wanted, host)
}

/// Has what led to other nodes by the network of probes looked at, where that is another now.
pub(crate) fn look_for_former_probes(state: &State, assignment: &Assignment, wanted: &mut Compiled) {
    if !assignment.networks.contains_key(&PROBES) {
        return;
    }
    let former = state.tracked.get(&Key::Network(PROBES)).and_then(|tracked| tracked.assigned.as_ref());
    if let Some(Assigned::Network(former)) = former {
        wanted.look_for_probes(former);
    }
}
