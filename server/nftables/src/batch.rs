//! A transaction: operations that the kernel does all together, or none of.

use crate::attribute::{attributes, put_u32};
use crate::chain::{self, Chain};
use crate::element::{self, Element};
use crate::message::{
    self, ACK, APPEND, BATCH_BEGIN, BATCH_END, CREATE, ECHO, EXCLUSIVE, Kind, REPLACE, REQUEST, stamp,
};
use crate::rule::{Position, Rule, encode_place, encode_position};
use crate::set::{self, Set};
use crate::table::{Family, Table, TableId, put_table};

/// NFNL_SUBSYS_NFTABLES, which the frame of a batch is addressed to.
const SUBSYSTEM: u16 = 10;
/// NFNL_BATCH_GENID.
const GENERATION: u16 = 1;

/// One message of a batch.
#[derive(Debug, Clone)]
struct Operation {
    message: Vec<u8>,
    description: String,
}

/// Operations in the order given. Adding what is there already succeeds; deleting what is not there fails.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    generation: Option<u32>,
    operations: Vec<Operation>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty batch that is refused with ERESTART unless the ruleset of the network namespace is still of a generation.
    pub fn at_generation(generation: u32) -> Self {
        Self { generation: Some(generation), ..Self::default() }
    }

    /// The generation it asks for.
    pub fn generation(&self) -> Option<u32> {
        self.generation
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Number of messages in it, without its frame.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Appends operations of another batch.
    pub fn append(&mut self, mut other: Self) {
        self.operations.append(&mut other.operations);
    }

    fn push(
        &mut self,
        (kind, flags): (Kind, u16),
        family: Family,
        description: String,
        attributes: impl FnOnce(&mut Vec<u8>),
    ) {
        let mut bytes = Vec::new();
        message::put(&mut bytes, kind.message_type(), REQUEST | flags, 0, (family, 0), attributes);
        self.operations.push(Operation { message: bytes, description });
    }

    /// Adds a table, or takes ownership of one that has no owner.
    pub fn add_table(&mut self, table: &Table) -> &mut Self {
        let description = format!("add table {}", table.id);
        self.push((Kind::NEW_TABLE, CREATE), table.id.family, description, |out| table.encode(out));
        self
    }

    /// Deletes a table with all that is in it.
    pub fn delete_table(&mut self, table: &TableId) -> &mut Self {
        self.push((Kind::DELETE_TABLE, 0), table.family, format!("delete table {table}"), |out| put_table(out, table));
        self
    }

    /// Deletes a table, if it is there (Linux 6.3).
    pub fn destroy_table(&mut self, table: &TableId) -> &mut Self {
        let description = format!("destroy table {table}");
        self.push((Kind::DESTROY_TABLE, 0), table.family, description, |out| put_table(out, table));
        self
    }

    /// Adds a chain, or sets the policy of one that is there.
    pub fn add_chain(&mut self, table: &TableId, chain: &Chain) -> &mut Self {
        let description = format!("add chain {table} {}", chain.name);
        self.push((Kind::NEW_CHAIN, CREATE), table.family, description, |out| chain.encode(table, out));
        self
    }

    /// Deletes a chain with its rules; no rule or element may jump there any more.
    pub fn delete_chain(&mut self, table: &TableId, name: &str) -> &mut Self {
        let description = format!("delete chain {table} {name}");
        self.push((Kind::DELETE_CHAIN, 0), table.family, description, |out| chain::encode_name(table, name, out));
        self
    }

    /// Deletes all rules of a chain.
    pub fn flush_chain(&mut self, table: &TableId, name: &str) -> &mut Self {
        let description = format!("flush chain {table} {name}");
        self.push((Kind::DELETE_RULE, 0), table.family, description, |out| encode_place(table, Some(name), None, out));
        self
    }

    /// Adds a rule to a chain.
    pub fn add_rule(&mut self, table: &TableId, chain: &str, position: Position, rule: &Rule) -> &mut Self {
        let flags = match position {
            Position::Last | Position::After(_) => CREATE | APPEND,
            Position::First | Position::Before(_) => CREATE,
        };
        let description = format!("add {} to chain {table} {chain}", rule.description());
        self.push((Kind::NEW_RULE, flags), table.family, description, |out| {
            encode_place(table, Some(chain), None, out);
            rule.encode(out);
            encode_position(position, out);
        });
        self
    }

    /// Puts a rule in the place of another, which a handle names.
    pub fn replace_rule(&mut self, table: &TableId, chain: &str, handle: u64, rule: &Rule) -> &mut Self {
        let description = format!("replace handle {handle} of chain {table} {chain} by {}", rule.description());
        self.push((Kind::NEW_RULE, REPLACE), table.family, description, |out| {
            encode_place(table, Some(chain), Some(handle), out);
            rule.encode(out);
        });
        self
    }

    /// Deletes the rule that a handle names.
    pub fn delete_rule(&mut self, table: &TableId, chain: &str, handle: u64) -> &mut Self {
        let description = format!("delete rule with handle {handle} from chain {table} {chain}");
        self.push((Kind::DELETE_RULE, 0), table.family, description, |out| {
            encode_place(table, Some(chain), Some(handle), out);
        });
        self
    }

    /// Adds a set or map. One of this name with another type is refused with EEXIST.
    pub fn add_set(&mut self, table: &TableId, set: &Set) -> &mut Self {
        let description = format!("add {} {table} {}", set.word(), set.name);
        self.push((Kind::NEW_SET, CREATE), table.family, description, |out| set.encode(table, out));
        self
    }

    /// Deletes a set or map with its elements; no rule may use it any more.
    pub fn delete_set(&mut self, table: &TableId, name: &str) -> &mut Self {
        let description = format!("delete set {table} {name}");
        self.push((Kind::DELETE_SET, 0), table.family, description, |out| set::encode_name(table, name, out));
        self
    }

    /// Deletes all elements of a set or map.
    pub fn flush_set(&mut self, table: &TableId, name: &str) -> &mut Self {
        let description = format!("flush set {table} {name}");
        self.push((Kind::DELETE_ELEMENT, 0), table.family, description, |out| set::encode_name(table, name, out));
        self
    }

    /// Adds elements to a set or map. A key that is there with other data is refused with EEXIST.
    pub fn add_elements(&mut self, table: &TableId, set: &str, elements: &[Element]) -> &mut Self {
        self.elements((Kind::NEW_ELEMENT, CREATE), ("add", "to"), table, set, elements)
    }

    /// Adds elements that must not be there yet: EEXIST names one that is.
    pub fn create_elements(&mut self, table: &TableId, set: &str, elements: &[Element]) -> &mut Self {
        self.elements((Kind::NEW_ELEMENT, CREATE | EXCLUSIVE), ("create", "in"), table, set, elements)
    }

    /// Deletes elements by key: ENOENT names one that is not there.
    pub fn delete_elements(&mut self, table: &TableId, set: &str, elements: &[Element]) -> &mut Self {
        self.elements((Kind::DELETE_ELEMENT, 0), ("delete", "from"), table, set, elements)
    }

    /// Deletes by key those elements that are there (Linux 6.3).
    pub fn destroy_elements(&mut self, table: &TableId, set: &str, elements: &[Element]) -> &mut Self {
        self.elements((Kind::DESTROY_ELEMENT, 0), ("destroy", "in"), table, set, elements)
    }

    fn elements(
        &mut self,
        (kind, flags): (Kind, u16),
        (verb, preposition): (&str, &str),
        table: &TableId,
        set: &str,
        elements: &[Element],
    ) -> &mut Self {
        for (attributes, count) in element::encode_all(table, set, elements, kind != Kind::NEW_ELEMENT) {
            let noun = if count == 1 { "element" } else { "elements" };
            let description = format!("{verb} {count} {noun} {preposition} set {table} {set}");
            self.push((kind, flags), table.family, description, |out| out.extend_from_slice(&attributes));
        }
        self
    }

    /// The bytes to send. The opening has the sequence number `first`, the operations and the closing those that follow.
    ///
    /// The first operation asks for an echo, because by its header the kernel decides whether the sender is told the
    /// generation that it made. The last one asks for the acknowledgement, which comes after the commit and after
    /// everything else; the closing could ask for it too, but only since Linux 6.10.
    pub fn encode(&self, first: u32) -> Vec<u8> {
        let size: usize = self.operations.iter().map(|operation| operation.message.len()).sum();
        let mut bytes = Vec::with_capacity(size + 64);
        let frame = (Family::UNSPEC, SUBSYSTEM);
        message::put(&mut bytes, BATCH_BEGIN, REQUEST, first, frame, |out| {
            if let Some(generation) = self.generation {
                put_u32(out, GENERATION, generation);
            }
        });
        let mut sequence = first;
        for (index, operation) in self.operations.iter().enumerate() {
            sequence = sequence.wrapping_add(1);
            let start = bytes.len();
            bytes.extend_from_slice(&operation.message);
            let echo = if index == 0 { ECHO } else { 0 };
            let acknowledgement = if index + 1 == self.len() { ACK } else { 0 };
            stamp(&mut bytes[start..], sequence, echo | acknowledgement);
        }
        message::put(&mut bytes, BATCH_END, REQUEST, sequence.wrapping_add(1), frame, |_| {});
        bytes
    }

    /// The last operation's sequence number when the opening's is `first`: what the kernel says to that one is the last that it says.
    pub fn last_sequence(&self, first: u32) -> u32 {
        first.wrapping_add(u32::try_from(self.len()).unwrap_or(u32::MAX))
    }

    /// In words, the operation that a refusal's sequence number means; with the offset of the bad attribute, also which of
    /// several elements. The opening and the closing mean the transaction as a whole.
    pub fn describe(&self, first: u32, sequence: u32, offset: Option<u32>) -> String {
        let index = sequence.wrapping_sub(first).wrapping_sub(1);
        let Some(operation) = self.operations.get(index as usize) else { return "the transaction".to_owned() };
        match offset.and_then(|offset| operation.element_at(offset as usize)) {
            Some(key) => format!("{}: the one with key {key}", operation.description),
            None => operation.description.clone(),
        }
    }
}

impl Operation {
    /// The key, as hexadecimal digits, of the element in which an offset lies.
    fn element_at(&self, offset: usize) -> Option<String> {
        let parsed = message::messages(&self.message).next()?;
        let kind = parsed.kind()?;
        if ![Kind::NEW_ELEMENT, Kind::DELETE_ELEMENT, Kind::DESTROY_ELEMENT].contains(&kind) {
            return None;
        }
        let list = attributes(parsed.attributes()).find(|(kind, _)| *kind == element::LIST)?.1;
        let base = self.message.as_ptr().addr();
        let within = |bytes: &[u8]| {
            // An attribute's value begins four bytes behind the attribute.
            let start = bytes.as_ptr().addr() - base - 4;
            (start..start + 4 + bytes.len()).contains(&offset)
        };
        let (_, bytes) = attributes(list).find(|(_, bytes)| within(bytes))?;
        let key = element::key_of(bytes)?;
        Some(key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
