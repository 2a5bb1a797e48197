//! The default pools, and the ranges that automatic subnets keep clear of because other tools use them.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), prefix)
}

/// IPv4: 10.200.0.0 to 10.207.255.255, 2,048 subnets of /24. Clear of what the common tools take for themselves.
pub const POOLS4: &[IpNet] = &[v4(10, 200, 0, 0, 13)];

/// IPv6: one unique local prefix (RFC 4193), 65,536 subnets of /64. Its 40 global ID bits spell `netlo`; a site that
/// wants random ones, as the RFC asks of networks that may meet, sets its own default pools.
pub const POOLS6: &[IpNet] = &[v6(0xfd6e, 0x6574, 0x6c6f, 48)];

/// What other tools on a host use by default: Docker (172.17 to 172.31, then 192.168), Docker Swarm's first overlays
/// (10.0.0.0/16 of its 10.0.0.0/8), libvirt (192.168.122, inside Docker's), Podman (10.88, 10.89), containerd's nerdctl (10.4.0),
/// LXC (10.0.3, inside Swarm's), k3s and flannel (10.42, 10.43, 10.244), kubeadm's services (10.96/12).
pub const PEERS: &[IpNet] = &[
    v4(172, 17, 0, 0, 16),
    v4(172, 18, 0, 0, 15),
    v4(172, 20, 0, 0, 14),
    v4(172, 24, 0, 0, 13),
    v4(192, 168, 0, 0, 16),
    v4(10, 0, 0, 0, 16),
    v4(10, 4, 0, 0, 24),
    v4(10, 42, 0, 0, 15),
    v4(10, 88, 0, 0, 15),
    v4(10, 96, 0, 0, 12),
    v4(10, 244, 0, 0, 16),
];

/// Length of an automatic subnet's prefix unless said: 24 for IPv4, 64 for IPv6.
pub const fn prefix_length(family: netloom_model::net::Family) -> u8 {
    match family {
        netloom_model::net::Family::V4 => 24,
        netloom_model::net::Family::V6 => 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netloom_model::net::Span;

    #[test]
    fn the_default_pools_are_clear_of_the_peers() {
        for pool in POOLS4.iter().chain(POOLS6) {
            assert_eq!(*pool, pool.trunc());
            for peer in PEERS {
                assert_eq!(*peer, peer.trunc());
                assert!(!Span::of(*pool).overlaps(&Span::of(*peer)), "{pool} {peer}");
            }
        }
    }
}
