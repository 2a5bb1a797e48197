//! What every endpoint with a link of its own has, whatever its driver: addresses and default routes.

use std::net::IpAddr;

use ipnet::IpNet;
use netloom_model::assignment::{AssignedAddress, AssignedEndpoint, AssignedSandbox, NamespaceSource};

use super::sysctl;
use crate::object::{Address, Object, Place, Route};

/// Settings of its link: in a namespace that Netloom made a link inherits them, in an adopted one it has its owner's.
pub(super) fn settings(sandbox: &AssignedSandbox, endpoint: &AssignedEndpoint, without_ipv6: bool) -> Vec<Object> {
    match sandbox.namespace {
        NamespaceSource::Made => Vec::new(),
        _ => sysctl::adopted_link(Place::Sandbox(sandbox.id), &endpoint.interface, without_ipv6),
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

fn default_destination(gateway: IpAddr) -> IpNet {
    match gateway {
        IpAddr::V4(_) => IpNet::V4(ipnet::Ipv4Net::default()),
        IpAddr::V6(_) => IpNet::V6(ipnet::Ipv6Net::default()),
    }
}
