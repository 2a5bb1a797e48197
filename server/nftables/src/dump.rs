//! The kernel's answers to [`crate::get`], read into the types that are also sent. Each function answers nothing for a
//! message of another kind.

use crate::chain::Chain;
use crate::element::{self, Element};
use crate::error::DecodeError;
use crate::event::{self, Generation};
use crate::message::{Kind, Message};
use crate::rule::DumpedRule;
use crate::set::Set;
use crate::table::{Table, TableId};

/// A table.
pub fn table(message: &Message<'_>) -> Option<Result<Table, DecodeError>> {
    (message.kind() == Some(Kind::NEW_TABLE)).then(|| Table::decode(message))
}

/// A chain and its table.
pub fn chain(message: &Message<'_>) -> Option<Result<(TableId, Chain), DecodeError>> {
    (message.kind() == Some(Kind::NEW_CHAIN)).then(|| Chain::decode(message))
}

/// A rule.
pub fn rule(message: &Message<'_>) -> Option<Result<DumpedRule, DecodeError>> {
    (message.kind() == Some(Kind::NEW_RULE)).then(|| DumpedRule::decode(message))
}

/// A set or map and its table.
pub fn set(message: &Message<'_>) -> Option<Result<(TableId, Set), DecodeError>> {
    (message.kind() == Some(Kind::NEW_SET)).then(|| Set::decode(message))
}

/// Some elements of a set or map, in no order.
pub fn elements(message: &Message<'_>) -> Option<Result<Vec<Element>, DecodeError>> {
    (message.kind() == Some(Kind::NEW_ELEMENT)).then(|| element::decode_all(message))
}

/// The generation.
pub fn generation(message: &Message<'_>) -> Option<Result<Generation, DecodeError>> {
    (message.kind() == Some(Kind::NEW_GENERATION)).then(|| event::generation(message))
}
