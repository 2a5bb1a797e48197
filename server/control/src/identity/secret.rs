//! Secrets and their text: `nlm_<id>_<secret><crc>`, the checksum over all before it. It lets a scanner of leaked text tell a token from
//! noise without asking anybody, and tells a mistyped token from an unknown one; it protects nothing.

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
pub(crate) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Compares without telling by its time where the difference is.
pub(super) fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.ct_eq(b).into()
}

/// A token's whole text, as its holder shows it. It is neither written out with an object nor into a log: who means to show it says so.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// This text, to be shown once.
    pub(crate) const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What is wrong with a text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    /// It has not the form of one.
    Form,
    /// It has, and the checksum does not fit.
    Checksum,
}

/// A token in the form that its holder has.
pub(crate) struct Bearer {
    pub(crate) id: TokenId,
    secret: String,
}

impl Bearer {
    /// A new token whose ID is made of these random bytes.
    pub(crate) fn new(id: [u8; 16]) -> Result<Self, Error> {
        Ok(Self { id: TokenId::from_random(id), secret: new_secret()? })
    }

    /// Reads a token.
    pub(crate) fn parse(text: &str) -> Result<Self, Damage> {
        let mut parts = text.split('_');
        let (Some(PREFIX), Some(id), Some(rest), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Damage::Form);
        };
        let plain = |part: &str| part.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b));
        if id.len() != ENCODED_LENGTH || rest.len() != SECRET_LENGTH + CRC_LENGTH || !plain(id) || !plain(rest) {
            return Err(Damage::Form);
        }
        let (secret, crc) = rest.split_at(SECRET_LENGTH);
        // Those from before the ID was part of it have the secret's alone.
        if checksum(&before_checksum(id, secret)) != crc && checksum(secret) != crc {
            return Err(Damage::Checksum);
        }
        let id = format!("{}_{id}", TokenId::PREFIX).parse().map_err(|_| Damage::Checksum)?;
        Ok(Self { id, secret: secret.to_owned() })
    }

    /// What is stored of it.
    pub(crate) fn hash(&self) -> [u8; 32] {
        hash(&self.secret)
    }

    /// The whole text.
    pub(crate) fn secret(&self) -> Secret {
        let id = self.id.to_string();
        let text = before_checksum(id.rsplit('_').next().unwrap_or_default(), &self.secret);
        Secret(format!("{text}{}", checksum(&text)))
    }
}

/// All that stands before the checksum, and is covered by it.
fn before_checksum(id: &str, secret: &str) -> String {
    format!("{PREFIX}_{id}_{secret}")
}

fn checksum(text: &str) -> String {
    BASE32.encode(&crc32(text.as_bytes()).to_be_bytes())
}

/// CRC-32 as in Ethernet and zip (reflected 0x04C11DB7). A table would be faster, and 83 bytes don't need it.
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
        let bearer = Bearer::new([7; 16]).expect("random bytes");
        let text = bearer.secret().reveal().to_owned();
        let read = Bearer::parse(&text).expect("its own text");
        assert!(read.id == bearer.id && same(&read.hash(), &bearer.hash()));
        for bad in ["", "nlm", "nlm__", &text[1..], &text[..text.len() - 1], &format!("{text}_x"), &text.to_uppercase()]
        {
            assert_eq!(Bearer::parse(bad).err(), Some(Damage::Form), "{bad}");
        }
        for place in (4..text.len()).filter(|place| &text[*place..=*place] != "_") {
            let other = if &text[place..=place] == "a" { "b" } else { "a" };
            let bad = format!("{}{other}{}", &text[..place], &text[place + 1..]);
            assert_eq!(Bearer::parse(&bad).err(), Some(Damage::Checksum), "{bad}");
        }
    }

    #[test]
    fn a_token_from_before_the_checksum_covered_its_id_goes_on_working() {
        let bearer = Bearer::new([7; 16]).expect("random bytes");
        let id = bearer.id.to_string();
        let former = format!("nlm_{}_{}{}", &id[4..], bearer.secret, checksum(&bearer.secret));
        assert!(Bearer::parse(&former).is_ok_and(|read| same(&read.hash(), &bearer.hash())));
    }

    #[test]
    fn a_secret_is_not_written_by_accident() {
        let secret = Bearer::new([7; 16]).expect("random bytes").secret();
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
