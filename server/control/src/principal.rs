//! Who asks, and the proof that they may: an [`Authorized`] command can only be made here.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use netloom_model::audit::AuditObject;
use netloom_model::event::ObjectKind;
use netloom_model::{NodeId, Timestamp, TokenId};

pub use netloom_model::token::Role;

use crate::command::Command;
use crate::error::{Error, ErrorKind};

/// What a command needs. A later role is one more value; each permission names the least role that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// To read objects, events and live state.
    Read,
    /// To change networks, leases and sandboxes, and to send probes.
    Write,
    /// To adopt foreign namespaces, and to manage access.
    Administer,
}

impl Permission {
    /// All, the least first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Administer];

    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Administer => "administer",
        }
    }

    /// The least role that has it.
    pub const fn least_role(self) -> Role {
        match self {
            Self::Read => Role::Viewer,
            Self::Write => Role::Operator,
            Self::Administer => Role::Admin,
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Name for events: a token's, `login-link` of a session that a link opened, or `socket:root`.
    pub name: String,
    /// Role.
    pub role: Role,
    /// The token that was shown, or that the session stands for; of a session that a login link opened, the token with which that was
    /// made. None of root's.
    pub token: Option<TokenId>,
}

impl Principal {
    /// What nobody else has or will have: the token's ID, since another token may be given its name later; else the name.
    pub(crate) fn identity(&self) -> String {
        self.token.map_or_else(|| self.name.clone(), |token| token.to_string())
    }
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The user of this ID, at the local socket.
    Socket(u32),
    /// This address.
    Remote(IpAddr),
    /// This node of the swarm, on whose API it came.
    Node(NodeId),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(uid) => write!(f, "uid:{uid}"),
            Self::Remote(address) => write!(f, "{}", address.to_canonical()),
            Self::Node(node) => write!(f, "node:{node}"),
        }
    }
}

/// A request, as the audit tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Its ID.
    pub id: String,
    /// Where it came from.
    pub source: Option<Source>,
    /// Its method.
    pub method: Option<String>,
    /// Its path. The query is no part of it: that may hold a login link's secret.
    pub path: Option<String>,
}

impl Request {
    /// Longest path that the audit tells of, in characters.
    const PATH_MAX: usize = 512;

    /// One that came by HTTP.
    pub fn new(id: &str, source: Option<Source>, method: &str, path: &str) -> Self {
        let path = path.chars().take(Self::PATH_MAX).collect();
        Self { id: id.to_owned(), source, method: Some(method.to_owned()), path: Some(path) }
    }
}

impl From<&str> for Request {
    /// One of which only the ID is known.
    fn from(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }
}

/// What was shown, to be looked at again while something lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A token, or nothing but a name.
    Token(Option<TokenId>),
    /// A session, by the hash of its secret.
    Session([u8; 32]),
    /// The local socket, which has no end.
    Socket,
}

/// What a request tried, until it is known what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) action: &'static str,
    pub(crate) object: Option<AuditObject>,
    pub(crate) denied: bool,
}

/// Who asks, with which request.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who asks.
    pub principal: Principal,
    /// The request's ID, for events, logs and problems.
    pub request_id: String,
    pub(crate) request: Arc<Request>,
    pub(crate) credential: Credential,
    /// What is being done; nothing before a command is authorised.
    pub(crate) action: &'static str,
    /// Shared by all that comes of one request.
    attempt: Arc<Mutex<Option<Attempt>>>,
}

impl Context {
    /// Somebody who is known, with a request.
    pub fn new(principal: Principal, request: impl Into<Request>) -> Self {
        let credential = Credential::Token(principal.token);
        Self::with(principal, request, credential)
    }

    pub(crate) fn with(principal: Principal, request: impl Into<Request>, credential: Credential) -> Self {
        let request = request.into();
        let (request_id, request) = (request.id.clone(), Arc::new(request));
        Self { principal, request_id, request, credential, action: "", attempt: Arc::default() }
    }

    /// Whether a command would be authorised: what is not allowed need not be offered. Nothing is noted as tried.
    pub fn may<C: Command>(&self, command: &C) -> bool {
        self.principal.role >= command.permission().least_role()
    }

    /// Authorises one command.
    ///
    /// # Errors
    /// `forbidden`, when the principal's role lacks the permission that the command needs.
    pub fn authorize<C: Command>(&self, command: C) -> Result<Authorized<C>, Error> {
        let needed = command.permission();
        let denied = !self.may(&command);
        if denied || needed != Permission::Read {
            self.tries(&command, denied);
        }
        if denied {
            let detail = format!(
                "{} is {} and may not do this: role {} is needed",
                self.principal.name,
                self.principal.role.as_str(),
                needed.least_role().as_str()
            );
            return Err(Error::new(ErrorKind::Forbidden, "forbidden", detail));
        }
        Ok(Authorized { command, context: Self { action: C::ACTION, ..self.clone() } })
    }

    fn tries<C: Command>(&self, command: &C, denied: bool) {
        let object = command.object().map(|(kind, reference)| named(kind, reference));
        let mut attempt = self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        *attempt = Some(Attempt { action: C::ACTION, object, denied });
    }

    /// What was tried, if nobody has taken note of its failure yet.
    pub(crate) fn take_attempt(&self) -> Option<Attempt> {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// An object as a request names it: names never look like IDs.
fn named(kind: ObjectKind, reference: &str) -> AuditObject {
    let reference: String = reference.chars().take(64).collect();
    match netloom_model::id::looks_like_id(&reference) {
        true => AuditObject { kind, id: Some(reference), name: None },
        false => AuditObject { kind, id: None, name: Some(reference) },
    }
}

/// Whether something that may end is still good.
pub(crate) fn good(expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    expires_at.is_none_or(|end| now < end)
}

/// A command that was authorised. Only [`Context::authorize`] makes one.
#[derive(Debug, Clone)]
pub struct Authorized<C> {
    command: C,
    context: Context,
}

impl<C> Authorized<C> {
    /// The command.
    pub const fn command(&self) -> &C {
        &self.command
    }

    /// Who asked.
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// Both parts.
    pub fn into_parts(self) -> (C, Context) {
        (self.command, self.context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_with_a_path_of_bounded_length() {
        let request = Request::new("r", None, "GET", &"é".repeat(600));
        assert_eq!(request.path.map(|path| path.chars().count()), Some(512));
    }
}
