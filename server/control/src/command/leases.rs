//! Commands about leases and addresses.

use std::net::IpAddr;

use netloom_model::lease::{LeaseKind, LeaseSpec, LeaseState};
use netloom_model::order::LeaseOrder;
use netloom_model::{MacAddr, Timestamp};
use serde::{Deserialize, Serialize};

use super::{PageRequest, Reference};

/// Lists leases of all networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListLeases {
    /// Only this network.
    pub network: Option<Reference>,
    /// Only this address.
    pub address: Option<IpAddr>,
    /// Only within this subnet.
    pub within: Option<ipnet::IpNet>,
    /// Only this Ethernet address.
    pub mac: Option<MacAddr>,
    /// Only of the owner with this name or ID.
    pub owner: Option<String>,
    /// Only of owners on this node, by its ID or its host's name.
    pub node: Option<Reference>,
    /// Only in this state.
    pub state: Option<LeaseState>,
    /// Only of this kind.
    pub kind: Option<LeaseKind>,
    /// Only the reservations with this key.
    pub key: Option<String>,
    /// In which order.
    pub order: LeaseOrder,
    /// Which part.
    pub page: PageRequest,
}

/// Gets a lease: by its ID, or by its network and its key (a reservation's) or address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetLease {
    /// The network, unless asked by ID.
    pub network: Option<Reference>,
    /// ID, key or address.
    pub lease: String,
}

/// Reserves an address without a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReserveLease {
    /// On which network.
    pub network: Reference,
    /// What.
    pub spec: LeaseSpec,
}

/// Changes a reservation by a JSON Merge Patch of its spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateLease {
    /// On which network.
    pub network: Reference,
    /// Key, ID or address.
    pub lease: String,
    /// RFC 7396 patch.
    pub patch: serde_json::Value,
}

/// Gives a reservation a whole spec, and reserves an address where there is none of this key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutLease {
    /// On which network.
    pub network: Reference,
    /// Key, ID or address. Only a key reserves.
    pub lease: String,
    /// What it is to be. Its key is the reference.
    pub spec: LeaseSpec,
}

/// Releases a reservation, or ends a quarantine, by key, ID or address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseLease {
    /// On which network.
    pub network: Reference,
    /// Key, ID or address.
    pub lease: String,
}

/// Asks all about one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetAddress {
    /// The address.
    pub address: IpAddr,
    /// As it was at this time, rather than now.
    pub at: Option<Timestamp>,
}
