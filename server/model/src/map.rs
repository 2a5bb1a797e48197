//! The map of a pool: one block of it at a time, address by address where it is small, else by the blocks in it.
//!
//! What must not live here: which blocks there are (ipam), and how any of it is counted (store).

use serde::{Deserialize, Serialize};

use crate::id::NetworkId;
use crate::ipam::FreeBlock;
use crate::lease::Lease;
use crate::swarm_endpoint::SwarmEndpoint;

/// Most addresses that are shown one by one: an IPv4 /22, an IPv6 /118.
pub const ADDRESSES_MOST: u32 = 1024;
/// Most leases that stand beside the cells of a sparse block.
pub const SPARSE_MOST: u64 = 64;
/// Most free blocks of one answer.
pub const FREE_MOST: u32 = 512;

/// One block of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PoolMap {
    /// The network's name.
    pub network: String,
    /// The network's ID.
    pub network_id: NetworkId,
    /// The pool's key.
    pub pool: String,
    /// Canonical subnet of the pool.
    pub subnet: String,
    /// The block that this is about.
    #[schema(max_length = 43, example = "10.7.0.0/16")]
    pub block: String,
    /// The blocks that contain it, the pool's subnet first, each a block that can be asked for.
    #[schema(max_items = 16)]
    pub above: Vec<String>,
    /// What one cell is: 32 or 128 where each is an address, else the prefix length of the blocks in `cells`.
    #[schema(minimum = 1, maximum = 128)]
    pub cell_prefix_length: u8,
    /// How many addresses of the block have a lease.
    pub leased: u64,
    /// The blocks in this one that have leases, by address; those without are left out. Empty where each cell is an address.
    #[schema(max_items = 256)]
    pub cells: Vec<MapCell>,
    /// The leases, by address: of a block of at most 1024 addresses, and of one in IPv6 with at most 64 of them.
    #[schema(max_items = 1024)]
    pub leases: Vec<Lease>,
    /// Endpoints of other nodes with addresses in the block, where each cell is an address: on a worker, of a network of the swarm, as its manager told it. They have no leases here.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(max_items = 1024)]
    pub away: Vec<SwarmEndpoint>,
    /// Consecutive addresses of the block that nobody has, by address. Empty where this host does not know: see `reason`.
    #[schema(max_items = 512)]
    pub free: Vec<FreeBlock>,
    /// Whether there is more that is free than `free` has.
    pub more_free: bool,
    /// Why `free` is empty although addresses may be free: the network is the swarm's, and this host is a worker, so that `leases` and `cells` are of this host alone, too.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// A block in a block, with how much of it is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MapCell {
    /// In CIDR form.
    #[schema(max_length = 43, example = "10.7.3.0/24")]
    pub block: String,
    /// How many addresses it has, as decimal text.
    #[schema(max_length = 39, example = "256")]
    pub size: String,
    /// How many of them have a lease.
    pub leased: u64,
}
