//! What registers and set elements hold: values, their data types as `nft` numbers them, and verdicts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::attribute::{find, find_text, find_u32, nest, put, put_text, put_u32};
use crate::error::DecodeError;

/// IFNAMSIZ: the bytes of a link's name in a register.
const NAME_LENGTH: usize = 16;
/// Bits per type in the number of a concatenation.
const TYPE_BITS: u32 = 6;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const VERDICT_CHAIN: u16 = 2;

/// A data type of keys and of a map's data: nft's number and the length in bytes. The kernel only keeps the number; `nft`
/// prints by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataType {
    /// nft's number; of a concatenation six bits for each type.
    pub code: u32,
    /// Length in bytes; in a concatenation each field counts as a multiple of four.
    pub length: u32,
}

/// Byte order of a value, as the user data of a set says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    /// Of concatenations, verdicts and single bytes: none.
    None = 0,
    Host = 1,
    Big = 2,
}

impl DataType {
    /// An IPv4 address.
    pub const IPV4_ADDR: Self = Self { code: 7, length: 4 };
    /// An IPv6 address.
    pub const IPV6_ADDR: Self = Self { code: 8, length: 16 };
    /// A protocol number over IP, such as 6 for TCP.
    pub const INET_PROTO: Self = Self { code: 12, length: 1 };
    /// A port.
    pub const INET_SERVICE: Self = Self { code: 13, length: 2 };
    /// A packet's mark.
    pub const MARK: Self = Self { code: 19, length: 4 };
    /// The name of a link.
    pub const IFNAME: Self = Self { code: 41, length: 16 };
    /// A verdict: only as data of a map.
    pub const VERDICT: Self = Self { code: 0xffff_ff00, length: 16 };

    /// The number of a virtual network in a VXLAN packet. `nft` has no name for such a thing, and shows it as an IPv4 address: 4097 as 0.0.16.1.
    pub const VNI: Self = Self::IPV4_ADDR;

    const KNOWN: [Self; 6] =
        [Self::IPV4_ADDR, Self::IPV6_ADDR, Self::INET_PROTO, Self::INET_SERVICE, Self::MARK, Self::IFNAME];

    /// A concatenation of two to five of the types above.
    pub fn concatenation(fields: &[Self]) -> Self {
        fields.iter().fold(Self { code: 0, length: 0 }, |all, field| Self {
            code: all.code << TYPE_BITS | field.code,
            length: all.length + field.length.next_multiple_of(4),
        })
    }

    /// The types of a concatenation, or the type itself; unknown ones are left out.
    pub(crate) fn fields(self) -> Vec<Self> {
        let mut fields = Vec::new();
        let mut code = self.code;
        while code != 0 && self != Self::VERDICT {
            fields.extend(Self::KNOWN.iter().find(|known| known.code == code & ((1 << TYPE_BITS) - 1)));
            code >>= TYPE_BITS;
        }
        fields.reverse();
        fields
    }

    pub(crate) fn is_concatenation(self) -> bool {
        self != Self::VERDICT && self.code >> TYPE_BITS != 0
    }

    pub(crate) fn byte_order(self) -> ByteOrder {
        match self {
            Self::IFNAME | Self::MARK => ByteOrder::Host,
            Self::IPV4_ADDR | Self::IPV6_ADDR | Self::INET_SERVICE => ByteOrder::Big,
            _ => ByteOrder::None,
        }
    }
}

/// The bytes of a register: an address, a port, a name, or several of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(Vec<u8>);

impl Value {
    /// Any bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// An address of either version.
    pub fn address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => address.into(),
        }
    }

    /// The name of a link; what is longer than 15 bytes is cut, no link can have it.
    pub fn ifname(name: &str) -> Self {
        let mut bytes = [0; NAME_LENGTH];
        let length = name.len().min(NAME_LENGTH - 1);
        bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
        Self(bytes.to_vec())
    }

    /// A port.
    pub fn inet_service(port: u16) -> Self {
        Self(port.to_be_bytes().to_vec())
    }

    /// A protocol number over IP.
    pub fn inet_proto(protocol: u8) -> Self {
        Self(vec![protocol])
    }

    /// A packet's mark, in the host's byte order as the register has it.
    pub fn mark(mark: u32) -> Self {
        Self(mark.to_ne_bytes().to_vec())
    }

    /// The number of a virtual network, of 24 bits.
    pub fn vni(vni: u32) -> Self {
        Self((vni & 0x00ff_ffff).to_be_bytes().to_vec())
    }

    /// Several values in one: each begins at a multiple of four bytes.
    pub fn concatenation(fields: &[Self]) -> Self {
        let mut bytes = Vec::new();
        for field in fields {
            bytes.extend_from_slice(&field.0);
            crate::attribute::pad(&mut bytes);
        }
        Self(bytes)
    }

    /// The values that a concatenation of this type holds, or the value itself; nothing when the length is not the type's.
    pub fn fields(&self, of: DataType) -> Vec<Self> {
        if !of.is_concatenation() {
            return vec![self.clone()];
        }
        let mut rest = self.0.as_slice();
        let mut fields = Vec::new();
        for field in of.fields() {
            let Some(bytes) = rest.get(..field.length as usize) else { return Vec::new() };
            fields.push(Self(bytes.to_vec()));
            rest = rest.get(field.length.next_multiple_of(4) as usize..).unwrap_or_default();
        }
        fields
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As an address, by its length.
    pub fn to_address(&self) -> Option<IpAddr> {
        match self.0.len() {
            4 => <[u8; 4]>::try_from(self.as_bytes()).ok().map(|octets| Ipv4Addr::from(octets).into()),
            16 => <[u8; 16]>::try_from(self.as_bytes()).ok().map(|octets| Ipv6Addr::from(octets).into()),
            _ => None,
        }
    }

    /// As the name of a link.
    pub fn to_ifname(&self) -> String {
        crate::attribute::text(&self.0)
    }

    /// As a port.
    pub fn to_inet_service(&self) -> Option<u16> {
        self.as_bytes().try_into().ok().map(u16::from_be_bytes)
    }

    /// As the number of a virtual network.
    pub fn to_vni(&self) -> Option<u32> {
        self.as_bytes().try_into().ok().map(u32::from_be_bytes)
    }

    /// The next value in numeric order; absent after the last one.
    pub(crate) fn next(&self) -> Option<Self> {
        let mut bytes = self.0.clone();
        for byte in bytes.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                return Some(Self(bytes));
            }
        }
        None
    }
}

impl From<Ipv4Addr> for Value {
    fn from(address: Ipv4Addr) -> Self {
        Self(address.octets().to_vec())
    }
}

impl From<Ipv6Addr> for Value {
    fn from(address: Ipv6Addr) -> Self {
        Self(address.octets().to_vec())
    }
}

/// Where a packet goes from here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// On, past the rest of this base chain.
    Accept,
    /// Nowhere.
    Drop,
    /// To the next rule.
    Continue,
    /// Back to the chain that jumped here.
    Return,
    /// To a regular chain and, unless that decides, back.
    Jump(String),
    /// To a regular chain and not back.
    Goto(String),
}

impl Verdict {
    const ACCEPT: i32 = 1;
    const DROP: i32 = 0;
    const CONTINUE: i32 = -1;
    const JUMP: i32 = -3;
    const GOTO: i32 = -4;
    const RETURN: i32 = -5;

    fn encode(&self, out: &mut Vec<u8>) {
        let (code, chain) = match self {
            Self::Accept => (Self::ACCEPT, None),
            Self::Drop => (Self::DROP, None),
            Self::Continue => (Self::CONTINUE, None),
            Self::Return => (Self::RETURN, None),
            Self::Jump(chain) => (Self::JUMP, Some(chain)),
            Self::Goto(chain) => (Self::GOTO, Some(chain)),
        };
        put_u32(out, VERDICT_CODE, code.cast_unsigned());
        if let Some(chain) = chain {
            put_text(out, VERDICT_CHAIN, chain);
        }
    }

    fn decode(attributes: &[u8]) -> Result<Self, DecodeError> {
        let missing = |attribute| DecodeError::Missing { object: "verdict", attribute };
        let code = find_u32(attributes, VERDICT_CODE).ok_or(missing("code"))?.cast_signed();
        let chain = || find_text(attributes, VERDICT_CHAIN).ok_or(missing("chain"));
        Ok(match code {
            Self::ACCEPT => Self::Accept,
            Self::DROP => Self::Drop,
            Self::CONTINUE => Self::Continue,
            Self::RETURN => Self::Return,
            Self::JUMP => Self::Jump(chain()?),
            Self::GOTO => Self::Goto(chain()?),
            other => return Err(DecodeError::UnknownVerdict(other)),
        })
    }
}

/// Appends an attribute that holds a value (NFTA_DATA_VALUE).
pub(crate) fn put_value(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    nest(out, kind, |out| put(out, DATA_VALUE, value));
}

/// Appends an attribute that holds a verdict (NFTA_DATA_VERDICT).
pub(crate) fn put_verdict(out: &mut Vec<u8>, kind: u16, verdict: &Verdict) {
    nest(out, kind, |out| nest(out, DATA_VERDICT, |out| verdict.encode(out)));
}

/// The value in such an attribute.
pub(crate) fn value_in(data: &[u8]) -> Option<Value> {
    find(data, DATA_VALUE).map(Value::new)
}

/// The verdict in such an attribute.
pub(crate) fn verdict_in(data: &[u8]) -> Option<Result<Verdict, DecodeError>> {
    find(data, DATA_VERDICT).map(Verdict::decode)
}
