//! Rules: matches and statements in the order written, as one would write them for `nft`.
//!
//! ```
//! # use netloom_nftables::{Comment, Rule};
//! # fn main() -> Result<(), netloom_nftables::BadComment> {
//! // iifname @bridges oifname @bridges counter drop comment "isolation:1"
//! let rule = Rule::new().iifname_in("bridges").oifname_in("bridges").counter().drop();
//! let rule = rule.comment(Comment::new("isolation:1")?);
//! # Ok(())
//! # }
//! ```

mod matching;
mod statement;

pub use matching::Field;

use crate::attribute::{find, find_text, find_u64, put, put_text, put_u64};
use crate::comment::Comment;
use crate::error::DecodeError;
use crate::expression::{Counted, Expressions};
use crate::message::Message;
use crate::table::{TableId, put_table, table_of};

const CHAIN: u16 = 2;
const HANDLE: u16 = 3;
const EXPRESSIONS: u16 = 4;
const POSITION: u16 = 6;
const USER_DATA: u16 = 7;

/// A rule. Two are equal when they do the same and carry the same comment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rule {
    /// What it does.
    pub expressions: Expressions,
    /// Its comment.
    pub comment: Option<Comment>,
}

/// A rule as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpedRule {
    /// Its table.
    pub table: TableId,
    /// Its chain.
    pub chain: String,
    /// The kernel's number for it, unique in its table.
    pub handle: u64,
    /// The rule.
    pub rule: Rule,
    /// What its first counter counted.
    pub counted: Option<Counted>,
}

/// Where in a chain a new rule goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Behind all.
    Last,
    /// Before all.
    First,
    /// Behind the rule with this handle.
    After(u64),
    /// Before the rule with this handle.
    Before(u64),
}

impl Rule {
    /// An empty rule, which matches everything and does nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a comment.
    #[must_use]
    pub fn comment(mut self, comment: Comment) -> Self {
        self.comment = Some(comment);
        self
    }

    /// With more expressions.
    #[must_use]
    pub fn with(mut self, more: impl FnOnce(Expressions) -> Expressions) -> Self {
        self.expressions = more(std::mem::take(&mut self.expressions));
        self
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put(out, EXPRESSIONS, self.expressions.as_bytes());
        if let Some(comment) = &self.comment {
            put(out, USER_DATA, &comment.user_data());
        }
    }

    /// How a rule is called in messages.
    pub(crate) fn description(&self) -> String {
        self.comment.as_ref().map_or_else(|| "rule".to_owned(), |comment| format!("rule \"{comment}\""))
    }
}

impl DumpedRule {
    /// Reads a NEWRULE.
    pub(crate) fn decode(message: &Message<'_>) -> Result<Self, DecodeError> {
        let missing = |attribute| DecodeError::Missing { object: "rule", attribute };
        let attributes = message.attributes();
        let (expressions, counted) = Expressions::decode(find(attributes, EXPRESSIONS).unwrap_or_default());
        let comment = find(attributes, USER_DATA).and_then(Comment::from_user_data);
        Ok(Self {
            table: table_of(message, "rule")?,
            chain: find_text(attributes, CHAIN).ok_or(missing("chain"))?,
            handle: find_u64(attributes, HANDLE).ok_or(missing("handle"))?,
            rule: Rule { expressions, comment },
            counted,
        })
    }
}

/// Appends what says which rules are meant: all of a table, of a chain, or one by its handle.
pub(crate) fn encode_place(table: &TableId, chain: Option<&str>, handle: Option<u64>, out: &mut Vec<u8>) {
    put_table(out, table);
    if let Some(chain) = chain {
        put_text(out, CHAIN, chain);
    }
    if let Some(handle) = handle {
        put_u64(out, HANDLE, handle);
    }
}

/// Appends the handle of the rule that a new one goes next to.
pub(crate) fn encode_position(position: Position, out: &mut Vec<u8>) {
    if let Position::After(handle) | Position::Before(handle) = position {
        put_u64(out, POSITION, handle);
    }
}
