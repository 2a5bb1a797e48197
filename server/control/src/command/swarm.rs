//! Commands about the swarm: what it is, who is in it, and what this host is in it.

use std::fmt;

use netloom_model::order::NodeOrder;
use netloom_model::swarm::{Availability, JoinToken, JoinTokenSpec, Swarm, SwarmRole, SwarmSpec};
use serde_json::Value;

use super::{PageRequest, Reference};
use crate::identity::Secret;

/// Gets the swarm that this host is a node of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetSwarm;

/// Makes the swarm, of which this host is the manager then; or gives it another spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutSwarm(pub SwarmSpec);

/// Changes the settings of the swarm, by a merge patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateSwarm(pub Value);

/// What came of a [`PutSwarm`].
#[derive(Debug)]
pub enum SwarmPut {
    /// It was made, with a first token for workers.
    Made(Box<Swarm>, Box<NewJoinToken>),
    /// It was there, and has the spec now.
    Changed(Box<Swarm>),
}

/// Gets what this host is, in a swarm or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetInfo;

/// Makes this host a node of a swarm.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinSwarm {
    /// The join token's whole text.
    pub token: String,
    /// Where the manager listens: its address, and its port unless that is 2377.
    pub manager: String,
    /// The address at which this host wants to be reached; the one that the manager sees it come from where this is absent.
    pub address: Option<String>,
    /// Its availability from the start.
    pub availability: Option<Availability>,
}

/// The token is a secret.
impl fmt::Debug for JoinSwarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSwarm")
            .field("manager", &self.manager)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Makes this host a node of no swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveSwarm {
    /// Also where the manager can't be told, and also where it is the manager, which ends the swarm.
    pub force: bool,
}

/// Lists join tokens by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListJoinTokens {
    /// Only of this role.
    pub role: Option<SwarmRole>,
    /// Which part.
    pub page: PageRequest,
}

/// Gets a join token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetJoinToken(pub Reference);

/// Makes a join token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateJoinToken(pub JoinTokenSpec);

/// Gives a join token another secret: the one before lets nobody in from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotateJoinToken(pub Reference);

/// Revokes a join token. Nodes that joined by it stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokeJoinToken(pub Reference);

/// A join token with a new secret.
#[derive(Debug)]
pub struct NewJoinToken {
    /// The token.
    pub token: JoinToken,
    /// Its whole text; it is said this once.
    pub secret: Secret,
    /// The command by which a host joins, with that text in it.
    pub command: Secret,
}

/// Lists nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListNodes {
    /// Only of this role.
    pub role: Option<SwarmRole>,
    /// Only with these labels; a key alone asks for any value.
    pub labels: Vec<(String, Option<String>)>,
    /// In which order.
    pub order: NodeOrder,
    /// Which part.
    pub page: PageRequest,
}

/// Gets a node, by its ID or its host's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetNode(pub Reference);

/// Changes a node, by a merge patch of what can be written of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateNode {
    /// Which.
    pub node: Reference,
    /// The patch.
    pub patch: Value,
}

/// Removes a node from the swarm; says of one that was removed before that it is off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoveNode {
    /// Which.
    pub node: Reference,
    /// Also while it is ready.
    pub force: bool,
    /// The word of whoever asks that its host is off: nothing that it has on segments is waited for.
    pub off: bool,
}

/// Lets a node back in, once, whose certificate is out of date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadmitNode(pub Reference);
