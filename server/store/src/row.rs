//! Rows: what goes into the tables and comes out. Plain values of the model; no rule is checked here.

mod swarm;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use netloom_model::assignment::NamespaceSource;
use netloom_model::audit::{AuditObject, Decision};
use netloom_model::event::ObjectRef;
use netloom_model::lease::{LeaseKind, LeaseSpec, LeaseState, Owner};
use netloom_model::net::Span;
use netloom_model::network::{Driver, NetworkSpec, Scope};
use netloom_model::plan::Plan;
use netloom_model::port::PublishedPort;
use netloom_model::sandbox::{AttachmentSpec, SandboxSpec};
use netloom_model::token::Role;
use netloom_model::{EndpointId, LeaseId, MacAddr, NetworkId, NodeId, PlanId, SandboxId, Timestamp, TokenId};
use serde_json::{Map, Value};

pub use swarm::{FenceRow, JoinTokenRow, MembershipRow, NodeRow, SwarmRow};

/// A network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRow {
    /// ID.
    pub id: NetworkId,
    /// Unique name.
    pub name: String,
    /// Driver.
    pub driver: Driver,
    /// Whose it is: this node's, or the swarm's.
    pub scope: Scope,
    /// The node in whose store it is kept: of the swarm's the manager, and of everything else this one.
    pub node: NodeId,
    /// Its number in VXLAN packets, of driver overlay.
    pub vni: Option<u32>,
    /// Whether it exists from the start and can't be removed.
    pub predefined: bool,
    /// Whether it is being removed.
    pub deleting: bool,
    /// The host's link that the network is on here and that is not Netloom's: a macvlan's parent, a bridge that is not managed.
    pub parent: Option<String>,
    /// What the user wrote.
    pub spec: NetworkSpec,
    /// Number of the event that last changed it.
    pub revision: u64,
    /// Number of the event that last changed what the user wrote.
    pub spec_revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl NetworkRow {
    /// Whether it is a copy of what the manager of the swarm has, on another node than this.
    pub fn is_replica(&self, node: NodeId) -> bool {
        self.scope == Scope::Swarm && self.node != node
    }
}

/// A pool of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRow {
    /// Number given by the store; 0 before it is inserted.
    pub id: i64,
    /// The network.
    pub network_id: NetworkId,
    /// The user's key, unique in the network.
    pub key: String,
    /// Order within the network, from 0.
    pub position: u32,
    /// Subnet.
    pub subnet: IpNet,
    /// The part that dynamic addresses come from.
    pub range: Span,
    /// The router's address.
    pub gateway: Option<IpAddr>,
    /// Whether the subnet was cut from the default pools.
    pub automatic: bool,
}

/// A pool with the lowest free run that reaches into its range, whole; none where the range is full.
pub type WithFree = (PoolRow, Option<Span>);

/// A lease. What is marked as joined is joined when it is read and ignored when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// ID.
    pub id: LeaseId,
    /// The network.
    pub network_id: NetworkId,
    /// The pool.
    pub pool_id: i64,
    /// Whose it is: its network's.
    pub scope: Scope,
    /// The address: unique in the store.
    pub address: IpAddr,
    /// Ethernet address of the holder.
    pub mac: Option<MacAddr>,
    /// Why it is taken.
    pub kind: LeaseKind,
    /// How firmly.
    pub state: LeaseState,
    /// By whom.
    pub owner: Owner,
    /// The endpoint that carries it.
    pub endpoint_id: Option<EndpointId>,
    /// The user's key of a lease without sandbox, unique in the network.
    pub key: Option<String>,
    /// What the user wrote of a lease without sandbox.
    pub spec: Option<LeaseSpec>,
    /// When a quarantine ends.
    pub until: Option<Timestamp>,
    /// Number of the event that last changed it.
    pub revision: u64,
    /// Number of the event that last changed what the user wrote.
    pub spec_revision: u64,
    /// When this holder got it.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The network's name (joined).
    pub network_name: String,
    /// The pool's key (joined).
    pub pool_key: String,
    /// Length of the pool's prefix in bits (joined).
    pub prefix_length: u8,
    /// The pool's gateway (joined).
    pub gateway: Option<IpAddr>,
    /// Why and since when its holder is gone, on a lease in state `orphaned` (joined).
    pub orphaned: Option<Orphaned>,
    /// The node that was removed while it had the address, on a lease in state `releasing` that waits for that node (joined).
    pub fence: Option<FenceRow>,
    /// The name of its node's host, where that is another node of the swarm that this host manages (joined).
    pub hostname: Option<String>,
}

/// A sandbox's place on a network of the swarm, whichever node it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentRow {
    /// ID: the endpoint's.
    pub id: EndpointId,
    /// The network.
    pub network_id: NetworkId,
    /// The node that the sandbox is on.
    pub node: NodeId,
    /// The node's address on the underlay.
    pub vtep: IpAddr,
    /// The sandbox, in that node's store.
    pub sandbox_id: SandboxId,
    /// Its name, there.
    pub sandbox_name: String,
    /// Ethernet address.
    pub mac: MacAddr,
    /// Addresses, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// Names it has on the network beside its sandbox's.
    pub aliases: Vec<String>,
    /// Whether its sandbox runs: only then others forward to it.
    pub running: bool,
    /// Whether it is over.
    pub gone: bool,
    /// Number of the event that last changed it.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Why an adopted namespace is given up, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphaned {
    /// In a sentence.
    pub reason: String,
    /// When it was found gone.
    pub since: Timestamp,
}

/// A sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxRow {
    /// ID.
    pub id: SandboxId,
    /// Unique name.
    pub name: String,
    /// Where its namespace comes from.
    pub namespace: NamespaceSource,
    /// Whether it should run.
    pub running: bool,
    /// Whether it is being removed.
    pub deleting: bool,
    /// Why its adopted namespace is given up, and since when; absent while it is not.
    pub orphaned: Option<Orphaned>,
    /// What the user wrote.
    pub spec: SandboxSpec,
    /// Number of the event that last changed it.
    pub revision: u64,
    /// Number of the event that last changed what the user wrote.
    pub spec_revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// An endpoint. `network_name`, `driver`, `scope` and `sandbox_name` are joined when it is read and ignored when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointRow {
    /// ID.
    pub id: EndpointId,
    /// The sandbox.
    pub sandbox_id: SandboxId,
    /// The network.
    pub network_id: NetworkId,
    /// Order within the sandbox, from 0: the order of attaching.
    pub position: u32,
    /// Name of the interface in the sandbox.
    pub interface: Option<String>,
    /// Ethernet address: unique in the store.
    pub mac: Option<MacAddr>,
    /// What the user wrote.
    pub spec: AttachmentSpec,
    /// Whether it is being detached.
    pub deleting: bool,
    /// The ports that it publishes, by name.
    pub ports: BTreeMap<String, PublishedPort>,
    /// The network's name (joined).
    pub network_name: String,
    /// The network's driver (joined).
    pub driver: Driver,
    /// Whose the network is (joined).
    pub scope: Scope,
    /// The sandbox's name (joined).
    pub sandbox_name: String,
}

/// An event about to be numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Stable dotted word.
    pub kind: String,
    /// What it happened to.
    pub object: ObjectRef,
    /// In a sentence.
    pub message: String,
    /// Further facts.
    pub data: BTreeMap<String, String>,
    /// Who did it.
    pub actor: String,
    /// The request that did it.
    pub request_id: Option<String>,
    /// When.
    pub time: Timestamp,
}

/// An API token; of its secret only the hash is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// ID.
    pub id: TokenId,
    /// Unique name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// The same as it was written.
    pub expires_given: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// Number of the event that told of it.
    pub revision: u64,
    /// When it was used last, as far as that was noted.
    pub last_used_at: Option<Timestamp>,
}

/// A login session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// The token that it stands for, or with which the login link was made that opened it; none where root made that without one.
    pub token: Option<TokenRow>,
    /// Whether a login link opened it.
    pub by_link: bool,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A session about to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewSession {
    /// As of [`SessionRow::token`], its ID.
    pub token_id: Option<TokenId>,
    /// Whether a login link opened it.
    pub by_link: bool,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Whose key it is, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyScope {
    /// Who asked.
    pub principal: String,
    /// Method and path.
    pub route: String,
    /// The key.
    pub key: String,
}

/// What was made under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKeyRow {
    /// Whose key it is, and for what.
    pub scope: KeyScope,
    /// SHA-256 of what was to be made.
    pub body_hash: [u8; 32],
    /// ID of what was made.
    pub object_id: String,
    /// Until when it is kept.
    pub expires_at: Timestamp,
}

/// A plan that is kept, and how it is carried out again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRow<R> {
    /// ID.
    pub id: PlanId,
    /// Whose it is: what nobody else has or will have of who asked for it, unlike the name in the plan's head.
    pub owner: String,
    /// The plan, as answered.
    pub plan: Plan,
    /// How it is carried out; the store does not look into it.
    pub recipe: R,
}

/// An audit entry that has no number yet.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAudit {
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: String,
    /// The actor's role.
    pub role: Option<Role>,
    /// The token that was shown.
    pub token_id: Option<TokenId>,
    /// From where.
    pub source: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// Its method.
    pub method: Option<String>,
    /// Its path.
    pub path: Option<String>,
    /// What was asked for.
    pub action: String,
    /// What it is about.
    pub object: Option<AuditObject>,
    /// What came of it.
    pub decision: Decision,
    /// Code of the problem.
    pub code: Option<String>,
    /// What it said.
    pub detail: Option<String>,
    /// The field that it named.
    pub pointer: Option<String>,
    /// Number of the event of the same commit.
    pub event: Option<u64>,
    /// What changed, as it was.
    pub before: Option<Map<String, Value>>,
    /// What changed, as it is then.
    pub after: Option<Map<String, Value>>,
}
