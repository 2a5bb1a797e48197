//! Commands about who may ask, and who asked for what.

use netloom_model::audit::Decision;
use netloom_model::token::{Role, Token, TokenSpec};
use netloom_model::{Since, Timestamp};

use super::{PageRequest, Reference};
use crate::identity::Secret;

/// Lists tokens by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListTokens {
    /// Only of this role.
    pub role: Option<Role>,
    /// Which part.
    pub page: PageRequest,
}

/// Gets a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetToken(pub Reference);

/// Makes a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateToken(pub TokenSpec);

/// Revokes a token: it opens nothing from then on, nor do the sessions that were opened with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokeToken(pub Reference);

/// A token that was just made.
#[derive(Debug)]
pub struct NewToken {
    /// The token.
    pub token: Token,
    /// What its holder shows; it is said this once.
    pub secret: Secret,
}

/// Lists audit entries, the latest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListAudit {
    /// Only of the actor with this name, or with the token of this ID.
    pub actor: Option<String>,
    /// Only about the object with this ID or name.
    pub object: Option<String>,
    /// Only of these actions, or of actions that start with one of these and a dot.
    pub actions: Vec<String>,
    /// Only of the request of this ID.
    pub request_id: Option<String>,
    /// Only with this outcome.
    pub decision: Option<Decision>,
    /// Only at this time or later.
    pub since: Option<Since>,
    /// Only before this time.
    pub until: Option<Timestamp>,
    /// Which part.
    pub page: PageRequest,
}
