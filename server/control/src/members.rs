//! The two ports between the use cases and the wire of a swarm: what a manager is asked by nodes, and what a node asks a manager.
//!
//! What must not live here: TLS, HTTP, certificates' bytes (the swarm crate's), decisions (the use cases').

mod failure;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use netloom_model::member::{
    Admission, AttachRequest, Attachment, Denied, Heartbeat, HeartbeatAnswer, JoinRequest, Peer, ReadmitRequest,
    SwarmDescribed,
};
use netloom_model::replica::SwarmUpdate;
use netloom_model::swarm::SwarmRole;
use netloom_model::{NetworkId, NodeId, SwarmId, Timestamp};
use tokio::sync::watch;

pub use failure::Failure;

/// What nodes ask of a manager. `from` is the address that the request came from.
#[async_trait]
pub trait Manager: Send + Sync {
    /// Lets a node in, by the secret of a join token.
    async fn admit(&self, request: JoinRequest, from: IpAddr) -> Result<Admission, Denied>;

    /// Gives a node a new certificate whose old one is out of date, if an operator said so. `certificate` is the old one as the wire read
    /// it, its issuer and the signature over the request being proven.
    async fn readmit(&self, request: ReadmitRequest, certificate: Peer, from: IpAddr) -> Result<Admission, Denied>;

    /// Gives a member a new certificate for its present one.
    async fn renew(&self, peer: Peer, csr: String) -> Result<Admission, Denied>;

    /// Takes a member's word that it is there.
    async fn heartbeat(&self, peer: Peer, heartbeat: Heartbeat, from: IpAddr) -> Result<HeartbeatAnswer, Denied>;

    /// Takes a member's word that it leaves.
    async fn leaves(&self, peer: Peer) -> Result<(), Denied>;

    /// Whether a certificate is that of a member in good standing: for what is not looked at otherwise.
    async fn stands(&self, peer: &Peer) -> Result<(), Denied>;

    /// Gives a member's sandbox a place on a network of the swarm.
    async fn attach(&self, peer: Peer, request: AttachRequest) -> Result<Attachment, Failure>;

    /// Waits until the members on these networks hold what was told of them up to a number of this store; those that can't be reached are not
    /// waited for. Whether they do after so long.
    async fn spread(&self, peer: Peer, networks: Vec<NetworkId>, revision: u64, within: Duration) -> bool;

    /// What a member is told of the swarm's networks, until it hangs up or is none any more. Nothing comes for a while where there is no news.
    async fn feed(&self, peer: Peer) -> Result<BoxStream<'static, SwarmUpdate>, Denied>;

    /// Takes a member's word that its kernel holds what it was told up to a number.
    fn held(&self, peer: &Peer, revision: u64);
}

/// What a node is in a swarm, with all that it needs to speak there. Secret: its key is in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Membership {
    /// The swarm.
    pub swarm: SwarmId,
    /// This node.
    pub node: NodeId,
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
    /// Where the manager listens (on a manager: where it is to listen).
    pub manager: SocketAddr,
    /// The address that it wants to be reached at, where that was said.
    pub address: Option<IpAddr>,
    /// What is known of the swarm.
    pub described: SwarmDescribed,
}

/// Why a manager could not be asked, or what it answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// It denied.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// It could not be reached, or did not answer in time.
    #[error("the manager at {manager} can't be reached: {reason}")]
    Unreachable {
        /// Whom.
        manager: SocketAddr,
        /// Why, in words.
        reason: String,
    },
    /// What answered there is not the manager of the swarm: its certificate authority is another one.
    #[error("what answers at {manager} is not the manager: {reason}")]
    Impostor {
        /// Whom.
        manager: SocketAddr,
        /// What was found, in words.
        reason: String,
    },
    /// Our own certificate is out of date.
    #[error("this node's certificate expired")]
    Expired,
}

/// Somebody's request to the API of a worker that is the manager's to answer, as HTTP has it. Secret: a token is in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub target: String,
    /// Its headers, in lower case; `authorization` among them.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its body.
    pub body: Vec<u8>,
    /// How long its caller lets the API wait.
    pub patience: Duration,
}

/// What the manager's API answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedAnswer {
    /// Its status.
    pub status: u16,
    /// Its headers, in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// What a node asks of a manager.
#[async_trait]
pub trait Wire: Send + Sync {
    /// Joins: checks within the handshake that the manager's authority has this digest, before the secret is said.
    async fn join(&self, manager: SocketAddr, ca_digest: &str, request: JoinRequest) -> Result<Admission, AskError>;

    /// Tells the manager that this node leaves.
    async fn leave(&self, membership: &Membership) -> Result<(), AskError>;

    /// Asks for a place of a sandbox on a network of the swarm.
    async fn attach(
        &self,
        membership: &Membership,
        request: &AttachRequest,
    ) -> Result<Result<Attachment, Failure>, AskError>;

    /// Waits until the members on these networks hold what the manager's store says up to a number.
    async fn spread(
        &self,
        membership: &Membership,
        networks: &[NetworkId],
        revision: u64,
        within: Duration,
    ) -> Result<bool, AskError>;

    /// Hands a request to the manager's API. It is sent once: whether it was carried out is not known after an error.
    async fn forward(&self, membership: &Membership, request: Forwarded) -> Result<ForwardedAnswer, AskError>;
}

/// What the wire asks and tells this node's own use cases, while it is a worker.
#[async_trait]
pub trait Member: Send + Sync {
    /// What to say next to the manager: all of it. The wire leaves out what it said already on the same connection.
    async fn says(&self) -> Heartbeat;

    /// Ticks when there is something new to say: it is said at once then, and not with the next heartbeat only.
    fn news(&self) -> watch::Receiver<u64>;

    /// The manager answered.
    async fn heard(&self, answer: HeartbeatAnswer);

    /// The manager told something of the swarm's networks. Committed when this returns.
    async fn follows(&self, update: SwarmUpdate) -> Result<(), Denied>;

    /// The manager's number up to which this node's kernel holds what it was told.
    fn holds(&self) -> watch::Receiver<u64>;

    /// The manager could not be asked, or denied.
    async fn lost(&self, error: AskError);

    /// The certificate was renewed, or the node re-admitted: kept before the new one is used. `key` is the new private key, PEM.
    async fn renewed(&self, admission: Admission, key: String) -> Result<(), Denied>;
}
