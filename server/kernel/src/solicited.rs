//! When an IPv6 address begins to answer its neighbours.
//!
//! The kernel acknowledges a new address before it listens for those who ask for it: a work queue joins the address's
//! solicited-node group a moment later (`addrconf_dad_work` in net/ipv6/addrconf.c), or much later on a busy machine, and
//! what a macvlan hears of a group before that is dropped. A neighbour asks again after a second only.
//!
//! What must not live here: setting addresses (`message::address`).

use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

/// How long the kernel's work queue is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long between two looks.
const PAUSE: Duration = Duration::from_micros(100);

/// An address on a link, by the link's index.
pub(crate) type OnLink = (u32, Ipv6Addr);

/// Waits until the links of this thread's namespace hear who asks for these addresses, for a second at most: then the
/// addresses are set nevertheless, and answer as soon as the kernel comes to it.
pub(crate) fn wait_for(addresses: &[OnLink]) {
    if addresses.is_empty() {
        return;
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        match std::fs::read_to_string("/proc/thread-self/net/dev_mcast") {
            Ok(table) if !all_heard(&table, addresses) && Instant::now() < deadline => std::thread::sleep(PAUSE),
            _ => return,
        }
    }
}

/// Whether the table of the groups that links hear (`/proc/net/dev_mcast`: index, name, users, global users, Ethernet
/// address) has the group of every address.
fn all_heard(table: &str, addresses: &[OnLink]) -> bool {
    addresses.iter().all(|(link, address)| {
        let (link, group) = (link.to_string(), ethernet_group(*address));
        table.lines().any(|line| {
            let mut fields = line.split_whitespace();
            fields.next() == Some(&link) && fields.last() == Some(&group)
        })
    })
}

/// The Ethernet address of an address's solicited-node group (RFC 4291 section 2.7.1, RFC 2464 section 7), as the table has it.
fn ethernet_group(address: Ipv6Addr) -> String {
    let [.., a, b, c] = address.octets();
    format!("3333ff{a:02x}{b:02x}{c:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_counts_on_its_own_link_only() {
        let table = "1000 eth0            1     0     333300000001\n1000 eth0            1     0     3333ff000003\n\
                     1001 eth1            1     0     3333ffabcdef\n";
        let three = Ipv6Addr::new(0x2001, 0xdb8, 0x122, 0, 0, 0, 0, 3);
        let other = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0x12ab, 0xcdef);
        assert!(all_heard(table, &[(1000, three), (1001, other)]));
        assert!(!all_heard(table, &[(1001, three)]));
        assert!(!all_heard(table, &[(100, three)]));
        assert!(!all_heard(table, &[(1000, three), (1000, other)]));
        assert!(all_heard(table, &[]));
    }
}
