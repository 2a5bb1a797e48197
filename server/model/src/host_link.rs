//! Names of the links that Netloom makes on the host: the same for the node that makes them and for whoever tells of them. What must not live
//! here: what else a link is (`plan`), and names of links that are not Netloom's.

use crate::id::{EndpointId, NetworkId};
use crate::network::{Driver, NetworkSpec};

/// What the name of every host-side link of ours starts with.
pub const PREFIX: &str = "nl-";

/// Name of a network's link on the host: a bridge that nobody named, or the shim of a macvlan network, through which the host reaches its
/// endpoints.
pub fn of_network(network: NetworkId) -> String {
    format!("{PREFIX}{}", network.short())
}

/// Name of the host's end of an endpoint's pair.
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
