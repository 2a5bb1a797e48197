//! The leases of a network's own: its gateways, its reserved maps, and what the host has inside its pools. One function
//! says which there should be, one makes it so; creation, a change of the network and a change of the host all use the two.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use netloom_ipam::spans;
use netloom_model::facts::HostRoute;
use netloom_model::lease::{LeaseKind, LeaseState, Owner, OwnerKind};
use netloom_model::net::{Span, from_number, to_number, usable};
use netloom_model::{NodeId, Timestamp};
use netloom_store::{LeaseQuery, LeaseRow, NetworkRow, Place, PoolRow, ReadTx, WriteTx, free_ranges, leases};

use crate::allocation::{self, NewLease};
use crate::error::Error;
use crate::segment::hosts::{Hosts, OnHost};

/// The leases a pool should have of its own, by address.
pub(crate) type Fixed = BTreeMap<IpAddr, (LeaseKind, Owner)>;

/// Which leases of its own a pool should have. Where several reasons meet at one address, the gateway wins over the
/// reserved map, and both over the host: each keeps the address out of use.
pub(crate) fn wanted(
    node: NodeId,
    network: &NetworkRow,
    pool: &PoolRow,
    reserved: &[(String, Span)],
    hosts: &Hosts,
) -> Fixed {
    let mut fixed = of_host(network, pool, hosts);
    let own =
        |name: &str| Owner { kind: OwnerKind::Network, id: Some(network.id.to_string()), name: name.to_owned(), node };
    for (name, span) in reserved {
        let within = spans::intersection(*span, usable(pool.subnet));
        for address in within.into_iter().flat_map(spans::addresses) {
            fixed.insert(address, (LeaseKind::Reserved, own(name)));
        }
    }
    if let Some(gateway) = pool.gateway {
        fixed.insert(gateway, (LeaseKind::Gateway, own(&network.name)));
    }
    fixed
}

/// Most that is kept aside in one pool of a network of the swarm for what another node says that its host has there: nobody's word may take a whole subnet.
pub(crate) const OF_ONE_NODE: usize = 64;

/// What the hosts have inside a pool of a network on one of their links: addresses there, the router behind it, nameservers. What one host has
/// wins over what another calls its router, and that over its nameserver.
pub(crate) fn of_host(network: &NetworkRow, pool: &PoolRow, hosts: &Hosts) -> Fixed {
    let mut fixed = Fixed::new();
    let mut taken: Vec<Has> = hosts.of(network).into_iter().flat_map(|host| taken(pool, host, hosts)).collect();
    taken.sort_by_key(|(what, ..)| std::cmp::Reverse(*what));
    for (_, address, name, node) in taken {
        let owner = Owner { kind: OwnerKind::Host, id: None, name: name.to_owned(), node };
        fixed.insert(address, (LeaseKind::Host, owner));
    }
    fixed
}

/// The nodes that say that their hosts have more inside a pool than is kept aside for one, with how many that are.
pub(crate) fn excess(network: &NetworkRow, pool: &PoolRow, hosts: &Hosts) -> Vec<(NodeId, usize)> {
    let limited = hosts.of(network).into_iter().filter(|host| host.node != hosts.node);
    let counted = limited.map(|host| (host.node, said(pool, host).len()));
    counted.filter(|(_, count)| *count > OF_ONE_NODE).collect()
}

/// What an address is to a host: the first wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Own,
    Router,
    Nameserver,
}

/// An address that a host has, under a name, on a node.
type Has<'a> = (What, IpAddr, &'a str, NodeId);

/// What of a host's is kept aside inside a pool. Of this host, whose word is nobody else's, that is all.
fn taken<'a>(pool: &PoolRow, host: OnHost<'a>, hosts: &Hosts) -> Vec<Has<'a>> {
    let mut said = said(pool, host);
    if host.node != hosts.node {
        said.truncate(OF_ONE_NODE);
    }
    said
}

/// All that a host is said to have inside a pool, each address once, its own first.
fn said<'a>(pool: &PoolRow, host: OnHost<'a>) -> Vec<Has<'a>> {
    let through = |route: &&HostRoute| route.is_default() && route.interface.as_deref() == Some(host.parent);
    let own = host.facts.link(host.parent).into_iter().flat_map(|link| &link.addresses).map(IpNet::addr);
    let routers = host.facts.routes.iter().filter(through).filter_map(|route| route.gateway);
    let own = own.map(|address| (What::Own, address, host.parent, host.node));
    let routers = routers.map(|address| (What::Router, address, "router", host.node));
    let nameservers =
        host.facts.nameservers.iter().map(|address| (What::Nameserver, *address, "nameserver", host.node));
    let usable = usable(pool.subnet);
    let mut all: Vec<Has<'_>> =
        own.chain(routers).chain(nameservers).filter(|(_, address, ..)| usable.contains(*address)).collect();
    all.sort_unstable();
    let mut seen = BTreeSet::new();
    all.retain(|(_, address, ..)| seen.insert(*address));
    all
}

/// Leases that are read at once.
const AT_ONCE: u32 = 5000;

/// The leases of its own that a network has now. Asked by owner: a network may have a million reservations of its users'.
pub(crate) async fn current(tx: &mut ReadTx<'_>, network: &NetworkRow) -> Result<Vec<LeaseRow>, Error> {
    let mut rows = leases::of_kind(tx, network.id, LeaseKind::Host).await?;
    let mut query = LeaseQuery { owner: Some(network.id.to_string()), limit: AT_ONCE, ..LeaseQuery::default() };
    loop {
        let page = leases::list(tx, &query).await?;
        let Some(last) = page.last() else { return Ok(rows) };
        query.after = Some(Place::of_lease(query.order, last));
        rows.extend(page);
    }
}

/// What bringing a pool's own leases up to date came to.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// How many leases were made or ended.
    pub(crate) changed: usize,
    /// Leases of others that stand at an address that should be the pool's own. They stay.
    pub(crate) in_the_way: Vec<LeaseRow>,
}

/// When and under which number leases are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) revision: u64,
    pub(crate) now: Timestamp,
}

/// Makes a pool's own leases what they should be, as far as nobody else has the addresses. `current` are those of this pool.
pub(crate) async fn apply(
    tx: &mut WriteTx<'_>,
    network: &NetworkRow,
    pool: &PoolRow,
    current: &[LeaseRow],
    wanted: &Fixed,
    stamp: Stamp,
) -> Result<Applied, Error> {
    let mut applied = Applied::default();
    let mut missing = wanted.clone();
    for row in current {
        match wanted.get(&row.address) {
            Some((kind, owner)) if *kind == row.kind && *owner == row.owner => {
                missing.remove(&row.address);
            }
            _ => {
                allocation::release(tx, std::slice::from_ref(row), stamp.now).await?;
                applied.changed += 1;
            }
        }
    }
    for span in spans::consecutive(missing.keys().copied()) {
        applied.in_the_way.extend(take(tx, pool.id, span).await?);
    }
    for row in &applied.in_the_way {
        missing.remove(&row.address);
    }
    for (address, (kind, owner)) in missing {
        let Stamp { revision, now } = stamp;
        let new = NewLease { network, pool, address, kind, state: LeaseState::Bound, owner, revision, now };
        leases::insert(tx, &new.row()?).await?;
        applied.changed += 1;
    }
    Ok(applied)
}

/// Leases of others at addresses that should be the pool's own and are not yet.
pub(crate) async fn held_by_others(
    tx: &mut ReadTx<'_>,
    current: &[LeaseRow],
    wanted: &Fixed,
) -> Result<Vec<LeaseRow>, Error> {
    let own: BTreeSet<IpAddr> = current.iter().map(|row| row.address).collect();
    let mut held = Vec::new();
    for address in wanted.keys() {
        if !own.contains(address) {
            held.extend(leases::by_address(tx, *address).await?);
        }
    }
    Ok(held)
}

/// Takes the free part of a span; answers the leases that hold the rest.
async fn take(tx: &mut WriteTx<'_>, pool_id: i64, span: Span) -> Result<Vec<LeaseRow>, Error> {
    let mut in_the_way = Vec::new();
    let mut low = to_number(span.low);
    while low <= to_number(span.high) {
        let address = from_number(low);
        let end = match free_ranges::containing(tx, pool_id, address).await? {
            Some(free) => {
                let end = to_number(free.high).min(to_number(span.high));
                allocation::take_from(tx, pool_id, free, Span { low: address, high: from_number(end) })?;
                end
            }
            None => {
                in_the_way.extend(leases::by_address(tx, address).await?);
                low
            }
        };
        low = end + 1;
    }
    Ok(in_the_way)
}

#[cfg(test)]
mod tests {
    use super::*;
    use netloom_model::NetworkId;
    use netloom_model::facts::{Facts, HostLink, HostRoute};
    use netloom_model::network::{Driver, Scope};

    fn network() -> NetworkRow {
        let spec = serde_json::json!({"name": "n", "driver": "macvlan", "macvlan": {"parent": "parent0"}});
        NetworkRow {
            id: NetworkId::from_random([1; 16]),
            name: "n".into(),
            driver: Driver::Macvlan,
            scope: Scope::Local,
            node: NodeId::from_random([0; 16]),
            vni: None,
            predefined: false,
            deleting: false,
            parent: Some("parent0".into()),
            spec: netloom_model::document::parse(spec).expect("a spec"),
            revision: 1,
            spec_revision: 1,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        }
    }

    fn facts() -> Facts {
        let net = |text: &str| text.parse().expect("an address with prefix");
        Facts {
            links: vec![HostLink {
                name: "parent0".into(),
                index: 2,
                kind: None,
                mac: None,
                mtu: 1500,
                up: true,
                loopback: false,
                controller: None,
                addresses: vec![net("192.168.122.185/24"), net("10.9.9.9/24"), net("fe80::1/64")],
            }],
            routes: vec![
                HostRoute {
                    destination: net("0.0.0.0/0"),
                    gateway: "192.168.122.254".parse().ok(),
                    interface: Some("parent0".into()),
                    table: 254,
                },
                HostRoute {
                    destination: net("0.0.0.0/0"),
                    gateway: "192.168.122.77".parse().ok(),
                    interface: Some("other0".into()),
                    table: 254,
                },
            ],
            nameservers: vec!["192.168.122.53".parse().expect("an address"), "9.9.9.9".parse().expect("an address")],
            ..Facts::default()
        }
    }

    #[test]
    fn the_host_inside_the_subnet_becomes_leases_and_the_gateway_wins() {
        let span = |text: &str| netloom_model::net::parse_span("", text).expect("a span");
        let subnet = "192.168.122.0/24".parse().expect("a subnet");
        let pool = PoolRow {
            id: 1,
            network_id: network().id,
            key: "v4".into(),
            position: 0,
            subnet,
            range: usable(subnet),
            gateway: "192.168.122.254".parse().ok(),
            automatic: false,
        };
        let reserved = [("low".to_owned(), span("192.168.122.0/30")), ("dns".to_owned(), span("192.168.122.53"))];
        let node = NodeId::from_random([0; 16]);
        let fixed = wanted(node, &network(), &pool, &reserved, &Hosts::alone(node, facts()));
        let words: Vec<String> =
            fixed.iter().map(|(a, (kind, owner))| format!("{a} {} {}", kind.as_str(), owner.name)).collect();
        assert_eq!(
            words,
            [
                "192.168.122.1 reserved low",
                "192.168.122.2 reserved low",
                "192.168.122.3 reserved low",
                "192.168.122.53 reserved dns",
                "192.168.122.185 host parent0",
                "192.168.122.254 gateway n",
            ]
        );
    }

    #[test]
    fn one_nodes_word_takes_no_whole_subnet() {
        let subnet = "192.168.122.0/24".parse().expect("a subnet");
        let network = {
            let mut network = network();
            network.scope = Scope::Swarm;
            network.spec.scope = Some(Scope::Swarm);
            network
        };
        let pool = PoolRow {
            id: 1,
            network_id: network.id,
            key: "v4".into(),
            position: 0,
            subnet,
            range: usable(subnet),
            gateway: None,
            automatic: false,
        };
        let many = |of: std::ops::Range<u8>| {
            let mut facts = facts();
            let address = |last: u8| format!("192.168.122.{last}/24").parse().expect("an address with prefix");
            facts.links[0].addresses = of.map(address).collect();
            facts
        };
        let (own, other) = (NodeId::from_random([0; 16]), NodeId::from_random([2; 16]));
        let hosts = |facts: Facts| Hosts {
            node: own,
            own: std::sync::Arc::new(many(200..210)),
            others: vec![(other, std::sync::Arc::new(facts))],
        };
        let count = |fixed: &Fixed, node| fixed.values().filter(|(_, owner)| owner.node == node).count();
        let found = of_host(&network, &pool, &hosts(many(1..200)));
        assert_eq!(count(&found, other), OF_ONE_NODE);
        assert!(count(&found, own) >= 10, "this host's own are not counted: {found:?}");
        // Its own addresses, the router and the nameserver.
        assert_eq!(excess(&network, &pool, &hosts(many(1..200))), [(other, 200)]);
        assert_eq!(excess(&network, &pool, &hosts(many(1..60))), []);
    }
}
