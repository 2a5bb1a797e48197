//! Driver bridge: a bridge of the host's for each network, a pair of links for each endpoint, and the rules between them.

use std::net::IpAddr;

use netloom_model::assignment::{
    AssignedBridge, AssignedEndpoint, AssignedGateway, AssignedNetwork, AssignedSandbox, Source,
};
use netloom_model::condition::{self, Condition};
use netloom_model::facts::Facts;
use netloom_model::host_link;
use netloom_model::net::Family;
use netloom_model::network::{Driver, MTU_MIN_IPV6};

use super::{Compiled, Gates, endpoint, firewall, hairpin, parent, port, sysctl};
use crate::marks::Marks;
use crate::object::{Address, AssignedKey, Key, Link, LinkKind, Object, Place, PortSettings};

/// MTU of a bridge and its endpoints unless said: Ethernet's.
const MTU: u32 = 1500;
/// A bridge, by the kernel's word for the kind of link.
const KIND: &str = "bridge";

/// The settings of a bridge network, and the name of its bridge.
pub(super) fn of(network: &AssignedNetwork) -> Option<(&AssignedBridge, String)> {
    let settings = network.bridge.as_ref().filter(|_| network.driver == Driver::Bridge)?;
    let name = host_link::bridge(network.id, settings.interface_name.as_deref());
    Some((settings, name))
}

/// The same of a network whose bridge is Netloom's.
pub(super) fn managed(network: &AssignedNetwork) -> Option<(&AssignedBridge, String)> {
    of(network).filter(|(settings, _)| settings.managed)
}

/// What belongs to the network as a whole: its bridge, gateways and rules, while an endpoint is running on it. Of a bridge that is not managed
/// nothing but that it is there.
pub(super) fn network(compiled: &mut Compiled, network: &AssignedNetwork, facts: &Facts, gates: &Gates) {
    let Some((settings, bridge)) = of(network) else { return };
    let owner = AssignedKey::Network(network.id);
    if !settings.managed {
        compiled.marks.insert(network.id.to_string(), owner);
        let is_needed = !network.deleting && (!network.segment || network.in_use);
        if let (true, Err(stand)) = (is_needed, parent::find(&bridge, Some(KIND), facts)) {
            compiled.refuse(owner, stand.refusal(format!("network {}", network.name), &bridge, network, facts));
        }
        return;
    }
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
    compiled.look_for_shared(owner, &firewall::SHARED);
    for condition in host_conditions(network, facts) {
        compiled.condition(owner, condition);
    }
    if network.deleting || !network.in_use {
        return;
    }
    compiled.want_shared(owner, &firewall::SHARED);
    for part in firewall::of_network(network, settings, &bridge) {
        // Beside the possible ones: those that name more than the bridge.
        compiled.bridges.insert(Key::Firewall(part.key()), bridge.clone());
        compiled.want(owner, Object::Firewall(part));
    }
    let link = Link {
        place: Place::Host,
        name: bridge.clone(),
        kind: LinkKind::Bridge { spanning_tree: false },
        mac: Some(host_link::network_mac(network.id)),
        mtu: Some(network.mtu.unwrap_or(MTU)),
        up: true,
        arp: true,
        owner: network.id.to_string(),
        marks: Marks::Whole,
    };
    compiled.want(owner, Object::Link(link));
    let gateway6 = network.has_gateway(Family::V6);
    for setting in sysctl::bridge(&bridge, network.has_way_out(Family::V4), gateway6, without_ipv6(network, gates)) {
        compiled.want(owner, setting);
    }
    for (gateway, subnet) in network.pools.iter().filter_map(|pool| Some((pool.gateway?, pool.subnet))) {
        let prefix_length = subnet.prefix_len();
        let address =
            Address { place: Place::Host, link: bridge.clone(), address: gateway, prefix_length, is_routed: true };
        compiled.want(owner, Object::Address(address));
    }
}

/// What a bridge network says of the host as it is: of the source that was chosen for it from the beginning, of routes and nameservers while it
/// is in use.
pub fn host_conditions(network: &AssignedNetwork, facts: &Facts) -> Vec<Condition> {
    let Some((settings, _)) = managed(network).filter(|_| !network.deleting) else { return Vec::new() };
    let missing = |family: Family| match settings.gateway(family) {
        AssignedGateway::Nat(Source::Address(address))
            if network.has_way_out(family) && !facts.has_address(*address) =>
        {
            Some(source_missing(*address))
        }
        _ => None,
    };
    [Family::V4, Family::V6]
        .into_iter()
        .filter_map(missing)
        .chain(subnet_overlap(network, facts).filter(|_| network.in_use))
        .collect()
}

/// A route of the host's into the subnets of a network, or a nameserver there. None was there when it was made.
fn subnet_overlap(network: &AssignedNetwork, facts: &Facts) -> Option<Condition> {
    let subnets = || network.pools.iter().map(|pool| pool.subnet);
    let routes = facts.routes.iter().filter(|route| !route.is_default());
    let route = routes.into_iter().find_map(|route| {
        let to = route.destination;
        let subnet = subnets().find(|subnet| to.contains(&subnet.network()) || subnet.contains(&to.network()))?;
        let via = route.interface.as_deref().unwrap_or("the host");
        let what = format!("the host's route {to} via {via} overlaps {subnet} of this network: an address of both is reached by one of the two only");
        Some(("HostRoute", what, "take the route away"))
    });
    let nameserver = || {
        facts.nameservers.iter().find_map(|address| {
            let subnet = subnets().find(|subnet| subnet.contains(address))?;
            let what = format!("the host's nameserver {address} is an address of {subnet} of this network, so that this host can't ask it");
            Some(("HostNameserver", what, "name another in resolv.conf"))
        })
    };
    let (reason, what, remedy) = route.or_else(nameserver)?;
    let message = format!(
        "{what}; {remedy}, or move the sandboxes to a network with another subnet (without `subnet` a free one is chosen)"
    );
    Some(Condition::new(condition::SUBNET_OVERLAP, reason, message))
}

/// What gives the host an address.
pub(super) fn ip_address_add(address: IpAddr) -> String {
    format!("ip address add {address}/{} dev LINK", if address.is_ipv4() { 32 } else { 128 })
}

/// A chosen source that the host has not, for the time being perhaps.
fn source_missing(address: IpAddr) -> Condition {
    Condition::new(
        "SourceAddressMissing",
        "NotOnHost",
        format!(
            "what leaves the host gets the source {address}, which this host does not have: answers go elsewhere until it does; `{}`, or \
             another source address",
            ip_address_add(address)
        ),
    )
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
    facts: &Facts,
    gates: &Gates,
) {
    let owner = AssignedKey::Sandbox(sandbox.id);
    let Some((settings, bridge)) = of(network).filter(|_| network.in_use && !network.deleting) else { return };
    let mtu = match parent::find(&bridge, Some(KIND), facts) {
        _ if settings.managed => network.mtu.unwrap_or(MTU),
        Ok(found) => found.mtu,
        Err(stand) => {
            let object = format!("link {} in sandbox {}", endpoint.interface, sandbox.name);
            compiled.refuse(owner, stand.refusal(object, &bridge, network, facts));
            endpoint::tolerate(compiled, sandbox, endpoint, gates);
            let withheld = Object::Link(link(sandbox, endpoint, settings, &bridge, None));
            compiled.withheld.insert(withheld.key(), withheld);
            return;
        }
    };
    compiled.want(owner, Object::Link(link(sandbox, endpoint, settings, &bridge, Some(mtu))));
    endpoint::settings(compiled, sandbox, endpoint, gates.without_ipv6 || mtu < MTU_MIN_IPV6);
    if endpoint.fenced {
        compiled.condition(owner, parent::fenced(&endpoint.interface, network));
        return endpoint::tolerate_addresses(compiled, sandbox, endpoint);
    }
    // On a bridge of Netloom's own nobody else has an address.
    let gates = (!settings.managed && settings.probe).then_some(gates);
    for address in &endpoint.addresses {
        let objects = endpoint::of_address(sandbox, endpoint, address);
        endpoint::set(compiled, sandbox, endpoint, address.address, objects, gates);
    }
    port::endpoint(compiled, sandbox, endpoint, &bridge, settings.underlay.as_ref());
    hairpin::note(compiled, sandbox, endpoint, network, settings);
}

/// An endpoint's pair.
fn link(
    sandbox: &AssignedSandbox,
    endpoint: &AssignedEndpoint,
    settings: &AssignedBridge,
    bridge: &str,
    mtu: Option<u32>,
) -> Link {
    Link {
        place: Place::Sandbox(sandbox.id),
        name: endpoint.interface.clone(),
        kind: LinkKind::Veth {
            at: Place::Host,
            port: host_link::port(endpoint.id),
            marked: true,
            bridge: bridge.to_owned(),
            managed: settings.managed,
            settings: PortSettings {
                isolated: !settings.inter_sandbox,
                hairpin: !endpoint.ports.is_empty(),
                ..PortSettings::LEARNT
            },
        },
        mac: Some(endpoint.mac),
        mtu,
        up: !endpoint.fenced,
        arp: true,
        owner: endpoint.id.to_string(),
        marks: Marks::Whole,
    }
}

#[cfg(test)]
mod tests;
