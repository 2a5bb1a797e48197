//! Parts of our nftables table as values, the same types for desired and observed.
//!
//! The table is one for all bridge networks. It is made with the first that is used and goes with the last. What must not live here:
//! which rules a network needs (`compile::firewall`), and netlink.

use netloom_model::NetworkId;
use netloom_nftables::{Chain, Element, Family, Rule, Set, TableId, Value};

/// Name of our table, of family inet.
const TABLE: &str = "netloom";

/// Our table.
pub fn table() -> TableId {
    TableId::new(Family::INET, TABLE)
}

/// Identity of a part. The order is the order of making.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartKey {
    /// The table.
    Table,
    /// A set or map, by name.
    Set(String),
    /// A chain with its rules, by name.
    Chain(String),
    /// An element: its set, and its key.
    Element(String, Value),
}

/// A part of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The table itself.
    Table,
    /// A set or map, whatever is in it.
    Set(Set),
    /// A chain and its rules, in their order.
    Chain(FilledChain),
    /// An element of a set or map.
    Element(SetElement),
}

/// A chain and its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilledChain {
    /// The chain.
    pub chain: Chain,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// An element of a set or map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetElement {
    /// Name of the set.
    pub set: String,
    /// The element.
    pub element: Element,
}

impl Part {
    /// Its identity.
    pub fn key(&self) -> PartKey {
        match self {
            Self::Table => PartKey::Table,
            Self::Set(set) => PartKey::Set(set.name.clone()),
            Self::Chain(filled) => PartKey::Chain(filled.chain.name.clone()),
            Self::Element(SetElement { set, element }) => PartKey::Element(set.clone(), element.key.clone()),
        }
    }

    /// Whether it is a network's own, and not the table's for all of them.
    pub fn is_of_network(&self) -> bool {
        match self {
            Self::Table | Self::Set(_) => false,
            Self::Chain(filled) => filled.chain.base.is_none(),
            Self::Element(_) => true,
        }
    }
}

/// The chain through which what comes from a network passes.
pub fn chain_from(network: NetworkId) -> String {
    format!("from_{}", network.short())
}

/// The chain through which what goes to a network passes.
pub fn chain_to(network: NetworkId) -> String {
    format!("to_{}", network.short())
}
