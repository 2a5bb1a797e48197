//! What can't be encoded, and what can't be read.

/// A message of the kernel that does not read as the object it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// An attribute that every such object has is not there.
    #[error("a dumped {object} without its {attribute}")]
    Missing {
        /// The object, such as `chain`.
        object: &'static str,
        /// The attribute, such as `name`.
        attribute: &'static str,
    },
    /// A verdict that no rule or map of Netloom uses, such as queue.
    #[error("unknown verdict {0}")]
    UnknownVerdict(i32),
    /// A message that ends within itself.
    #[error("a message that is cut off")]
    Truncated,
}

/// Text that can't be the comment of a rule or an element.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadComment {
    /// More bytes than `nft` takes.
    #[error("a comment of {0} bytes, at most 127 fit")]
    TooLong(usize),
    /// A quote or a control character: `nft` prints comments in quotes and knows no escape.
    #[error("a comment with the character {0:?}, which nft could not read again")]
    Character(char),
}
