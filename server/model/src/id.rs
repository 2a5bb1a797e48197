//! Typed identifiers: a type prefix and 26 lower-case base32 characters (128 random bits; of a lease 80, after its time).
//!
//! An ID is never reused, survives everything but removal, and can't be mistaken for a name
//! ([`crate::name`] refuses names of this shape). The random bytes are given by the caller.

use std::fmt;
use std::str::FromStr;

use data_encoding::{Encoding, Specification};
use std::sync::LazyLock;

use crate::Timestamp;

/// RFC 4648 base32, lower case, without padding.
static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut spec = Specification::new();
    spec.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    spec.encoding().expect("the base32 alphabet is a valid specification")
});

/// Length of the part after the prefix and underscore, in characters.
pub const ENCODED_LENGTH: usize = 26;

/// A text is not an ID of the wanted type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an ID of the form {prefix}_ followed by 26 characters of a-z and 2-7")]
pub struct ParseIdError {
    /// The prefix that was wanted, such as `net`.
    pub prefix: &'static str,
    /// The text that was given.
    pub text: String,
}

fn decode(prefix: &'static str, text: &str) -> Result<[u8; 16], ParseIdError> {
    let refused = || ParseIdError { prefix, text: text.to_owned() };
    let rest = text.strip_prefix(prefix).and_then(|r| r.strip_prefix('_')).ok_or_else(refused)?;
    let bytes = BASE32.decode(rest.as_bytes()).map_err(|_| refused())?;
    bytes.try_into().map_err(|_| refused())
}

/// Whether a text has the shape of some ID (two to four letters, underscore, 26 characters), whatever its type.
pub fn looks_like_id(text: &str) -> bool {
    let Some((prefix, rest)) = text.split_once('_') else { return false };
    (2..=4).contains(&prefix.len())
        && prefix.bytes().all(|b| b.is_ascii_lowercase())
        && rest.len() == ENCODED_LENGTH
        && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The type prefix in the text form.
            pub const PREFIX: &'static str = $prefix;

            /// Makes an ID of 16 random bytes.
            pub const fn from_random(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The first eight characters after the prefix: short enough for a kernel name, 40 random bits.
            pub fn short(&self) -> String {
                BASE32.encode(&self.0[..5])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, BASE32.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                decode($prefix, text).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some(concat!("^", $prefix, "_[a-z2-7]{26}$")))
                    .max_length(Some($prefix.len() + 1 + ENCODED_LENGTH))
                    .description(Some(concat!("Opaque ID, prefix `", $prefix, "_`.")))
                    .examples([concat!($prefix, "_aebagbafaydqqcikbmga2dqpca")])
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

id!(/** A network. */ NetworkId, "net");
id!(/** A sandbox. */ SandboxId, "sbx");
id!(/** An endpoint: a sandbox's place on a network. */ EndpointId, "ept");
id!(/** A lease: an address with its owner. */ LeaseId, "lse");
id!(/** A node: one host that runs Netloom. Made at the first start, kept for ever. */ NodeId, "nod");
id!(/** A store: one database. A restore makes a new one, so that event numbers are never confused. */ StoreId, "sto");
id!(/** An API token. */ TokenId, "tok");
id!(/** A plan that is kept, to be applied. */ PlanId, "pln");
id!(/** A swarm: hosts that agreed to share. */ SwarmId, "swm");
id!(/** A token that lets nodes join a swarm. */ JoinTokenId, "jtk");

impl LeaseId {
    /// Makes an ID that begins with a time, as a version 7 UUID does (RFC 9562): 48 bits of milliseconds, then 80 random ones. Leases made
    /// one after the other are neighbours in the store's indexes: among a million, a new one touches pages that the last one touched.
    pub fn at(time: Timestamp, mut random: [u8; 16]) -> Self {
        random[..6].copy_from_slice(&time.millis().to_be_bytes()[2..]);
        Self(random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_of_one_time_are_neighbours() {
        let at = |millis| LeaseId::at(Timestamp::from_millis(millis), [0xff; 16]).0;
        assert_eq!(at(0x0102_0304_0506)[..7], [1, 2, 3, 4, 5, 6, 0xff]);
        assert!(at(1) < at(2));
    }

    #[test]
    fn an_id_survives_its_text_form() {
        let id = NetworkId::from_random([7; 16]);
        let text = id.to_string();
        assert_eq!(text.len(), 4 + ENCODED_LENGTH);
        assert_eq!(text.parse::<NetworkId>(), Ok(id));
        assert!(looks_like_id(&text));
    }

    #[test]
    fn another_types_id_is_refused() {
        let text = SandboxId::from_random([7; 16]).to_string();
        assert!(text.parse::<NetworkId>().is_err());
    }

    #[test]
    fn a_short_form_starts_the_long_one() {
        let id = NetworkId::from_random([0xa5; 16]);
        assert!(id.to_string().starts_with(&format!("net_{}", id.short())));
        assert_eq!(id.short().len(), 8);
    }

    #[test]
    fn names_do_not_look_like_ids() {
        for text in
            ["macvlan-net1", "net_short", "NET_aaaaaaaaaaaaaaaaaaaaaaaaaa", "network_aaaaaaaaaaaaaaaaaaaaaaaaaa"]
        {
            assert!(!looks_like_id(text), "{text}");
        }
    }
}
