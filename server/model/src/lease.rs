//! Leases: who has an address, since when, and who had it before.

use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::id::{EndpointId, LeaseId, NetworkId, NodeId};
use crate::mac::MacAddr;
use crate::network::Scope;
use crate::swarm_endpoint::SwarmEndpoint;
use crate::timestamp::Timestamp;

/// Why an address is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LeaseKind {
    /// Chosen by Netloom.
    Dynamic,
    /// Chosen by the user, for an endpoint.
    Requested,
    /// Kept out of use, by the pool's map or by a lease without sandbox.
    Reserved,
    /// The router's.
    Gateway,
    /// The host's own: its address on the parent, its router, its nameserver.
    Host,
}

impl LeaseKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Dynamic, Self::Requested, Self::Reserved, Self::Gateway, Self::Host];

    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dynamic => "dynamic",
            Self::Requested => "requested",
            Self::Reserved => "reserved",
            Self::Gateway => "gateway",
            Self::Host => "host",
        }
    }
}

/// How firmly an address is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LeaseState {
    /// In use.
    Bound,
    /// Its sandbox is stopped; the address waits for it.
    Held,
    /// Let go, but not yet proven gone from the kernel; not given to anyone.
    Releasing,
    /// A stranger answered for it on the wire; not given to anyone until the quarantine ends.
    Quarantined,
    /// Its holder vanished.
    Orphaned,
}

impl LeaseState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Bound, Self::Held, Self::Releasing, Self::Quarantined, Self::Orphaned];

    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Held => "held",
            Self::Releasing => "releasing",
            Self::Quarantined => "quarantined",
            Self::Orphaned => "orphaned",
        }
    }
}

/// What holds an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OwnerKind {
    /// A sandbox, through an endpoint.
    Sandbox,
    /// The network itself: its gateway, its reserved map.
    Network,
    /// A user, by a lease without sandbox.
    Reservation,
    /// The host.
    Host,
    /// Somebody on the wire that Netloom does not know.
    Stranger,
}

impl OwnerKind {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Network => "network",
            Self::Reservation => "reservation",
            Self::Host => "host",
            Self::Stranger => "stranger",
        }
    }
}

/// Who holds an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Owner {
    /// What holds it.
    pub kind: OwnerKind,
    /// The holder's ID, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The holder's name: the sandbox's, the reserved map's key, the lease's key, the host link's.
    pub name: String,
    /// The node it is on.
    pub node: NodeId,
}

/// What a user writes of a lease without sandbox: an address kept out of use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseSpec {
    /// Unique key within the network, of the same form as a name. Immutable.
    #[schema(min_length = 1, max_length = 63, example = "printer")]
    pub key: String,
    /// This address; the lowest free one unless said. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 45, example = "192.168.122.9")]
    pub address: Option<String>,
    /// The pool to take it from, by key; the one that contains `address`, else the network's first, unless said. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 63)]
    pub pool: Option<String>,
    /// The Ethernet address that belongs to it, for people to see.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 17)]
    pub mac: Option<String>,
    /// Free text, at most 1024 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub description: Option<String>,
}

/// A lease as answered. The writable fields are there on leases that a user wrote; every fact is in the status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Lease {
    /// What the user wrote, on a lease without sandbox.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    pub spec: Option<LeaseSpec>,
    /// Opaque ID.
    pub id: LeaseId,
    /// Number of the event that last changed it.
    pub revision: u64,
    /// Number of the event that last changed the spec; what `If-Match` compares.
    pub spec_revision: u64,
    /// When this holder got it.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// What is so.
    pub status: LeaseStatus,
}

/// Another node of the swarm, with an address of one of its networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LeaseNode {
    /// ID.
    pub id: NodeId,
    /// Its host's name.
    #[schema(max_length = 64, example = "machine2")]
    pub hostname: String,
    /// When it reported last, where it is silent since: whether the owner runs is not known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub silent_since: Option<Timestamp>,
}

/// The facts of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LeaseStatus {
    /// The address.
    pub address: String,
    /// Length of the subnet's prefix, in bits.
    pub prefix_length: u8,
    /// The Ethernet address: the holder's, or the stranger's for a quarantined address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// The network's ID.
    pub network_id: NetworkId,
    /// The network's name.
    pub network: String,
    /// The pool's key.
    pub pool: String,
    /// Why it is taken.
    pub kind: LeaseKind,
    /// How firmly.
    pub state: LeaseState,
    /// By whom.
    pub owner: Owner,
    /// The endpoint that carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<EndpointId>,
    /// Where the lease lives.
    pub scope: Scope,
    /// The node that its owner is on, where that is another of the swarm's: told by the manager.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<LeaseNode>,
    /// Why its holder is gone, in a sentence, on an orphaned lease; on one in state `releasing` whose node was removed, what is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when its holder is gone; on an orphaned lease only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When a quarantine ends, the grace of an orphaned lease, or the wait for a removed node: from then on the address is released by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// One holding of an address, past or present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Holding {
    /// The lease it was.
    pub lease_id: LeaseId,
    /// The network's ID.
    pub network_id: NetworkId,
    /// The network's name, as it was.
    pub network: String,
    /// The pool's key, as it was.
    pub pool: String,
    /// Why it was taken.
    pub kind: LeaseKind,
    /// The Ethernet address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// By whom.
    pub owner: Owner,
    /// From when.
    pub from: Timestamp,
    /// Until when; absent while it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Number of the event by which the request that it began with failed after all: the address was given, and taken back. Absent otherwise, and
    /// when that event is kept no more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub taken_back_by: Option<u64>,
}

/// All that is known of one address in one place. Pools of different nodes may repeat an address, hence a list of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AddressReport {
    /// The address, canonical.
    pub address: String,
    /// `held` when a lease exists, `free` when a pool contains it, `unusable` when that pool can never give it out, `unmanaged`
    /// when no pool contains it. With `?at=` as it was then: by who held it, and by the pools of today in networks that existed
    /// then; before the oldest holding remembered (90 days) nothing is known to have been held.
    pub state: AddressState,
    /// Why it is `unusable`, in a sentence; of one that the host has itself, `unmanaged` or beside its holder, on which link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The node whose pools were asked.
    pub node: NodeId,
    /// The network whose pool contains it; with `?at=` contained it then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// That network's ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_id: Option<NetworkId>,
    /// The pool's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The pool's subnet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// The lease that holds it now. With `?at=` absent, since a lease says what is so now: see `held_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// What is remarkable now about the sandbox of this host that has it; absent when all is well.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub conditions: Vec<Condition>,
    /// The endpoint of another node that has it, where no lease here says so: on a worker, of a network of the swarm, as its manager told it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub endpoint: Option<SwarmEndpoint>,
    /// Who held it at the time asked for with `?at=`; there exactly when `state` is `leased` and a time was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_at: Option<Holding>,
    /// The leases next to it in its pool, by address: at most 8 below it and 8 above. As they are now, also with `?at=`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(max_items = 16)]
    pub neighbours: Vec<Lease>,
    /// Holdings that are over by now, latest first, at most 100; with `?at=` those that came after it, too.
    pub history: Vec<Holding>,
}

/// Whether somebody has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AddressState {
    /// A lease exists, in whatever state, or an endpoint of another node has it; `?at=`: somebody held it then.
    Leased,
    /// A pool contains it, and nobody has it.
    Free,
    /// A pool's subnet contains it, and it can never be given out: a network, broadcast or anycast address.
    Unusable,
    /// No pool contains it.
    Unmanaged,
    /// A pool of the swarm's contains it, nothing on this host has it, and this host is a worker: who has it elsewhere is the manager's to say.
    Unknown,
}
