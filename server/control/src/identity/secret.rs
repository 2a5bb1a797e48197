//! Secrets and their text: `nlm_<id>_<secret><crc>`. The checksum lets a scanner of leaked text tell a token from noise
//! without asking anybody; it protects nothing.

use std::fmt;
use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};
use netloom_model::TokenId;
use netloom_model::id::ENCODED_LENGTH;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::clock::random;
use crate::error::Error;

/// First part of every token.
const PREFIX: &str = "nlm";
/// Length of 32 bytes in base32.
const SECRET_LENGTH: usize = 52;
/// Length of a CRC-32 in base32.
const CRC_LENGTH: usize = 7;

/// RFC 4648 base32, lower case, without padding: the alphabet of the IDs.
static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut spec = Specification::new();
    spec.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    spec.encoding().expect("the base32 alphabet is a valid specification")
});

/// A new secret of 256 random bits.
pub(super) fn new_secret() -> Result<String, Error> {
    Ok(BASE32.encode(&random::<32>()?))
}

/// What is stored of a secret. A plain hash is enough: there is nothing to guess in 256 random bits.
pub(super) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Compares without telling by its time where the difference is.
pub(super) fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.ct_eq(b).into()
}

/// A token in the form that its holder has.
pub(super) struct Bearer {
    pub(super) id: TokenId,
    secret: String,
}

impl Bearer {
    /// A new token of this ID.
    pub(super) fn new(id: TokenId) -> Result<Self, Error> {
        Ok(Self { id, secret: new_secret()? })
    }

    /// Reads a token. `None`, whatever is wrong with the text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('_');
        let (PREFIX, id, rest, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
        if id.len() != ENCODED_LENGTH || rest.len() != SECRET_LENGTH + CRC_LENGTH || !rest.is_ascii() {
            return None;
        }
        let (secret, crc) = rest.split_at(SECRET_LENGTH);
        if checksum(secret) != crc {
            return None;
        }
        let id = format!("{}_{id}", TokenId::PREFIX).parse().ok()?;
        Some(Self { id, secret: secret.to_owned() })
    }

    /// What is stored of it.
    pub(super) fn hash(&self) -> [u8; 32] {
        hash(&self.secret)
    }
}

impl fmt::Display for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id.to_string();
        let id = id.rsplit('_').next().unwrap_or_default();
        write!(f, "{PREFIX}_{id}_{}{}", self.secret, checksum(&self.secret))
    }
}

fn checksum(text: &str) -> String {
    BASE32.encode(&crc32(text.as_bytes()).to_be_bytes())
}

/// CRC-32 as in Ethernet and zip (reflected 0x04C11DB7). A table would be faster, and 52 bytes don't need it.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_token_survives_its_text_form_and_damage_is_noticed() {
        let bearer = Bearer::new(TokenId::from_random([7; 16])).expect("random bytes");
        let text = bearer.to_string();
        let read = Bearer::parse(&text).expect("its own text");
        assert!(read.id == bearer.id && same(&read.hash(), &bearer.hash()));
        let last = if text.ends_with('a') { "b" } else { "a" };
        for bad in ["", "nlm", "nlm__", &text[1..], &format!("{}{last}", &text[..text.len() - 1]), &format!("{text}_x")]
        {
            assert!(Bearer::parse(bad).is_none(), "{bad}");
        }
    }
}
