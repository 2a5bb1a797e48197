//! What the kernel says itself of settings of links: forwarding, `rp_filter` and a few others (RTM_NEWNETCONF of netconf.h), whichever way
//! they were changed.

use crate::rtnl;

/// RTM_NEWNETCONF of rtnetlink.h.
const NEW: u16 = 80;
/// Length of `nlmsghdr` and, padded, of `netconfmsg`.
const HEADER: usize = 16 + 4;
/// NETCONFA_IFINDEX of netconf.h.
const INDEX: u16 = 1;

/// Whose settings changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// Those of the link of this index.
    Link(u32),
    /// Those of all links, or of links to come.
    Stack,
}

/// What the messages of a datagram say of settings.
pub(crate) fn read_all(datagram: &[u8]) -> impl Iterator<Item = Of> {
    rtnl::parts(datagram).filter(|part| part.kind == NEW).filter_map(|part| {
        let index = rtnl::attribute(part.whole.get(HEADER..)?, INDEX)?;
        let index = i32::from_ne_bytes(index.try_into().ok()?);
        // NETCONFA_IFINDEX_ALL is -1, NETCONFA_IFINDEX_DEFAULT is -2.
        Some(u32::try_from(index).map_or(Of::Stack, Of::Link))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, index: i32) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(28u32.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend([2, 0, 0, 0]);
        bytes.extend(8u16.to_ne_bytes());
        bytes.extend(INDEX.to_ne_bytes());
        bytes.extend(index.to_ne_bytes());
        bytes
    }

    #[test]
    fn links_and_the_stack_are_told_apart() {
        let datagram = [message(NEW, 7), message(81, 8), message(NEW, -1), message(16, 9), message(NEW, -2)].concat();
        assert_eq!(read_all(&datagram).collect::<Vec<_>>(), [Of::Link(7), Of::Stack, Of::Stack]);
    }

    #[test]
    fn what_is_cut_short_says_nothing() {
        let whole = message(NEW, 7);
        for length in 0..whole.len() {
            assert_eq!(read_all(&whole[..length]).count(), 0, "{length}");
        }
        let mut lying = message(NEW, 7);
        lying[0] = 24;
        assert_eq!(read_all(&lying).count(), 0);
    }
}
