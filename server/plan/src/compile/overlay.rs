//! Driver overlay: what of a network is on this node while it is in use here, and the way to its endpoints on other nodes.
//!
//! Forwarding is computed from what is assigned; nothing is flooded and nothing learnt (docs/adr/0032). What must not live here: who is on
//! which node, which is the assignment's.

use std::net::IpAddr;

use netloom_model::assignment::{
    AssignedAddress, AssignedEndpoint, AssignedNetwork, AssignedOverlay, AssignedPeer, AssignedSandbox, PROBES,
};
use netloom_model::facts::{Facts, vxlan_overhead};
use netloom_model::network::{Driver, MTU_MIN_IPV6};
use netloom_model::plan::Refusal;
use netloom_model::{EndpointId, NetworkId, host_link};

use super::{Compiled, Gates, endpoint, sysctl, underlay};
use crate::marks::Marks;
use crate::object::{AssignedKey, Key, Link, LinkKind, Object, Place, PortSettings, Route, Senders};
use crate::overlay::{Forwarding, Neighbour, OverlayScope, Tunnel, TunnelPort, Way};

/// What this node was told of an overlay network.
pub(super) fn of(network: &AssignedNetwork) -> Option<&AssignedOverlay> {
    network.overlay.as_ref().filter(|_| network.driver == Driver::Overlay)
}

/// The MTU of an overlay network here: its own, or what the underlay leaves for it on every node, which may be less than on this one. Until the manager
/// hears of an underlay here that leaves less, that holds. Of probes, what it leaves here. Unknown where this node has no link with its address there.
pub fn overlay_mtu(network: &AssignedNetwork, facts: &Facts) -> Option<u32> {
    let overlay = of(network)?;
    let here = || facts.overlay_mtu(overlay.vtep);
    let everywhere = overlay.mtu.filter(|_| network.id != PROBES);
    network.mtu.or_else(|| here().map(|here| everywhere.map_or(here, |everywhere| everywhere.min(here))))
}

/// What belongs to the network as a whole: the rules that keep strangers out, its bridge and its VXLAN device, while an endpoint is running on it.
pub(super) fn network(compiled: &mut Compiled, network: &AssignedNetwork, facts: &Facts, gates: &Gates) {
    let Some(overlay) = of(network) else { return };
    let owner = AssignedKey::Network(network.id);
    let (bridge, tunnel) = (host_link::of_network(network.id), host_link::tunnel(network.id));
    compiled.marks.insert(network.id.to_string(), owner);
    compiled.on_host.insert(network.id);
    compiled.scope.firewall = true;
    compiled.scope.publishers.insert(network.id.to_string());
    let in_use = network.in_use && !network.deleting;
    let scope = compiled.overlay_scope();
    scope.links.extend([bridge.clone(), tunnel.clone()]);
    scope.all_links |= !in_use;
    compiled.owners.entry(Key::OverlayNamespace).or_insert(owner);
    compiled.look_for_shared(owner, &underlay::SHARED);
    if !in_use {
        return;
    }
    if facts.link_with(overlay.vtep).is_none() {
        compiled.refuse(owner, vtep_missing(format!("network {}", network.name), overlay, facts));
    }
    compiled.want_shared(owner, &underlay::SHARED);
    for part in underlay::of_network(network.id, overlay) {
        compiled.want(owner, Object::Firewall(part));
    }
    compiled.want(owner, Object::OverlayNamespace);
    for setting in sysctl::overlay(gates.without_ipv6) {
        compiled.want(owner, setting);
    }
    for setting in sysctl::overlay_bridged() {
        compiled.inherit(owner, setting);
    }
    let mtu = overlay_mtu(network, facts);
    for setting in sysctl::overlay_link(&bridge, without_ipv6(network, facts, gates)) {
        compiled.inherit(owner, setting);
    }
    let link = |name: &str, kind, mac| {
        let (owner, name) = (network.id.to_string(), name.to_owned());
        Object::Link(Link {
            place: Place::Overlay,
            name,
            kind,
            mac: Some(mac),
            mtu,
            up: true,
            arp: true,
            owner,
            marks: Marks::Whole,
        })
    };
    let (vni, port, local) = (overlay.vni, overlay.data_path_port, overlay.vtep);
    let is_of_probes = network.id == PROBES;
    let device = Tunnel { vni, port, local, learning: false, whole: is_of_probes };
    compiled.want(
        owner,
        link(
            &bridge,
            LinkKind::OverlayBridge { snooping: false, spanning_tree: false },
            host_link::network_mac(network.id),
        ),
    );
    let port = if is_of_probes { TunnelPort::REFLECTING } else { TunnelPort::QUIET };
    let kind = LinkKind::Vxlan { tunnel: device, bridge: bridge.clone(), port };
    compiled.want(owner, link(&tunnel, kind, host_link::tunnel_mac(network.id)));
    if is_of_probes {
        probes::wanted(compiled, overlay);
    }
}

/// The way to an endpoint on another node, while its network is in use here.
pub(super) fn peer(
    compiled: &mut Compiled,
    peer: &AssignedPeer,
    network: Option<&AssignedNetwork>,
    facts: &Facts,
    gates: &Gates,
) {
    let Some(network) = network.filter(|network| of(network).is_some() && network.in_use && !network.deleting) else {
        return;
    };
    let owner = AssignedKey::Peer(peer.id);
    let without_ipv6 = without_ipv6(network, facts, gates);
    for entry in entries(peer) {
        if without_ipv6 && matches!(&entry, Object::Neighbour(neighbour) if neighbour.address.is_ipv6()) {
            continue;
        }
        let key = entry.key();
        compiled.overlay_scope().entries.insert(key.clone());
        compiled.judged.insert(key);
        compiled.want(owner, entry);
    }
}

/// All that leads to an endpoint on another node, in the order of making: before the bridge says whose an address is, frames to there have a way.
pub fn entries(peer: &AssignedPeer) -> Vec<Object> {
    let (bridge, tunnel) = (host_link::of_network(peer.network), host_link::tunnel(peer.network));
    let forwarding = |way| Object::Forwarding(Forwarding { link: tunnel.clone(), mac: peer.mac, way });
    let mut entries = vec![forwarding(Way::Node(Some(peer.vtep))), forwarding(Way::Port { sticky: true })];
    let neighbour = |address| Object::Neighbour(Neighbour { link: bridge.clone(), address, mac: peer.mac });
    entries.extend(peer.addresses.iter().copied().map(neighbour));
    entries
}

/// Whether the network's links have no IPv6: the kernel takes it from those whose MTU is too small for it.
fn without_ipv6(network: &AssignedNetwork, facts: &Facts, gates: &Gates) -> bool {
    gates.without_ipv6 || overlay_mtu(network, facts).is_some_and(|mtu| mtu < MTU_MIN_IPV6)
}

/// An endpoint: its pair, its addresses, and the way to the network's other subnets. There is no router on an overlay.
pub(super) fn endpoint(
    compiled: &mut Compiled,
    sandbox: &AssignedSandbox,
    endpoint: &AssignedEndpoint,
    network: &AssignedNetwork,
    facts: &Facts,
    gates: &Gates,
) {
    let owner = AssignedKey::Sandbox(sandbox.id);
    let object = || format!("link {} in sandbox {}", endpoint.interface, sandbox.name);
    let Some(overlay) = of(network) else {
        return compiled.refuse(owner, untold(object(), network));
    };
    if !network.in_use || network.deleting {
        return;
    }
    if facts.link_with(overlay.vtep).is_none() {
        compiled.refuse(owner, vtep_missing(object(), overlay, facts));
        tolerate(compiled, sandbox, endpoint, network, gates);
        let withheld = Object::Link(link(sandbox, endpoint, network, None));
        compiled.withheld.insert(withheld.key(), withheld);
        return;
    }
    let mtu = overlay_mtu(network, facts);
    compiled.want(owner, Object::Link(link(sandbox, endpoint, network, mtu)));
    endpoint::settings(compiled, sandbox, endpoint, without_ipv6(network, facts, gates));
    let too_small = mtu.filter(|mtu| *mtu < MTU_MIN_IPV6);
    if let (Some(mtu), Some(address)) = (too_small, endpoint.addresses.iter().find(|one| one.address.is_ipv6())) {
        compiled.refuse(owner, mtu_too_small(object(), mtu, address.address, network, facts));
    }
    // By IPv4 it is reached all the same.
    let stays = |object: &Object| too_small.is_none() || !is_ipv6(object);
    for object in addresses(sandbox, endpoint, network).into_iter().filter(stays) {
        compiled.want(owner, object);
    }
}

fn is_ipv6(object: &Object) -> bool {
    match object {
        Object::Address(one) => one.address.is_ipv6(),
        Object::Route(one) => one.destination.addr().is_ipv6(),
        _ => false,
    }
}

/// The addresses, and on-link routes to the subnets that they are not in.
fn addresses(sandbox: &AssignedSandbox, endpoint: &AssignedEndpoint, network: &AssignedNetwork) -> Vec<Object> {
    let set = endpoint.addresses.iter().flat_map(|address| endpoint::of_address(sandbox, endpoint, &unrouted(address)));
    let mut objects: Vec<Object> = set.collect();
    let subnets = network.pools.iter().map(|pool| pool.subnet.trunc());
    let others = subnets.filter(|subnet| {
        let mut own = endpoint.addresses.iter().map(|one| one.address);
        let of_family = own.clone().any(|address| address.is_ipv4() == subnet.addr().is_ipv4());
        of_family && !own.any(|address| subnet.contains(&address))
    });
    objects.extend(others.map(|destination| {
        let (place, link) = (Place::Sandbox(sandbox.id), endpoint.interface.clone());
        Object::Route(Route { place, destination, gateway: None, link, source: None })
    }));
    objects
}

/// An address without a router: the gateway's is only kept aside on an overlay.
fn unrouted(address: &AssignedAddress) -> AssignedAddress {
    AssignedAddress { gateway: None, ..address.clone() }
}

/// Leaves what stands of an endpoint as it is while this node has lost its address on the underlay.
fn tolerate(
    compiled: &mut Compiled,
    sandbox: &AssignedSandbox,
    endpoint: &AssignedEndpoint,
    network: &AssignedNetwork,
    gates: &Gates,
) {
    let owner = AssignedKey::Sandbox(sandbox.id);
    let addresses_alone = endpoint.addresses.iter().map(unrouted).collect();
    endpoint::tolerate(compiled, sandbox, &AssignedEndpoint { addresses: addresses_alone, ..endpoint.clone() }, gates);
    for object in addresses(sandbox, endpoint, network) {
        compiled.tolerate(owner, object.key(), "");
    }
    compiled.tolerate(owner, Key::Link(Place::Overlay, host_link::port(endpoint.id)), &endpoint.id.to_string());
}

/// An endpoint's pair.
fn link(sandbox: &AssignedSandbox, endpoint: &AssignedEndpoint, network: &AssignedNetwork, mtu: Option<u32>) -> Link {
    Link {
        place: Place::Sandbox(sandbox.id),
        name: endpoint.interface.clone(),
        kind: LinkKind::Veth {
            at: Place::Overlay,
            port: host_link::port(endpoint.id),
            marked: true,
            bridge: host_link::of_network(network.id),
            managed: true,
            settings: PortSettings {
                senders: Some(Senders::of(endpoint.addresses.iter().map(|one| one.address))),
                ..PortSettings::TOLD
            },
        },
        mac: Some(endpoint.mac),
        mtu,
        up: true,
        arp: true,
        owner: endpoint.id.to_string(),
        marks: Marks::Whole,
    }
}

/// Packets of the overlay would have no address to come from.
fn vtep_missing(object: String, overlay: &AssignedOverlay, facts: &Facts) -> Refusal {
    let addresses = facts.links.iter().filter(|link| !link.loopback).flat_map(|link| &link.addresses);
    let same = addresses.filter(|own| own.addr().is_ipv4() == overlay.vtep.is_ipv4());
    let own: Vec<String> = same.map(|own| own.addr().to_string()).collect();
    Refusal {
        code: "vtep-missing".to_owned(),
        message: format!(
            "{object} can't be carried now: no link of this host has {}, the address that this node has among the others",
            overlay.vtep
        ),
        object,
        operation: "create".to_owned(),
        errno: None,
        hint: Some(format!(
            "give a link that address again, or have the node known by one that it has ({})",
            if own.is_empty() { "it has none of that version of IP".to_owned() } else { own.join(", ") }
        )),
    }
}

/// The underlay leaves less than what IPv6 needs (RFC 8200, section 5), so that the kernel keeps no IPv6 address on the link.
fn mtu_too_small(object: String, mtu: u32, address: IpAddr, network: &AssignedNetwork, facts: &Facts) -> Refusal {
    let vtep = network.overlay.as_ref().map(|overlay| overlay.vtep);
    let needed = MTU_MIN_IPV6 + vtep.map_or(0, vxlan_overhead);
    let underlay = vtep.and_then(|vtep| facts.link_with(vtep)).map_or("the underlay's link", |link| link.name.as_str());
    Refusal {
        code: "mtu-too-small".to_owned(),
        message: format!(
            "{object} can't have {address}: IPv6 needs an MTU of at least {MTU_MIN_IPV6} bytes (RFC 8200, 5), and packets of network {} have room for \
             {mtu} here",
            network.name
        ),
        object,
        operation: "create".to_owned(),
        errno: None,
        hint: Some(format!(
            "give {underlay} an MTU of at least {needed}, and the links between the nodes; or attach to a network without IPv6"
        )),
    }
}

/// The network came without what driver overlay needs.
fn untold(object: String, network: &AssignedNetwork) -> Refusal {
    Refusal {
        code: "feature-missing".to_owned(),
        message: format!(
            "{object} was not made: this node was not told which packets are overlay network {}'s, as only a member of a swarm is",
            network.name
        ),
        object,
        operation: "create".to_owned(),
        errno: None,
        hint: Some("attach to a network of driver bridge or macvlan".to_owned()),
    }
}

impl Compiled {
    /// What is to be looked at in the overlay namespace.
    pub(super) fn overlay_scope(&mut self) -> &mut OverlayScope {
        self.scope.overlay.get_or_insert_default()
    }

    /// Has what once led to an endpoint on another node looked at, and judged: what of it nobody wants goes. `held` says of which of it others are the
    /// owners by now.
    pub fn look_for_peer(&mut self, id: EndpointId, former: &AssignedPeer, held: impl Fn(&Object) -> bool) {
        for entry in entries(former).into_iter().filter(|entry| !held(entry)) {
            let key = entry.key();
            self.overlay_scope().entries.insert(key.clone());
            self.judged.insert(key.clone());
            self.owners.entry(key).or_insert(AssignedKey::Peer(id));
        }
    }

    /// Has what a network that the assignment does not hold any more may have in the overlay namespace looked at.
    pub(super) fn look_for_overlay(&mut self, network: NetworkId) {
        self.scope.firewall = true;
        self.scope.publishers.insert(network.to_string());
        let scope = self.overlay_scope();
        scope.links.extend([host_link::of_network(network), host_link::tunnel(network)]);
        scope.all_links = true;
    }
}

mod probes;

#[cfg(test)]
mod tests;
