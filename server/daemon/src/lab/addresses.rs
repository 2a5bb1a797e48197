//! Which addresses the hosts of a lab get. Pure: the machine's routes are given.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};

/// The addresses of a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// The gateway's, the first of the subnet, with the length of the prefix.
    pub(crate) gateway: Ipv4Net,
    /// The hosts', in order.
    pub(crate) hosts: Vec<Ipv4Addr>,
}

/// The addresses from the one that was asked for on, or else from the first of the usual ones whose subnet the machine has no route into:
/// the lab would work all the same, but an address would mean one thing in it and another outside.
///
/// # Errors
/// Why the one that was asked for won't do, in words; or that none of the usual ones is free.
pub(crate) fn choose(asked: Option<Ipv4Net>, hosts: u8, routes: &[IpNet]) -> Result<Addresses, String> {
    if let Some(first) = asked {
        if let Some(route) = in_the_way(first, routes) {
            return Err(format!(
                "this machine has a route to {route}, so that addresses of {} would mean one thing in the lab and another outside",
                first.trunc()
            ));
        }
        return following(first, hosts);
    }
    let free = usual().find(|first| in_the_way(*first, routes).is_none());
    following(free.ok_or("this machine has routes to all subnets that a lab usually takes")?, hosts)
}

/// 192.168.122.185/24, and the like.
fn usual() -> impl Iterator<Item = Ipv4Net> {
    let of = |a: u8, b: u8, c: u8| Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 185), 24);
    (122..=254).map(move |c| of(192, 168, c)).chain((0..=255).map(move |c| of(172, 31, c)))
}

fn in_the_way(first: Ipv4Net, routes: &[IpNet]) -> Option<IpNet> {
    let subnet = IpNet::V4(first.trunc());
    routes.iter().copied().find(|route| route.contains(&subnet) || subnet.contains(route))
}

fn following(first: Ipv4Net, hosts: u8) -> Result<Addresses, String> {
    let (network, last) = (u32::from(first.network()), u32::from(first.broadcast()));
    let start = u32::from(first.addr());
    let gateway =
        Ipv4Net::new(Ipv4Addr::from(network.saturating_add(1)), first.prefix_len()).map_err(|e| e.to_string())?;
    if !(8..=29).contains(&first.prefix_len()) {
        return Err(format!(
            "a subnet of length /{} won't do for a lab: give one between /8 and /29",
            first.prefix_len()
        ));
    }
    if start <= network + 1 {
        return Err(format!(
            "{} is the subnet itself or its gateway: begin with {} or later",
            first.addr(),
            Ipv4Addr::from(network + 2)
        ));
    }
    let end = start.saturating_add(u32::from(hosts));
    if end > last {
        let room = last.saturating_sub(start);
        return Err(format!(
            "from {} on, {} has room for {room} hosts: begin earlier, or make fewer",
            first.addr(),
            first.trunc()
        ));
    }
    let address = first.addr();
    if address.is_loopback()
        || address.is_multicast()
        || address.is_unspecified()
        || address.octets()[0] >= 240
        || network >> 24 == 0
    {
        return Err(format!("{address} can't be a host's: give private addresses, such as 192.168.122.185/24"));
    }
    Ok(Addresses { gateway, hosts: (start..end).map(Ipv4Addr::from).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().expect("an address and a length")
    }

    fn routes(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().expect("a route")).collect()
    }

    #[test]
    fn the_hosts_are_numbered_as_in_the_usual_exercise() {
        let chosen = choose(None, 3, &routes(&["10.0.0.0/8", "127.0.0.0/8", "fe80::/64"])).expect("free");
        assert_eq!(chosen.gateway, net("192.168.122.1/24"));
        let text: Vec<String> = chosen.hosts.iter().map(ToString::to_string).collect();
        assert_eq!(text, ["192.168.122.185", "192.168.122.186", "192.168.122.187"]);
    }

    #[test]
    fn another_subnet_is_taken_where_the_machine_has_a_route() {
        let taken = routes(&["192.168.122.0/24", "192.168.123.128/25"]);
        assert_eq!(choose(None, 1, &taken).expect("free").gateway, net("192.168.124.1/24"));
        let all = routes(&["192.168.0.0/16"]);
        assert_eq!(choose(None, 1, &all).expect("free").gateway, net("172.31.0.1/24"));
        assert!(choose(None, 1, &routes(&["128.0.0.0/1"])).is_err());
        let refused = choose(Some(net("192.168.122.9/24")), 1, &taken).expect_err("taken");
        assert!(refused.contains("192.168.122.0/24"), "{refused}");
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        for (asked, hosts, word) in [
            ("10.1.0.0/24", 1, "10.1.0.2"),
            ("10.1.0.1/24", 1, "10.1.0.2"),
            ("10.1.0.253/24", 3, "room for 2"),
            ("10.1.0.255/24", 1, "room for 0"),
            ("10.1.0.9/30", 1, "/29"),
            ("127.0.0.5/24", 1, "private"),
            ("224.0.0.5/24", 1, "private"),
            ("255.255.255.250/29", 1, "private"),
            ("0.0.0.9/24", 1, "private"),
        ] {
            let refused = choose(Some(net(asked)), hosts, &[]).expect_err(asked);
            assert!(refused.contains(word), "{asked}: {refused}");
        }
        assert_eq!(choose(Some(net("10.1.0.253/24")), 2, &[]).expect("fits").hosts.len(), 2);
    }
}
