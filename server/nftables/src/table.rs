//! Tables and their families.

use std::fmt;

use crate::attribute::{find_text, find_u32, put_text, put_u32};
use crate::error::DecodeError;
use crate::message::Message;

const NAME: u16 = 1;
const FLAGS: u16 = 2;
const OWNER: u16 = 7;

/// NFT_TABLE_F_OWNER: only the socket that made the table may change it; `flush ruleset` of others passes it by.
pub const FLAG_OWNER: u32 = 2;
/// NFT_TABLE_F_PERSIST: an owned table stays when its owner's socket closes, and may then be adopted (Linux 6.9).
pub const FLAG_PERSIST: u32 = 4;

/// A protocol family (NFPROTO_*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family(pub u8);

impl Family {
    /// In questions: every family.
    pub const UNSPEC: Self = Self(0);
    /// IPv4 and IPv6 in one.
    pub const INET: Self = Self(1);
    /// IPv4.
    pub const IPV4: Self = Self(2);
    /// ARP.
    pub const ARP: Self = Self(3);
    /// One link's ingress and egress.
    pub const NETDEV: Self = Self(5);
    /// Frames on a bridge.
    pub const BRIDGE: Self = Self(7);
    /// IPv6.
    pub const IPV6: Self = Self(10);
}

impl fmt::Display for Family {
    /// nft's word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::INET => f.write_str("inet"),
            Self::IPV4 => f.write_str("ip"),
            Self::ARP => f.write_str("arp"),
            Self::NETDEV => f.write_str("netdev"),
            Self::BRIDGE => f.write_str("bridge"),
            Self::IPV6 => f.write_str("ip6"),
            Self(other) => write!(f, "family {other}"),
        }
    }
}

/// What identifies a table; displayed as in `nft`: `inet netloom`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId {
    /// Family.
    pub family: Family,
    /// Name.
    pub name: String,
}

impl TableId {
    /// A table of a family by name.
    pub fn new(family: Family, name: impl Into<String>) -> Self {
        Self { family, name: name.into() }
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.family, self.name)
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Which.
    pub id: TableId,
    /// [`FLAG_OWNER`] and [`FLAG_PERSIST`]; 0 for a table that anybody may change.
    pub flags: u32,
    /// Netlink port of the socket that owns it; the kernel's to say, never sent.
    pub owner: Option<u32>,
}

impl Table {
    /// A table owned by the socket that makes it, and staying when that closes.
    pub fn owned(id: TableId) -> Self {
        Self { id, flags: FLAG_OWNER | FLAG_PERSIST, owner: None }
    }

    /// A table that anybody may change.
    pub fn open(id: TableId) -> Self {
        Self { id, flags: 0, owner: None }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_text(out, NAME, &self.id.name);
        put_u32(out, FLAGS, self.flags);
    }

    /// Reads a NEWTABLE.
    pub(crate) fn decode(message: &Message<'_>) -> Result<Self, DecodeError> {
        let missing = DecodeError::Missing { object: "table", attribute: "name" };
        let attributes = message.attributes();
        Ok(Self {
            id: TableId::new(message.family(), find_text(attributes, NAME).ok_or(missing)?),
            flags: find_u32(attributes, FLAGS).unwrap_or(0),
            owner: find_u32(attributes, OWNER),
        })
    }
}

/// The table's name, which every message but GETGEN and NEWGEN has as its first attribute.
pub(crate) fn table_of(message: &Message<'_>, object: &'static str) -> Result<TableId, DecodeError> {
    let name = find_text(message.attributes(), NAME).ok_or(DecodeError::Missing { object, attribute: "table" })?;
    Ok(TableId::new(message.family(), name))
}

/// Appends the name of the table that an object is in.
pub(crate) fn put_table(out: &mut Vec<u8>, table: &TableId) {
    put_text(out, NAME, &table.name);
}
