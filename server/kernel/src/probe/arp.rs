//! ARP over Ethernet for IPv4 (RFC 826), as frames.

use std::net::Ipv4Addr;

use etherparse::{ArpHardwareId, ArpOperation, ArpPacket, EtherType, NetSlice, PacketBuilder, SlicedPacket};
use netloom_model::MacAddr;

/// What an ARP frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    /// Whether it answers a request.
    pub(super) reply: bool,
    /// The sender's Ethernet address.
    pub(super) sender: MacAddr,
    /// The sender's address; 0.0.0.0 in a probe (RFC 5227).
    pub(super) sender_address: Ipv4Addr,
    /// The address asked for, or the asker's.
    pub(super) target_address: Ipv4Addr,
}

/// A broadcast request: who has `target`? With sender 0.0.0.0 nobody learns anything from it.
pub(super) fn request(sender: MacAddr, sender_address: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let packet = ArpPacket::new(
        ArpHardwareId::ETHERNET,
        EtherType::IPV4,
        ArpOperation::REQUEST,
        &sender.0,
        &sender_address.octets(),
        &[0; 6],
        &target.octets(),
    );
    let mut frame = Vec::with_capacity(64);
    if let Ok(packet) = packet {
        // Writing to a Vec can't fail, and the lengths above are those of Ethernet and IPv4.
        let _ = PacketBuilder::ethernet2(sender.0, [0xff; 6]).arp(packet).write(&mut frame);
    }
    frame
}

/// Reads a frame; nothing when it is something else.
pub(super) fn read(frame: &[u8]) -> Option<Said> {
    let Some(NetSlice::Arp(arp)) = SlicedPacket::from_ethernet(frame).ok()?.net else { return None };
    let address = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from);
    Some(Said {
        reply: arp.operation() == ArpOperation::REPLY,
        sender: MacAddr(arp.sender_hw_addr().try_into().ok()?),
        sender_address: address(arp.sender_protocol_addr())?,
        target_address: address(arp.target_protocol_addr())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back() {
        let mac = MacAddr([2, 0x42, 192, 168, 122, 2]);
        let (from, to) = (Ipv4Addr::new(192, 168, 122, 2), Ipv4Addr::new(192, 168, 122, 3));
        let frame = request(mac, from, to);
        assert_eq!(frame.len(), 42);
        let expected = Said { reply: false, sender: mac, sender_address: from, target_address: to };
        assert_eq!(read(&frame), Some(expected));
        assert_eq!(read(&frame[..20]), None);
    }
}
