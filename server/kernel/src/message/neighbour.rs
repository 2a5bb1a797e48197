//! Forwarding and neighbours: the tables of VXLAN devices and bridges, and whose an address is.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netloom_model::MacAddr;
use netloom_plan::object::ROUTE_PROTOCOL;
use netloom_plan::overlay::{Table, Way};
use nix::errno::Errno;

use crate::error::Failure;
use crate::rtnl::{Request, Rtnl};

/// NUD_NOARP and NUD_PERMANENT of neighbour.h: what does not come and go by itself.
pub(crate) const NOARP: u16 = 0x40;
pub(crate) const PERMANENT: u16 = 0x80;

/// An entry of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Index of the link that it is on.
    pub(crate) link: u32,
    /// What it says.
    pub(crate) entry: Entry,
    /// Whether it stays until somebody removes it.
    pub(crate) lasting: bool,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Where frames to an Ethernet address go.
    Forwarding(MacAddr, Way),
    /// The Ethernet address that an address has; none while it has none.
    Neighbour(IpAddr, Option<MacAddr>),
}

/// What a message says, if it is about something that is not the bridge's or the link's own.
pub(crate) fn read(message: &RouteNetlinkMessage) -> Option<Seen> {
    let (RouteNetlinkMessage::NewNeighbour(message) | RouteNetlinkMessage::DelNeighbour(message)) = message else {
        return None;
    };
    let (mut mac, mut to) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = bytes.as_slice().try_into().ok().map(MacAddr),
            NeighbourAttribute::Destination(address) => to = destination(address),
            _ => {}
        }
    }
    let header = &message.header;
    let state = u16::from(header.state);
    let entry = match header.family {
        AddressFamily::Bridge if header.flags.contains(NeighbourFlags::Own) => {
            Entry::Forwarding(mac?, Way::Node(Some(to?)))
        }
        AddressFamily::Bridge if header.state == NeighbourState::Noarp => {
            Entry::Forwarding(mac?, Way::Port { sticky: header.flags.contains(NeighbourFlags::Sticky) })
        }
        AddressFamily::Inet | AddressFamily::Inet6 => Entry::Neighbour(to?, mac),
        _ => return None,
    };
    // A neighbour that needs no question (NUD_NOARP) is the kernel's own: a multicast group.
    let lasting = state & if matches!(entry, Entry::Neighbour(..)) { PERMANENT } else { PERMANENT | NOARP } != 0;
    Some(Seen { link: header.ifindex, entry, lasting })
}

fn destination(address: &NeighbourAddress) -> Option<IpAddr> {
    match address {
        NeighbourAddress::Inet(address) => Some(IpAddr::V4(*address)),
        NeighbourAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        NeighbourAddress::Other(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(bytes.as_slice()).ok().map(IpAddr::from),
            16 => <[u8; 16]>::try_from(bytes.as_slice()).ok().map(IpAddr::from),
            _ => None,
        },
        _ => None,
    }
}

/// All entries of the socket's namespace that last.
pub(crate) fn dump(rtnl: &mut Rtnl) -> Result<Vec<Seen>, Failure> {
    let mut all = Vec::new();
    for family in [AddressFamily::Bridge, AddressFamily::Inet, AddressFamily::Inet6] {
        let mut message = NeighbourMessage::default();
        message.header.family = family;
        let answer = match rtnl.dump(&RouteNetlinkMessage::GetNeighbour(message)) {
            // A kernel without IPv6 has no such neighbours.
            Err(failure) if failure.is(&[Errno::EOPNOTSUPP, Errno::EAFNOSUPPORT]) => continue,
            answer => answer?,
        };
        all.extend(answer.iter().filter_map(read).filter(|seen| seen.lasting));
    }
    Ok(all)
}

/// Where frames to one address go, by the VXLAN device and the table.
pub(crate) fn forwarding(rtnl: &mut Rtnl, link: u32, mac: MacAddr, table: Table) -> Result<Option<Seen>, Failure> {
    ask(rtnl, of_forwarding(link, mac, table))
}

/// Whose one address is on a bridge.
pub(crate) fn neighbour(rtnl: &mut Rtnl, link: u32, address: IpAddr) -> Result<Option<Seen>, Failure> {
    ask(rtnl, of_neighbour(link, address))
}

fn ask(rtnl: &mut Rtnl, question: NeighbourMessage) -> Result<Option<Seen>, Failure> {
    let link = question.header.ifindex;
    match rtnl.ask(RouteNetlinkMessage::GetNeighbour(question)) {
        // A bridge answers for any of its ports.
        Ok(answer) => Ok(read(&answer).filter(|seen| seen.lasting && seen.link == link)),
        Err(failure) if failure.is(&[Errno::ENOENT, Errno::ENODEV, Errno::EINVAL]) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Sends frames somewhere, whether they went anywhere before or not.
pub(crate) fn set_forwarding(link: u32, mac: MacAddr, way: Way) -> Request {
    let mut message = of_forwarding(link, mac, way.table());
    match way {
        Way::Node(node) => {
            message.header.state = NeighbourState::Permanent;
            message.attributes.extend(node.map(|node| NeighbourAttribute::Destination(node.into())));
        }
        Way::Port { sticky } => {
            // What a bridge calls static: it does not age.
            message.header.state = NeighbourState::Noarp;
            message.header.flags.set(NeighbourFlags::Sticky, sticky);
        }
    }
    set(message)
}

/// Says whose an address is, whoever it was before.
pub(crate) fn set_neighbour(link: u32, address: IpAddr, mac: MacAddr) -> Request {
    let mut message = of_neighbour(link, address);
    message.header.state = NeighbourState::Permanent;
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
    message.attributes.push(NeighbourAttribute::Protocol(RouteProtocol::from(ROUTE_PROTOCOL)));
    set(message)
}

/// Removes what says where frames to an address go.
pub(crate) fn delete_forwarding(link: u32, mac: MacAddr, table: Table) -> Request {
    Request { message: RouteNetlinkMessage::DelNeighbour(of_forwarding(link, mac, table)), flags: 0 }
}

/// Removes what says whose an address is.
pub(crate) fn delete_neighbour(link: u32, address: IpAddr) -> Request {
    Request { message: RouteNetlinkMessage::DelNeighbour(of_neighbour(link, address)), flags: 0 }
}

fn set(message: NeighbourMessage) -> Request {
    Request { message: RouteNetlinkMessage::NewNeighbour(message), flags: NLM_F_CREATE | NLM_F_REPLACE }
}

fn of_forwarding(link: u32, mac: MacAddr, table: Table) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = link;
    message.header.flags = match table {
        Table::Tunnel => NeighbourFlags::Own,
        Table::Bridge => NeighbourFlags::Controller,
    };
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
    message
}

fn of_neighbour(link: u32, address: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.ifindex = link;
    message.attributes.push(NeighbourAttribute::Destination(address.into()));
    message
}
