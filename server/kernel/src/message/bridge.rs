//! Bridges, and pairs of links of which one end is a bridge's port.

use std::os::fd::RawFd;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, BridgeStpState, In6AddrGenMode, InfoBridge, InfoData, InfoKind, InfoVeth, LinkAttribute,
};
use netloom_plan::object::{ALIAS_PREFIX, LINK_GROUP, Link, PortSettings, port_mac};
use rtnetlink::{LinkBridge, LinkBridgePort, LinkMessageBuilder, LinkUnspec, LinkVeth};

use crate::rtnl::Request;

/// Queues of either end of a pair, for what it sends and for what it receives.
const QUEUES: u32 = 1;

/// Makes a bridge with an index of our choice, down and in our group: from this message on it is known as ours.
pub(crate) fn create_bridge(index: u32, link: &Link) -> Request {
    let mut builder = LinkMessageBuilder::<LinkBridge>::new(&link.name)
        .index(index)
        .append_extra_attribute(LinkAttribute::Group(LINK_GROUP));
    // Said at the making: a bridge without an address of its own takes that of a port, and another when that port leaves.
    if let Some(mac) = link.mac {
        builder = builder.address(mac.0.to_vec());
    }
    if let Some(mtu) = link.mtu {
        builder = builder.mtu(mtu);
    }
    Request { message: RouteNetlinkMessage::NewLink(builder.build()), flags: NLM_F_CREATE | NLM_F_EXCL }
}

/// Takes a bridge out of a spanning tree: it has no other bridge beside it, and its ports would wait half a minute before they pass frames.
pub(crate) fn leave_spanning_tree(index: u32) -> Request {
    let builder = LinkMessageBuilder::<LinkBridge>::new_with_info_kind(InfoKind::Bridge).index(index);
    let message = builder.append_info_data(InfoBridge::StpState(BridgeStpState::Disabled)).build();
    Request { message: RouteNetlinkMessage::NewLink(message), flags: 0 }
}

/// The host's end of a pair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Port<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Its index.
    pub(crate) index: u32,
    /// Index of its bridge.
    pub(crate) bridge: u32,
}

/// Makes a pair from the host's socket: the one end becomes a port of a bridge, the other is born in a namespace with its name, index and
/// address. Both are in our group from the first moment. Each has one queue a way, as the kernel gives them, too, but only after it made one for
/// each processor and waited for all of those to let go of the others.
pub(crate) fn create_pair(port: Port<'_>, link: &Link, index: u32, namespace: RawFd) -> Request {
    let mut end = LinkMessageBuilder::<LinkUnspec>::new()
        .name(link.name.clone())
        .index(index)
        .setns_by_fd(namespace)
        .append_extra_attribute(LinkAttribute::NumTxQueues(QUEUES))
        .append_extra_attribute(LinkAttribute::NumRxQueues(QUEUES))
        .append_extra_attribute(LinkAttribute::Group(LINK_GROUP));
    if let Some(mac) = link.mac {
        end = end.address(mac.0.to_vec());
    }
    let mut builder = LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth)
        .name(port.name)
        .index(port.index)
        .address(port_mac(&link.owner).0.to_vec())
        .controller(port.bridge)
        .append_extra_attribute(LinkAttribute::NumTxQueues(QUEUES))
        .append_extra_attribute(LinkAttribute::NumRxQueues(QUEUES))
        .append_extra_attribute(LinkAttribute::Group(LINK_GROUP));
    if let Some(mtu) = link.mtu {
        end = end.mtu(mtu);
        builder = builder.mtu(mtu);
    }
    let message = builder.set_info_data(InfoData::Veth(InfoVeth::Peer(end.build()))).build();
    Request { message: RouteNetlinkMessage::NewLink(message), flags: NLM_F_CREATE | NLM_F_EXCL }
}

/// Has the kernel make no IPv6 address on a port, which needs none, before it is up. Refused where there is no IPv6, as at an MTU below 1280.
pub(crate) fn no_addresses(port: Port<'_>) -> Request {
    let none = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
    let attribute = LinkAttribute::AfSpecUnspec(vec![none]);
    let message = LinkUnspec::new_with_index(port.index).append_extra_attribute(attribute).build();
    Request { message: RouteNetlinkMessage::SetLink(message), flags: 0 }
}

/// Marks a port as an endpoint's, puts it into its bridge, and brings it up or down; by index.
pub(crate) fn set_port(port: Port<'_>, link: &Link) -> Request {
    let mut builder = LinkUnspec::new_with_index(port.index)
        .controller(port.bridge)
        .alias(format!("{ALIAS_PREFIX}{}", link.owner))
        .append_extra_attribute(LinkAttribute::Group(LINK_GROUP));
    if let Some(mtu) = link.mtu {
        builder = builder.mtu(mtu);
    }
    let builder = if link.up { builder.up() } else { builder.down() };
    Request { message: RouteNetlinkMessage::SetLink(builder.build()), flags: 0 }
}

/// Says how a bridge treats a port. It must be in its bridge already.
pub(crate) fn treat_port(port: Port<'_>, settings: PortSettings) -> Request {
    // The kernel takes a port's settings from this message only, not from RTM_SETLINK.
    let builder = LinkBridgePort::new(port.index).isolated(settings.isolated).hairpin(settings.hairpin);
    let message = builder.learning(settings.learning).flood(settings.flood).build();
    Request { message: RouteNetlinkMessage::NewLink(message), flags: 0 }
}
