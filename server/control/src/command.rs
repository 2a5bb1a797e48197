//! Every command. One command, one use case, one method of [`crate::Control`]; what each needs is in `permission`.

mod access;
mod finding;
mod leases;
mod permission;
mod plans;
mod swarm;
mod written;

use std::net::IpAddr;

use netloom_model::lease::Lease;
use netloom_model::net::Family;
use netloom_model::network::{Driver, NetworkSpec, Scope};
use netloom_model::order::{EventOrder, NamedOrder, PoolOrder};
use netloom_model::probe::ProbeSpec;
use netloom_model::sandbox::{SandboxSpec, SandboxState};
use netloom_model::{Since, Timestamp};
use serde::{Deserialize, Serialize};

use crate::principal::Permission;
pub use access::{CreateToken, GetToken, ListAudit, ListTokens, NewToken, RevokeToken};
pub use finding::{FindFreeSubnets, ListFreeRanges, Search};
pub use leases::{GetAddress, GetLease, ListLeases, PutLease, ReleaseLease, ReserveLease, UpdateLease};
pub use permission::Command;
pub use plans::{Applied, ApplyPlan, DiscardAnothersPlan, DiscardPlan, GetPlan, ListPlans, Outcome};
pub use swarm::{
    CreateJoinToken, GetInfo, GetJoinToken, GetNode, GetSwarm, JoinSwarm, LeaveSwarm, ListJoinTokens, ListNodes,
    NewJoinToken, PutSwarm, ReadmitNode, RemoveNode, RevokeJoinToken, RotateJoinToken, SwarmPut, UpdateNode,
    UpdateSwarm,
};
pub use written::{Created, IdempotencyKey, Put, WriteOptions, Written};

/// An object by ID or name, as it stands in a path.
pub type Reference = String;

/// Which part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// How many items, 1 to 1000; 100 when absent.
    pub limit: Option<u32>,
    /// Where to go on: the `next_page_token` of the page before, with the same filters.
    pub token: Option<String>,
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where to go on; absent on the last page.
    pub next_page_token: Option<String>,
    /// Number of the last event that the page shows.
    pub seq: u64,
}

/// Shows how the nodes on an overlay network reach each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetNetworkHealth {
    /// The network.
    pub network: Reference,
    /// Whether this node probes the others first.
    pub fresh: bool,
}

/// Shows a block of a network's pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetPoolMap {
    /// The network.
    pub network: Reference,
    /// The pool's key: the one that contains the block unless said, or the network's first.
    pub pool: Option<String>,
    /// A block in the pool's subnet, which it is itself unless said.
    pub block: Option<ipnet::IpNet>,
}

/// Lists networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListNetworks {
    /// Only this driver.
    pub driver: Option<Driver>,
    /// Only this scope.
    pub scope: Option<Scope>,
    /// Only with these labels; a key alone asks for any value.
    pub labels: Vec<(String, Option<String>)>,
    /// Only with a pool that contains this address.
    pub contains_ip: Option<IpAddr>,
    /// Only with this text in the name or the description.
    pub q: Option<String>,
    /// In which order.
    pub order: NamedOrder,
    /// Which part.
    pub page: PageRequest,
}

/// Gets a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetNetwork(pub Reference);

/// Creates a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateNetwork(pub NetworkSpec);

/// Changes a network by a JSON Merge Patch of its spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateNetwork {
    /// Which.
    pub network: Reference,
    /// RFC 7396 patch.
    pub patch: serde_json::Value,
}

/// Gives a network a whole spec, and makes it where there is none of this name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutNetwork {
    /// Which. An ID makes nothing.
    pub network: Reference,
    /// What it is to be. Its name is the reference.
    pub spec: NetworkSpec,
}

/// Removes a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveNetwork {
    /// Which.
    pub network: Reference,
    /// Whether to detach its endpoints first.
    pub cascade: bool,
}

/// Shows who is on which network: a page of this host's sandboxes, on a manager with those of other nodes on networks of the swarm, or what is around one
/// object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GetTopology {
    /// Around this: an ID, or `network:NAME`, `sandbox:NAME`, `node:NAME`. The others mean nothing then.
    pub of: Option<String>,
    /// Only sandboxes on this network.
    pub network: Option<Reference>,
    /// Only with these labels; then only this host's, since labels are known on a sandbox's own node.
    pub labels: Vec<(String, Option<String>)>,
    /// Only with this text in the name or the description; of those of other nodes the name is known alone.
    pub q: Option<String>,
    /// Which part.
    pub page: PageRequest,
}

/// Lists sandboxes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListSandboxes {
    /// Only on this network.
    pub network: Option<Reference>,
    /// Only with these labels.
    pub labels: Vec<(String, Option<String>)>,
    /// Only wanted running (true) or stopped (false).
    pub running: Option<bool>,
    /// Only in this state, as their own pages have it.
    pub state: Option<SandboxState>,
    /// Only with this text in the name or the description.
    pub q: Option<String>,
    /// In which order.
    pub order: NamedOrder,
    /// Which part.
    pub page: PageRequest,
}

/// Lists endpoints on networks of the swarm, of all nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListEndpoints {
    /// Only on this network.
    pub network: Option<Reference>,
    /// Only of this sandbox: its ID, or the name that sandboxes of several nodes may have.
    pub sandbox: Option<Reference>,
    /// Only of this node: its ID, or its host's name.
    pub node: Option<Reference>,
    /// Which part.
    pub page: PageRequest,
}

/// Gets a sandbox, with its interfaces as they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetSandbox(pub Reference);

/// Creates a sandbox with its endpoints, all or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateSandbox(pub SandboxSpec);

/// Changes a sandbox by a JSON Merge Patch of its spec: attaches, detaches, stops, starts, labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateSandbox {
    /// Which.
    pub sandbox: Reference,
    /// RFC 7396 patch.
    pub patch: serde_json::Value,
}

/// Gives a sandbox a whole spec, and makes it where there is none of this name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutSandbox {
    /// Which. An ID makes nothing.
    pub sandbox: Reference,
    /// What it is to be. Its name is the reference.
    pub spec: SandboxSpec,
}

/// Removes a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveSandbox(pub Reference);

/// Removes stopped sandboxes and networks that nothing uses, predefined and protected ones excepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prune;

/// What a prune removed, or would remove.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Sandboxes.
    pub sandboxes: Vec<netloom_model::event::ObjectRef>,
    /// Networks.
    pub networks: Vec<netloom_model::event::ObjectRef>,
    /// How many addresses came free, or would.
    pub addresses: u64,
}

/// Lists the pools of all networks with their use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListPools {
    /// Only this network's.
    pub network: Option<Reference>,
    /// Only this family's.
    pub family: Option<Family>,
    /// In which order.
    pub order: PoolOrder,
    /// Which part.
    pub page: PageRequest,
}

/// Removes the sandboxes whose adopted namespace is gone, so that their addresses come free before the grace is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reclaim;

/// What was reclaimed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// The sandboxes, longest gone first.
    pub sandboxes: Vec<netloom_model::event::ObjectRef>,
    /// The leases that go with them, by address, as they were: with reason and since when.
    pub leases: Vec<Lease>,
}

/// Sends a probe from a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe(pub ProbeSpec);

/// Asks where the kernel differs from what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetDrift;

/// Asks what the host offers: its links and routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetFacts;

/// Lists events by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListEvents {
    /// After this event: `<store>:<seq>`, or a bare number.
    pub since: Option<String>,
    /// Only kinds that are one of these, or start with one of these and a dot.
    pub kinds: Vec<String>,
    /// Only of the object with this ID or name.
    pub object: Option<String>,
    /// How many, 1 to 1000; 100 when absent.
    pub limit: Option<u32>,
    /// In which order. From the latest on a page goes back in time, and `next_page_token` of the page is the event to pass as `before`.
    pub order: EventOrder,
    /// Only before this event, as `since`.
    pub before: Option<String>,
    /// Only what this actor did.
    pub actor: Option<String>,
    /// Only what came of the request of this ID.
    pub request_id: Option<String>,
    /// Only at this time or later.
    pub from: Option<Since>,
    /// Only before this time.
    pub until: Option<Timestamp>,
}

/// Lists what happened to one object, the latest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListHistory {
    /// What it is.
    pub kind: netloom_model::event::ObjectKind,
    /// Its ID, or the name of one that is there.
    pub object: Reference,
    /// Which part.
    pub page: PageRequest,
}

/// Follows events as they come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchEvents {
    /// After this event; only new ones when absent.
    pub since: Option<String>,
    /// As in [`ListEvents`].
    pub kinds: Vec<String>,
    /// As in [`ListEvents`].
    pub object: Option<String>,
}

/// Asks for the numbers on the front page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetOverview;

/// Makes a link that logs a browser in, once, with the rights of the administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreateLoginLink;

/// Copies the database. The copy has all that the store has, hashes of secrets included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreateBackup;

/// A copy of the database, as of one moment.
#[derive(Debug)]
pub struct Backup {
    /// Its bytes, from their beginning: an SQLite file. They are gone with the value.
    pub file: std::fs::File,
    /// How many there are.
    pub length: u64,
}
