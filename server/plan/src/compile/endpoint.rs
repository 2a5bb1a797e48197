//! What every endpoint with a link of its own has, whatever its driver: addresses and default routes.

use std::net::IpAddr;

use ipnet::IpNet;
use netloom_model::assignment::{AssignedAddress, AssignedEndpoint, AssignedSandbox};

use crate::object::{Address, Object, Place, Route};

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
