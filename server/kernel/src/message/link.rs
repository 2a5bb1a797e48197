//! Links.

use std::time::Duration;

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL, Nla};
use netlink_packet_route::link::{
    BridgeStpState, InfoBridge, InfoBridgePort, InfoData, InfoMacVlan, InfoPortData, LinkAttribute, LinkExtentMask,
    LinkFlags, LinkInfo, LinkMessage, LinkProtoInfoBridge, MacVlanMode, Stats64,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netloom_model::MacAddr;
use netloom_model::network::MacvlanMode;
use netloom_plan::marks::Marks;
use netloom_plan::object::{ALIAS_PREFIX, LEAVING_GROUP, LINK_GROUP, Link, LinkKind, PortSettings};
use netloom_plan::overlay::{Tunnel, TunnelPort};
use nix::errno::Errno;
use rtnetlink::{LinkMacVlan, LinkMessageBuilder, LinkUnspec};

use crate::error::Failure;
use crate::message::tunnel;
use crate::rtnl::{Request, Rtnl};

/// IFLA_TARGET_NETNSID of if_link.h.
const IFLA_TARGET_NETNSID: u16 = 46;
/// IFLA_BRPORT_ISOLATED of if_link.h.
const IFLA_BRPORT_ISOLATED: u16 = 33;

/// A link as a dump has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Index.
    pub(crate) index: u32,
    /// Name.
    pub(crate) name: String,
    /// Kind, by the kernel's word; absent for hardware and loopback.
    pub(crate) kind: Option<String>,
    /// Mode of a macvlan.
    pub(crate) mode: Option<MacVlanMode>,
    /// Ethernet address.
    pub(crate) mac: Option<MacAddr>,
    /// MTU in bytes.
    pub(crate) mtu: u32,
    /// Flags (IFF_*).
    pub(crate) flags: LinkFlags,
    /// Group.
    pub(crate) group: u32,
    /// Alias.
    pub(crate) alias: Option<String>,
    /// Index of the link below it.
    pub(crate) parent: Option<u32>,
    /// nsid of the namespace that the link below it is in, where that is another one.
    pub(crate) parent_nsid: Option<i32>,
    /// Index of the bridge or bond that it belongs to.
    pub(crate) controller: Option<u32>,
    /// How its bridge treats it.
    pub(crate) port: PortSettings,
    /// The same as of a VXLAN device.
    pub(crate) tunnel_port: TunnelPort,
    /// What a VXLAN device was made with.
    pub(crate) tunnel: Option<Tunnel>,
    /// Whether a bridge asks for multicast groups.
    pub(crate) snooping: bool,
    /// Whether it takes part in a spanning tree.
    pub(crate) spanning_tree: bool,
    /// Counters, where they were asked for.
    pub(crate) statistics: Stats64,
}

/// Whose a link is, by its marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark<'a> {
    /// Ours: group and alias. The owner's ID; empty on a link that was left half-made.
    Ours(&'a str),
    /// Somebody else's.
    Foreign,
}

impl Seen {
    /// Whose it is.
    pub(crate) fn mark(&self) -> Mark<'_> {
        match (self.group, &self.alias) {
            // One that we were making when we died.
            (LINK_GROUP, None) => Mark::Ours(""),
            (LINK_GROUP | LEAVING_GROUP, Some(alias)) => {
                alias.strip_prefix(ALIAS_PREFIX).map_or(Mark::Foreign, Mark::Ours)
            }
            _ => Mark::Foreign,
        }
    }

    /// Whether it is ours.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.mark(), Mark::Ours(_))
    }

    /// Which of our marks it carries.
    pub(crate) fn marks(&self) -> Marks {
        match (matches!(self.group, LINK_GROUP | LEAVING_GROUP), self.alias_owner().is_some()) {
            _ if self.is_ours() || self.is_loopback() => Marks::Whole,
            (true, _) => Marks::Group,
            (false, true) => Marks::Alias,
            (false, false) => Marks::None,
        }
    }

    /// Who its alias names as its owner, whatever its group is.
    pub(crate) fn alias_owner(&self) -> Option<&str> {
        self.alias.as_ref()?.strip_prefix(ALIAS_PREFIX)
    }

    /// Whether it is administratively up.
    pub(crate) fn is_up(&self) -> bool {
        self.flags.contains(LinkFlags::Up)
    }

    /// Whether nothing of its own keeps frames from its ports: a bridge that is down has all of them disabled, and one in a spanning tree decides about each.
    pub(crate) fn passes_frames(&self) -> bool {
        self.is_up() && !self.spanning_tree
    }

    /// Whether it asks and answers by ARP, and by neighbour discovery.
    pub(crate) fn has_arp(&self) -> bool {
        !self.flags.contains(LinkFlags::Noarp)
    }

    /// Whether it is the loopback.
    pub(crate) fn is_loopback(&self) -> bool {
        self.flags.contains(LinkFlags::Loopback)
    }

    /// The macvlan mode in our words, where we have one.
    pub(crate) fn macvlan_mode(&self) -> Option<MacvlanMode> {
        match self.mode? {
            MacVlanMode::Bridge => Some(MacvlanMode::Bridge),
            MacVlanMode::Private => Some(MacvlanMode::Private),
            MacVlanMode::Vepa => Some(MacvlanMode::Vepa),
            _ => None,
        }
    }
}

/// Whether counters are asked for: they make up half of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counters {
    /// With them.
    With,
    /// Without.
    Without,
}

/// All links of the socket's namespace.
pub(crate) fn dump(rtnl: &mut Rtnl, counters: Counters) -> Result<Vec<Seen>, Failure> {
    let mut message = LinkMessage::default();
    message.header.interface_family = AddressFamily::Unspec;
    if counters == Counters::Without {
        message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    }
    let answer = rtnl.dump(&RouteNetlinkMessage::GetLink(message))?;
    Ok(answer.iter().filter_map(read).collect())
}

/// The link of a name.
pub(crate) fn by_name(rtnl: &mut Rtnl, name: &str) -> Result<Option<Seen>, Failure> {
    one(rtnl, LinkUnspec::new_with_name(name))
}

/// The link of an index.
pub(crate) fn by_index(rtnl: &mut Rtnl, index: u32) -> Result<Option<Seen>, Failure> {
    one(rtnl, LinkUnspec::new_with_index(index))
}

/// All links of another namespace, by the nsid that the socket's has for it.
pub(crate) fn dump_elsewhere(rtnl: &mut Rtnl, nsid: i32) -> Result<Vec<Seen>, Failure> {
    let mut message = LinkMessage::default();
    message.header.interface_family = AddressFamily::Unspec;
    message.attributes.push(target(nsid));
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    let answer = rtnl.dump(&RouteNetlinkMessage::GetLink(message))?;
    Ok(answer.iter().filter_map(read).collect())
}

/// Removes a link in another namespace; whether it is ours must have been looked at.
pub(crate) fn delete_elsewhere(nsid: i32, index: u32) -> Request {
    let message = LinkUnspec::new_with_index(index).append_extra_attribute(target(nsid)).build();
    Request { message: RouteNetlinkMessage::DelLink(message), flags: 0 }
}

/// IFLA_TARGET_NETNSID, which the library does not know.
fn target(nsid: i32) -> LinkAttribute {
    LinkAttribute::Other(DefaultNla::new(IFLA_TARGET_NETNSID, nsid.to_ne_bytes().to_vec()))
}

fn one(rtnl: &mut Rtnl, question: LinkMessageBuilder<LinkUnspec>) -> Result<Option<Seen>, Failure> {
    let question = question.append_extra_attribute(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    match rtnl.ask(RouteNetlinkMessage::GetLink(question.build())) {
        Ok(answer) => Ok(read(&answer)),
        Err(failure) if failure.is(&[Errno::ENODEV, Errno::ENXIO]) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// What a bridge says of a port: its index, and how it treats it, as a sandbox's and as a VXLAN device.
pub(crate) fn read_port(message: &RouteNetlinkMessage) -> Option<(u32, (PortSettings, TunnelPort))> {
    let RouteNetlinkMessage::NewLink(message) = message else { return None };
    if message.header.interface_family != AddressFamily::Bridge {
        return None;
    }
    let settings = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::ProtoInfoBridge(settings) => Some(settings),
        _ => None,
    })?;
    let flag = |wanted: u16| {
        settings.iter().find_map(|setting| match setting {
            LinkProtoInfoBridge::Other(flag) if flag.kind() == wanted && flag.value_len() == 1 => {
                let mut value = [0];
                flag.emit_value(&mut value);
                Some(value != [0])
            }
            _ => None,
        })
    };
    let (isolated, told) = (flag(IFLA_BRPORT_ISOLATED)?, tunnel::read_told_port(settings, message.header.flags));
    Some((message.header.index, (port_settings(isolated, told), told)))
}

/// How a bridge treats a sandbox's port, but for what its table says.
fn port_settings(isolated: bool, port: TunnelPort) -> PortSettings {
    let TunnelPort { hairpin, learning, flood, blocked, .. } = port;
    PortSettings { isolated, hairpin, learning, flood, listed: false, blocked, senders: None }
}

/// What a message says; nothing for messages of the bridge about its ports.
pub(crate) fn read(message: &RouteNetlinkMessage) -> Option<Seen> {
    let (RouteNetlinkMessage::NewLink(message) | RouteNetlinkMessage::DelLink(message)) = message else {
        return None;
    };
    if message.header.interface_family != AddressFamily::Unspec {
        return None;
    }
    let mut seen = Seen {
        index: message.header.index,
        name: String::new(),
        kind: None,
        mode: None,
        mac: None,
        mtu: 0,
        flags: message.header.flags,
        group: 0,
        alias: None,
        parent: None,
        parent_nsid: None,
        controller: None,
        port: PortSettings::default(),
        tunnel_port: TunnelPort::default(),
        tunnel: None,
        snooping: false,
        spanning_tree: false,
        statistics: Stats64::default(),
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => seen.name.clone_from(name),
            LinkAttribute::Address(bytes) => seen.mac = bytes.as_slice().try_into().ok().map(MacAddr),
            LinkAttribute::Mtu(mtu) => seen.mtu = *mtu,
            LinkAttribute::Group(group) => seen.group = *group,
            LinkAttribute::IfAlias(alias) => seen.alias = Some(alias.clone()).filter(|alias| !alias.is_empty()),
            LinkAttribute::Link(index) => seen.parent = Some(*index),
            LinkAttribute::LinkNetNsId(id) => seen.parent_nsid = Some(*id),
            LinkAttribute::Controller(index) => seen.controller = Some(*index),
            LinkAttribute::Stats64(statistics) => seen.statistics = *statistics,
            LinkAttribute::LinkInfo(infos) => infos.iter().for_each(|info| read_info(&mut seen, info)),
            _ => {}
        }
    }
    Some(seen)
}

fn read_info(seen: &mut Seen, info: &LinkInfo) {
    match info {
        LinkInfo::Kind(kind) => seen.kind = Some(kind.to_string()),
        LinkInfo::Data(InfoData::MacVlan(data)) => {
            seen.mode = data.iter().find_map(|data| match data {
                InfoMacVlan::Mode(mode) => Some(*mode),
                _ => None,
            });
        }
        LinkInfo::Data(InfoData::Vxlan(data)) => seen.tunnel = Some(tunnel::read(data)),
        LinkInfo::Data(InfoData::Bridge(data)) => {
            seen.snooping = data.contains(&InfoBridge::MulticastSnooping(true));
            let is_on =
                |one: &InfoBridge| matches!(one, InfoBridge::StpState(state) if *state != BridgeStpState::Disabled);
            seen.spanning_tree = data.iter().any(is_on);
        }
        LinkInfo::PortData(InfoPortData::BridgePort(data)) => {
            seen.tunnel_port = tunnel::read_port(data, seen.flags);
            seen.port = port_settings(data.contains(&InfoBridgePort::Isolated(true)), seen.tunnel_port);
        }
        _ => {}
    }
}

/// Where a macvlan's parent is, seen from the namespace that the macvlan is made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parent {
    /// Index of the parent.
    pub(crate) index: u32,
    /// nsid of the parent's namespace; absent when it is the same one.
    pub(crate) nsid: Option<i32>,
}

/// Makes a macvlan with an index of our choice, down and in our group: from this message on it is known as ours.
pub(crate) fn create_macvlan(index: u32, link: &Link, mode: MacvlanMode, parent: Parent) -> Request {
    let mode = match mode {
        MacvlanMode::Bridge => MacVlanMode::Bridge,
        MacvlanMode::Private => MacVlanMode::Private,
        MacvlanMode::Vepa => MacVlanMode::Vepa,
    };
    let mut builder = LinkMacVlan::new(&link.name, parent.index, mode)
        .index(index)
        .append_extra_attribute(LinkAttribute::Group(LINK_GROUP));
    if let Some(nsid) = parent.nsid {
        builder = builder.append_extra_attribute(LinkAttribute::LinkNetNsId(nsid));
    }
    if let Some(mac) = link.mac {
        builder = builder.address(mac.0.to_vec());
    }
    if let Some(mtu) = link.mtu {
        builder = builder.mtu(mtu);
    }
    Request { message: RouteNetlinkMessage::NewLink(builder.build()), flags: NLM_F_CREATE | NLM_F_EXCL }
}

/// Sets the second mark, and with it brings the link up where it should be, by index: a name could be somebody else's by now.
pub(crate) fn set_alias(index: u32, owner: &str, up: bool) -> Request {
    let link = LinkUnspec::new_with_index(index).alias(format!("{ALIAS_PREFIX}{owner}"));
    set(if up { link.up() } else { link })
}

/// Brings a link up or down.
pub(crate) fn set_up(index: u32, up: bool) -> Request {
    let link = LinkUnspec::new_with_index(index);
    set(if up { link.up() } else { link.down() })
}

/// Changes what of a link can change while it stands: MTU, Ethernet address, whether it is up; and gives it back a mark that it lost.
pub(crate) fn change(index: u32, from: &Link, to: &Link) -> Request {
    let mut link = LinkUnspec::new_with_index(index);
    if to.arp != from.arp {
        link = link.arp(to.arp);
    }
    if to.kind != LinkKind::Loopback && to.marks != from.marks {
        link =
            link.alias(format!("{ALIAS_PREFIX}{}", to.owner)).append_extra_attribute(LinkAttribute::Group(LINK_GROUP));
    }
    if let Some(mtu) = to.mtu.filter(|_| to.kind != LinkKind::Loopback && to.mtu != from.mtu) {
        link = link.mtu(mtu);
    }
    if let Some(mac) = to.mac.filter(|_| to.kind != LinkKind::Loopback && to.mac != from.mac) {
        link = link.address(mac.0.to_vec());
    }
    set(if to.up { link.up() } else { link.down() })
}

fn set(link: LinkMessageBuilder<LinkUnspec>) -> Request {
    Request { message: RouteNetlinkMessage::SetLink(link.build()), flags: 0 }
}

/// Removes a link; whether it is ours must have been looked at.
pub(crate) fn delete(index: u32) -> Request {
    let message = LinkUnspec::new_with_index(index).build();
    Request { message: RouteNetlinkMessage::DelLink(message), flags: 0 }
}

/// Puts a link of ours among those that are about to go.
pub(crate) fn leave(index: u32) -> Request {
    let message = LinkUnspec::new_with_index(index).append_extra_attribute(LinkAttribute::Group(LEAVING_GROUP)).build();
    Request { message: RouteNetlinkMessage::SetLink(message), flags: 0 }
}

/// Removes every link of a group in one go; whether all of them are ours must have been looked at.
pub(crate) fn delete_group(group: u32) -> Request {
    let message = LinkMessageBuilder::<LinkUnspec>::new().append_extra_attribute(LinkAttribute::Group(group)).build();
    Request { message: RouteNetlinkMessage::DelLink(message), flags: 0 }
}

/// How long a removal may take before we say so; the kernel needs 20 ms, more under load.
pub(crate) const DELETE_WITHIN: Duration = Duration::from_secs(20);
