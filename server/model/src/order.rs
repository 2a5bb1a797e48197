//! The orders that lists come in, by the words of `?sort=`: only such as have an index, so that a page is read without sorting what is
//! not on it, and only by values that stay, so that pages stay right while objects come and go. Ties are ordered by ID.

use serde::{Deserialize, Serialize};

/// An order of objects that have a name: networks, sandboxes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum NamedOrder {
    /// By name, in the order of bytes.
    #[default]
    #[serde(rename = "name")]
    Name,
    /// By name, backwards.
    #[serde(rename = "-name")]
    NameBackwards,
    /// Oldest first.
    #[serde(rename = "created_at")]
    Oldest,
    /// Newest first.
    #[serde(rename = "-created_at")]
    Newest,
}

/// An order of leases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum LeaseOrder {
    /// By address, IPv4 as `::ffff:0:0/96`.
    #[default]
    #[serde(rename = "address")]
    Address,
    /// By address, backwards.
    #[serde(rename = "-address")]
    AddressBackwards,
    /// By the owner's name, in the order of bytes.
    #[serde(rename = "owner")]
    Owner,
    /// By the owner's name, backwards.
    #[serde(rename = "-owner")]
    OwnerBackwards,
    /// Oldest holding first.
    #[serde(rename = "created_at")]
    Oldest,
    /// Newest holding first.
    #[serde(rename = "-created_at")]
    Newest,
}

/// An order of nodes. Their hosts' names are none: a host may be called otherwise tomorrow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum NodeOrder {
    /// In the order of joining.
    #[default]
    #[serde(rename = "created_at")]
    Oldest,
    /// Who joined last first.
    #[serde(rename = "-created_at")]
    Newest,
}

/// An order of pools.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum PoolOrder {
    /// By subnet, lowest first.
    #[default]
    #[serde(rename = "subnet")]
    Subnet,
    /// By subnet, highest first.
    #[serde(rename = "-subnet")]
    SubnetBackwards,
}

/// An order of events: by number, which is the order in which they happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum EventOrder {
    /// The oldest first.
    #[default]
    #[serde(rename = "seq")]
    Oldest,
    /// The latest first.
    #[serde(rename = "-seq")]
    Latest,
}
