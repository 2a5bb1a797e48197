//! nfnetlink framing: a netlink header (native byte order), then family, version and resource ID, then attributes
//! (`linux/netfilter/nfnetlink.h`). Acknowledgements and errors are plain netlink (`linux/netlink.h`).

use crate::attribute::{attributes, pad};
use crate::table::Family;

/// NFNL_SUBSYS_NFTABLES.
const SUBSYSTEM: u16 = 10;
const NETLINK_HEADER: usize = 16;
/// Netlink header and nfgenmsg.
const HEADER: usize = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSGERR_ATTR_MSG: u16 = 1;
const NLMSGERR_ATTR_OFFS: u16 = 2;

/// NLM_F_REQUEST: what every question and order has.
pub const REQUEST: u16 = 0x1;
/// NLM_F_ACK: say so when it is done.
pub const ACK: u16 = 0x4;
/// NLM_F_ECHO: tell the sender, too, what listeners are told.
pub const ECHO: u16 = 0x8;
/// NLM_F_DUMP_INTR: what a dump shows changed meanwhile.
pub const DUMP_INTERRUPTED: u16 = 0x10;
/// NLM_F_DUMP: all of a kind.
pub const DUMP: u16 = 0x300;
pub(crate) const REPLACE: u16 = 0x100;
pub(crate) const EXCLUSIVE: u16 = 0x200;
pub(crate) const CREATE: u16 = 0x400;
pub(crate) const APPEND: u16 = 0x800;
const NLM_F_CAPPED: u16 = 0x100;
const NLM_F_ACK_TLVS: u16 = 0x200;

/// NFNL_MSG_BATCH_BEGIN.
pub(crate) const BATCH_BEGIN: u16 = 0x10;
/// NFNL_MSG_BATCH_END.
pub(crate) const BATCH_END: u16 = 0x11;

/// What a message is about (NFT_MSG_*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(pub u16);

#[allow(missing_docs)] // The kernel's names, without their prefix.
impl Kind {
    pub const NEW_TABLE: Self = Self(0);
    pub const GET_TABLE: Self = Self(1);
    pub const DELETE_TABLE: Self = Self(2);
    pub const NEW_CHAIN: Self = Self(3);
    pub const GET_CHAIN: Self = Self(4);
    pub const DELETE_CHAIN: Self = Self(5);
    pub const NEW_RULE: Self = Self(6);
    pub const GET_RULE: Self = Self(7);
    pub const DELETE_RULE: Self = Self(8);
    pub const NEW_SET: Self = Self(9);
    pub const GET_SET: Self = Self(10);
    pub const DELETE_SET: Self = Self(11);
    pub const NEW_ELEMENT: Self = Self(12);
    pub const GET_ELEMENT: Self = Self(13);
    pub const DELETE_ELEMENT: Self = Self(14);
    pub const NEW_GENERATION: Self = Self(15);
    pub const GET_GENERATION: Self = Self(16);
    pub const DESTROY_TABLE: Self = Self(26);
    pub const DESTROY_ELEMENT: Self = Self(30);

    /// As the type of a netlink message.
    pub(crate) fn message_type(self) -> u16 {
        SUBSYSTEM << 8 | self.0
    }
}

/// Appends a message; its attributes are written by a function.
pub(crate) fn put(
    out: &mut Vec<u8>,
    message_type: u16,
    flags: u16,
    sequence: u32,
    (family, resource): (Family, u16),
    attributes: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&message_type.to_ne_bytes());
    out.extend_from_slice(&flags.to_ne_bytes());
    out.extend_from_slice(&sequence.to_ne_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&[family.0, 0]);
    out.extend_from_slice(&resource.to_be_bytes());
    attributes(out);
    pad(out);
    set_length(&mut out[start..]);
}

/// Writes a message's length into its header.
fn set_length(whole: &mut [u8]) {
    // A send is limited to some megabytes by the socket's buffer.
    let length = u32::try_from(whole.len()).unwrap_or(u32::MAX);
    whole[..4].copy_from_slice(&length.to_ne_bytes());
}

/// Writes sequence number and further flags into the header of a message that was built without.
pub(crate) fn stamp(whole: &mut [u8], sequence: u32, flags: u16) {
    let flags = flags | u16::from_ne_bytes([whole[6], whole[7]]);
    whole[6..8].copy_from_slice(&flags.to_ne_bytes());
    whole[8..12].copy_from_slice(&sequence.to_ne_bytes());
}

/// One message of the kernel.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    message_type: u16,
    /// Flags such as [`DUMP_INTERRUPTED`].
    pub flags: u16,
    /// The number of the message that this answers.
    pub sequence: u32,
    /// Netlink port of the socket that asked, or (in a notification) whose order it was.
    pub port: u32,
    whole: &'a [u8],
}

/// The kernel's outcome of one message, or of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// 0, or the errno.
    pub errno: i32,
    /// The kernel's own words, where it gave some.
    pub text: Option<String>,
    /// Where in the refused message the bad attribute begins, counted from the netlink header.
    pub offset: Option<u32>,
}

/// The messages of a datagram.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = number(rest, 0)? as usize;
        let whole = rest.get(..length).filter(|whole| whole.len() >= NETLINK_HEADER)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message {
            message_type: u16::from_ne_bytes([whole[4], whole[5]]),
            flags: u16::from_ne_bytes([whole[6], whole[7]]),
            sequence: number(whole, 8)?,
            port: number(whole, 12)?,
            whole,
        })
    })
}

impl<'a> Message<'a> {
    /// What it is about; absent for what is not nf_tables'.
    pub fn kind(&self) -> Option<Kind> {
        (self.message_type >> 8 == SUBSYSTEM).then_some(Kind(self.message_type & 0xff))
    }

    /// The family of the table that it is about.
    pub fn family(&self) -> Family {
        Family(self.whole.get(NETLINK_HEADER).copied().unwrap_or(0))
    }

    /// The attributes.
    pub(crate) fn attributes(&self) -> &'a [u8] {
        self.whole.get(HEADER..).unwrap_or_default()
    }

    /// The end of a dump: its errno, or 0.
    pub fn done(&self) -> Option<i32> {
        let errno = || number(self.whole, NETLINK_HEADER).map_or(0, |errno| -errno.cast_signed());
        (self.message_type == NLMSG_DONE).then(errno)
    }

    /// The outcome that this message tells, if it tells one.
    pub fn acknowledgement(&self) -> Option<Acknowledgement> {
        if self.message_type != NLMSG_ERROR {
            return None;
        }
        let errno = -number(self.whole, NETLINK_HEADER)?.cast_signed();
        let mut acknowledgement = Acknowledgement { errno, text: None, offset: None };
        for (kind, value) in attributes(self.extended().unwrap_or_default()) {
            match kind {
                NLMSGERR_ATTR_MSG => acknowledgement.text = Some(crate::attribute::text(value)),
                NLMSGERR_ATTR_OFFS => acknowledgement.offset = number(value, 0),
                _ => {}
            }
        }
        Some(acknowledgement)
    }

    /// The attributes of an extended ACK: behind the errno and the header (or, uncapped, the whole) of the refused message.
    fn extended(&self) -> Option<&'a [u8]> {
        if self.flags & NLM_F_ACK_TLVS == 0 {
            return None;
        }
        let echoed = self.whole.get(NETLINK_HEADER + 4..)?;
        let skip = if self.flags & NLM_F_CAPPED == 0 { number(echoed, 0)? as usize } else { NETLINK_HEADER };
        echoed.get(skip.next_multiple_of(4)..)
    }
}

/// A number in native byte order.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
