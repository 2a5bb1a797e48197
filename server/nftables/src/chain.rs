//! Chains: base chains, which hang from a hook, and regular ones, which rules jump to.

use std::fmt;

use crate::attribute::{find, find_text, find_u32, nest, put_text, put_u32};
use crate::error::DecodeError;
use crate::message::Message;
use crate::table::{TableId, put_table, table_of};

const NAME: u16 = 3;
const HOOK: u16 = 4;
const POLICY: u16 = 5;
const TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;

/// A hook, numbered as the families inet, ip and ip6 have it (NF_INET_*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hook(pub u32);

impl Hook {
    /// Packets that come in, before routing.
    pub const PREROUTING: Self = Self(0);
    /// Packets to the host itself.
    pub const INPUT: Self = Self(1);
    /// Packets that are passed on.
    pub const FORWARD: Self = Self(2);
    /// Packets of the host itself.
    pub const OUTPUT: Self = Self(3);
    /// Packets that go out, after routing.
    pub const POSTROUTING: Self = Self(4);
}

impl fmt::Display for Hook {
    /// nft's word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::PREROUTING => f.write_str("prerouting"),
            Self::INPUT => f.write_str("input"),
            Self::FORWARD => f.write_str("forward"),
            Self::OUTPUT => f.write_str("output"),
            Self::POSTROUTING => f.write_str("postrouting"),
            Self(other) => write!(f, "hook {other}"),
        }
    }
}

/// What a base chain may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChainType {
    /// Accept and drop; sees every packet.
    Filter,
    /// Translate addresses; sees the first packet of each connection.
    Nat,
    /// Another type, by the kernel's word; only ever dumped.
    Other(String),
}

impl ChainType {
    fn word(&self) -> &str {
        match self {
            Self::Filter => "filter",
            Self::Nat => "nat",
            Self::Other(word) => word,
        }
    }
}

/// What happens to a packet that no rule decided about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// It goes on.
    Accept,
    /// It ends here.
    Drop,
}

/// What makes a chain a base chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Type.
    pub kind: ChainType,
    /// Where packets enter it.
    pub hook: Hook,
    /// Order among the chains of a hook, lowest first; filter is 0, dstnat -100, srcnat 100.
    pub priority: i32,
    /// What happens at its end.
    pub policy: Policy,
}

/// A chain. Its name must be no keyword of `nft` (such as `fwd`): netlink takes it, but `nft` can't read its own listing
/// again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Name.
    pub name: String,
    /// Hook and policy; absent for a regular chain.
    pub base: Option<Base>,
}

impl Chain {
    /// A chain that rules jump to.
    pub fn regular(name: impl Into<String>) -> Self {
        Self { name: name.into(), base: None }
    }

    /// A filter chain at a hook.
    pub fn filter(name: impl Into<String>, hook: Hook, priority: i32, policy: Policy) -> Self {
        Self { name: name.into(), base: Some(Base { kind: ChainType::Filter, hook, priority, policy }) }
    }

    /// A nat chain at a hook; its policy is accept.
    pub fn nat(name: impl Into<String>, hook: Hook, priority: i32) -> Self {
        let base = Base { kind: ChainType::Nat, hook, priority, policy: Policy::Accept };
        Self { name: name.into(), base: Some(base) }
    }

    pub(crate) fn encode(&self, table: &TableId, out: &mut Vec<u8>) {
        encode_name(table, &self.name, out);
        let Some(base) = &self.base else { return };
        nest(out, HOOK, |out| {
            put_u32(out, HOOK_NUMBER, base.hook.0);
            put_u32(out, HOOK_PRIORITY, base.priority.cast_unsigned());
        });
        put_u32(out, POLICY, u32::from(base.policy == Policy::Accept));
        put_text(out, TYPE, base.kind.word());
    }

    /// Reads a NEWCHAIN.
    pub(crate) fn decode(message: &Message<'_>) -> Result<(TableId, Self), DecodeError> {
        let missing = |attribute| DecodeError::Missing { object: "chain", attribute };
        let attributes = message.attributes();
        let name = find_text(attributes, NAME).ok_or(missing("name"))?;
        let base = match find(attributes, HOOK) {
            None => None,
            Some(hook) => Some(Base {
                kind: match find_text(attributes, TYPE).ok_or(missing("type"))?.as_str() {
                    "filter" => ChainType::Filter,
                    "nat" => ChainType::Nat,
                    other => ChainType::Other(other.to_owned()),
                },
                hook: Hook(find_u32(hook, HOOK_NUMBER).ok_or(missing("hook"))?),
                priority: find_u32(hook, HOOK_PRIORITY).ok_or(missing("priority"))?.cast_signed(),
                policy: if find_u32(attributes, POLICY) == Some(0) { Policy::Drop } else { Policy::Accept },
            }),
        };
        Ok((table_of(message, "chain")?, Self { name, base }))
    }
}

/// The chain's name alone, for a removal.
pub(crate) fn encode_name(table: &TableId, name: &str, out: &mut Vec<u8>) {
    put_table(out, table);
    put_text(out, NAME, name);
}

/// The hook of a chain among its attributes; none of a regular chain.
pub(crate) fn hook_in(attributes: &[u8]) -> Option<Hook> {
    find_u32(find(attributes, HOOK)?, HOOK_NUMBER).map(Hook)
}
