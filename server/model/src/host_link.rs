//! Names and Ethernet addresses of the links that Netloom makes on the host and in its overlay namespace: the same for the node that makes them and for whoever tells
//! of them. What must not live here: what else a link is (`plan`), and names of links that are not Netloom's.

use crate::id::{EndpointId, NetworkId};
use crate::mac::MacAddr;
use crate::network::{Driver, NetworkSpec};

/// What the name of every host-side link of ours starts with.
pub const PREFIX: &str = "nl-";

/// Length of the part of an ID that stands in a name.
const SHORT: usize = 8;

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

/// What a link of ours is of, by the beginning of its ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A network's link or VXLAN device.
    Network(String),
    /// The end of an endpoint's pair.
    Endpoint(String),
}

/// Reads the name of a link of ours; none where it is no such name.
pub fn named(link: &str) -> Option<Named> {
    let rest =
        link.strip_prefix(PREFIX).filter(|rest| rest.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')))?;
    let (network, endpoint) =
        (|short| Named::Network(format!("net_{short}")), |short| Named::Endpoint(format!("ept_{short}")));
    match (rest.len(), rest.split_at_checked(1)?) {
        (SHORT, _) => Some(network(rest)),
        (length, ("v", short)) if length == SHORT + 1 => Some(network(short)),
        (length, ("p", short)) if length == SHORT + 1 => Some(endpoint(short)),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ours_lead_back_to_what_they_are_of() {
        let network: NetworkId = "net_aebagbafaydqqcikbmga2dqpca".parse().expect("an ID");
        let endpoint: EndpointId = "ept_aebagbafaydqqcikbmga2dqpca".parse().expect("an ID");
        let of_network = Some(Named::Network("net_aebagbaf".into()));
        assert_eq!((named(&super::of_network(network)), named(&tunnel(network))), (of_network.clone(), of_network));
        assert_eq!(named(&port(endpoint)), Some(Named::Endpoint("ept_aebagbaf".into())));
        for other in ["nl-", "nl-x", "eth0", "nl-pébagbaf", ""] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
