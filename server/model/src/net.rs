//! Addresses and subnets: text with strict rules in, ordered 16-byte values inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::invalid::{Code, Invalid};

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// Bits in an address: 32 or 128.
    pub const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// The number that users write: 4 or 6.
    pub const fn number(self) -> u8 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IPv{}", self.number())
    }
}

/// The order-preserving number of an address: IPv4 as its IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2).
/// Stored as 16 big-endian bytes, so that order and ranges are index scans.
pub const fn to_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The address of a number made by [`to_number`].
pub fn from_number(number: u128) -> IpAddr {
    let v6 = Ipv6Addr::from_bits(number);
    v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
}

/// An inclusive span of addresses of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Lowest address.
    pub low: IpAddr,
    /// Highest address.
    pub high: IpAddr,
}

impl Span {
    /// All addresses of a subnet, network and broadcast address included.
    pub fn of(subnet: IpNet) -> Self {
        Self { low: subnet.network(), high: subnet.broadcast() }
    }

    /// Whether an address lies within.
    pub fn contains(&self, address: IpAddr) -> bool {
        let number = to_number(address);
        Family::of(address) == Family::of(self.low) && to_number(self.low) <= number && number <= to_number(self.high)
    }

    /// Whether the two share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        to_number(self.low) <= to_number(other.high) && to_number(other.low) <= to_number(self.high)
    }

    /// How many addresses; the whole IPv6 space counts as `u128::MAX`.
    pub fn len(&self) -> u128 {
        (to_number(self.high) - to_number(self.low)).saturating_add(1)
    }

    /// Never: a span holds at least one address.
    pub const fn is_empty(&self) -> bool {
        false
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.low, self.high)
    }
}

/// Addresses of a subnet that can be given to something. IPv4: all but the network and broadcast address
/// (a /31, RFC 3021, and a /32 have neither). IPv6: all but the subnet-router anycast address (RFC 4291, 2.6.1; not of a /127 or /128).
pub fn usable(subnet: IpNet) -> Span {
    let whole = Span::of(subnet);
    let spare = subnet.max_prefix_len() - subnet.prefix_len();
    let step = |address: IpAddr, by: i8| from_number(to_number(address).wrapping_add_signed(i128::from(by)));
    match (subnet, spare) {
        (_, 0 | 1) => whole,
        (IpNet::V4(_), _) => Span { low: step(whole.low, 1), high: step(whole.high, -1) },
        (IpNet::V6(_), _) => Span { low: step(whole.low, 1), high: whole.high },
    }
}

/// Reads an address, refusing what is not one. An IPv4-mapped IPv6 text (`::ffff:10.0.0.9`) is that IPv4 address, as in [`to_number`].
pub fn parse_address(pointer: &str, text: &str) -> Result<IpAddr, Invalid> {
    text.parse::<IpAddr>().map(|address| address.to_canonical()).map_err(|_| match ambiguous(text) {
        Some(read) => {
            Invalid::new(pointer, Code::Format, text, AMBIGUOUS).hint(format!("for example {}", read.decimal))
        }
        None => Invalid::new(pointer, Code::Format, text, "not an IPv4 or IPv6 address")
            .hint("for example 192.168.122.2 or fd00::2"),
    })
}

/// An IPv4 address with a number that begins with 0: decimal to some programs, octal to `inet_aton` and what is built on it. Neither is guessed (RFC 6943, section 3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ambiguous {
    /// As people mean it who fill up with zeros.
    pub decimal: Ipv4Addr,
    /// As `inet_aton` reads it, where all digits of such numbers are octal ones.
    pub octal: Option<Ipv4Addr>,
}

/// Why [`ambiguous`] addresses are refused.
pub const AMBIGUOUS: &str = "a number of an IPv4 address that begins with 0 is decimal to some programs and octal to others (RFC 6943), so that it is not read at all";

/// Whether a text is such an address, and what it may mean.
pub fn ambiguous(text: &str) -> Option<Ambiguous> {
    let numbers: Vec<&str> = text.split('.').collect();
    let zeros = |number: &&str| number.len() > 1 && number.starts_with('0');
    let digits = numbers.iter().all(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    if numbers.len() != 4 || !digits || !numbers.iter().any(zeros) {
        return None;
    }
    let read = |octal: bool| {
        let number = |number: &&str| u8::from_str_radix(number, if octal && zeros(number) { 8 } else { 10 }).ok();
        let bytes: Vec<u8> = numbers.iter().filter_map(number).collect();
        <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
    };
    Some(Ambiguous { decimal: read(false)?, octal: read(true) })
}

/// Reads a subnet in CIDR form, refusing one with host bits set and offering the corrected one.
pub fn parse_subnet(pointer: &str, text: &str) -> Result<IpNet, Invalid> {
    let read = text.split_once('/').and_then(|(address, length)| Some((ambiguous(address)?.decimal, length)));
    if let Some((decimal, length)) = read {
        return Err(
            Invalid::new(pointer, Code::Format, text, AMBIGUOUS).hint(format!("for example {decimal}/{length}"))
        );
    }
    let net: IpNet = text.parse().map_err(|_| {
        Invalid::new(pointer, Code::Format, text, "not a subnet in CIDR form")
            .hint("for example 192.168.122.0/24 or fd00:1::/64")
    })?;
    if net.addr() != net.network() {
        let message = format!("the address has host bits set for a /{}", net.prefix_len());
        return Err(Invalid::new(pointer, Code::HostBitsSet, text, message).hint(format!("use {}", net.trunc())));
    }
    Ok(net)
}

/// Reads a range: a CIDR block (`192.168.122.64/26`) or two addresses (`192.168.122.10-192.168.122.20`) or one address.
pub fn parse_span(pointer: &str, text: &str) -> Result<Span, Invalid> {
    if text.contains('/') {
        return parse_subnet(pointer, text).map(Span::of);
    }
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (parse_address(pointer, low.trim())?, parse_address(pointer, high.trim())?);
    if Family::of(low) != Family::of(high) {
        return Err(Invalid::new(pointer, Code::WrongFamily, text, "a range has two addresses of one family"));
    }
    if to_number(low) > to_number(high) {
        let hint = format!("use {high}-{low}");
        return Err(Invalid::new(pointer, Code::OutOfRange, text, "a range goes from the lower to the higher address")
            .hint(hint));
    }
    Ok(Span { low, high })
}

/// Why an address can't be given to an interface, if it can't: unspecified, loopback, multicast, broadcast or IPv4-mapped.
pub fn unassignable(address: IpAddr) -> Option<&'static str> {
    match address {
        a if a.is_unspecified() => Some("the unspecified address"),
        a if a.is_loopback() => Some("a loopback address"),
        a if a.is_multicast() => Some("a multicast address"),
        IpAddr::V4(a) if a == Ipv4Addr::BROADCAST => Some("the broadcast address"),
        IpAddr::V4(a) if a.octets()[0] == 0 => Some("an address of 0.0.0.0/8"),
        IpAddr::V6(a) if a.to_ipv4_mapped().is_some() => Some("an IPv4-mapped address"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_order_and_family() {
        let texts = ["0.0.0.1", "10.0.0.1", "192.168.122.2", "255.255.255.255", "fd00::1", "fe80::1"];
        let addresses: Vec<IpAddr> = texts.iter().map(|t| t.parse().expect("an address")).collect();
        for pair in addresses.windows(2) {
            assert!(to_number(pair[0]) < to_number(pair[1]));
        }
        for address in addresses {
            assert_eq!(from_number(to_number(address)), address);
        }
    }

    #[test]
    fn usable_addresses_leave_out_what_the_rfcs_reserve() {
        let cases = [
            ("192.168.122.0/24", "192.168.122.1-192.168.122.254"),
            ("10.0.0.0/31", "10.0.0.0-10.0.0.1"),
            ("10.0.0.7/32", "10.0.0.7-10.0.0.7"),
            ("fd00::/64", "fd00::1-fd00::ffff:ffff:ffff:ffff"),
            ("fd00::/127", "fd00::-fd00::1"),
        ];
        for (subnet, wanted) in cases {
            assert_eq!(usable(subnet.parse().expect("a subnet")).to_string(), wanted);
        }
    }

    #[test]
    fn an_ipv4_address_in_ipv6_form_is_that_ipv4_address() {
        let wanted: IpAddr = "10.0.0.9".parse().expect("an address");
        for text in ["10.0.0.9", "::ffff:10.0.0.9", "::FFFF:a00:9"] {
            assert_eq!(parse_address("/a", text), Ok(wanted), "{text}");
        }
        assert_eq!(parse_span("/r", "::ffff:10.0.0.9-10.0.0.9").expect("a span").low, wanted);
    }

    #[test]
    fn numbers_that_begin_with_zero_are_told_in_both_readings() {
        let told =
            |text| ambiguous(text).map(|read| (read.decimal.to_string(), read.octal.map(|octal| octal.to_string())));
        assert_eq!(told("010.000.000.005"), Some(("10.0.0.5".into(), Some("8.0.0.5".into()))));
        assert_eq!(told("192.168.009.1"), Some(("192.168.9.1".into(), None)), "9 is no octal digit");
        for plain in ["10.0.0.5", "0.0.0.0", "010.0.0", "010.0.0.256", "010.0.0.x", "fd00::01", ""] {
            assert_eq!(told(plain), None, "{plain}");
        }
        let refused = parse_address("/a", "010.0.0.5").expect_err("it may be two");
        assert_eq!((refused.message.as_str(), refused.hint.as_deref()), (AMBIGUOUS, Some("for example 10.0.0.5")));
        let refused = parse_subnet("/s", "010.0.0.0/8").expect_err("it may be two");
        assert_eq!((refused.message.as_str(), refused.hint.as_deref()), (AMBIGUOUS, Some("for example 10.0.0.0/8")));
    }

    #[test]
    fn host_bits_are_refused_with_the_corrected_subnet() {
        let refused = parse_subnet("/s", "10.0.4.1/24").expect_err("host bits");
        assert_eq!(refused.code, Code::HostBitsSet);
        assert_eq!(refused.hint.as_deref(), Some("use 10.0.4.0/24"));
    }

    #[test]
    fn spans_are_read_in_three_forms() {
        for (text, wanted) in [
            ("10.0.0.64/26", "10.0.0.64-10.0.0.127"),
            ("10.0.0.3-10.0.0.9", "10.0.0.3-10.0.0.9"),
            ("10.0.0.3", "10.0.0.3-10.0.0.3"),
        ] {
            assert_eq!(parse_span("/r", text).expect("a span").to_string(), wanted);
        }
        for text in ["10.0.0.9-10.0.0.3", "10.0.0.1-fd00::1", "x", "10.0.0.1/24"] {
            assert!(parse_span("/r", text).is_err(), "{text}");
        }
    }
}
