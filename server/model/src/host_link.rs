//! Names and Ethernet addresses of the links that Netloom makes on the host and in its overlay namespace: the same for the node that makes them and for whoever tells
//! of them. What must not live here: what else a link is (`plan`), and names of links that are not Netloom's.

use crate::id::{EndpointId, NetworkId};
use crate::mac::MacAddr;
use crate::network::{Driver, NetworkSpec};

/// What the name of every host-side link of ours starts with.
pub const PREFIX: &str = "nl-";

/// Name of a network's link on the host: a bridge that nobody named, or the shim of a macvlan network, through which the host reaches its
/// endpoints. An overlay network's bridge, in the overlay namespace, has such a name, too.
pub fn of_network(network: NetworkId) -> String {
    format!("{PREFIX}{}", network.short())
}

/// Name of an overlay network's VXLAN device, in the overlay namespace.
pub fn tunnel(network: NetworkId) -> String {
    format!("{PREFIX}v{}", network.short())
}

/// Ethernet address of a network's link on the host, or of its bridge in the overlay namespace: the same on every start, so that neighbours need not
/// learn it again.
pub fn network_mac(network: NetworkId) -> MacAddr {
    MacAddr::from_text(&network.to_string())
}

/// Ethernet address of an overlay network's VXLAN device. Frames never carry it.
pub fn tunnel_mac(network: NetworkId) -> MacAddr {
    MacAddr::from_text(&format!("{network} tunnel"))
}

/// What of a network's own has an Ethernet address, so that no endpoint on it may.
pub fn has_mac(network: NetworkId, driver: Driver, mac: MacAddr) -> Option<&'static str> {
    match driver {
        Driver::Overlay if mac == tunnel_mac(network) => Some("VXLAN device"),
        Driver::Bridge | Driver::Overlay if mac == network_mac(network) => Some("bridge"),
        Driver::Macvlan if mac == network_mac(network) => Some("link on the host"),
        _ => None,
    }
}

/// Name of the end of an endpoint's pair that is not in its sandbox.
pub fn port(endpoint: EndpointId) -> String {
    format!("{PREFIX}p{}", endpoint.short())
}

/// Name of a bridge network's bridge: the user's, or one of ours.
pub fn bridge(network: NetworkId, chosen: Option<&str>) -> String {
    chosen.map_or_else(|| of_network(network), str::to_owned)
}

/// The link of the host's that carries a network: its bridge, or its parent. None where there is no such link.
pub fn carrier(network: NetworkId, spec: &NetworkSpec) -> Option<String> {
    match spec.driver {
        Driver::Bridge => {
            Some(bridge(network, spec.bridge.as_ref().and_then(|bridge| bridge.interface_name.as_deref())))
        }
        Driver::Macvlan | Driver::Ipvlan => spec.parent().map(str::to_owned),
        Driver::Host | Driver::None | Driver::Overlay => None,
    }
}
