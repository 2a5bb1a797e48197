//! Join tokens as people copy them: `SWMTKN-1-<digest of the authority>-<secret>` (Docker's form).

use std::fmt;
use std::str::FromStr;

use crate::digest::{DIGEST_DIGITS, base36};

/// Digits of a secret: 128 random bits.
pub const SECRET_DIGITS: usize = 25;

const WORD: &str = "SWMTKN";
const VERSION: &str = "1";

/// A join token, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinTokenText {
    /// Digest of the authority that the manager must have ([`crate::digest()`]).
    pub digest: String,
    /// What lets in.
    pub secret: String,
}

/// What is wrong with a text that should be a join token. The text is not repeated: most of a token may be in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseTokenError {
    /// It is something else.
    #[error("it does not begin with SWMTKN-1-")]
    Beginning,
    /// It is of a version that this one doesn't know.
    #[error("it is of version {0}, and only version 1 is known")]
    Version(String),
    /// A part is missing, or too much.
    #[error(
        "it has {0} parts between its hyphens, where there should be 4: SWMTKN, 1, 50 characters and 25 characters"
    )]
    Parts(usize),
    /// A part is too short or too long.
    #[error("its {part} has {found} characters, where there should be {wanted}")]
    Length {
        /// Which: `third part`, ...
        part: &'static str,
        /// How many it has.
        found: usize,
        /// How many it should have.
        wanted: usize,
    },
    /// A character can't be in it.
    #[error("its character number {position} is `{found}`, where only 0-9 and a-z can be")]
    Character {
        /// Which, from 1.
        position: usize,
        /// What it is.
        found: char,
    },
}

impl JoinTokenText {
    /// A token with a new secret, for an authority of this digest. The random bytes are the caller's.
    pub fn make(digest: String, random: [u8; 16]) -> Self {
        Self { digest, secret: base36(&random, SECRET_DIGITS) }
    }
}

/// The token itself: it is a secret.
impl fmt::Display for JoinTokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{WORD}-{VERSION}-{}-{}", self.digest, self.secret)
    }
}

/// The secret is in no log.
impl fmt::Debug for JoinTokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{WORD}-{VERSION}-{}-...", self.digest)
    }
}

impl FromStr for JoinTokenText {
    type Err = ParseTokenError;
    fn from_str(text: &str) -> Result<Self, ParseTokenError> {
        let text = text.trim();
        let parts: Vec<&str> = text.split('-').collect();
        match parts.as_slice() {
            [WORD, VERSION, digest, secret] => {
                check("third part", text, digest, DIGEST_DIGITS)?;
                check("fourth part", text, secret, SECRET_DIGITS)?;
                Ok(Self { digest: (*digest).to_owned(), secret: (*secret).to_owned() })
            }
            [WORD, VERSION, ..] => Err(ParseTokenError::Parts(parts.len())),
            [WORD, version, ..] if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()) => {
                Err(ParseTokenError::Version((*version).to_owned()))
            }
            _ => Err(ParseTokenError::Beginning),
        }
    }
}

fn check(name: &'static str, text: &str, part: &str, wanted: usize) -> Result<(), ParseTokenError> {
    // `part` is a slice of `text`: how far in it begins, its address says.
    let before = text[..part.as_ptr() as usize - text.as_ptr() as usize].chars().count();
    let bad = part.chars().enumerate().find(|(_, c)| !c.is_ascii_digit() && !c.is_ascii_lowercase());
    if let Some((index, found)) = bad {
        return Err(ParseTokenError::Character { position: before + index + 1, found });
    }
    let found = part.len();
    if found == wanted { Ok(()) } else { Err(ParseTokenError::Length { part: name, found, wanted }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "49nj1cmql0jkz5s954yi3oex3nedyz0fb0xx14ie39trti4wxv";
    const SECRET: &str = "8vxv8rssmk743ojnwacrr2e7c";

    #[test]
    fn a_token_survives_its_text() {
        let token: JoinTokenText = format!(" SWMTKN-1-{DIGEST}-{SECRET}\n").parse().unwrap();
        assert_eq!((token.digest.as_str(), token.secret.as_str()), (DIGEST, SECRET));
        assert_eq!(token.to_string(), format!("SWMTKN-1-{DIGEST}-{SECRET}"));
        assert!(!format!("{token:?}").contains(SECRET));
        let made = JoinTokenText::make(DIGEST.to_owned(), [0xff; 16]);
        assert_eq!(made.secret, "f5lxx1zz5pnorynqglhzmsp33");
        assert_eq!(made.to_string().parse(), Ok(made));
    }

    #[test]
    fn a_mistyped_token_is_told_what_is_wrong_with_it() {
        use ParseTokenError as E;
        let length = |part, found, wanted| E::Length { part, found, wanted };
        for (text, error) in [
            (String::new(), E::Beginning),
            ("hunter2".to_owned(), E::Beginning),
            (format!("swmtkn-1-{DIGEST}-{SECRET}"), E::Beginning),
            (format!("SWMTKN-x-{DIGEST}-{SECRET}"), E::Beginning),
            (format!("SWMTKN-2-{DIGEST}-{SECRET}"), E::Version("2".to_owned())),
            (format!("SWMTKN-1-{DIGEST}"), E::Parts(3)),
            (format!("SWMTKN-1-{DIGEST}-{SECRET}-x"), E::Parts(5)),
            (format!("SWMTKN-1-{}-{SECRET}", &DIGEST[1..]), length("third part", 49, 50)),
            (format!("SWMTKN-1-{DIGEST}-{SECRET}c"), length("fourth part", 26, 25)),
            (format!("SWMTKN-1-{DIGEST}-"), length("fourth part", 0, 25)),
            (format!("SWMTKN-1-A{}-{SECRET}", &DIGEST[1..]), E::Character { position: 10, found: 'A' }),
            (format!("SWMTKN-1-{DIGEST}-ü{}", &SECRET[1..]), E::Character { position: 61, found: 'ü' }),
        ] {
            assert_eq!(text.parse::<JoinTokenText>(), Err(error.clone()), "{text}");
            assert!(!error.to_string().contains(SECRET));
        }
    }
}
