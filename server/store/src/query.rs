//! Questions with several optional parts, and answers that are not rows.

use std::net::IpAddr;

use netloom_model::audit::Decision;
use netloom_model::lease::{LeaseKind, LeaseState};
use netloom_model::net::{Family, Span};
use netloom_model::network::{Driver, Scope};
use netloom_model::order::{EventOrder, LeaseOrder, NamedOrder, NodeOrder, PoolOrder};
use netloom_model::swarm::SwarmRole;
use netloom_model::token::Role;
use netloom_model::{MacAddr, NetworkId, NodeId, SandboxId, Timestamp, TokenId};

use crate::order::Place;
use crate::row::{PoolRow, SandboxRow};

/// Which networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkQuery {
    /// Only this driver.
    pub driver: Option<Driver>,
    /// Only this scope.
    pub scope: Option<Scope>,
    /// Only with all these labels; a key alone asks for any value.
    pub labels: Vec<(String, Option<String>)>,
    /// Only with a pool that contains this address.
    pub contains: Option<IpAddr>,
    /// Only with this text in the name or the description, in any case of ASCII letters.
    pub text: Option<String>,
    /// In which order.
    pub order: NamedOrder,
    /// Only what comes after this place in the order.
    pub after: Option<Place>,
    /// At most this many.
    pub limit: u32,
}

/// Which sandboxes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SandboxQuery {
    /// Only with an endpoint on this network.
    pub network: Option<NetworkId>,
    /// Only these.
    pub ids: Option<Vec<SandboxId>>,
    /// Only with all these labels; a key alone asks for any value.
    pub labels: Vec<(String, Option<String>)>,
    /// Only wanted running (true) or stopped (false).
    pub running: Option<bool>,
    /// Only with this text in the name or the description, in any case of ASCII letters.
    pub text: Option<String>,
    /// In which order.
    pub order: NamedOrder,
    /// Only what comes after this place in the order.
    pub after: Option<Place>,
    /// At most this many.
    pub limit: u32,
}

/// Which leases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaseQuery {
    /// Only this network.
    pub network: Option<NetworkId>,
    /// Only this address.
    pub address: Option<IpAddr>,
    /// Only within this span.
    pub within: Option<Span>,
    /// Only this Ethernet address.
    pub mac: Option<MacAddr>,
    /// Only Ethernet addresses that begin with this, as they are written.
    pub mac_begin: Option<String>,
    /// Only of the owner with this name or ID.
    pub owner: Option<String>,
    /// Only of owners on this node.
    pub node: Option<NodeId>,
    /// Only in this state.
    pub state: Option<LeaseState>,
    /// Only of this kind.
    pub kind: Option<LeaseKind>,
    /// Only the reservations with this key.
    pub key: Option<String>,
    /// Only the reservations with this key, large and small letters being the same.
    pub key_in_any_case: Option<String>,
    /// In which order.
    pub order: LeaseOrder,
    /// Only what comes after this place in the order.
    pub after: Option<Place>,
    /// At most this many.
    pub limit: u32,
}

/// Which events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Only after the event of this number.
    pub after: u64,
    /// Only before the event of this number.
    pub before: Option<u64>,
    /// Only of these kinds; none keeps all.
    pub kinds: Vec<String>,
    /// Only of the object with this ID or name.
    pub object: Option<String>,
    /// Only what this actor did.
    pub actor: Option<String>,
    /// Only what came of the request of this ID.
    pub request_id: Option<String>,
    /// Only at this time or later.
    pub from: Option<Timestamp>,
    /// Only before this time.
    pub until: Option<Timestamp>,
    /// In which order.
    pub order: EventOrder,
    /// At most this many.
    pub limit: u32,
}

/// Which pools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolQuery {
    /// Only this network's.
    pub network: Option<NetworkId>,
    /// Only this family's.
    pub family: Option<Family>,
    /// In which order.
    pub order: PoolOrder,
    /// Only what comes after this place in the order.
    pub after: Option<Place>,
    /// At most this many.
    pub limit: u32,
}

/// Which runs of free addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FreeRangeQuery {
    /// Of this pool.
    pub pool_id: i64,
    /// Only of so many addresses or more.
    pub at_least: u128,
    /// Only what comes after this place in the order, which is by address.
    pub after: Option<Place>,
    /// At most this many.
    pub limit: u32,
}

/// What is free in a pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FreeSummary {
    /// Free addresses of the subnet that can be given to something.
    pub total: u128,
    /// Those of them in the range that dynamic addresses come from.
    pub in_range: u128,
    /// The largest run of free addresses, anywhere in the subnet.
    pub largest: Option<Span>,
}

/// How full a pool is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolUse {
    /// The pool.
    pub pool: PoolRow,
    /// Name of its network.
    pub network_name: String,
    /// Leases of any kind and state.
    pub leased: u64,
    /// Addresses that can be given to something.
    pub usable: u128,
    /// How many of those are in the range that dynamic addresses come from.
    pub range: u128,
    /// Those of the range that nobody has.
    pub free_in_range: u128,
}

/// What the state of a sandbox depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SandboxStanding {
    /// ID.
    pub id: SandboxId,
    /// Whether it should run.
    pub running: bool,
    /// Whether it is being removed.
    pub deleting: bool,
    /// Whether its adopted namespace is given up.
    pub orphaned: bool,
    /// Number of the event that last changed it.
    pub revision: u64,
}

impl SandboxRow {
    /// What its state depends on.
    pub const fn standing(&self) -> SandboxStanding {
        let Self { id, running, deleting, revision, .. } = *self;
        SandboxStanding { id, running, deleting, orphaned: self.orphaned.is_some(), revision }
    }
}

/// Which tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenQuery {
    /// Of this role.
    pub role: Option<Role>,
    /// Only what comes after this place in the order, which is by name.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: u32,
}

/// Which nodes of the swarm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeQuery {
    /// Of this role.
    pub role: Option<SwarmRole>,
    /// Only with all these labels; a key alone asks for any value.
    pub labels: Vec<(String, Option<String>)>,
    /// In which order.
    pub order: NodeOrder,
    /// Only what comes after this place in the order.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: u32,
}

/// Which join tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JoinTokenQuery {
    /// Of this role.
    pub role: Option<SwarmRole>,
    /// Only what comes after this place in the order, which is by name.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: u32,
}

/// Which audit entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Of the actor of this name.
    pub actor: Option<String>,
    /// With the token of this ID.
    pub token_id: Option<TokenId>,
    /// About the object of this ID or name.
    pub object: Option<String>,
    /// Of these actions, or of actions that start with one of these and a dot; none keeps all.
    pub actions: Vec<String>,
    /// Of the request of this ID.
    pub request_id: Option<String>,
    /// With this outcome.
    pub decision: Option<Decision>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Only what comes after this place in the order: the latest come first.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: u32,
}
