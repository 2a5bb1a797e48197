//! Commands that find something: by whatever names it, or because it is free.

use ipnet::IpNet;
use netloom_model::net::Family;

use super::{PageRequest, Reference};

/// Finds objects and addresses by whatever a person has at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search(pub String);

/// Finds subnets that a new pool could have, as automatic ones are chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindFreeSubnets {
    /// Of this family.
    pub family: Family,
    /// Length of the prefix, in bits; that of an automatic subnet unless said.
    pub prefix_length: Option<u8>,
    /// In this block, rather than in the default pools.
    pub within: Option<IpNet>,
    /// How many, 1 to 100; 10 unless said.
    pub limit: Option<u32>,
}

/// Lists the runs of addresses of a pool that nobody has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFreeRanges {
    /// Of which network.
    pub network: Reference,
    /// Of the pool with this key; of the first unless said.
    pub pool: Option<String>,
    /// Only runs of so many addresses or more.
    pub at_least: Option<u32>,
    /// Which part.
    pub page: PageRequest,
}
