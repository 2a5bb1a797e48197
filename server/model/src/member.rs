//! What passes between a member and its manager, beside assignments and reports: joining, renewing, being there.
//!
//! Values only; how they travel is the swarm crate's, what is decided is control's. PEM texts are as RFC 7468 has them.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::health::Way;
use crate::id::{EndpointId, LeaseId, NetworkId, NodeId, SandboxId, SwarmId};
use crate::lease::LeaseKind;
use crate::mac::MacAddr;
use crate::sandbox::AttachmentSpec;
use crate::swarm::{Availability, SwarmRole, SwarmSpec};
use crate::timestamp::Timestamp;

/// Version of what nodes say to one another: nodes of different ones don't join.
pub const PROTOCOL: u32 = 1;

/// Who a node says it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its ID.
    pub node: NodeId,
    /// Its host's name.
    pub hostname: String,
    /// Version of Netloom that it runs.
    pub version: String,
    /// [`PROTOCOL`] of that version.
    pub protocol: u32,
    /// The address it wants to be reached at; the one that the manager sees it come from where this is absent.
    pub address: Option<IpAddr>,
}

/// A node asks to be let in. The secret of its token is said only to a manager whose certificate authority is that of the token.
#[derive(Clone, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The secret part of the join token.
    pub secret: String,
    /// As what it wants to join; what the token gives where this is absent.
    pub role: Option<SwarmRole>,
    /// Its availability from the start.
    pub availability: Option<Availability>,
    /// Certificate signing request, PEM; subject and names in it count for nothing.
    pub csr: String,
    /// Who it says it is.
    pub hello: Hello,
}

/// A node whose certificate is out of date asks for a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadmitRequest {
    /// The certificate it had, PEM: issued by the swarm's authority.
    pub certificate: String,
    /// Certificate signing request, PEM, of a new key.
    pub csr: String,
    /// Signature by the old key over the signing request's text, base64.
    pub signature: String,
    /// Who it says it is.
    pub hello: Hello,
}

/// What a node becomes by joining, or keeps by renewing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// The swarm.
    pub swarm: SwarmId,
    /// The node's role.
    pub role: SwarmRole,
    /// Its certificate, PEM.
    pub certificate: String,
    /// The certificate authority's, PEM.
    pub ca: String,
    /// When its certificate ends.
    pub expires_at: Timestamp,
    /// The manager's node.
    pub manager: NodeId,
    /// What the swarm is.
    pub described: SwarmDescribed,
}

/// What a member knows of its swarm: as its manager said last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwarmDescribed {
    /// Its settings.
    pub spec: SwarmSpec,
    /// Number of the manager's event of their last change.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its settings changed last.
    pub updated_at: Timestamp,
    /// Number of managers.
    pub managers: u32,
    /// Number of nodes, managers included.
    pub nodes: u32,
}

/// Whom a certificate names, as the manager read it from the connection: never as the node says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The node (its subject's common name).
    pub node: NodeId,
    /// Its role (organisational unit).
    pub role: SwarmRole,
    /// The swarm (organisation).
    pub swarm: SwarmId,
    /// SHA-256 of the certificate, in hexadecimal digits: one node has one good certificate, and for a moment of renewal two.
    pub fingerprint: String,
    /// When it begins to be good, which is some time before it was issued.
    pub begins_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A node is there, and says how it is. Said every [`crate::swarm::HEARTBEAT_SECONDS`], and at once when something in it changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Who it is.
    pub hello: Hello,
    /// Its host's own links, routes and nameservers, where they differ from what it said last on this connection.
    pub facts: Option<Facts>,
    /// Subnets of the local networks in its store, where they differ likewise.
    pub subnets: Option<Vec<IpNet>>,
    /// Its attachments to networks of the swarm, all of them: those in its store, and those that it has asked for and not written yet. Absent
    /// from most reports of a connection on which they did not change.
    /// Absent where the node can't read them.
    pub attachments: Option<Vec<HeldAttachment>>,
    /// Attachments of which nothing is left in its kernel or its store.
    pub released: Vec<EndpointId>,
    /// After how many seconds without an answer it takes its links on segments down; 0 is never.
    #[serde(default)]
    pub segment_fence_seconds: u32,
    /// What it finds of the ways to other nodes, where that differs likewise: at most [`crate::health::WAYS_TOLD`].
    #[serde(default)]
    pub ways: Option<Vec<Way>>,
}

/// An attachment, as the node that holds it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldAttachment {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Whether its sandbox runs.
    pub running: bool,
    /// Names it has on the network beside its sandbox's.
    pub aliases: Vec<String>,
    /// The addresses that it has; none where that is not known yet.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
}

/// The manager has heard it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatAnswer {
    /// What the swarm is, where it is not of this revision to the node.
    pub described: SwarmDescribed,
    /// Whether the node should renew its certificate now, whenever that ends.
    pub renew: bool,
    /// How the attachments stand that the node said it holds. Absent where its report had none: nothing is said of any then, and what was said before stays so.
    pub compared: Option<Compared>,
}

/// How what a node says of its attachments stands to what the manager knows of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// Those that the manager knows nothing of.
    pub unknown: Vec<EndpointId>,
    /// Those that have other addresses there than the node said: it is to ask for them again.
    pub moved: Vec<EndpointId>,
}

/// A node asks for a place of one of its sandboxes on a network of the swarm. Asked for twice under one endpoint's ID it is the same one; under
/// another ID the former is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachRequest {
    /// The sandbox, in the node's store.
    pub sandbox: SandboxId,
    /// Its name, there.
    pub sandbox_name: String,
    /// Whether it runs.
    pub running: bool,
    /// The network.
    pub network: NetworkId,
    /// The endpoint's ID, drawn by the node: what is made is known by it on both sides.
    pub endpoint: EndpointId,
    /// What is asked for, as written.
    pub wanted: AttachmentSpec,
    /// Whether it is only tried: what would be given is answered, and nothing is written.
    pub dry_run: bool,
    /// An address of the endpoint's for which a stranger answered on the wire: another is to take its place.
    #[serde(default)]
    pub instead_of: Option<Answered>,
}

/// Somebody answered for an address on the wire who is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The address.
    pub address: IpAddr,
    /// The stranger.
    pub mac: MacAddr,
}

/// A place on a network of the swarm, given to a node's sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The endpoint's ID: that of the request, or of the one that is there already.
    pub endpoint: EndpointId,
    /// The network.
    pub network: NetworkId,
    /// Ethernet address.
    pub mac: MacAddr,
    /// Its leases, IPv4 first.
    pub leases: Vec<AttachedLease>,
    /// Number of the manager's event that made it.
    pub revision: u64,
}

/// A lease of the swarm that an attachment owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedLease {
    /// ID.
    pub id: LeaseId,
    /// The address.
    pub address: IpAddr,
    /// Key of the pool that it is from.
    pub pool: String,
    /// Why it is taken.
    pub kind: LeaseKind,
}

/// Why a member's request was not granted. The manager's answer is a problem (RFC 9457) with such a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct Denied {
    /// Stable word.
    pub code: DeniedCode,
    /// A sentence for people.
    pub detail: String,
    /// What would help.
    pub hint: Option<String>,
    /// After how many seconds it may be asked for again, where that is known.
    pub retry_after_seconds: Option<u64>,
}

impl Denied {
    /// For this reason, in these words.
    pub fn new(code: DeniedCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), hint: None, retry_after_seconds: None }
    }

    /// With what would help.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// To be asked for again after so many seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after_seconds: Some(seconds), ..self }
    }
}

/// The reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeniedCode {
    /// The join token is unknown, revoked, expired or used up. Which, the detail says only of one that was good once.
    JoinTokenInvalid,
    /// The token gives another role.
    RoleMismatch,
    /// The nodes' versions don't agree.
    VersionMismatch,
    /// The node is in the swarm already, and its certificate is good.
    AlreadyMember,
    /// Another node of the swarm is at the address.
    NodeAddressTaken,
    /// It was removed, or never was a node.
    NodeRemoved,
    /// It is to be re-admitted by an operator first.
    ReadmissionPending,
    /// The request can't be read, or its signature is not the old key's.
    RequestInvalid,
    /// The one asked is no manager (any more).
    NotManager,
    /// So much is under way for the one that asks that this has to wait: to be asked again later.
    TooMany,
    /// The store can't be written now, and the like: to be asked again.
    Unavailable,
}
