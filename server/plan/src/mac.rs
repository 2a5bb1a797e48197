//! Ethernet addresses of the links that no endpoint gives one: made from IDs, and so the same on every start. Those of networks' links are known to
//! whoever gives out addresses on them (`netloom_model::host_link`).

use std::net::IpAddr;

use netloom_model::MacAddr;

/// Ethernet address that probes of one node to another carry as their destination, by their addresses on the underlay. That of the way back is another:
/// what was sent back is not sent back again.
pub fn probe_mac(from: IpAddr, to: IpAddr) -> MacAddr {
    MacAddr::from_text(&format!("{from} to {to}"))
}

/// Ethernet address of the host's end of an endpoint's pair. A bridge to which nobody gave an address has the lowest of its ports': this
/// one is higher than any other that is sensible, so that a bridge of somebody else's keeps the one it has.
pub fn port_mac(endpoint: &str) -> MacAddr {
    let MacAddr([_, a, b, c, d, e]) = MacAddr::from_text(endpoint);
    MacAddr([0xfe, a, b, c, d, e])
}
