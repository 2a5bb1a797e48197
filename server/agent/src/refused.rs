//! Endpoints on other nodes to which the kernel refuses the way: what the network says of them. They are nobody's fault here, and refuse nothing else.
//!
//! What must not live here: who else is told of a refusal (`settle`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use netloom_model::assignment::{AssignedNetwork, AssignedPeer, Key};
use netloom_model::condition::{Condition, PEERS_REFUSED};
use netloom_model::plan::Refusal;
use netloom_model::{EndpointId, NetworkId};
use tokio::time::Instant;

use crate::state::{Assigned, State};

/// How many are named in one sentence.
const NAMED: usize = 3;

/// Those that are refused now, and why.
#[derive(Debug, Default)]
pub(crate) struct Refused(BTreeMap<EndpointId, (Arc<AssignedPeer>, Refusal)>);

impl Refused {
    /// What is remarkable of a network for them.
    pub(crate) fn condition(&self, network: &AssignedNetwork) -> Option<Condition> {
        let overlay = network.overlay.as_ref().filter(|_| network.in_use)?;
        let on_it = || self.0.values().filter(|(peer, _)| peer.network == network.id);
        let (_, why) = on_it().next()?;
        let named = |(peer, _): &(Arc<AssignedPeer>, Refusal)| {
            let name = peer.names.first().map_or_else(|| peer.id.to_string(), |name| format!("`{name}`"));
            let node = match overlay.hostnames.get(&peer.vtep) {
                Some(hostname) => format!("`{hostname}` ({})", peer.vtep),
                None => peer.vtep.to_string(),
            };
            let addresses: Vec<String> = peer.addresses.iter().map(ToString::to_string).collect();
            format!("{name} ({}) on node {node}", addresses.join(", "))
        };
        let some: Vec<String> = on_it().take(NAMED).map(named).collect();
        let more = on_it().count().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = format!("sandboxes here don't reach {}{more}: {}", some.join(", "), why.message);
        Some(Condition::new(PEERS_REFUSED, why.errno.as_deref().map_or("KernelRefused", reason), message))
    }
}

/// The kernel's word in the form that reasons have.
fn reason(errno: &str) -> &'static str {
    match errno {
        // An address of the other version of IP than this node's own.
        "EAFNOSUPPORT" => "OtherIpVersion",
        _ => "KernelRefused",
    }
}

/// Notes where one stands after a pass, and has its network looked at where that is news. What only lacks what its network lacks is the network's trouble.
pub(crate) fn note(state: &mut State, key: Key, refusal: Option<&Refusal>) {
    let Key::Peer(id) = key else { return };
    let assigned = state.tracked.get(&key).and_then(|tracked| tracked.assigned.as_ref());
    let now = match (assigned, refusal.filter(|refusal| refusal.code != "skipped")) {
        (Some(Assigned::Peer(peer)), Some(refusal)) => Some((Arc::clone(peer), refusal.clone())),
        _ => None,
    };
    let is_news = now.as_ref() != state.refused.0.get(&id);
    let before = match now.clone() {
        Some(now) => state.refused.0.insert(id, now),
        None => state.refused.0.remove(&id),
    };
    if is_news {
        let concerned: BTreeSet<NetworkId> = before.iter().chain(&now).map(|(peer, _)| peer.network).collect();
        concerned.into_iter().for_each(|network| state.wake(Key::Network(network), Instant::now(), false));
    }
}
