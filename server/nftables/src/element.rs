//! Elements of sets and maps.

use ipnet::IpNet;

use crate::attribute::{attributes, find, find_u32, nest, put, put_u32};
use crate::comment::Comment;
use crate::error::DecodeError;
use crate::message::Message;
use crate::set;
use crate::table::TableId;
use crate::value::{Value, Verdict, put_value, put_verdict, value_in, verdict_in};

pub(crate) const LIST: u16 = 3;
pub(crate) const LIST_ELEMENT: u16 = 1;
const KEY: u16 = 1;
const DATA: u16 = 2;
const FLAGS: u16 = 3;
const USER_DATA: u16 = 6;
const KEY_END: u16 = 10;
const FLAG_INTERVAL_END: u32 = 1;
/// The catch-all element `*`, which has no key.
const FLAG_CATCH_ALL: u32 = 2;

/// Most elements in one message. Their list is one attribute, of which the length has 16 bits.
const ELEMENTS: usize = 500;
/// Most bytes in that list.
const BYTES: usize = 60_000;

/// An element.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Element {
    /// Key, or the first key of a range.
    pub key: Value,
    /// Last key of a range of concatenations, field by field.
    pub key_end: Option<Value>,
    /// In an interval set without concatenation: from this key on there is no range any more.
    pub interval_end: bool,
    /// What a map has for the key.
    pub data: Option<Data>,
    /// Comment.
    pub comment: Option<Comment>,
}

/// What a map has for a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Data {
    /// A value.
    Value(Value),
    /// A verdict.
    Verdict(Verdict),
}

impl Element {
    /// One key.
    pub fn new(key: Value) -> Self {
        Self { key, key_end: None, interval_end: false, data: None, comment: None }
    }

    /// A range of concatenations: each field from its first to its last value.
    pub fn range(first: Value, last: Value) -> Self {
        Self { key_end: Some(last), ..Self::new(first) }
    }

    /// The addresses of a network, for an interval set of addresses: where they begin and, unless they are the last
    /// ones, where they end. Data and comment belong to the first.
    pub fn network(net: IpNet) -> Vec<Self> {
        let first = Self::new(Value::address(net.network()));
        let end = Value::address(net.broadcast()).next();
        let end = end.map(|key| Self { interval_end: true, ..Self::new(key) });
        std::iter::once(first).chain(end).collect()
    }

    /// With a value for its key.
    #[must_use]
    pub fn value(mut self, value: Value) -> Self {
        self.data = Some(Data::Value(value));
        self
    }

    /// With a verdict for its key.
    #[must_use]
    pub fn verdict(mut self, verdict: Verdict) -> Self {
        self.data = Some(Data::Verdict(verdict));
        self
    }

    /// With a comment.
    #[must_use]
    pub fn comment(mut self, comment: Comment) -> Self {
        self.comment = Some(comment);
        self
    }

    /// `key_only` leaves out what a removal or a question does not need.
    fn encode(&self, key_only: bool, out: &mut Vec<u8>) {
        nest(out, LIST_ELEMENT, |out| {
            put_value(out, KEY, self.key.as_bytes());
            if let Some(end) = &self.key_end {
                put_value(out, KEY_END, end.as_bytes());
            }
            match &self.data {
                Some(Data::Value(value)) if !key_only => put_value(out, DATA, value.as_bytes()),
                Some(Data::Verdict(verdict)) if !key_only => put_verdict(out, DATA, verdict),
                _ => {}
            }
            if self.interval_end {
                put_u32(out, FLAGS, FLAG_INTERVAL_END);
            }
            if let Some(comment) = self.comment.as_ref().filter(|_| !key_only) {
                put(out, USER_DATA, &comment.user_data());
            }
        });
    }

    /// Reads one element of a list; nothing for the catch-all, which Netloom never makes.
    fn decode(bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
        let flags = find_u32(bytes, FLAGS).unwrap_or(0);
        if flags & FLAG_CATCH_ALL != 0 {
            return Ok(None);
        }
        let missing = |attribute| DecodeError::Missing { object: "element", attribute };
        let data = match find(bytes, DATA) {
            None => None,
            Some(data) => match verdict_in(data) {
                Some(verdict) => Some(Data::Verdict(verdict?)),
                None => Some(Data::Value(value_in(data).ok_or(missing("data"))?)),
            },
        };
        Ok(Some(Self {
            key: find(bytes, KEY).and_then(value_in).ok_or(missing("key"))?,
            key_end: find(bytes, KEY_END).and_then(value_in),
            interval_end: flags & FLAG_INTERVAL_END != 0,
            data,
            comment: find(bytes, USER_DATA).and_then(Comment::from_user_data),
        }))
    }
}

/// The attributes of messages that hold elements: as many messages as it takes, each with the number of its elements.
pub(crate) fn encode_all(table: &TableId, set: &str, elements: &[Element], key_only: bool) -> Vec<(Vec<u8>, usize)> {
    let mut messages = Vec::new();
    let mut list = Vec::new();
    let mut count = 0;
    let mut close = |list: &mut Vec<u8>, count: &mut usize| {
        let mut out = Vec::with_capacity(list.len() + 64);
        set::encode_name(table, set, &mut out);
        put(&mut out, LIST, list);
        messages.push((out, *count));
        list.clear();
        *count = 0;
    };
    for element in elements {
        element.encode(key_only, &mut list);
        count += 1;
        if count == ELEMENTS || list.len() > BYTES {
            close(&mut list, &mut count);
        }
    }
    if count > 0 {
        close(&mut list, &mut count);
    }
    messages
}

/// Reads a NEWSETELEM.
pub(crate) fn decode_all(message: &Message<'_>) -> Result<Vec<Element>, DecodeError> {
    let list = find(message.attributes(), LIST).unwrap_or_default();
    attributes(list).filter_map(|(_, element)| Element::decode(element).transpose()).collect()
}

/// The key in one element of a list.
pub(crate) fn key_of(bytes: &[u8]) -> Option<Value> {
    find(bytes, KEY).and_then(value_in)
}
