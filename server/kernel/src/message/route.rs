//! Unicast routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netloom_plan::object::ROUTE_PROTOCOL;
use nix::errno::Errno;
use rtnetlink::RouteMessageBuilder;

use crate::error::Failure;
use crate::rtnl::{Request, Rtnl};

const TABLE_MAIN: u32 = 254;
const TABLE_LOCAL: u32 = 255;

/// A unicast route as a dump has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Destination.
    pub(crate) destination: IpNet,
    /// Next router; of several, the first.
    pub(crate) gateway: Option<IpAddr>,
    /// Index of the link it leaves through; of several, the first.
    pub(crate) link: Option<u32>,
    /// Preferred source address.
    pub(crate) source: Option<IpAddr>,
    /// Routing table number.
    pub(crate) table: u32,
    /// Routing protocol number.
    pub(crate) protocol: u8,
}

impl Seen {
    /// The one address that it leads to; absent when it leads to several.
    pub(crate) fn to_one(&self) -> Option<IpAddr> {
        (self.destination.prefix_len() == self.destination.max_prefix_len()).then(|| self.destination.addr())
    }

    /// Whether it carries our mark, in the table where ours are.
    pub(crate) fn is_ours(&self) -> bool {
        self.protocol == ROUTE_PROTOCOL && self.is_main()
    }

    /// Whether it is in the main table.
    pub(crate) fn is_main(&self) -> bool {
        self.table == TABLE_MAIN
    }

    /// Whether it is the kernel's to the subnet of an address.
    pub(crate) fn is_connected(&self) -> bool {
        self.protocol == u8::from(RouteProtocol::Kernel) && self.gateway.is_none() && self.is_main()
    }

    /// Whether the kernel made it by itself: with an address, or from a router advertisement.
    pub(crate) fn is_automatic(&self) -> bool {
        [RouteProtocol::Kernel, RouteProtocol::Ra, RouteProtocol::IcmpRedirect]
            .into_iter()
            .any(|protocol| u8::from(protocol) == self.protocol)
    }
}

/// What a dump is narrowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Every table but `local`.
    All,
    /// The main table.
    Main,
    /// Ours in the main table.
    Ours,
    /// Those in the main table that leave through this link.
    Through(u32),
}

/// The unicast routes of the socket's namespace, of both families.
pub(crate) fn dump(rtnl: &mut Rtnl, filter: Filter) -> Result<Vec<Seen>, Failure> {
    let mut routes = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut message = RouteMessage::default();
        message.header.address_family = family;
        if filter != Filter::All {
            message.header.table = RouteHeader::RT_TABLE_MAIN;
        }
        if filter == Filter::Ours {
            message.header.protocol = RouteProtocol::from(ROUTE_PROTOCOL);
        }
        if let Filter::Through(link) = filter {
            message.attributes.push(RouteAttribute::Oif(link));
        }
        match rtnl.dump(&RouteNetlinkMessage::GetRoute(message)) {
            Ok(answer) => routes.extend(answer.iter().filter_map(read)),
            // A kernel without IPv6, or without any route of the kind, or without the link.
            Err(failure) if failure.is(&[Errno::EAFNOSUPPORT, Errno::ENOENT, Errno::ENODEV]) => {}
            Err(failure) => return Err(failure),
        }
    }
    // Filters are a courtesy of newer kernels.
    routes.retain(|route| match filter {
        Filter::All => true,
        Filter::Main => route.is_main(),
        Filter::Ours => route.is_ours(),
        Filter::Through(link) => route.is_main() && route.link == Some(link),
    });
    Ok(routes)
}

/// What a message says; nothing for other kinds than unicast, for table `local` and for what is cached.
pub(crate) fn read(message: &RouteNetlinkMessage) -> Option<Seen> {
    let (RouteNetlinkMessage::NewRoute(message) | RouteNetlinkMessage::DelRoute(message)) = message else {
        return None;
    };
    let header = &message.header;
    if header.kind != RouteType::Unicast {
        return None;
    }
    let any = match header.address_family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let mut seen = Seen {
        destination: IpNet::new(any, 0).ok()?,
        gateway: None,
        link: None,
        source: None,
        table: u32::from(header.table),
        protocol: u8::from(header.protocol),
    };
    let mut destination = any;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => destination = ip(address)?,
            RouteAttribute::Gateway(address) => seen.gateway = ip(address),
            RouteAttribute::Via(RouteVia::Inet6(address)) => seen.gateway = Some(IpAddr::V6(*address)),
            RouteAttribute::PrefSource(address) => seen.source = ip(address),
            RouteAttribute::Oif(index) => seen.link = Some(*index),
            RouteAttribute::Table(table) => seen.table = *table,
            RouteAttribute::MultiPath(hops) => {
                let first = hops.first()?;
                seen.link = Some(first.interface_index);
                seen.gateway = first.attributes.iter().find_map(|attribute| match attribute {
                    RouteAttribute::Gateway(address) => ip(address),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    seen.destination = IpNet::new(destination, header.destination_prefix_length).ok()?;
    (seen.table != TABLE_LOCAL).then_some(seen)
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

/// Makes a route of ours.
pub(crate) fn create(link: u32, destination: IpNet, gateway: Option<IpAddr>, source: Option<IpAddr>) -> Request {
    let mut message = build(link, destination, gateway);
    if let Some(source) = source {
        message.attributes.push(RouteAttribute::PrefSource(source.into()));
    }
    Request { message: RouteNetlinkMessage::NewRoute(message), flags: NLM_F_CREATE | NLM_F_EXCL }
}

/// Makes the route to the subnet of an address as the kernel makes it by itself; none where the prefix is none.
pub(crate) fn create_connected(link: u32, address: IpAddr, prefix_length: u8) -> Option<Request> {
    // IP6_RT_PRIO_ADDRCONF of the kernel's net/ip6_route.h.
    const OF_ADDRESS: u32 = 256;
    let mut message = build(link, IpNet::new(address, prefix_length).ok()?.trunc(), None);
    message.header.protocol = RouteProtocol::Kernel;
    message.attributes.push(match address {
        IpAddr::V4(_) => RouteAttribute::PrefSource(address.into()),
        IpAddr::V6(_) => RouteAttribute::Priority(OF_ADDRESS),
    });
    Some(Request { message: RouteNetlinkMessage::NewRoute(message), flags: NLM_F_CREATE | NLM_F_EXCL })
}

/// Makes a default route without our mark: a lab host's own, which its daemon is to take for the host's.
pub(crate) fn create_default_unmarked(link: u32, gateway: Ipv4Addr) -> Request {
    let mut message = RouteMessageBuilder::<Ipv4Addr>::new().output_interface(link).gateway(gateway).build();
    message.header.protocol = RouteProtocol::Static;
    Request { message: RouteNetlinkMessage::NewRoute(message), flags: NLM_F_CREATE | NLM_F_EXCL }
}

/// Removes a route of ours: the kernel compares the protocol number, so that a foreign one is never hit.
pub(crate) fn delete(link: Option<u32>, destination: IpNet, gateway: Option<IpAddr>) -> Request {
    let mut message = build(0, destination, gateway);
    message.attributes.retain(|attribute| !matches!(attribute, RouteAttribute::Oif(_)));
    message.attributes.extend(link.map(RouteAttribute::Oif));
    // Any scope: the kernel knows which it gave.
    message.header.scope = RouteScope::NoWhere;
    Request { message: RouteNetlinkMessage::DelRoute(message), flags: 0 }
}

fn build(link: u32, destination: IpNet, gateway: Option<IpAddr>) -> RouteMessage {
    let scope = if gateway.is_some() || destination.addr().is_ipv6() { RouteScope::Universe } else { RouteScope::Link };
    let mut message = match destination {
        IpNet::V4(net) => {
            RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(net.network(), net.prefix_len()).build()
        }
        IpNet::V6(net) => {
            RouteMessageBuilder::<Ipv6Addr>::new().destination_prefix(net.network(), net.prefix_len()).build()
        }
    };
    message.header.protocol = RouteProtocol::from(ROUTE_PROTOCOL);
    message.header.scope = scope;
    message.attributes.push(RouteAttribute::Oif(link));
    if let Some(gateway) = gateway {
        message.attributes.push(RouteAttribute::Gateway(gateway.into()));
    }
    message
}

/// How the kernel would reach an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// Index of the link it leaves through.
    pub(crate) link: u32,
    /// The next router.
    pub(crate) gateway: Option<IpAddr>,
    /// The source address it would take.
    pub(crate) source: Option<IpAddr>,
    /// Whether the address is the namespace's own.
    pub(crate) local: bool,
}

/// Asks how the socket's namespace reaches an address.
pub(crate) fn path(rtnl: &mut Rtnl, to: IpAddr) -> Result<Path, Failure> {
    let mut message = RouteMessage::default();
    (message.header.address_family, message.header.destination_prefix_length) = match to {
        IpAddr::V4(_) => (AddressFamily::Inet, 32),
        IpAddr::V6(_) => (AddressFamily::Inet6, 128),
    };
    message.attributes.push(RouteAttribute::Destination(to.into()));
    let answer = rtnl.ask(RouteNetlinkMessage::GetRoute(message))?;
    let RouteNetlinkMessage::NewRoute(answer) = answer else {
        return Err(Failure { errno: libc::EPROTO, text: None });
    };
    let mut path = Path { link: 0, gateway: None, source: None, local: answer.header.kind == RouteType::Local };
    for attribute in &answer.attributes {
        match attribute {
            RouteAttribute::Oif(index) => path.link = *index,
            RouteAttribute::Gateway(address) => path.gateway = ip(address),
            RouteAttribute::PrefSource(address) => path.source = ip(address),
            _ => {}
        }
    }
    Ok(path)
}
