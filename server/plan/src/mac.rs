//! Ethernet addresses of the links that no endpoint gives one: made from IDs, and so the same on every start.

use std::net::IpAddr;

use netloom_model::{MacAddr, NetworkId};

/// Ethernet address of a network's link on the host: the same on every start, so that neighbours need not learn it again.
/// The local bit set, the group bit clear.
pub fn network_mac(network: NetworkId) -> MacAddr {
    MacAddr::from_random(hashed(&network.to_string()))
}

/// Ethernet address of an overlay network's VXLAN device. Frames never carry it.
pub fn tunnel_mac(network: NetworkId) -> MacAddr {
    MacAddr::from_random(hashed(&format!("{network} tunnel")))
}

/// Ethernet address that probes of one node to another carry as their destination, by their addresses on the underlay. That of the way back is another:
/// what was sent back is not sent back again.
pub fn probe_mac(from: IpAddr, to: IpAddr) -> MacAddr {
    MacAddr::from_random(hashed(&format!("{from} to {to}")))
}

/// Ethernet address of the host's end of an endpoint's pair. A bridge to which nobody gave an address has the lowest of its ports': this
/// one is higher than any other that is sensible, so that a bridge of somebody else's keeps the one it has.
pub fn port_mac(endpoint: &str) -> MacAddr {
    let [_, rest @ ..] = hashed(endpoint);
    let [a, b, c, d, e] = rest;
    MacAddr([0xfe, a, b, c, d, e])
}

/// FNV-1a over a text.
fn hashed(text: &str) -> [u8; 6] {
    let begin = 0xcbf2_9ce4_8422_2325_u64;
    let hash = text.bytes().fold(begin, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let [_, _, bytes @ ..] = hash.to_be_bytes();
    bytes
}
