//! Whether a pool can give a certain address to anybody: the rules before asking who has it.

use std::net::IpAddr;

use ipnet::IpNet;
use netloom_model::net::{Family, Span, unassignable, usable};

/// Why no pool of this subnet can give an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The subnet is of the other family.
    #[error("it is {given}, and the subnet is {wanted}")]
    WrongFamily {
        /// The address's.
        given: Family,
        /// The subnet's.
        wanted: Family,
    },
    /// It lies elsewhere.
    #[error("it lies outside {0}")]
    Outside(IpNet),
    /// It names the subnet itself.
    #[error("it is the network address of {0}")]
    NetworkAddress(IpNet),
    /// It reaches everybody.
    #[error("it is the broadcast address of {0}")]
    BroadcastAddress(IpNet),
    /// RFC 4291, 2.6.1.
    #[error("it is the subnet-router anycast address of {0}")]
    AnycastAddress(IpNet),
    /// It has a meaning of its own everywhere.
    #[error("it is {0}")]
    Special(&'static str),
}

/// Checks that a subnet can give this address.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(subnet: IpNet, address: IpAddr) -> Result<(), Unusable> {
    let (given, wanted) = (Family::of(address), Family::of(subnet.network()));
    if given != wanted {
        return Err(Unusable::WrongFamily { given, wanted });
    }
    if let Some(special) = unassignable(address) {
        return Err(Unusable::Special(special));
    }
    if !Span::of(subnet).contains(address) {
        return Err(Unusable::Outside(subnet));
    }
    if usable(subnet).contains(address) {
        return Ok(());
    }
    Err(match (wanted, address == subnet.network()) {
        (Family::V6, _) => Unusable::AnycastAddress(subnet),
        (Family::V4, true) => Unusable::NetworkAddress(subnet),
        (Family::V4, false) => Unusable::BroadcastAddress(subnet),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_its_own_answer() {
        let net4: IpNet = "192.168.122.0/24".parse().expect("a subnet");
        let net6: IpNet = "fd00::/64".parse().expect("a subnet");
        let check = |net: IpNet, text: &str| check(net, text.parse().expect("an address"));
        assert_eq!(check(net4, "192.168.122.2"), Ok(()));
        assert_eq!(check(net6, "fd00::2"), Ok(()));
        assert_eq!(check(net4, "192.168.122.0"), Err(Unusable::NetworkAddress(net4)));
        assert_eq!(check(net4, "192.168.122.255"), Err(Unusable::BroadcastAddress(net4)));
        assert_eq!(check(net6, "fd00::"), Err(Unusable::AnycastAddress(net6)));
        assert_eq!(check(net4, "192.168.123.2"), Err(Unusable::Outside(net4)));
        assert!(matches!(check(net4, "fd00::2"), Err(Unusable::WrongFamily { .. })));
        assert!(matches!(check(net4, "127.0.0.1"), Err(Unusable::Special(_))));
    }
}
