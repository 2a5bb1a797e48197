//! Driver macvlan: one link per endpoint on a parent of the host's, and the host's own way to the endpoints.

use std::net::IpAddr;

use ipnet::IpNet;
use netloom_model::assignment::{AssignedAddress, AssignedEndpoint, AssignedMacvlan, AssignedNetwork, AssignedSandbox};
use netloom_model::condition::{self, Condition};
use netloom_model::facts::{Facts, HostLink};
use netloom_model::network::MacvlanMode;
use netloom_model::{NetworkId, host_link};

use super::parent::{self, Stand};
use super::{Compiled, Gates, endpoint, sysctl};
use crate::marks::Marks;
use crate::object::{AssignedKey, Key, Link, LinkKind, Object, Place, Route};

/// Whether the host reaches the network's endpoints through a link of its own. Only mode bridge lets links talk to each other.
pub(super) fn has_shim(network: &AssignedNetwork) -> bool {
    network.macvlan.as_ref().is_some_and(|m| m.host_access && m.mode == MacvlanMode::Bridge)
}

/// What belongs to the network as a whole: its shim, while an endpoint is running on it.
pub(super) fn network(compiled: &mut Compiled, network: &AssignedNetwork, facts: &Facts, gates: &Gates) {
    let owner = AssignedKey::Network(network.id);
    compiled.marks.insert(network.id.to_string(), owner);
    let Some(macvlan) = &network.macvlan else { return };
    let shim = host_link::of_network(network.id);
    if has_shim(network) {
        compiled.on_host.insert(network.id);
        compiled.scope.host = true;
        compiled.scope.host_links.push(shim.clone());
    }
    if network.deleting {
        return;
    }
    let parent = match parent(macvlan, facts) {
        Ok(parent) => parent,
        Err(stand) => {
            // A node may be on a network of the swarm by no link, as long as no sandbox of its is to be.
            if !network.segment || network.in_use {
                compiled
                    .refuse(owner, stand.refusal(format!("network {}", network.name), &macvlan.parent, network, facts));
            }
            compiled.tolerate(owner, Key::Link(Place::Host, shim), &network.id.to_string());
            return;
        }
    };
    if !has_shim(network) || !network.in_use {
        return;
    }
    for setting in sysctl::shim(&shim, gates.without_ipv6) {
        compiled.want(owner, setting);
    }
    compiled.ask_for(Place::Host, [&sysctl::HOST_ARP_IGNORE.to_owned()]);
    let link = Link {
        place: Place::Host,
        name: shim,
        kind: LinkKind::Macvlan { parent: macvlan.parent.clone(), mode: macvlan.mode },
        mac: Some(host_link::network_mac(network.id)),
        mtu: Some(network.mtu.unwrap_or(parent.mtu)),
        up: true,
        arp: true,
        owner: network.id.to_string(),
        marks: Marks::Whole,
    };
    compiled.want(owner, Object::Link(link));
}

/// An endpoint: its link, its addresses, its default routes, and the host's routes to it.
pub(super) fn endpoint(
    compiled: &mut Compiled,
    sandbox: &AssignedSandbox,
    endpoint: &AssignedEndpoint,
    network: &AssignedNetwork,
    facts: &Facts,
    gates: &Gates,
) {
    let owner = AssignedKey::Sandbox(sandbox.id);
    let Some(macvlan) = network.macvlan.as_ref().filter(|_| !network.deleting) else { return };
    let parent = match parent(macvlan, facts) {
        Ok(parent) => parent,
        Err(stand) => {
            let object = format!("link {} in sandbox {}", endpoint.interface, sandbox.name);
            compiled.refuse(owner, stand.refusal(object, &macvlan.parent, network, facts));
            tolerate(compiled, sandbox, endpoint, network, gates);
            let withheld = Object::Link(link(sandbox, endpoint, network, macvlan, None));
            compiled.withheld.insert(withheld.key(), withheld);
            return;
        }
    };
    let link = link(sandbox, endpoint, network, macvlan, Some(parent.mtu));
    compiled.want(owner, Object::Link(link));
    endpoint::settings(compiled, sandbox, endpoint, gates.without_ipv6);
    if endpoint.fenced {
        compiled.condition(owner, parent::fenced(&endpoint.interface, network));
        tolerate_addresses(compiled, sandbox, endpoint, network);
        return;
    }
    for address in &endpoint.addresses {
        let mut objects = endpoint::of_address(sandbox, endpoint, address);
        if has_shim(network) && network.in_use && address.address.is_ipv4() {
            let source = host_source(parent, address);
            if source.is_none() {
                compiled.condition(AssignedKey::Network(network.id), without_address(network, macvlan));
            }
            objects.push(Object::Route(host_route(network.id, address, source)));
        }
        let gates = macvlan.probe.then_some(gates);
        endpoint::set(compiled, sandbox, endpoint, address.address, objects, gates);
    }
}

/// An endpoint's link.
fn link(
    sandbox: &AssignedSandbox,
    endpoint: &AssignedEndpoint,
    network: &AssignedNetwork,
    macvlan: &AssignedMacvlan,
    parent_mtu: Option<u32>,
) -> Link {
    Link {
        place: Place::Sandbox(sandbox.id),
        name: endpoint.interface.clone(),
        kind: LinkKind::Macvlan { parent: macvlan.parent.clone(), mode: macvlan.mode },
        mac: Some(endpoint.mac),
        mtu: network.mtu.or(parent_mtu),
        up: !endpoint.fenced,
        arp: true,
        owner: endpoint.id.to_string(),
        marks: Marks::Whole,
    }
}

/// Leaves what stands of an endpoint as it is, with the host's routes to it.
fn tolerate(
    compiled: &mut Compiled,
    sandbox: &AssignedSandbox,
    endpoint: &AssignedEndpoint,
    network: &AssignedNetwork,
    gates: &Gates,
) {
    endpoint::tolerate(compiled, sandbox, endpoint, gates);
    tolerate_host_routes(compiled, sandbox, endpoint, network);
}

/// Leaves what stands of an endpoint's addresses as it is while its link is down: the kernel takes some of it away by itself.
fn tolerate_addresses(
    compiled: &mut Compiled,
    sandbox: &AssignedSandbox,
    endpoint: &AssignedEndpoint,
    network: &AssignedNetwork,
) {
    endpoint::tolerate_addresses(compiled, sandbox, endpoint);
    tolerate_host_routes(compiled, sandbox, endpoint, network);
}

fn tolerate_host_routes(
    compiled: &mut Compiled,
    sandbox: &AssignedSandbox,
    endpoint: &AssignedEndpoint,
    network: &AssignedNetwork,
) {
    for address in endpoint.addresses.iter().filter(|a| has_shim(network) && a.address.is_ipv4()) {
        let owner = AssignedKey::Sandbox(sandbox.id);
        compiled.tolerate(owner, Key::Route(Place::Host, address.address.into()), "");
    }
}

fn parent<'a>(macvlan: &AssignedMacvlan, facts: &'a Facts) -> Result<&'a HostLink, Stand> {
    match macvlan.vlan_id {
        Some(vlan) => Err(Stand::Vlan(vlan)),
        None => parent::find(&macvlan.parent, None, facts),
    }
}

/// The host's address on the parent inside the endpoint's subnet.
fn host_source(parent: &HostLink, address: &AssignedAddress) -> Option<IpAddr> {
    let subnet = IpNet::new(address.address, address.prefix_length).ok()?;
    parent.addresses.iter().map(IpNet::addr).find(|host| subnet.contains(host))
}

fn host_route(network: NetworkId, address: &AssignedAddress, source: Option<IpAddr>) -> Route {
    Route {
        place: Place::Host,
        destination: address.address.into(),
        gateway: None,
        link: host_link::of_network(network),
        source,
    }
}

fn without_address(network: &AssignedNetwork, macvlan: &AssignedMacvlan) -> Condition {
    Condition::new(
        condition::HOST_ACCESS_WITHOUT_ADDRESS,
        "NoAddressOnParent",
        format!(
            "host_access of network {}: the host has no address inside the subnet on {}, so it speaks to the endpoints from another of its \
             addresses, and they answer through their gateway; give {} an address of the subnet",
            network.name, macvlan.parent, macvlan.parent
        ),
    )
}

/// `arp_ignore` of the whole host keeps the shim from answering.
pub(super) fn host_access_blocked(value: &str) -> Condition {
    Condition::new(
        condition::HOST_ACCESS_BLOCKED,
        "ArpIgnore",
        format!(
            "net.ipv4.conf.all.arp_ignore is {value} on this host, and the kernel takes the greater of it and the link's 0: endpoints get no \
             ARP answer for the host's address; `sysctl -w net.ipv4.conf.all.arp_ignore=0` helps"
        ),
    )
}
