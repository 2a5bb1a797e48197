//! Who asks, and the proof that they may: an [`Authorized`] command can only be made here.

use crate::command::Command;
use crate::error::{Error, ErrorKind};

/// What a principal may do, coarsely. A later role is one more value; each permission names the least role that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads and changes networks, leases and sandboxes.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// What a command needs.
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
    /// Name for events: a token's, or `socket:root`.
    pub name: String,
    /// Role.
    pub role: Role,
}

/// Who asks, with which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Who asks.
    pub principal: Principal,
    /// The request's ID, for events, logs and problems.
    pub request_id: String,
}

impl Context {
    /// Authorises one command.
    ///
    /// # Errors
    /// `forbidden`, when the principal's role lacks the permission that the command needs.
    pub fn authorize<C: Command>(&self, command: C) -> Result<Authorized<C>, Error> {
        let needed = command.permission();
        if self.principal.role < needed.least_role() {
            let detail = format!(
                "{} is {} and may not do this: role {} is needed",
                self.principal.name,
                self.principal.role.as_str(),
                needed.least_role().as_str()
            );
            return Err(Error::new(ErrorKind::Forbidden, "forbidden", detail));
        }
        Ok(Authorized { command, context: self.clone() })
    }
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
