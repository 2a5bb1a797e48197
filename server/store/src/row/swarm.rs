//! Rows of a swarm: what it is, what this host is in it, its nodes and join tokens. Keys are left out of what is written for debugging.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use netloom_model::member::SwarmDescribed;
use netloom_model::swarm::{JoinTokenSpec, NodeSpec, SwarmRole, SwarmSpec};
use netloom_model::{JoinTokenId, NodeId, SwarmId, Timestamp};

/// The swarm that this host manages.
#[derive(Clone, PartialEq, Eq)]
pub struct SwarmRow {
    /// ID.
    pub id: SwarmId,
    /// What the user wrote.
    pub spec: SwarmSpec,
    /// Certificate of its authority, PEM.
    pub ca_certificate: String,
    /// The authority's private key, PEM.
    pub ca_key: String,
    /// Number of the event that last changed it.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its settings changed last.
    pub updated_at: Timestamp,
}

impl fmt::Debug for SwarmRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwarmRow")
            .field("id", &self.id)
            .field("spec", &self.spec)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

/// What this host is in a swarm.
#[derive(Clone, PartialEq, Eq)]
pub struct MembershipRow {
    /// The swarm.
    pub swarm: SwarmId,
    /// Its role.
    pub role: SwarmRole,
    /// Its private key, PEM.
    pub key: String,
    /// Its certificate, PEM.
    pub certificate: String,
    /// The certificate authority's, PEM.
    pub ca: String,
    /// When its certificate begins and ends.
    pub valid: (Timestamp, Timestamp),
    /// Where the manager listens.
    pub manager: SocketAddr,
    /// The address at which it wants to be reached.
    pub address: Option<IpAddr>,
    /// What is known of the swarm.
    pub described: SwarmDescribed,
}

impl fmt::Debug for MembershipRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MembershipRow")
            .field("swarm", &self.swarm)
            .field("role", &self.role)
            .field("manager", &self.manager)
            .finish_non_exhaustive()
    }
}

/// A node of the swarm that this host manages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// ID.
    pub id: NodeId,
    /// Role.
    pub role: SwarmRole,
    /// What the user wrote, or the join token gave.
    pub spec: NodeSpec,
    /// Its host's name.
    pub hostname: String,
    /// Its address.
    pub address: IpAddr,
    /// Version of Netloom that it runs.
    pub version: String,
    /// Fingerprint of its certificate.
    pub fingerprint: String,
    /// Fingerprint of the certificate before, while the present one has not been used.
    pub former_fingerprint: Option<String>,
    /// Whether any certificate of its was ever used.
    pub used: bool,
    /// When its certificate was issued.
    pub issued_at: Timestamp,
    /// When its certificate ends.
    pub expires_at: Timestamp,
    /// When it asked to be re-admitted.
    pub readmission_asked_at: Option<Timestamp>,
    /// Until when it may be re-admitted.
    pub readmission_until: Option<Timestamp>,
    /// When it reported last, as far as that was noted.
    pub last_seen: Option<Timestamp>,
    /// Since when it is known to be down.
    pub down_at: Option<Timestamp>,
    /// What its link on the underlay leaves of its MTU for overlay networks, in bytes, as it said last.
    pub overlay_mtu: Option<u32>,
    /// Number of the event that last changed it.
    pub revision: u64,
    /// Number of the event that last changed what the user wrote.
    pub spec_revision: u64,
    /// When it joined.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// The join token that let it in; none let in the manager.
    pub joined_by: Option<JoinTokenId>,
    /// After how many seconds of silence it takes its links on segments down, the longest that it may know of; 0 is never.
    pub segment_fence: u32,
}

/// A node that was removed without a word, and whose addresses on segments wait until it must have let go of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FenceRow {
    /// The node.
    pub node: NodeId,
    /// Its host's name.
    pub hostname: String,
    /// How long they wait in all since it was heard of last, in seconds.
    pub seconds: u32,
    /// Until when that is, by the clock when that was noted: for people.
    pub until: Timestamp,
}

/// A join token; of its secret only the hash is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinTokenRow {
    /// ID.
    pub id: JoinTokenId,
    /// What the user wrote.
    pub spec: JoinTokenSpec,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// How many nodes joined by it.
    pub uses: u32,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When a node joined by it last.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// Number of the event of its making or its last rotation.
    pub revision: u64,
}
