//! What the kernel tells the group NFNLGRP_NFTABLES: a message for each object that a transaction changed, then one about
//! the transaction.

use crate::attribute::{find_text, find_u32};
use crate::chain::{Hook, hook_in};
use crate::error::DecodeError;
use crate::message::{Kind, Message};
use crate::table::{TableId, table_of};

/// NFNLGRP_NFTABLES: the multicast group.
pub const GROUP: u32 = 7;
const GENERATION: u16 = 1;
const PROCESS_ID: u16 = 2;
const PROCESS_NAME: u16 = 3;
/// NFTA_RULE_CHAIN.
const CHAIN_OF_RULE: u16 = 2;
/// NFTA_CHAIN_NAME.
const CHAIN_NAME: u16 = 3;

/// A generation of the ruleset of a network namespace: each transaction that changes something makes the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Its number; goes up by one, and begins again after the greatest.
    pub number: u32,
    /// Netlink port of the socket whose transaction it was.
    pub port: u32,
    /// Thread whose transaction it was, as the host's first PID namespace numbers it; of a question, who asked.
    pub process_id: u32,
    /// Name of that thread.
    pub process_name: String,
}

/// What a transaction added, changed or removed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touched {
    /// The table that it is, or is in.
    pub table: TableId,
    /// The chain that it is, or the rule is in; none for the other objects.
    pub chain: Option<String>,
    /// The hook that the chain hangs from, where it is a base chain.
    pub hook: Option<Hook>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An object of a table (or the table itself) was added, changed or removed.
    Touched(Touched),
    /// The transaction ends here.
    Committed(Generation),
}

/// Reads a notification; nothing for one that says neither.
pub fn read(message: &Message<'_>) -> Option<Result<Event, DecodeError>> {
    match message.kind()? {
        Kind::NEW_GENERATION => Some(generation(message).map(Event::Committed)),
        kind => Some(touched(kind, message).map(Event::Touched)),
    }
}

fn touched(kind: Kind, message: &Message<'_>) -> Result<Touched, DecodeError> {
    let table = table_of(message, "notification")?;
    let (chain, hook) = match kind {
        Kind::NEW_CHAIN | Kind::DELETE_CHAIN => {
            (find_text(message.attributes(), CHAIN_NAME), hook_in(message.attributes()))
        }
        Kind::NEW_RULE | Kind::DELETE_RULE => (find_text(message.attributes(), CHAIN_OF_RULE), None),
        _ => (None, None),
    };
    Ok(Touched { table, chain, hook })
}

pub(crate) fn generation(message: &Message<'_>) -> Result<Generation, DecodeError> {
    let attributes = message.attributes();
    let missing = DecodeError::Missing { object: "generation", attribute: "number" };
    Ok(Generation {
        number: find_u32(attributes, GENERATION).ok_or(missing)?,
        port: message.port,
        process_id: find_u32(attributes, PROCESS_ID).unwrap_or(0),
        process_name: find_text(attributes, PROCESS_NAME).unwrap_or_default(),
    })
}
