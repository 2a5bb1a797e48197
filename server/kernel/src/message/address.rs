//! Addresses on links.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressProtocol};
use netloom_plan::object::ADDRESS_PROTOCOL;
use nix::errno::Errno;
use rtnetlink::AddressMessageBuilder;

use crate::error::Failure;
use crate::rtnl::{Request, Rtnl};

/// An address as a dump has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Index of its link.
    pub(crate) link: u32,
    /// The address.
    pub(crate) address: IpAddr,
    /// Length of the prefix, in bits.
    pub(crate) prefix_length: u8,
    /// IPv4 broadcast address.
    pub(crate) broadcast: Option<Ipv4Addr>,
    /// Whether it carries our mark.
    pub(crate) ours: bool,
    /// Whether the kernel set it by itself: loopback, link-local, from router advertisements.
    pub(crate) automatic: bool,
}

/// All addresses of the socket's namespace.
pub(crate) fn dump(rtnl: &mut Rtnl) -> Result<Vec<Seen>, Failure> {
    let answer = rtnl.dump(&RouteNetlinkMessage::GetAddress(AddressMessage::default()))?;
    Ok(answer.iter().filter_map(read).collect())
}

/// The addresses of one link; none when it is gone. The kernel doesn't go through the other links for it, of which a host may have a thousand.
pub(crate) fn of_link(rtnl: &mut Rtnl, link: u32) -> Result<Vec<Seen>, Failure> {
    let mut message = AddressMessage::default();
    message.header.index = link;
    let answer = match rtnl.dump(&RouteNetlinkMessage::GetAddress(message)) {
        Err(failure) if failure.is(&[Errno::ENODEV]) => return Ok(Vec::new()),
        answer => answer?,
    };
    // A kernel without strict checking of dumps (before 4.20) sends all.
    Ok(answer.iter().filter_map(read).filter(|seen| seen.link == link).collect())
}

/// What a message says.
pub(crate) fn read(message: &RouteNetlinkMessage) -> Option<Seen> {
    let (RouteNetlinkMessage::NewAddress(message) | RouteNetlinkMessage::DelAddress(message)) = message else {
        return None;
    };
    let (mut peer, mut local, mut broadcast, mut protocol) = (None, None, None, 0);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Address(address) => peer = Some(*address),
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Broadcast(address) => broadcast = Some(*address),
            AddressAttribute::Protocol(word) => protocol = u8::from(*word),
            _ => {}
        }
    }
    // On a point-to-point link IFA_ADDRESS is the other end's; IFA_LOCAL is always this end's.
    let address = local.or(peer)?;
    let kernels = [AddressProtocol::Loopback, AddressProtocol::RouterAnnouncement, AddressProtocol::LinkLocal];
    Some(Seen {
        link: message.header.index,
        address,
        prefix_length: message.header.prefix_len,
        broadcast,
        ours: protocol == ADDRESS_PROTOCOL,
        automatic: kernels.into_iter().any(|kernel| u8::from(kernel) == protocol)
            || matches!(address, IpAddr::V6(address) if address.is_unicast_link_local() && protocol == 0)
            || address.is_loopback(),
    })
}

/// Sets an address of ours: with broadcast for IPv4, without duplicate detection (it was asked about before) for IPv6.
pub(crate) fn create(link: u32, address: IpAddr, prefix_length: u8) -> Request {
    let mut message = build(link, address, prefix_length);
    message.attributes.push(AddressAttribute::Protocol(AddressProtocol::from(ADDRESS_PROTOCOL)));
    if address.is_ipv6() {
        message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
    }
    Request { message: RouteNetlinkMessage::NewAddress(message), flags: NLM_F_CREATE | NLM_F_EXCL }
}

/// Sets an address without our mark: a lab host's own, which its daemon is to take for the host's.
pub(crate) fn create_unmarked(link: u32, address: IpAddr, prefix_length: u8) -> Request {
    let message = build(link, address, prefix_length);
    Request { message: RouteNetlinkMessage::NewAddress(message), flags: NLM_F_CREATE | NLM_F_EXCL }
}

/// Removes an address; whether it is ours must have been looked at.
pub(crate) fn delete(link: u32, address: IpAddr, prefix_length: u8) -> Request {
    Request { message: RouteNetlinkMessage::DelAddress(build(link, address, prefix_length)), flags: 0 }
}

fn build(link: u32, address: IpAddr, prefix_length: u8) -> AddressMessage {
    match address {
        IpAddr::V4(address) => {
            AddressMessageBuilder::<Ipv4Addr>::new().index(link).address(address, prefix_length).build()
        }
        IpAddr::V6(address) => {
            AddressMessageBuilder::<Ipv6Addr>::new().index(link).address(address, prefix_length).build()
        }
    }
}
