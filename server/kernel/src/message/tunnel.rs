//! Overlay networks' bridges and VXLAN devices.

use std::net::IpAddr;

use netlink_packet_core::{Emitable, NLM_F_CREATE, NLM_F_EXCL, Nla};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    BridgePortState, BridgeStpState, InfoBridge, InfoBridgePort, InfoKind, InfoVxlan, LinkAttribute, LinkFlags,
    LinkProtoInfoBridge, VxlanDf,
};
use netloom_plan::object::{LINK_GROUP, Link};
use netloom_plan::overlay::{Tunnel, TunnelPort};
use rtnetlink::{LinkBridge, LinkBridgePort, LinkMessageBuilder, LinkUnspec, LinkVxlan};

use crate::rtnl::Request;

/// IFLA_BRPORT_STATE, _MODE, _LEARNING, _UNICAST_FLOOD, _MCAST_FLOOD, _BCAST_FLOOD and _NEIGH_SUPPRESS of if_link.h.
const PORT_STATE: u16 = 1;
const PORT_HAIRPIN: u16 = 4;
const PORT_LEARNING: u16 = 8;
const PORT_FLOOD: u16 = 9;
const PORT_MULTICAST: u16 = 27;
const PORT_BROADCAST: u16 = 30;
const PORT_SUPPRESS: u16 = 32;

/// Makes a VXLAN device from a socket in the overlay namespace, down and in our group. The kernel makes it in the host's namespace, by the ID that
/// the socket's has for that, and moves it, in this one message: its packets go by the host's stack, and nothing half-made is ever left there.
pub(crate) fn create(index: u32, link: &Link, tunnel: Tunnel, host: Option<i32>) -> Request {
    let builder = LinkVxlan::new(&link.name, tunnel.vni).port(tunnel.port).learning(tunnel.learning);
    let builder = match tunnel.local {
        IpAddr::V4(local) => builder.local(local),
        IpAddr::V6(local) => builder.local6(local),
    };
    let builder = if tunnel.whole { builder.df(VxlanDf::Set) } else { builder };
    let builder = match host {
        Some(nsid) => builder.append_extra_attribute(LinkAttribute::LinkNetNsId(nsid)),
        None => builder,
    };
    new(index, link, builder)
}

/// Makes a bridge that asks for nobody's multicast groups, down and in our group.
pub(crate) fn create_bridge(index: u32, link: &Link, snooping: bool) -> Request {
    let builder = LinkMessageBuilder::<LinkBridge>::new(&link.name);
    new(index, link, builder.append_info_data(InfoBridge::MulticastSnooping(snooping)))
}

fn new<T>(index: u32, link: &Link, builder: LinkMessageBuilder<T>) -> Request {
    let mut builder = builder.index(index).append_extra_attribute(LinkAttribute::Group(LINK_GROUP));
    if let Some(mac) = link.mac {
        builder = builder.address(mac.0.to_vec());
    }
    if let Some(mtu) = link.mtu {
        builder = builder.mtu(mtu);
    }
    Request { message: RouteNetlinkMessage::NewLink(builder.build()), flags: NLM_F_CREATE | NLM_F_EXCL }
}

/// Says whether a bridge asks for multicast groups, and takes it out of a spanning tree.
pub(crate) fn set_bridge(index: u32, snooping: bool) -> Request {
    let builder = LinkMessageBuilder::<LinkBridge>::new_with_info_kind(InfoKind::Bridge).index(index);
    let builder = builder.append_info_data(InfoBridge::MulticastSnooping(snooping));
    let builder = builder.append_info_data(InfoBridge::StpState(BridgeStpState::Disabled));
    Request { message: RouteNetlinkMessage::NewLink(builder.build()), flags: 0 }
}

/// Puts a link into a bridge beside it.
pub(crate) fn set_controller(index: u32, bridge: u32) -> Request {
    let message = LinkUnspec::new_with_index(index).controller(bridge).build();
    Request { message: RouteNetlinkMessage::SetLink(message), flags: 0 }
}

/// Has a bridge pass frames by a port again. Refused of one that is not running, which the bridge lets pass them by itself once it is.
pub(crate) fn unblock(index: u32) -> Request {
    let message = LinkBridgePort::new(index).state(BridgePortState::Forwarding).build();
    Request { message: RouteNetlinkMessage::NewLink(message), flags: 0 }
}

/// Says how a bridge treats a VXLAN device. It must be in its bridge already.
pub(crate) fn treat(index: u32, port: TunnelPort) -> Request {
    let message = LinkBridgePort::new(index)
        .learning(port.learning)
        .flood(port.flood)
        .mcast_flood(port.multicast)
        .bcast_flood(port.broadcast)
        .neigh_suppress(port.suppress)
        .hairpin(port.hairpin)
        .build();
    Request { message: RouteNetlinkMessage::NewLink(message), flags: 0 }
}

/// What a device was made with, of what a dump says of it.
pub(crate) fn read(data: &[InfoVxlan]) -> Tunnel {
    let local = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
    let mut tunnel = Tunnel { vni: 0, port: 0, local, learning: false, whole: false };
    for attribute in data {
        match attribute {
            InfoVxlan::Id(vni) => tunnel.vni = *vni,
            InfoVxlan::Port(port) => tunnel.port = *port,
            InfoVxlan::Local(local) => tunnel.local = IpAddr::V4(*local),
            InfoVxlan::Local6(local) => tunnel.local = IpAddr::V6(*local),
            InfoVxlan::Learning(learning) => tunnel.learning = *learning,
            InfoVxlan::Df(df) => tunnel.whole = *df == VxlanDf::Set,
            _ => {}
        }
    }
    tunnel
}

/// How its bridge treats a port, of what a dump of links says of it.
pub(crate) fn read_port(data: &[InfoBridgePort], flags: LinkFlags) -> TunnelPort {
    let mut port = TunnelPort::default();
    for attribute in data {
        match attribute {
            InfoBridgePort::Learning(is_so) => port.learning = *is_so,
            InfoBridgePort::UnicastFlood(is_so) => port.flood = *is_so,
            InfoBridgePort::MulticastFlood(is_so) => port.multicast = *is_so,
            InfoBridgePort::BroadcastFlood(is_so) => port.broadcast = *is_so,
            InfoBridgePort::NeighSupress(is_so) => port.suppress = *is_so,
            InfoBridgePort::HairpinMode(is_so) => port.hairpin = *is_so,
            InfoBridgePort::State(state) => port.blocked = is_blocked(*state, flags),
            _ => {}
        }
    }
    port
}

/// The same of what the bridge itself says.
pub(crate) fn read_told_port(settings: &[LinkProtoInfoBridge], flags: LinkFlags) -> TunnelPort {
    let byte = |wanted: u16| {
        settings.iter().filter(|setting| setting.kind() == wanted && setting.value_len() == 1).find_map(|setting| {
            let mut value = vec![0; setting.buffer_len()];
            setting.emit(&mut value);
            value.get(4).copied()
        })
    };
    let flag = |wanted: u16| byte(wanted).is_some_and(|flag| flag != 0);
    TunnelPort {
        learning: flag(PORT_LEARNING),
        flood: flag(PORT_FLOOD),
        multicast: flag(PORT_MULTICAST),
        broadcast: flag(PORT_BROADCAST),
        suppress: flag(PORT_SUPPRESS),
        hairpin: flag(PORT_HAIRPIN),
        blocked: byte(PORT_STATE).is_some_and(|state| is_blocked(state.into(), flags)),
    }
}

/// Whether a bridge passes nothing by a port that could carry something. One that is not running is disabled by the bridge itself.
fn is_blocked(state: BridgePortState, flags: LinkFlags) -> bool {
    state != BridgePortState::Forwarding && flags.contains(LinkFlags::Running)
}
