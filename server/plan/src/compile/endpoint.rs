//! What every endpoint with a link of its own has, whatever its driver: addresses and default routes.

use std::net::IpAddr;

use ipnet::IpNet;
use netloom_model::assignment::{AssignedAddress, AssignedEndpoint, AssignedSandbox, NamespaceSource};

use super::{Compiled, Gates, ProbeNeeded, sysctl};
use crate::object::{Address, AssignedKey, Key, Object, Place, Route};

/// Wants the settings of its link: in a namespace that Netloom made a link inherits them, in an adopted one it has its owner's.
pub(super) fn settings(
    compiled: &mut Compiled,
    sandbox: &AssignedSandbox,
    endpoint: &AssignedEndpoint,
    without_ipv6: bool,
) {
    let (owner, place, link) = (AssignedKey::Sandbox(sandbox.id), Place::Sandbox(sandbox.id), &endpoint.interface);
    match sandbox.namespace {
        NamespaceSource::Made => {
            let has_ipv6 = endpoint.addresses.iter().any(|one| one.address.is_ipv6());
            let settings = sysctl::made_link(place, link, without_ipv6, has_ipv6);
            settings.into_iter().for_each(|setting| compiled.inherit(owner, setting));
        }
        _ => {
            let settings = sysctl::adopted_link(place, link, without_ipv6);
            settings.into_iter().for_each(|setting| compiled.want(owner, setting));
        }
    }
}

/// The address itself, and the default route that needs it. The kernel makes the route to the subnet.
pub(super) fn of_address(
    sandbox: &AssignedSandbox,
    endpoint: &AssignedEndpoint,
    address: &AssignedAddress,
) -> Vec<Object> {
    let place = Place::Sandbox(sandbox.id);
    let mut objects = vec![Object::Address(Address {
        place,
        link: endpoint.interface.clone(),
        address: address.address,
        prefix_length: address.prefix_length,
        is_routed: true,
    })];
    if let Some(gateway) = address.gateway.filter(|_| endpoint.default_route) {
        objects.push(Object::Route(Route {
            place,
            destination: default_destination(gateway),
            gateway: Some(gateway),
            link: endpoint.interface.clone(),
            source: None,
        }));
    }
    objects
}

/// Wants an address of an endpoint with what needs it; with gates only once it was found free on the wire, and until then what stands of
/// it may stay.
pub(super) fn set(
    compiled: &mut Compiled,
    sandbox: &AssignedSandbox,
    endpoint: &AssignedEndpoint,
    address: IpAddr,
    objects: Vec<Object>,
    gates: Option<&Gates>,
) {
    let owner = AssignedKey::Sandbox(sandbox.id);
    if gates.is_none_or(|gates| gates.clear.contains(&(endpoint.id, address))) {
        return objects.into_iter().for_each(|object| compiled.want(owner, object));
    }
    objects.iter().for_each(|object| compiled.tolerate(owner, object.key(), ""));
    compiled.probes.push(ProbeNeeded {
        sandbox: sandbox.id,
        endpoint: endpoint.id,
        link: endpoint.interface.clone(),
        mac: endpoint.mac,
        address,
        objects,
    });
}

/// Leaves what stands of an endpoint as it is while its parent can't carry it: its link keeps working when that comes up again.
pub(super) fn tolerate(compiled: &mut Compiled, sandbox: &AssignedSandbox, endpoint: &AssignedEndpoint, gates: &Gates) {
    let owner = AssignedKey::Sandbox(sandbox.id);
    let place = Place::Sandbox(sandbox.id);
    compiled.tolerate(owner, Key::Link(place, endpoint.interface.clone()), &endpoint.id.to_string());
    for setting in sysctl::adopted_link(place, &endpoint.interface, gates.without_ipv6) {
        compiled.tolerate(owner, setting.key(), "");
    }
    tolerate_addresses(compiled, sandbox, endpoint);
    let objects = endpoint.addresses.iter().flat_map(|address| of_address(sandbox, endpoint, address));
    compiled.withheld.extend(objects.map(|object| (object.key(), object)));
}

/// Leaves what stands of an endpoint's addresses as it is.
pub(super) fn tolerate_addresses(compiled: &mut Compiled, sandbox: &AssignedSandbox, endpoint: &AssignedEndpoint) {
    let owner = AssignedKey::Sandbox(sandbox.id);
    for object in endpoint.addresses.iter().flat_map(|address| of_address(sandbox, endpoint, address)) {
        compiled.tolerate(owner, object.key(), "");
    }
}

fn default_destination(gateway: IpAddr) -> IpNet {
    match gateway {
        IpAddr::V4(_) => IpNet::V4(ipnet::Ipv4Net::default()),
        IpAddr::V6(_) => IpNet::V6(ipnet::Ipv6Net::default()),
    }
}
