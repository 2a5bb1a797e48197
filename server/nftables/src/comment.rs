//! Comments of rules and elements, as `nft` keeps them in their user data (libnftnl's `udata`: type, length, value).

use std::fmt;

use crate::error::BadComment;

/// NFTNL_UDATA_RULE_COMMENT and NFTNL_UDATA_SET_ELEM_COMMENT.
const COMMENT: u8 = 0;
/// NFTNL_UDATA_COMMENT_MAXLEN without the closing NUL.
const LONGEST: usize = 127;

/// A comment: at most 127 bytes, no quotes, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Comment(String);

impl Comment {
    /// Checks a text.
    pub fn new(text: impl Into<String>) -> Result<Self, BadComment> {
        let text = text.into();
        if text.len() > LONGEST {
            return Err(BadComment::TooLong(text.len()));
        }
        match text.chars().find(|character| *character == '"' || character.is_control()) {
            Some(character) => Err(BadComment::Character(character)),
            None => Ok(Self(text)),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As user data.
    pub(crate) fn user_data(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() + 3);
        put_user_data(&mut bytes, COMMENT, &[self.0.as_bytes(), &[0]].concat());
        bytes
    }

    /// The comment in user data; absent when there is none, also when a stranger wrote one that Netloom could not.
    pub(crate) fn from_user_data(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        while let [kind, length, tail @ ..] = rest {
            let value = tail.get(..usize::from(*length))?;
            if *kind == COMMENT {
                return Self::new(crate::attribute::text(value)).ok();
            }
            rest = &tail[usize::from(*length)..];
        }
        None
    }
}

impl fmt::Display for Comment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Appends a piece of user data: type, length, value.
pub(crate) fn put_user_data(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    // Values are comments (at most 128 bytes with NUL) and 32-bit numbers.
    out.extend([kind, u8::try_from(value.len()).unwrap_or(u8::MAX)]);
    out.extend_from_slice(value);
}
