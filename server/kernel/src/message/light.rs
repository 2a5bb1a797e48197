//! Link messages without what nobody here reads.
//!
//! The kernel says everything of a link each time: more than half of a message are the settings and counters of its IPv4 and IPv6, which
//! would be taken apart into some hundred values for nothing. What must not live here: what the rest means (`message::link` and those who
//! read bridge ports).

use netlink_packet_core::{DecodeError, NlasIterator, ParseableParametrized};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkHeader, LinkMessage};

/// RTM_NEWLINK and RTM_DELLINK of rtnetlink.h.
const NEW: u16 = 16;
const DEL: u16 = 17;
/// Length of `ifinfomsg` in bytes.
const HEADER: usize = 16;
/// The attributes that are read, by their numbers in if_link.h: IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_PROTINFO,
/// IFLA_LINKINFO, IFLA_IFALIAS, IFLA_STATS64, IFLA_GROUP, IFLA_LINK_NETNSID, IFLA_NEW_NETNSID.
const READ: [u16; 12] = [1, 3, 4, 5, 10, 12, 18, 20, 23, 27, 37, 45];

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
    for attribute in NlasIterator::new(payload.get(HEADER..).unwrap_or_default()) {
        let attribute = attribute?;
        if READ.contains(&attribute.kind()) {
            message.attributes.push(LinkAttribute::parse_with_param(&attribute, family)?);
        }
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::Emitable;
    use netlink_packet_route::AddressFamily;
    use netlink_packet_route::link::{AfSpecInet, AfSpecUnspec, InetDevConf, Stats64};

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
