//! Driver bridge: a bridge of the host's for each network, a pair of links for each endpoint, and the rules between them.

use netloom_model::assignment::{AssignedBridge, AssignedEndpoint, AssignedNetwork, AssignedSandbox};
use netloom_model::network::{Driver, MTU_MIN_IPV6};

use super::{Compiled, Gates, endpoint, firewall, port, sysctl};
use crate::object::{
    Address, AssignedKey, Key, Link, LinkKind, Object, Place, PortSettings, host_link_name, network_mac, port_name,
};

/// MTU of a bridge and its endpoints unless said: Ethernet's.
const MTU: u32 = 1500;

/// The settings of a bridge network, and the name of its bridge.
pub(super) fn of(network: &AssignedNetwork) -> Option<(&AssignedBridge, String)> {
    let settings = network.bridge.as_ref().filter(|_| network.driver == Driver::Bridge)?;
    let name = settings.interface_name.clone().unwrap_or_else(|| host_link_name(network.id));
    Some((settings, name))
}

/// What belongs to the network as a whole: its bridge, gateways and rules, while an endpoint is running on it.
pub(super) fn network(compiled: &mut Compiled, network: &AssignedNetwork, gates: &Gates) {
    let Some((settings, bridge)) = of(network) else { return };
    let owner = AssignedKey::Network(network.id);
    compiled.marks.insert(network.id.to_string(), owner);
    compiled.on_host.insert(network.id);
    compiled.scope.host = true;
    compiled.scope.firewall = true;
    compiled.scope.host_links.push(bridge.clone());
    for part in firewall::possible(network, &bridge) {
        let key = Key::Firewall(part.key());
        compiled.owners.insert(key.clone(), owner);
        compiled.bridges.insert(key.clone(), bridge.clone());
        compiled.judged.insert(key);
    }
    // What is for all networks goes with one of those that are looked at, and is its doing.
    compiled.owners.extend(firewall::shared().iter().map(|part| (Key::Firewall(part.key()), owner)));
    if network.deleting || !network.in_use {
        return;
    }
    for part in firewall::shared().into_iter().chain(firewall::of_network(network, settings, &bridge)) {
        compiled.want(owner, Object::Firewall(part));
    }
    let link = Link {
        place: Place::Host,
        name: bridge.clone(),
        kind: LinkKind::Bridge,
        mac: Some(network_mac(network.id)),
        mtu: Some(network.mtu.unwrap_or(MTU)),
        up: true,
        owner: network.id.to_string(),
    };
    compiled.want(owner, Object::Link(link));
    for setting in sysctl::bridge(&bridge, !network.internal, without_ipv6(network, gates)) {
        compiled.want(owner, setting);
    }
    for (gateway, subnet) in network.pools.iter().filter_map(|pool| Some((pool.gateway?, pool.subnet))) {
        let prefix_length = subnet.prefix_len();
        let address = Address { place: Place::Host, link: bridge.clone(), address: gateway, prefix_length };
        compiled.want(owner, Object::Address(address));
    }
}

/// Whether the network's links have no IPv6, and no settings of it: the kernel takes it from those whose MTU is too small for it.
pub(super) fn without_ipv6(network: &AssignedNetwork, gates: &Gates) -> bool {
    gates.without_ipv6 || network.mtu.unwrap_or(MTU) < MTU_MIN_IPV6
}

/// An endpoint: its pair, its addresses, its default routes, its published ports.
pub(super) fn endpoint(
    compiled: &mut Compiled,
    sandbox: &AssignedSandbox,
    endpoint: &AssignedEndpoint,
    network: &AssignedNetwork,
    gates: &Gates,
) {
    let owner = AssignedKey::Sandbox(sandbox.id);
    let Some((settings, bridge)) = of(network).filter(|_| network.in_use && !network.deleting) else { return };
    let place = Place::Sandbox(sandbox.id);
    let link = Link {
        place,
        name: endpoint.interface.clone(),
        kind: LinkKind::Veth {
            port: port_name(endpoint.id),
            bridge: bridge.clone(),
            settings: PortSettings { isolated: !settings.inter_sandbox, hairpin: !endpoint.ports.is_empty() },
        },
        mac: Some(endpoint.mac),
        mtu: Some(network.mtu.unwrap_or(MTU)),
        up: true,
        owner: endpoint.id.to_string(),
    };
    compiled.want(owner, Object::Link(link));
    for setting in endpoint::settings(sandbox, endpoint, without_ipv6(network, gates)) {
        compiled.want(owner, setting);
    }
    for address in &endpoint.addresses {
        for object in endpoint::of_address(sandbox, endpoint, address) {
            compiled.want(owner, object);
        }
    }
    port::endpoint(compiled, sandbox, endpoint, &bridge);
}

#[cfg(test)]
mod tests;
