//! The underlay of a lab's hosts: a bridge, and pairs of links that are nobody's endpoints. None carries our mark: within a
//! host, what carries it is its daemon's.

use std::os::fd::RawFd;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoData, InfoKind, InfoVeth};
use netloom_model::MacAddr;
use rtnetlink::{LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth};

use crate::rtnl::Request;

/// Makes a bridge, down. Its address is said at the making: it must not change with its ports.
pub(crate) fn create_bridge(name: &str, mac: MacAddr) -> Request {
    let message = LinkMessageBuilder::<LinkBridge>::new(name).address(mac.0.to_vec()).build();
    Request { message: RouteNetlinkMessage::NewLink(message), flags: NLM_F_CREATE | NLM_F_EXCL }
}

/// Makes a pair, down: the one end a port of a bridge, the other born in a namespace with its name and address.
pub(crate) fn create_pair(port: &str, bridge: u32, interface: &str, mac: MacAddr, namespace: RawFd) -> Request {
    let end = LinkMessageBuilder::<LinkUnspec>::new()
        .name(interface.to_owned())
        .address(mac.0.to_vec())
        .setns_by_fd(namespace)
        .build();
    let message = LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth)
        .name(port.to_owned())
        .controller(bridge)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(end)))
        .build();
    Request { message: RouteNetlinkMessage::NewLink(message), flags: NLM_F_CREATE | NLM_F_EXCL }
}
