//! The host's facts: read, kept, compared. A parent that comes or goes wakes what is on it at once, a way out the bridge networks.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use ipnet::IpNet;
use netloom_kernel::Error;
use netloom_model::assignment::Key;
use netloom_model::facts::{Facts, HostRoute};
use netloom_model::report::Report;
use netloom_plan::{host_addresses, host_conditions, host_link, ways_out};
use tokio::time::{Instant, sleep};

use crate::agent::Inner;
use crate::backoff::Backoff;
use crate::ground::{Host, underlay};
use crate::state::{Assigned, State};

/// What of the facts was last reported, or was there at the start.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Nothing before the first look.
    known: Option<Relevant>,
}

/// What of the facts concerns leases, and other nodes: addresses, routes, nameservers; and MTUs, of which one may be that of the underlay.
#[derive(Debug, PartialEq, Eq)]
struct Relevant {
    links: Vec<(String, u32, Vec<IpNet>)>,
    routes: Vec<HostRoute>,
    nameservers: Vec<IpAddr>,
}

impl Relevant {
    fn of(facts: &Facts) -> Self {
        let mut links: Vec<_> = facts.links.iter().map(|l| (l.name.clone(), l.mtu, l.addresses.clone())).collect();
        links.sort();
        let mut routes = facts.routes.clone();
        routes.sort_by_cached_key(|route| format!("{route:?}"));
        Self { links, routes, nameservers: facts.nameservers.clone() }
    }
}

/// Reads the facts, keeps them, and acts on what changed.
pub(crate) async fn refresh(inner: &Arc<Inner>) -> Result<Arc<Facts>, Error> {
    let mut told = inner.facts.lock().await;
    let facts = Arc::new(inner.kernel.facts().await?);
    inner.naming.host_says(inner.kernel.resolv_conf().await);
    let relevant = Relevant::of(&facts);
    let first = told.known.is_none();
    let changed = told.known.as_ref().is_some_and(|known| *known != relevant);
    told.known = Some(relevant);
    {
        let mut state = inner.state();
        let links = changed_links(&state.host.facts, &facts);
        let leads_elsewhere = ways_out(&state.host.facts) != ways_out(&facts);
        let before = std::mem::replace(&mut state.host, Host::new(facts.clone())).facts;
        if (leads_elsewhere || !links.is_empty()) && !first {
            wake_dependants(&mut state, &links, &before, &facts);
        }
        let now = Instant::now();
        // A route that came may be in a network's subnet, an address that went may be one's source, or have ports published on it.
        let said_otherwise = state.unrefused(|assigned| match assigned {
            Assigned::Network(network) => host_conditions(network, &before) != host_conditions(network, &facts),
            Assigned::Peer(_) => false,
            Assigned::Sandbox(sandbox) => {
                let differs = |address: &IpAddr| before.has_address(*address) != facts.has_address(*address);
                before != facts && host_addresses(sandbox).keys().any(differs)
            }
        });
        said_otherwise.into_iter().for_each(|key| state.wake(key, now, false));
        if leads_elsewhere && !first {
            // Answers may come in by other links now.
            state.bridge_networks_in_use().into_iter().for_each(|key| state.wake(key, now, false));
        }
    }
    inner.changed.notify_one();
    if changed {
        // Not under the lock, and not in the way of whoever asked: the one told may itself ask for facts.
        tokio::spawn(tell(Arc::downgrade(inner)));
    }
    Ok(facts)
}

/// Says that the host changed until it is taken; always with the facts as they are by then.
async fn tell(inner: Weak<Inner>) {
    let mut backoff = Backoff::default();
    while let Some(inner) = inner.upgrade() {
        let facts = inner.state().host.facts.clone();
        match inner.sink.report(Report::HostChanged(Box::new((*facts).clone()))).await {
            Err(error) if error.retry => tracing::warn!(%error, "the host's change was not taken; it is said again"),
            Err(error) => return tracing::error!(%error, "the host's change was refused"),
            Ok(()) => return,
        }
        drop(inner);
        sleep(backoff.failed()).await;
    }
}

/// Names of links that came, went or changed in what objects on them depend on.
fn changed_links(before: &Facts, after: &Facts) -> BTreeSet<String> {
    let differs = |a: &Facts, b: &Facts| {
        let same = |name: &str| match (a.link(name), b.link(name)) {
            (Some(x), Some(y)) => x.index == y.index && x.up == y.up && x.mtu == y.mtu && x.addresses == y.addresses,
            _ => false,
        };
        a.links.iter().map(|link| link.name.clone()).filter(|name| !same(name)).collect::<BTreeSet<_>>()
    };
    if before == after {
        return BTreeSet::new();
    }
    let mut names = differs(before, after);
    names.extend(differs(after, before));
    names
}

/// Wakes the networks on these links, or whose link on the host has the name of one, or that have another underlay, and the sandboxes on those
/// networks.
fn wake_dependants(state: &mut State, links: &BTreeSet<String>, before: &Facts, after: &Facts) {
    let mut networks = BTreeSet::new();
    for tracked in state.tracked.values() {
        let Some(Assigned::Network(network)) = &tracked.assigned else { continue };
        let parent = network.macvlan.as_ref().map(|macvlan| macvlan.parent.as_str());
        let carried_otherwise = network.overlay.is_some() && underlay(network, before) != underlay(network, after);
        if carried_otherwise
            || parent.is_some_and(|parent| links.contains(parent))
            || links.contains(&host_link(network))
        {
            networks.insert(network.id);
        }
    }
    let on_them = |assigned: &Assigned| match assigned {
        Assigned::Network(network) => networks.contains(&network.id),
        Assigned::Sandbox(sandbox) => sandbox.endpoints.iter().any(|e| networks.contains(&e.network)),
        // What leads to one is not the host's.
        Assigned::Peer(_) => false,
    };
    let keys: Vec<Key> = state
        .tracked
        .iter()
        .filter(|(_, tracked)| tracked.assigned.as_ref().is_some_and(on_them))
        .map(|(key, _)| *key)
        .collect();
    let now = Instant::now();
    keys.into_iter().for_each(|key| state.wake(key, now, false));
}
