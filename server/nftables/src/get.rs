//! Questions to the kernel; [`crate::dump`] reads the answers.

use crate::element::{self, Element};
use crate::message::{self, DUMP, Kind, REQUEST};
use crate::rule::encode_place;
use crate::set;
use crate::table::{Family, TableId, put_table};

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Get {
    kind: Kind,
    flags: u16,
    family: Family,
    attributes: Vec<u8>,
}

impl Get {
    fn new(kind: Kind, flags: u16, family: Family, attributes: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = Vec::new();
        attributes(&mut bytes);
        Self { kind, flags, family, attributes: bytes }
    }

    /// The generation of the ruleset; one answer.
    pub fn generation() -> Self {
        Self::new(Kind::GET_GENERATION, 0, Family::UNSPEC, |_| {})
    }

    /// All tables of a family, or of [`Family::UNSPEC`]; a dump.
    pub fn tables(family: Family) -> Self {
        Self::new(Kind::GET_TABLE, DUMP, family, |_| {})
    }

    /// All chains of a family, or of [`Family::UNSPEC`]; a dump. The kernel can't be asked for one table's.
    pub fn chains(family: Family) -> Self {
        Self::new(Kind::GET_CHAIN, DUMP, family, |_| {})
    }

    /// The rules of a table, or of one chain of it, in their order; a dump. A table that is not there has none.
    pub fn rules(table: &TableId, chain: Option<&str>) -> Self {
        Self::new(Kind::GET_RULE, DUMP, table.family, |out| encode_place(table, chain, None, out))
    }

    /// The sets and maps of a table; a dump. ENOENT when it is not there.
    pub fn sets(table: &TableId) -> Self {
        Self::new(Kind::GET_SET, DUMP, table.family, |out| put_table(out, table))
    }

    /// All elements of a set or map; a dump. ENOENT when it is not there.
    pub fn elements(table: &TableId, set: &str) -> Self {
        Self::new(Kind::GET_ELEMENT, DUMP, table.family, |out| set::encode_name(table, set, out))
    }

    /// One element by key: one answer, or ENOENT. In a set of ranges, the range that the key lies in.
    pub fn element(table: &TableId, set: &str, element: &Element) -> Self {
        let elements = std::slice::from_ref(element);
        let attributes = element::encode_all(table, set, elements, true).pop().map(|(attributes, _)| attributes);
        Self::new(Kind::GET_ELEMENT, 0, table.family, |out| out.extend(attributes.unwrap_or_default()))
    }

    /// Whether it asks for a dump.
    pub fn is_dump(&self) -> bool {
        self.flags & DUMP != 0
    }

    /// Appends the bytes to send.
    pub fn encode(&self, sequence: u32, out: &mut Vec<u8>) {
        message::put(out, self.kind.message_type(), REQUEST | self.flags, sequence, (self.family, 0), |out| {
            out.extend_from_slice(&self.attributes);
        });
    }
}
