//! Events about to be numbered, and the audit entries that go with them: who did what to which object. One event per commit, none for
//! success, one per failure, finding or repair.

use std::net::IpAddr;

use netloom_model::audit::{AuditObject, Decision};
use netloom_model::event::{KINDS, ObjectKind, ObjectRef};
use netloom_model::plan::Refusal;
use netloom_model::{NetworkId, NodeId, Timestamp};
use netloom_store::{
    EndpointRow, FenceRow, JoinTokenRow, LeaseRow, NetworkRow, NewAudit, NewEvent, NodeRow, SandboxRow, SwarmRow,
    TokenRow, WriteTx, audit, events,
};

use crate::audit::{Difference, Failure};
use crate::error::Error;
use crate::principal::{Context, Source};

/// Who does it, with which request.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    name: String,
    /// Who asked; nobody did where it happens by itself.
    asked: Option<Context>,
    /// Why what was asked for is taken back.
    undone: Option<Failure>,
    /// From where it came and what it is called in the audit, where it was asked for by somebody without a principal: a node.
    outside: Option<(Source, &'static str)>,
}

impl From<&Context> for Actor {
    fn from(context: &Context) -> Self {
        Self { name: context.principal.name.clone(), asked: Some(context.clone()), undone: None, outside: None }
    }
}

impl Actor {
    /// Takes back what was asked for, because the node refused it. That is how the audit tells of the failure, in the commit
    /// that takes it back.
    pub(crate) fn undoing(context: &Context, refusal: &Refusal) -> Self {
        context.take_attempt();
        Self { undone: Some(Failure::from(&Error::from(refusal.clone()))), ..Self::from(context) }
    }

    /// What a node found or did by itself.
    pub(crate) fn agent() -> Self {
        Self { name: "agent".to_owned(), asked: None, undone: None, outside: None }
    }

    /// A node of the swarm, which says what became of its own sandboxes. Who asked for that is told there.
    pub(crate) fn node(node: NodeId) -> Self {
        Self { name: format!("node:{node}"), asked: None, undone: None, outside: None }
    }

    /// What control does by itself, such as ending a quarantine.
    pub(crate) fn netloom() -> Self {
        Self { name: "netloom".to_owned(), asked: None, undone: None, outside: None }
    }

    /// A node of the swarm, or one that means to be, which asks for something by this action of the audit.
    pub(crate) fn outside(name: String, from: IpAddr, action: &'static str) -> Self {
        Self { name, asked: None, undone: None, outside: Some((Source::Remote(from), action)) }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Appends an event of a change, and its audit entry where somebody asked for it: both go with what the transaction writes anyway.
    pub(crate) async fn append(
        &self,
        tx: &mut WriteTx<'_>,
        event: &NewEvent,
        change: Difference,
    ) -> Result<u64, Error> {
        let seq = events::append(tx, event).await?;
        self.also(tx, event.object.clone(), seq, change, event.time).await?;
        Ok(seq)
    }

    /// Adds the audit entry of one more object that what was asked for changed, with the event of this number.
    pub(crate) async fn also(
        &self,
        tx: &mut WriteTx<'_>,
        object: ObjectRef,
        event: u64,
        change: Difference,
        time: Timestamp,
    ) -> Result<(), Error> {
        let asked = self.asked.as_ref().map(|context| context.action);
        let Some(action) = asked.or(self.outside.map(|(_, action)| action)) else { return Ok(()) };
        let decision = if self.undone.is_some() { Decision::Failed } else { Decision::Allowed };
        let ObjectRef { kind, id, name } = object;
        let entry = NewAudit {
            object: Some(AuditObject { kind, id: Some(id), name: Some(name) }),
            event: Some(event),
            before: change.before,
            after: change.after,
            ..self.entry(action, decision, time)
        };
        let entry = match &self.undone {
            Some(failure) => failure.clone().told_by(entry),
            None => entry,
        };
        Ok(audit::append(tx, &entry).await?)
    }

    /// An audit entry that says nothing of an object.
    pub(crate) fn entry(&self, action: &str, decision: Decision, time: Timestamp) -> NewAudit {
        let principal = self.asked.as_ref().map(|context| &context.principal);
        let request = self.asked.as_ref().map(|context| context.request.as_ref());
        NewAudit {
            time,
            actor: self.name.clone(),
            role: principal.map(|principal| principal.role),
            token_id: principal.and_then(|principal| principal.token),
            source: request
                .and_then(|request| request.source)
                .or(self.outside.map(|(source, _)| source))
                .map(|source| source.to_string()),
            request_id: request.map(|request| request.id.clone()),
            method: request.and_then(|request| request.method.clone()),
            path: request.and_then(|request| request.path.clone()),
            action: action.to_owned(),
            object: None,
            decision,
            code: None,
            detail: None,
            pointer: None,
            event: None,
            before: None,
            after: None,
        }
    }

    /// An event of this actor's.
    pub(crate) fn event(&self, kind: &str, object: ObjectRef, message: impl Into<String>, time: Timestamp) -> NewEvent {
        debug_assert!(KINDS.contains(&kind), "{kind} is in the list of kinds");
        NewEvent {
            kind: kind.to_owned(),
            object,
            message: message.into(),
            data: std::collections::BTreeMap::new(),
            actor: self.name.clone(),
            request_id: self.asked.as_ref().map(|context| context.request_id.clone()),
            time,
        }
    }
}

/// A fact of an event.
pub(crate) fn with(mut event: NewEvent, key: &str, value: impl ToString) -> NewEvent {
    event.data.insert(key.to_owned(), value.to_string());
    event
}

/// The network that an event is about beside its object: as it is called now, and by its ID, which stays.
pub(crate) fn on_network(event: NewEvent, name: &str, id: NetworkId) -> NewEvent {
    with(with(event, "network", name), "network_id", id)
}

/// A network, for events and problems.
pub(crate) fn network_ref(row: &NetworkRow) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Network, id: row.id.to_string(), name: row.name.clone() }
}

/// A sandbox, for events and problems.
pub(crate) fn sandbox_ref(row: &SandboxRow) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Sandbox, id: row.id.to_string(), name: row.name.clone() }
}

/// The sandbox of an endpoint, for events and problems.
pub(crate) fn sandbox_of_endpoint(row: &EndpointRow) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Sandbox, id: row.sandbox_id.to_string(), name: row.sandbox_name.clone() }
}

/// A lease, for events and problems: named by its key, else by its address.
pub(crate) fn lease_ref(row: &LeaseRow) -> ObjectRef {
    let name = row.key.clone().unwrap_or_else(|| row.address.to_string());
    ObjectRef { kind: ObjectKind::Lease, id: row.id.to_string(), name }
}

/// A swarm, for events and problems.
pub(crate) fn swarm_ref(row: &SwarmRow) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Swarm, id: row.id.to_string(), name: row.spec.settings().name }
}

/// A node of the swarm, for events and problems: named by its host.
pub(crate) fn node_ref(row: &NodeRow) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Node, id: row.id.to_string(), name: row.hostname.clone() }
}

/// A node that was removed and whose addresses wait, likewise.
pub(crate) fn fence_ref(row: &FenceRow) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Node, id: row.node.to_string(), name: row.hostname.clone() }
}

/// A join token, for events and problems.
pub(crate) fn join_token_ref(row: &JoinTokenRow) -> ObjectRef {
    ObjectRef { kind: ObjectKind::JoinToken, id: row.id.to_string(), name: row.spec.name.clone() }
}

/// A token, for events and problems.
pub(crate) fn token_ref(row: &TokenRow) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Token, id: row.id.to_string(), name: row.name.clone() }
}
