//! Ethernet addresses (EUI-48): read in any usual spelling, written as `02:42:c0:a8:7a:02`.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

/// A text is not an Ethernet address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an Ethernet address such as 02:42:c0:a8:7a:02 (also 02-42-.., 0242.c0a8.7a02, 0242c0a87a02)")]
pub struct ParseMacError(pub String);

impl MacAddr {
    /// The address Docker derives from an IPv4 address: `02:42` and its four octets.
    pub const fn from_ipv4(address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        Self([0x02, 0x42, a, b, c, d])
    }

    /// A unicast, locally administered address (IEEE 802: bit 0 clear, bit 1 set) of six random bytes.
    pub const fn from_random(mut bytes: [u8; 6]) -> Self {
        bytes[0] = (bytes[0] & 0xfe) | 0x02;
        Self(bytes)
    }

    /// An address that follows from a text: the local bit set, the group bit clear, the rest by FNV-1a.
    pub fn from_text(text: &str) -> Self {
        let begin = 0xcbf2_9ce4_8422_2325_u64;
        let hash = text.bytes().fold(begin, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let [_, _, bytes @ ..] = hash.to_be_bytes();
        Self::from_random(bytes)
    }

    /// Whether the address names one station: the group bit is clear and not all bits are zero.
    pub fn is_unicast(self) -> bool {
        self.0[0] & 1 == 0 && self.0 != [0; 6]
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MacAddr {
    type Err = ParseMacError;

    fn from_str(text: &str) -> Result<Self, ParseMacError> {
        let refused = || ParseMacError(text.to_owned());
        let groups: Vec<&str> = match text {
            t if t.contains(':') => t.split(':').collect(),
            t if t.contains('-') => t.split('-').collect(),
            t if t.contains('.') => t.split('.').collect(),
            t => vec![t],
        };
        let width = match groups.len() {
            6 => 2,
            3 => 4,
            1 => 12,
            _ => return Err(refused()),
        };
        if groups.iter().any(|g| g.len() != width || !g.bytes().all(|b| b.is_ascii_hexdigit())) {
            return Err(refused());
        }
        let value = u64::from_str_radix(&groups.concat(), 16).map_err(|_| refused())?;
        let [_, _, bytes @ ..] = value.to_be_bytes();
        Ok(Self(bytes))
    }
}

impl serde::Serialize for MacAddr {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for MacAddr {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for MacAddr {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some("^[0-9a-f]{2}(:[0-9a-f]{2}){5}$"))
            .max_length(Some(17))
            .examples(["02:42:c0:a8:7a:02"])
            .into()
    }
}

impl utoipa::ToSchema for MacAddr {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_spelling_is_one_address() {
        let wanted = MacAddr([0x02, 0x42, 0xc0, 0xa8, 0x7a, 0x02]);
        for text in ["02:42:c0:a8:7a:02", "02-42-C0-A8-7A-02", "0242.c0a8.7a02", "0242c0a87a02"] {
            assert_eq!(text.parse(), Ok(wanted), "{text}");
        }
        assert_eq!(wanted.to_string(), "02:42:c0:a8:7a:02");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "02:42:c0:a8:7a", "2:42:c0:a8:7a:02", "02:42:c0:a8:7a:0g", "02:42:c0:a8:7a:02:03", "+242c0a87a02"]
        {
            assert!(text.parse::<MacAddr>().is_err(), "{text}");
        }
    }

    #[test]
    fn derived_addresses_are_local_unicast() {
        assert_eq!(MacAddr::from_ipv4(Ipv4Addr::new(192, 168, 122, 2)).to_string(), "02:42:c0:a8:7a:02");
        let random = MacAddr::from_random([0xff; 6]);
        assert!(random.is_unicast());
        assert_eq!(random.0[0] & 2, 2);
    }
}
