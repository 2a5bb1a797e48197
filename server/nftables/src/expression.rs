//! A rule's expressions, one by one: load into registers, compare, look up, act.
//!
//! Attributes stand in the order in which the kernel dumps them, with those that it adds by itself (a nat's greatest
//! address, a lookup's flags). What must not live here: what belongs together to make a match; [`crate::rule`] has that.

use crate::attribute::{attributes, find, find_text, find_u64, nest, put, put_text, put_u32, put_u64};
use crate::value::{Verdict, put_value, put_verdict};

const LIST_ELEMENT: u16 = 1;
const NAME: u16 = 1;
const DATA: u16 = 2;
const COUNTER: &str = "counter";
const COUNTER_BYTES: u16 = 1;
const COUNTER_PACKETS: u16 = 2;

/// A register by the kernel's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register(u32);

impl Register {
    /// Where verdicts go.
    pub const VERDICT: Self = Self(0);
    /// The first data register.
    pub const FIRST: Self = Self(1);

    /// The register that begins at a word of four bytes, counted from the first data register: every fourth word is an old
    /// register of 16 bytes (NFT_REG_1 and so on) and the kernel dumps it by that number.
    pub const fn at_word(word: u32) -> Self {
        if word.is_multiple_of(4) { Self(1 + word / 4) } else { Self(8 + word) }
    }
}

/// What of a packet's surroundings to load (NFT_META_*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meta {
    /// Mark.
    Mark = 3,
    /// Name of the link that it came in on.
    Iifname = 6,
    /// Name of the link that it leaves by.
    Oifname = 7,
    /// Family: [`Nfproto`].
    Nfproto = 15,
    /// Protocol over IP, past IPv6 extension headers.
    L4proto = 16,
}

/// A version of IP (NFPROTO_*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nfproto {
    /// IPv4.
    Ipv4 = 2,
    /// IPv6.
    Ipv6 = 10,
}

/// Where offsets in a packet are counted from (NFT_PAYLOAD_*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// IP header.
    Network = 1,
    /// Header of the protocol over IP.
    Transport = 2,
}

/// What of a packet's connection to load (NFT_CT_*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ct {
    /// [`ct_state`] bits.
    State = 0,
    /// 0 original, 1 reply; one byte.
    Direction = 1,
    /// [`ct_status`] bits.
    Status = 2,
}

/// Bits of [`Ct::State`].
pub mod ct_state {
    /// Belongs to no connection and can't begin one.
    pub const INVALID: u32 = 1;
    /// Of a connection that both sides have spoken on.
    pub const ESTABLISHED: u32 = 2;
    /// Begins a connection that another one announced, or an ICMP error about one.
    pub const RELATED: u32 = 4;
    /// Begins a connection.
    pub const NEW: u32 = 8;
}

/// Bits of [`Ct::Status`].
pub mod ct_status {
    /// The source is translated.
    pub const SNAT: u32 = 1 << 4;
    /// The destination is translated.
    pub const DNAT: u32 = 1 << 5;
}

/// How to compare (NFT_CMP_*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// Equal.
    Eq = 0,
    /// Not equal.
    Neq = 1,
}

/// Which address a [`Expressions::nat`] replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nat {
    /// The source.
    Snat = 0,
    /// The destination.
    Dnat = 1,
}

/// How a rejected packet is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reject {
    /// TCP RST; only after a match for TCP.
    TcpReset,
    /// ICMP or ICMPv6, whichever fits: port unreachable.
    PortUnreachable,
    /// ICMP or ICMPv6, whichever fits: host or address unreachable.
    HostUnreachable,
    /// ICMP or ICMPv6, whichever fits: prohibited by an administrator.
    AdminProhibited,
    /// ICMP destination unreachable with a code of its own; only after a match for this version.
    Icmp(u8),
}

/// What a `counter` counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Expressions as bytes. Equal values do the same; a counter's numbers are left out (zero).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Expressions(Vec<u8>);

impl Expressions {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    fn push(mut self, name: &str, data: impl FnOnce(&mut Vec<u8>)) -> Self {
        nest(&mut self.0, LIST_ELEMENT, |out| {
            put_text(out, NAME, name);
            nest(out, DATA, data);
        });
        self
    }

    /// Loads from the surroundings.
    #[must_use]
    pub fn meta(self, key: Meta, into: Register) -> Self {
        self.push("meta", |out| {
            put_u32(out, 2, key as u32);
            put_u32(out, 1, into.0);
        })
    }

    /// Writes into the surroundings: only [`Meta::Mark`] can be.
    #[must_use]
    pub fn meta_set(self, key: Meta, from: Register) -> Self {
        self.push("meta", |out| {
            put_u32(out, 2, key as u32);
            put_u32(out, 3, from.0);
        })
    }

    /// Loads from the packet.
    #[must_use]
    pub fn payload(self, header: Header, offset: u32, length: u32, into: Register) -> Self {
        self.push("payload", |out| {
            put_u32(out, 1, into.0);
            put_u32(out, 2, header as u32);
            put_u32(out, 3, offset);
            put_u32(out, 4, length);
        })
    }

    /// Goes on only if a register compares so.
    #[must_use]
    pub fn cmp(self, register: Register, how: Compare, with: &[u8]) -> Self {
        self.push("cmp", |out| {
            put_u32(out, 1, register.0);
            put_u32(out, 2, how as u32);
            put_value(out, 3, with);
        })
    }

    /// Changes a register to `(register & mask) ^ xor`; both are as long.
    #[must_use]
    pub fn bitwise(self, register: Register, mask: &[u8], xor: &[u8]) -> Self {
        self.push("bitwise", |out| {
            put_u32(out, 1, register.0);
            put_u32(out, 2, register.0);
            put_u32(out, 3, u32::try_from(mask.len()).unwrap_or(u32::MAX));
            put_u32(out, 6, 0);
            put_value(out, 4, mask);
            put_value(out, 5, xor);
        })
    }

    /// Goes on only if a set holds what begins at a register; inverted, only if it does not.
    #[must_use]
    pub fn lookup(self, set: &str, key: Register, inverted: bool) -> Self {
        self.push("lookup", |out| {
            put_text(out, 1, set);
            put_u32(out, 2, key.0);
            put_u32(out, 5, u32::from(inverted));
        })
    }

    /// Loads from a map, and goes on only if it has the key. Into [`Register::VERDICT`] it also acts.
    #[must_use]
    pub fn lookup_map(self, map: &str, key: Register, into: Register) -> Self {
        self.push("lookup", |out| {
            put_text(out, 1, map);
            put_u32(out, 2, key.0);
            put_u32(out, 3, into.0);
            put_u32(out, 5, 0);
        })
    }

    /// Loads from the connection.
    #[must_use]
    pub fn ct(self, key: Ct, into: Register) -> Self {
        self.push("ct", |out| {
            put_u32(out, 1, into.0);
            put_u32(out, 2, key as u32);
        })
    }

    /// Loads the type of the destination address (RTN_*, host byte order) as the routing tables have it.
    #[must_use]
    pub fn fib_daddr_type(self, into: Register) -> Self {
        const RESULT_ADDRESS_TYPE: u32 = 3;
        const FLAG_DESTINATION: u32 = 2;
        self.push("fib", |out| {
            put_u32(out, 1, into.0);
            put_u32(out, 2, RESULT_ADDRESS_TYPE);
            put_u32(out, 3, FLAG_DESTINATION);
        })
    }

    /// Counts packets and bytes.
    #[must_use]
    pub fn counter(self) -> Self {
        self.push(COUNTER, |out| {
            put_u64(out, COUNTER_BYTES, 0);
            put_u64(out, COUNTER_PACKETS, 0);
        })
    }

    /// Loads a value.
    #[must_use]
    pub fn immediate(self, into: Register, value: &[u8]) -> Self {
        self.push("immediate", |out| {
            put_u32(out, 1, into.0);
            put_value(out, 2, value);
        })
    }

    /// Decides.
    #[must_use]
    pub fn verdict(self, verdict: &Verdict) -> Self {
        self.push("immediate", |out| {
            put_u32(out, 1, Register::VERDICT.0);
            put_verdict(out, 2, verdict);
        })
    }

    /// Gives the packet the address of the link that it leaves by.
    #[must_use]
    pub fn masq(self) -> Self {
        self.push("masq", |_| {})
    }

    /// Gives the packet the address in a register and, where named, the port in another.
    #[must_use]
    pub fn nat(self, what: Nat, version: Nfproto, address: Register, port: Option<Register>) -> Self {
        const FLAG_ADDRESS: u32 = 1;
        const FLAG_PORT: u32 = 2;
        self.push("nat", |out| {
            put_u32(out, 1, what as u32);
            put_u32(out, 2, version as u32);
            put_u32(out, 3, address.0);
            put_u32(out, 4, address.0);
            if let Some(port) = port {
                put_u32(out, 5, port.0);
                put_u32(out, 6, port.0);
            }
            put_u32(out, 7, if port.is_some() { FLAG_ADDRESS | FLAG_PORT } else { FLAG_ADDRESS });
        })
    }

    /// Drops the packet and says so to its sender.
    #[must_use]
    pub fn reject(self, how: Reject) -> Self {
        const ICMP_UNREACHABLE: u32 = 0;
        const TCP_RESET: u32 = 1;
        const EITHER_UNREACHABLE: u32 = 2;
        let (kind, code) = match how {
            Reject::TcpReset => (TCP_RESET, None),
            Reject::PortUnreachable => (EITHER_UNREACHABLE, Some(1)),
            Reject::HostUnreachable => (EITHER_UNREACHABLE, Some(2)),
            Reject::AdminProhibited => (EITHER_UNREACHABLE, Some(3)),
            Reject::Icmp(code) => (ICMP_UNREACHABLE, Some(code)),
        };
        self.push("reject", |out| {
            put_u32(out, 1, kind);
            if let Some(code) = code {
                put(out, 2, &[code]);
            }
        })
    }

    /// All of these, then all of others.
    #[must_use]
    pub fn then(mut self, others: &Self) -> Self {
        self.0.extend_from_slice(&others.0);
        self
    }

    /// Whether others stand among these, next to each other.
    pub fn contains(&self, others: &Self) -> bool {
        !others.0.is_empty() && self.0.windows(others.0.len()).any(|window| window == others.0)
    }

    /// The bytes: what NFTA_RULE_EXPRESSIONS holds.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// From the bytes of a dump; answers also what the first counter counted.
    pub(crate) fn decode(bytes: &[u8]) -> (Self, Option<Counted>) {
        let mut expressions = Self::new();
        let mut counted = None;
        for (kind, element) in attributes(bytes) {
            if find_text(element, NAME).as_deref() == Some(COUNTER) {
                let number = |kind| find(element, DATA).and_then(|data| find_u64(data, kind)).unwrap_or(0);
                let now = Counted { packets: number(COUNTER_PACKETS), bytes: number(COUNTER_BYTES) };
                counted = counted.or(Some(now));
                expressions = expressions.counter();
            } else {
                put(&mut expressions.0, kind, element);
            }
        }
        (expressions, counted)
    }
}
