//! The interfaces of a stack, as `ip` and `ifconfig` would show them.

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_route::link::LinkFlags;
use netloom_model::sandbox::{InterfaceAddress, InterfaceStatus};
use netloom_plan::object::Place;

use crate::Error;
use crate::handle::Inner;
use crate::message::address;
use crate::message::link::{self, Counters};
use crate::stack;
use crate::worker::Worker;

/// IFF_* flags in the words of `ip link`, with RUNNING as `ifconfig` has it.
const FLAGS: &[(LinkFlags, &str)] = &[
    (LinkFlags::Up, "UP"),
    (LinkFlags::Broadcast, "BROADCAST"),
    (LinkFlags::Loopback, "LOOPBACK"),
    (LinkFlags::Pointopoint, "POINTOPOINT"),
    (LinkFlags::Running, "RUNNING"),
    (LinkFlags::Noarp, "NOARP"),
    (LinkFlags::Promisc, "PROMISC"),
    (LinkFlags::Allmulti, "ALLMULTI"),
    (LinkFlags::Controller, "MASTER"),
    (LinkFlags::Port, "SLAVE"),
    (LinkFlags::Multicast, "MULTICAST"),
    (LinkFlags::Dynamic, "DYNAMIC"),
    (LinkFlags::LowerUp, "LOWER_UP"),
    (LinkFlags::Dormant, "DORMANT"),
];

/// Looks at a stack's interfaces.
pub(crate) fn look(inner: &Inner, worker: &mut Worker, place: Place) -> Result<Vec<InterfaceStatus>, Error> {
    let mut stack = stack::enter(inner, worker, place)?;
    let failed = |failure| Error::system("look at the interfaces", failure);
    let links = link::dump(&mut stack.rtnl, Counters::With).map_err(failed)?;
    let addresses = address::dump(&mut stack.rtnl).map_err(failed)?;
    Ok(statuses(links.iter(), &addresses))
}

/// Interfaces of one stack, of what was read there.
pub(crate) fn statuses<'a>(
    links: impl Iterator<Item = &'a link::Seen>,
    addresses: &[address::Seen],
) -> Vec<InterfaceStatus> {
    links.map(|link| status(link, addresses)).collect()
}

fn status(link: &link::Seen, addresses: &[address::Seen]) -> InterfaceStatus {
    InterfaceStatus {
        name: link.name.clone(),
        mac: link.mac.filter(|_| !link.is_loopback()),
        mtu: link.mtu,
        flags: flags(link.flags),
        addresses: addresses.iter().filter(|address| address.link == link.index).map(interface_address).collect(),
        rx_packets: link.statistics.rx_packets,
        rx_bytes: link.statistics.rx_bytes,
        tx_packets: link.statistics.tx_packets,
        tx_bytes: link.statistics.tx_bytes,
    }
}

fn interface_address(seen: &address::Seen) -> InterfaceAddress {
    let mask = match seen.address {
        IpAddr::V4(_) => Some(mask(seen.prefix_length).to_string()),
        IpAddr::V6(_) => None,
    };
    InterfaceAddress {
        address: seen.address.to_string(),
        prefix_length: seen.prefix_length,
        broadcast: seen.broadcast.map(|address| address.to_string()),
        mask,
        managed: seen.ours,
    }
}

fn mask(prefix_length: u8) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(prefix_length.min(32))).unwrap_or(0))
}

fn flags(flags: LinkFlags) -> Vec<String> {
    let mut words: Vec<String> =
        FLAGS.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, word)| (*word).to_owned()).collect();
    // As `ip` says of a link that is up without anything at its other end.
    if flags.contains(LinkFlags::Up) && !flags.contains(LinkFlags::Running) {
        words.push("NO-CARRIER".to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_and_flags_are_in_the_usual_words() {
        assert_eq!(mask(24).to_string(), "255.255.255.0");
        assert_eq!(mask(0).to_string(), "0.0.0.0");
        assert_eq!(mask(32).to_string(), "255.255.255.255");
        let up = LinkFlags::Up | LinkFlags::Broadcast | LinkFlags::Running | LinkFlags::Multicast | LinkFlags::LowerUp;
        assert_eq!(flags(up), ["UP", "BROADCAST", "RUNNING", "MULTICAST", "LOWER_UP"]);
        assert_eq!(flags(LinkFlags::Up), ["UP", "NO-CARRIER"]);
    }
}
