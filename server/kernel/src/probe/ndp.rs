//! Neighbour discovery (RFC 4861) over Ethernet, as frames: ARP's part for IPv6.

use std::net::Ipv6Addr;

use etherparse::{LinkSlice, NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use netloom_model::MacAddr;

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const OPTION_SOURCE: u8 = 1;
const OPTION_TARGET: u8 = 2;
/// Neighbour discovery never crosses a router: anything less was forwarded (RFC 4861, 7.1).
const HOP_LIMIT: u8 = 255;

/// What a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    /// Whether it answers a solicitation.
    pub(super) reply: bool,
    /// The Ethernet address of who spoke, by its own word or else by the frame.
    pub(super) sender: MacAddr,
    /// The source address; unspecified while duplicates are looked for (RFC 4862).
    pub(super) source: Ipv6Addr,
    /// The address that it is about.
    pub(super) target: Ipv6Addr,
}

/// The multicast address that the holder of an address listens to, and its Ethernet form (RFC 4291, RFC 2464).
pub(super) fn solicited_node(target: Ipv6Addr) -> (Ipv6Addr, [u8; 6]) {
    let [.., a, b, c] = target.octets();
    let mut octets = [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0];
    octets[13..].copy_from_slice(&[a, b, c]);
    (octets.into(), [0x33, 0x33, 0xff, a, b, c])
}

/// The Ethernet form of ff02::1, which every node listens to.
pub(super) const ALL_NODES: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];

/// A solicitation: who has `target`? With an unspecified source nobody learns anything from it.
pub(super) fn solicitation(sender: MacAddr, source: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let (group, group_mac) = solicited_node(target);
    let mut body = target.octets().to_vec();
    if !source.is_unspecified() {
        body.extend([OPTION_SOURCE, 1]);
        body.extend(sender.0);
    }
    let mut frame = Vec::with_capacity(96);
    // Writing to a Vec can't fail, and the body is far below what a packet holds.
    let _ = PacketBuilder::ethernet2(sender.0, group_mac)
        .ipv6(source.octets(), group.octets(), HOP_LIMIT)
        .icmpv6_raw(SOLICITATION, 0, [0; 4])
        .write(&mut frame, &body);
    frame
}

/// Reads a frame; nothing when it is something else.
pub(super) fn read(frame: &[u8]) -> Option<Said> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(LinkSlice::Ethernet2(ethernet)) = packet.link else { return None };
    let Some(NetSlice::Ipv6(ip)) = packet.net else { return None };
    let Some(TransportSlice::Icmpv6(icmp)) = packet.transport else { return None };
    let kind = icmp.type_u8();
    if ip.header().hop_limit() != HOP_LIMIT || !matches!(kind, SOLICITATION | ADVERTISEMENT) {
        return None;
    }
    let (target, options) = icmp.payload().split_at_checked(16)?;
    let reply = kind == ADVERTISEMENT;
    let wanted = if reply { OPTION_TARGET } else { OPTION_SOURCE };
    let sender = option(options, wanted).unwrap_or(MacAddr(ethernet.source()));
    let target = Ipv6Addr::from(<[u8; 16]>::try_from(target).ok()?);
    Some(Said { reply, sender, source: ip.header().source_addr(), target })
}

/// A link-layer address among the options; each option's length is in units of eight bytes.
fn option(mut options: &[u8], wanted: u8) -> Option<MacAddr> {
    while let [kind, length, ..] = options {
        let length = usize::from(*length) * 8;
        let whole = options.get(..length).filter(|whole| whole.len() >= 8)?;
        if *kind == wanted {
            return whole[2..8].try_into().ok().map(MacAddr);
        }
        options = &options[length..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solicitation_reads_back() {
        let mac = MacAddr([2, 0, 0, 0, 0, 7]);
        let target: Ipv6Addr = "2001:db8::a:b0c:d0e".parse().expect("an address");
        let frame = solicitation(mac, Ipv6Addr::UNSPECIFIED, target);
        assert_eq!(frame[..6], [0x33, 0x33, 0xff, 0x0c, 0x0d, 0x0e]);
        let expected = Said { reply: false, sender: mac, source: Ipv6Addr::UNSPECIFIED, target };
        assert_eq!(read(&frame), Some(expected));
        assert_eq!(read(&frame[..60]), None);
    }
}
