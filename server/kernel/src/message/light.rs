//! Link messages without what nobody here reads.
//!
//! The kernel says everything of a link each time: more than half of a message are the settings and counters of its IPv4 and IPv6, which
//! would be taken apart into some hundred values for nothing, and what a bridge and each of its ports is like are forty each. What must not live here: what the rest means (`message::link` and those who
//! read bridge ports).

use netlink_packet_core::{DecodeError, NlaBuffer, NlasIterator, ParseableParametrized};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkHeader, LinkMessage};

/// RTM_NEWLINK and RTM_DELLINK of rtnetlink.h.
const NEW: u16 = 16;
const DEL: u16 = 17;
/// Length of `ifinfomsg` in bytes.
const HEADER: usize = 16;
/// The attributes that are read, by their numbers in if_link.h: IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_PROTINFO,
/// IFLA_LINKINFO, IFLA_IFALIAS, IFLA_STATS64, IFLA_GROUP, IFLA_LINK_NETNSID, IFLA_NEW_NETNSID.
const READ: [u16; 12] = [1, 3, 4, 5, 10, PORT_SETTINGS, KIND_OF_LINK, 20, 23, 27, 37, 45];
/// IFLA_PROTINFO: in a message of a bridge's, how it treats a port.
const PORT_SETTINGS: u16 = 12;
/// IFLA_LINKINFO.
const KIND_OF_LINK: u16 = 18;
/// Within that: IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA.
const KIND: u16 = 1;
const DATA: u16 = 2;
const PORT_KIND: u16 = 4;
const PORT_DATA: u16 = 5;
/// Of how a bridge treats a port, in either place: IFLA_BRPORT_STATE, _MODE, _LEARNING, _UNICAST_FLOOD, _MCAST_FLOOD, _BCAST_FLOOD, _NEIGH_SUPPRESS,
/// _ISOLATED.
const OF_PORT: [u16; 8] = [1, 4, 8, 9, 27, 30, 32, 33];
/// Of a bridge: IFLA_BR_STP_STATE, _MCAST_SNOOPING. Of a macvlan: IFLA_MACVLAN_MODE. Of a VXLAN device: IFLA_VXLAN_ID, _LOCAL, _LEARNING, _PORT, _LOCAL6, _DF.
const OF_KIND: [(&[u8], &[u16]); 3] =
    [(b"bridge\0", &[5, 23]), (b"macvlan\0", &[1]), (b"vxlan\0", &[1, 4, 7, 15, 17, 29])];
/// Length of an attribute's header in bytes.
const ATTRIBUTE: usize = 4;

/// A link's message by its kind and what follows the netlink header; nothing for messages of other kinds.
pub(crate) fn decode(kind: u16, payload: &[u8]) -> Option<Result<RouteNetlinkMessage, DecodeError>> {
    match kind {
        NEW => Some(link(payload).map(RouteNetlinkMessage::NewLink)),
        DEL => Some(link(payload).map(RouteNetlinkMessage::DelLink)),
        _ => None,
    }
}

fn link(payload: &[u8]) -> Result<LinkMessage, DecodeError> {
    let mut message = LinkMessage::default();
    message.header = LinkHeader::parse(payload)?;
    let family = message.header.interface_family;
    let mut kept = Vec::new();
    for attribute in NlasIterator::new(payload.get(HEADER..).unwrap_or_default()) {
        let attribute = attribute?;
        let value = attribute.value();
        kept.clear();
        match attribute.kind() {
            kind @ PORT_SETTINGS if family == AddressFamily::Bridge => {
                nested(kind, &mut kept, |kept| only(value, &OF_PORT, kept))?;
            }
            kind @ KIND_OF_LINK => nested(kind, &mut kept, |kept| kind_of_link(value, kept))?,
            kind if READ.contains(&kind) => {
                message.attributes.push(LinkAttribute::parse_with_param(&attribute, family)?);
                continue;
            }
            _ => continue,
        }
        // The library refuses one with nothing in it, as of a bond's port.
        if kept.len() > ATTRIBUTE {
            message.attributes.push(LinkAttribute::parse_with_param(&NlaBuffer::new(&kept), family)?);
        }
    }
    Ok(message)
}

/// What is read of IFLA_LINKINFO.
fn kind_of_link(value: &[u8], kept: &mut Vec<u8>) -> Result<(), DecodeError> {
    let (mut of_kind, mut of_port): (&[u16], &[u16]) = (&[], &[]);
    for attribute in NlasIterator::new(value) {
        let attribute = attribute?;
        match attribute.kind() {
            KIND => {
                let known = OF_KIND.iter().find(|(kind, _)| *kind == attribute.value());
                of_kind = known.map_or(&[], |(_, read)| read);
                push(&attribute, kept);
            }
            DATA if !of_kind.is_empty() => {
                nested(DATA, kept, |kept| only(attribute.value(), of_kind, kept))?;
            }
            PORT_KIND if attribute.value() == b"bridge\0" => {
                of_port = &OF_PORT;
                push(&attribute, kept);
            }
            PORT_DATA if !of_port.is_empty() => {
                nested(PORT_DATA, kept, |kept| only(attribute.value(), of_port, kept))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Those attributes of these kinds.
fn only(value: &[u8], kinds: &[u16], kept: &mut Vec<u8>) -> Result<(), DecodeError> {
    for attribute in NlasIterator::new(value) {
        let attribute = attribute?;
        if kinds.contains(&attribute.kind()) {
            push(&attribute, kept);
        }
    }
    Ok(())
}

/// An attribute as it is, up to where the next may begin (NLA_ALIGNTO).
fn push(attribute: &NlaBuffer<&[u8]>, kept: &mut Vec<u8>) {
    let value = attribute.value();
    kept.extend(head(attribute.kind(), value.len()));
    kept.extend_from_slice(value);
    kept.resize(kept.len().next_multiple_of(ATTRIBUTE), 0);
}

/// An attribute with others in it.
fn nested(
    kind: u16,
    kept: &mut Vec<u8>,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let start = kept.len();
    kept.extend(head(kind, 0));
    fill(kept)?;
    let length = kept.len() - start - ATTRIBUTE;
    kept[start..start + ATTRIBUTE].copy_from_slice(&head(kind, length));
    Ok(())
}

/// An attribute's header (struct nlattr): its whole length, which is at most that of one before and what aligns it, and its kind.
fn head(kind: u16, length: usize) -> [u8; ATTRIBUTE] {
    let [a, b] = ((ATTRIBUTE + length) as u16).to_ne_bytes();
    let [c, d] = kind.to_ne_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::{DefaultNla, Emitable, Parseable};
    use netlink_packet_route::link::{
        AfSpecInet, AfSpecUnspec, InetDevConf, InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoMacVlan,
        InfoPortData, InfoPortKind, InfoVlan, InfoVxlan, LinkInfo, LinkProtoInfoBridge, MacVlanMode, Stats64, VxlanDf,
    };

    use crate::message::link;

    use super::*;

    fn message(attributes: Vec<LinkAttribute>) -> (LinkMessage, Vec<u8>) {
        let mut message = LinkMessage::default();
        message.header.interface_family = AddressFamily::Unspec;
        message.header.index = 7;
        message.attributes = attributes;
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        (message, bytes)
    }

    #[test]
    fn what_is_read_is_there_and_the_rest_is_not() {
        let read = vec![
            LinkAttribute::IfName("eth0".to_owned()),
            LinkAttribute::Mtu(1400),
            LinkAttribute::IfAlias("netloom:x".to_owned()),
            LinkAttribute::Group(3),
            LinkAttribute::Controller(9),
            LinkAttribute::LinkNetNsId(2),
            LinkAttribute::Stats64(Stats64::default()),
        ];
        let settings = AfSpecUnspec::Inet(vec![AfSpecInet::DevConf(InetDevConf::default())]);
        let mut all = read.clone();
        all.insert(2, LinkAttribute::AfSpecUnspec(vec![settings]));
        all.insert(4, LinkAttribute::TxQueueLen(1000));
        let (mut expected, bytes) = message(all);
        expected.attributes = read;
        for kind in [NEW, DEL] {
            let decoded = decode(kind, &bytes).expect("a link's").expect("whole");
            let (RouteNetlinkMessage::NewLink(decoded) | RouteNetlinkMessage::DelLink(decoded)) = decoded else {
                panic!("{decoded:?}")
            };
            assert_eq!(decoded, expected);
        }
    }

    /// What is read of a message that was taken apart whole.
    fn read_whole(bytes: &[u8]) -> RouteNetlinkMessage {
        RouteNetlinkMessage::NewLink(LinkMessage::parse(bytes).expect("whole"))
    }

    fn read_light(bytes: &[u8]) -> RouteNetlinkMessage {
        decode(NEW, bytes).expect("a link's").expect("whole")
    }

    #[test]
    fn a_link_is_read_as_from_the_whole_message() {
        let of_port = |is_so| {
            vec![
                InfoBridgePort::Priority(1),
                InfoBridgePort::HairpinMode(is_so),
                InfoBridgePort::Learning(is_so),
                InfoBridgePort::UnicastFlood(is_so),
                InfoBridgePort::MulticastFlood(is_so),
                InfoBridgePort::BroadcastFlood(is_so),
                InfoBridgePort::NeighSupress(is_so),
                InfoBridgePort::Isolated(is_so),
                InfoBridgePort::Cost(2),
            ]
        };
        let port = |is_so| {
            let data = InfoPortData::BridgePort(of_port(is_so));
            vec![LinkInfo::PortKind(InfoPortKind::Bridge), LinkInfo::PortData(data)]
        };
        let veth = |is_so| [vec![LinkInfo::Kind(InfoKind::Veth)], port(is_so)].concat();
        let bridge = |is_so| {
            let data = vec![InfoBridge::HelloTime(2), InfoBridge::MulticastSnooping(is_so), InfoBridge::MaxAge(3)];
            vec![LinkInfo::Kind(InfoKind::Bridge), LinkInfo::Data(InfoData::Bridge(data))]
        };
        let macvlan = |mode| {
            let data = vec![InfoMacVlan::Mode(mode), InfoMacVlan::MacAddrCount(3)];
            vec![LinkInfo::Kind(InfoKind::MacVlan), LinkInfo::Data(InfoData::MacVlan(data))]
        };
        let vxlan = |local, is_so, df| {
            let data = vec![
                InfoVxlan::Id(4097),
                InfoVxlan::Ttl(64),
                local,
                InfoVxlan::Port(4789),
                InfoVxlan::Learning(is_so),
                InfoVxlan::Ageing(300),
                InfoVxlan::Df(df),
            ];
            vec![LinkInfo::Kind(InfoKind::Vxlan), LinkInfo::Data(InfoData::Vxlan(data))]
        };
        let cases = [
            (bridge(true), true),
            (bridge(false), false),
            (veth(true), true),
            (veth(false), true),
            // A device of the hardware's has no kind.
            (port(true), true),
            (macvlan(MacVlanMode::Vepa), true),
            (macvlan(MacVlanMode::Private), true),
            (vxlan(InfoVxlan::Local([192, 0, 2, 1].into()), true, VxlanDf::Set), true),
            (vxlan(InfoVxlan::Local6("2001:db8::1".parse().expect("an address")), false, VxlanDf::Unset), true),
            (vec![LinkInfo::Kind(InfoKind::Vlan), LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Id(7)]))], false),
            (vec![LinkInfo::PortKind(InfoPortKind::Bond)], false),
            (vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::PortKind(InfoPortKind::Vrf)], false),
        ];
        let none = read_light(&message(vec![LinkAttribute::Mtu(1400)]).1);
        let none = link::read(&none).expect("a link");
        for (said, tells) in cases {
            let (_, bytes) = message(vec![LinkAttribute::Mtu(1400), LinkAttribute::LinkInfo(said.clone())]);
            let [light, whole] = [read_light(&bytes), read_whole(&bytes)].map(|message| link::read(&message));
            assert_eq!(light, whole, "{said:?}");
            let seen = light.expect("a link");
            assert_eq!(link::Seen { kind: None, ..seen } != none, tells, "{said:?}");
        }
        let (_, bytes) = message(vec![LinkAttribute::LinkInfo(bridge(true))]);
        let RouteNetlinkMessage::NewLink(light) = read_light(&bytes) else { panic!("a link's") };
        let read = vec![InfoBridge::MulticastSnooping(true)];
        let read = vec![LinkInfo::Kind(InfoKind::Bridge), LinkInfo::Data(InfoData::Bridge(read))];
        assert_eq!(light.attributes, [LinkAttribute::LinkInfo(read)], "and no more than that");
    }

    #[test]
    fn what_a_bridge_says_of_a_port_is_read_as_from_the_whole_message() {
        let flag = |kind: u16, is_so: bool| LinkProtoInfoBridge::Other(DefaultNla::new(kind, vec![u8::from(is_so)]));
        for told in 0..1_u32 << OF_PORT.len() {
            let settings = (1..40).map(|kind| {
                let place = OF_PORT.iter().position(|read| *read == kind);
                flag(kind, place.is_some_and(|place| told & (1 << place) != 0))
            });
            let (mut message, _) = message(vec![LinkAttribute::ProtoInfoBridge(settings.collect())]);
            message.header.interface_family = AddressFamily::Bridge;
            let mut bytes = vec![0; message.buffer_len()];
            message.emit(&mut bytes);
            let [light, whole] = [read_light(&bytes), read_whole(&bytes)].map(|message| link::read_port(&message));
            assert!(light.is_some() && light == whole, "{light:?} {whole:?}");
        }
        let (mut empty, _) = message(vec![LinkAttribute::ProtoInfoBridge(vec![flag(1, true)])]);
        empty.header.interface_family = AddressFamily::Bridge;
        let mut bytes = vec![0; empty.buffer_len()];
        empty.emit(&mut bytes);
        assert_eq!(link::read_port(&read_light(&bytes)), None);
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let (_, bytes) = message(vec![LinkAttribute::IfName("eth0".to_owned())]);
        for length in [0, 1, HEADER - 1, HEADER + 3, HEADER + 8] {
            assert!(decode(NEW, &bytes[..length]).is_some_and(|decoded| decoded.is_err()), "{length} bytes");
        }
        assert!(decode(NEW, &bytes[..HEADER]).is_some_and(|decoded| decoded.is_ok()));
        assert!(decode(20, &bytes).is_none(), "of another kind");
    }
}
