//! Sets and maps. Their elements: [`crate::element`].

use crate::attribute::{find_text, find_u32, nest, put, put_text, put_u32};
use crate::comment::put_user_data;
use crate::error::DecodeError;
use crate::message::Message;
use crate::table::{TableId, put_table, table_of};
use crate::value::DataType;

const NAME: u16 = 2;
const FLAGS: u16 = 3;
const KEY_TYPE: u16 = 4;
const KEY_LENGTH: u16 = 5;
const DATA_TYPE: u16 = 6;
const DATA_LENGTH: u16 = 7;
const DESCRIPTION: u16 = 9;
const DESCRIPTION_CONCATENATION: u16 = 2;
const LIST_ELEMENT: u16 = 1;
const FIELD_LENGTH: u16 = 1;
const ID: u16 = 10;
/// The kernel wants an ID, by which the rest of a batch could name the set; here everything names it by name.
const ANY_ID: u32 = 1;
const USER_DATA: u16 = 13;
/// NFTNL_UDATA_SET_KEYBYTEORDER and NFTNL_UDATA_SET_DATABYTEORDER: without them `nft` prints names and numbers wrongly.
const KEY_BYTE_ORDER: u8 = 0;
const DATA_BYTE_ORDER: u8 = 1;

const FLAG_ANONYMOUS: u32 = 0x1;
const FLAG_INTERVAL: u32 = 0x4;
const FLAG_MAP: u32 = 0x8;
const FLAG_CONCATENATION: u32 = 0x80;

/// A set, or (with data) a map.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set {
    /// Name.
    pub name: String,
    /// Type of its keys.
    pub key: DataType,
    /// Type of what a map has for them.
    pub data: Option<DataType>,
    /// NFT_SET_* bits, as the constructors set them.
    pub flags: u32,
}

impl Set {
    /// A set of single keys.
    pub fn new(name: impl Into<String>, key: DataType) -> Self {
        Self { name: name.into(), key, data: None, flags: 0 }
    }

    /// Of keys that have data.
    #[must_use]
    pub fn map_to(mut self, data: DataType) -> Self {
        self.data = Some(data);
        self.flags |= FLAG_MAP;
        self
    }

    /// Of ranges of keys, which must not overlap.
    #[must_use]
    pub fn interval(mut self) -> Self {
        self.flags |= FLAG_INTERVAL;
        if self.key.is_concatenation() {
            self.flags |= FLAG_CONCATENATION;
        }
        self
    }

    /// Whether it was made by a rule of somebody else's and goes with that.
    pub fn is_anonymous(&self) -> bool {
        self.flags & FLAG_ANONYMOUS != 0
    }

    /// Whether it holds ranges.
    pub fn is_interval(&self) -> bool {
        self.flags & FLAG_INTERVAL != 0
    }

    /// nft's word for it.
    pub(crate) fn word(&self) -> &'static str {
        if self.data.is_some() { "map" } else { "set" }
    }

    pub(crate) fn encode(&self, table: &TableId, out: &mut Vec<u8>) {
        encode_name(table, &self.name, out);
        put_u32(out, FLAGS, self.flags);
        put_u32(out, KEY_TYPE, self.key.code);
        put_u32(out, KEY_LENGTH, self.key.length);
        if let Some(data) = self.data {
            put_u32(out, DATA_TYPE, data.code);
            put_u32(out, DATA_LENGTH, data.length);
        }
        if self.flags & FLAG_CONCATENATION != 0 {
            nest(out, DESCRIPTION, |out| nest(out, DESCRIPTION_CONCATENATION, |out| self.encode_fields(out)));
        }
        put_u32(out, ID, ANY_ID);
        let mut user_data = Vec::new();
        let order = |of: DataType| (of.byte_order() as u32).to_ne_bytes();
        put_user_data(&mut user_data, KEY_BYTE_ORDER, &order(self.key));
        if let Some(data) = self.data {
            put_user_data(&mut user_data, DATA_BYTE_ORDER, &order(data));
        }
        put(out, USER_DATA, &user_data);
    }

    fn encode_fields(&self, out: &mut Vec<u8>) {
        for field in self.key.fields() {
            nest(out, LIST_ELEMENT, |out| put_u32(out, FIELD_LENGTH, field.length));
        }
    }

    /// Reads a NEWSET.
    pub(crate) fn decode(message: &Message<'_>) -> Result<(TableId, Self), DecodeError> {
        let missing = |attribute| DecodeError::Missing { object: "set", attribute };
        let attributes = message.attributes();
        let number = |kind| find_u32(attributes, kind);
        let data = number(DATA_TYPE).map(|code| DataType { code, length: number(DATA_LENGTH).unwrap_or(0) });
        let set = Self {
            name: find_text(attributes, NAME).ok_or(missing("name"))?,
            key: DataType {
                code: number(KEY_TYPE).unwrap_or(0),
                length: number(KEY_LENGTH).ok_or(missing("length of keys"))?,
            },
            data,
            flags: number(FLAGS).unwrap_or(0),
        };
        Ok((table_of(message, "set")?, set))
    }
}

/// The set's name alone.
pub(crate) fn encode_name(table: &TableId, name: &str, out: &mut Vec<u8>) {
    put_table(out, table);
    put_text(out, NAME, name);
}
