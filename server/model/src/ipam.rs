//! Pools of all networks, side by side: what each gives out, how it is used, and what is left of it.
//!
//! What must not live here: how any of it is counted (ipam) or found (store).

use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::id::NetworkId;
use crate::network::Capacity;

/// One pool of one network, with its use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PoolReport {
    /// The network's name.
    pub network: String,
    /// The network's ID.
    pub network_id: NetworkId,
    /// The pool's key, unique in the network.
    pub pool: String,
    /// 4 or 6.
    pub family: u8,
    /// Canonical subnet.
    pub subnet: String,
    /// Canonical range of dynamic addresses, `first-last`.
    pub range: String,
    /// The router's address; absent on an internal network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Whether the subnet was chosen by Netloom.
    pub automatic: bool,
    /// How the addresses are used.
    pub capacity: Capacity,
    /// The largest run of addresses that nobody has, anywhere in the subnet; absent when nothing is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest_free: Option<FreeBlock>,
    /// The lowest runs of addresses that nobody has, at most 4; all of them are at `/networks/{id}/free-ranges`.
    #[schema(max_items = 4)]
    pub free_ranges: Vec<FreeBlock>,
    /// What is remarkable, such as `PoolNearlyFull`; empty when all is well.
    pub conditions: Vec<Condition>,
}

/// Consecutive addresses that nobody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FreeBlock {
    /// A subnet in CIDR form where it is exactly one, else `first-last`, or a single address: as a pool's `range` and `reserved` take it.
    pub block: String,
    /// How many addresses, as decimal text: an IPv6 pool passes 2^53.
    pub size: String,
}

/// Consecutive addresses of one pool that nobody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FreeRange {
    /// The pool's key.
    pub pool: String,
    /// The first address.
    pub first: String,
    /// The last one.
    pub last: String,
    /// The same as a pool's `reserved` takes it: a subnet in CIDR form where it is exactly one, else `first-last`, or a single address.
    pub block: String,
    /// How many addresses, as decimal text: an IPv6 pool passes 2^53.
    pub size: String,
}

/// A subnet that a new pool could have: clear of every pool, of the host's routes and nameservers, and of what other tools use by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FreeSubnet {
    /// The subnet, canonical.
    pub subnet: String,
    /// 4 or 6.
    pub family: u8,
    /// The default pool, or the block asked for, that it lies in.
    pub within: String,
    /// How many addresses can be given out in it, as decimal text.
    pub size: String,
}
