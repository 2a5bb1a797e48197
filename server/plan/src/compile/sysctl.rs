//! The settings a safe sandbox has (a new namespace inherits the host's `ip_forward`, and accepts router advertisements).

use crate::object::{Object, Place, Sysctl};

/// The host's own `arp_ignore`: the kernel takes the greater of it and the link's.
pub(super) const HOST_ARP_IGNORE: &str = "net/ipv4/conf/all/arp_ignore";
/// Whether the host forwards IPv6 at all: a link's own setting is about router advertisements.
pub(super) const HOST_IPV6_FORWARDING: &str = "net/ipv6/conf/all/forwarding";

/// A made namespace: what its links inherit (`default`) and what holds for all of them. Set before the links are made.
const MADE: &[(&str, &str)] = &[
    // Writing ip_forward sets `forwarding` of all, default and every link.
    ("net/ipv4/ip_forward", "0"),
    ("net/ipv4/conf/default/forwarding", "0"),
    ("net/ipv4/conf/all/rp_filter", "2"),
    ("net/ipv4/conf/default/rp_filter", "2"),
    // Of two links on one segment only the one that has an address answers for it (docs/adr/0011); the kernel takes the
    // greater of `all` and the link's.
    ("net/ipv4/conf/all/arp_ignore", "1"),
    ("net/ipv4/conf/all/arp_announce", "2"),
    ("net/ipv6/conf/all/forwarding", "0"),
    ("net/ipv6/conf/default/forwarding", "0"),
    ("net/ipv6/conf/all/accept_ra", "0"),
    ("net/ipv6/conf/default/accept_ra", "0"),
    ("net/ipv6/conf/all/autoconf", "0"),
    ("net/ipv6/conf/default/autoconf", "0"),
];

/// A link in a made namespace, which inherits them: what decides about packets by the link's own setting, whatever that of the stack is.
const MADE_LINK: &[(&str, &str, &str)] = &[
    ("net/ipv4/conf", "forwarding", "0"),
    ("net/ipv6/conf", "forwarding", "0"),
    ("net/ipv6/conf", "accept_ra", "0"),
    ("net/ipv6/conf", "autoconf", "0"),
];

/// The same of one that has an IPv6 address. Without one, whether there is IPv6 is left to who lives there.
const MADE_LINK_IPV6: &[(&str, &str, &str)] = &[("net/ipv6/conf", "disable_ipv6", "0")];

/// One of our links in an adopted namespace, whose other settings are its owner's.
const ADOPTED_LINK: &[(&str, &str, &str)] = &[
    ("net/ipv4/conf", "forwarding", "0"),
    ("net/ipv4/conf", "rp_filter", "2"),
    ("net/ipv4/conf", "arp_ignore", "1"),
    ("net/ipv4/conf", "arp_announce", "2"),
    ("net/ipv6/conf", "forwarding", "0"),
    ("net/ipv6/conf", "accept_ra", "0"),
    ("net/ipv6/conf", "autoconf", "0"),
];

/// The shim on the host: it must answer ARP for the host's address on its parent, and has no business with IPv6 (it would
/// take a router's advertisement for the host).
const SHIM: &[(&str, &str, &str)] = &[("net/ipv4/conf", "arp_ignore", "0"), ("net/ipv6/conf", "disable_ipv6", "1")];

/// A bridge: the sandboxes' router. Without `accept_dad` 0 it hears no IPv6 for two seconds while it asks whether its own
/// addresses are free, on a segment that is ours.
const BRIDGE: &[(&str, &str, &str)] =
    &[("net/ipv6/conf", "accept_dad", "0"), ("net/ipv6/conf", "accept_ra", "0"), ("net/ipv6/conf", "autoconf", "0")];

/// The overlay namespace: it forwards nothing, and its links make no address. IPv6 stays on: a bridge without it knows no IPv6 neighbours.
const OVERLAY: &[(&str, &str)] = &[
    ("net/ipv4/ip_forward", "0"),
    ("net/ipv4/conf/default/forwarding", "0"),
    ("net/ipv6/conf/all/forwarding", "0"),
    ("net/ipv6/conf/default/forwarding", "0"),
    ("net/ipv6/conf/all/disable_ipv6", "0"),
    ("net/ipv6/conf/default/disable_ipv6", "0"),
    ("net/ipv6/conf/default/accept_ra", "0"),
    // IN6_ADDR_GEN_MODE_NONE.
    ("net/ipv6/conf/default/addr_gen_mode", "1"),
];

/// Whether rules for routed packets see those that a bridge there passes on: with `br_netfilter` a new namespace begins with 1, without it there
/// are no such settings.
const OVERLAY_BRIDGED: &[&str] = &[
    "net/bridge/bridge-nf-call-arptables",
    "net/bridge/bridge-nf-call-ip6tables",
    "net/bridge/bridge-nf-call-iptables",
];

/// A bridge there, which inherits them.
const OVERLAY_LINK: &[(&str, &str, &str)] =
    &[("net/ipv6/conf", "disable_ipv6", "0"), ("net/ipv6/conf", "addr_gen_mode", "1")];

/// What lets the host's own packets from loopback leave by a bridge, once their destination was translated.
pub(super) fn route_localnet(bridge: &str) -> Object {
    let path = format!("net/ipv4/conf/{bridge}/route_localnet");
    Object::Sysctl(Sysctl { place: Place::Host, path, value: "1".to_owned() })
}

/// Settings of a made namespace.
pub(super) fn made(place: Place, without_ipv6: bool) -> Vec<Object> {
    MADE.iter()
        .filter(|(path, _)| !without_ipv6 || !path.starts_with("net/ipv6/"))
        .map(|(path, value)| Object::Sysctl(Sysctl { place, path: (*path).to_owned(), value: (*value).to_owned() }))
        .collect()
}

/// Settings of the overlay namespace.
pub(super) fn overlay(without_ipv6: bool) -> Vec<Object> {
    let place = Place::Overlay;
    let setting = |(path, value): &(&str, &str)| {
        Object::Sysctl(Sysctl { place, path: (*path).to_owned(), value: (*value).to_owned() })
    };
    OVERLAY.iter().filter(|(path, _)| !without_ipv6 || !path.starts_with("net/ipv6/")).map(setting).collect()
}

/// Settings of the overlay namespace that are there with a module of the kernel's only.
pub(super) fn overlay_bridged() -> Vec<Object> {
    let place = Place::Overlay;
    let setting = |path: &&str| Object::Sysctl(Sysctl { place, path: (*path).to_owned(), value: "0".to_owned() });
    OVERLAY_BRIDGED.iter().map(setting).collect()
}

/// Settings that a bridge in the overlay namespace inherits.
pub(super) fn overlay_link(link: &str, without_ipv6: bool) -> Vec<Object> {
    of_link(OVERLAY_LINK, Place::Overlay, link, without_ipv6)
}

/// Settings that a link in a made namespace inherits.
pub(super) fn made_link(place: Place, link: &str, without_ipv6: bool, has_ipv6: bool) -> Vec<Object> {
    let mut settings = of_link(MADE_LINK, place, link, without_ipv6);
    if has_ipv6 {
        settings.extend(of_link(MADE_LINK_IPV6, place, link, without_ipv6));
    }
    settings
}

/// Settings of our link in an adopted namespace.
pub(super) fn adopted_link(place: Place, link: &str, without_ipv6: bool) -> Vec<Object> {
    of_link(ADOPTED_LINK, place, link, without_ipv6)
}

/// Settings of a shim.
pub(super) fn shim(link: &str, without_ipv6: bool) -> Vec<Object> {
    of_link(SHIM, Place::Host, link, without_ipv6)
}

/// Settings of a bridge. With a way out it forwards what comes in by it. Without a gateway of IPv6 the host has no IPv6 there: by the
/// link-local address that the kernel makes sandboxes would get to whatever listens on every address of the host.
pub(super) fn bridge(link: &str, way_out: bool, gateway6: bool, without_ipv6: bool) -> Vec<Object> {
    let (forwarding, disabled6) = (if way_out { "1" } else { "0" }, if gateway6 { "0" } else { "1" });
    let own = [("net/ipv4/conf", "forwarding", forwarding), ("net/ipv6/conf", "disable_ipv6", disabled6)];
    let mut settings = of_link(BRIDGE, Place::Host, link, without_ipv6);
    settings.extend(of_link(&own, Place::Host, link, without_ipv6));
    settings
}

fn of_link(table: &[(&str, &str, &str)], place: Place, link: &str, without_ipv6: bool) -> Vec<Object> {
    table
        .iter()
        .filter(|(family, _, _)| !without_ipv6 || *family != "net/ipv6/conf")
        .map(|(family, setting, value)| {
            let path = format!("{family}/{link}/{setting}");
            Object::Sysctl(Sysctl { place, path, value: (*value).to_owned() })
        })
        .collect()
}
