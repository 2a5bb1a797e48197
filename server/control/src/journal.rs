//! Events about to be numbered, and the audit entries that go with them: who did what to which object. One event per commit, none for
//! success, one per failure, finding or repair.

use netloom_model::Timestamp;
use netloom_model::audit::{AuditObject, Decision};
use netloom_model::event::{KINDS, ObjectKind, ObjectRef};
use netloom_model::plan::Refusal;
use netloom_store::{
    EndpointRow, LeaseRow, NetworkRow, NewAudit, NewEvent, SandboxRow, TokenRow, WriteTx, audit, events,
};

use crate::audit::Difference;
use crate::error::Error;
use crate::principal::Context;

/// Who does it, with which request.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    name: String,
    /// Who asked; nobody did where it happens by itself.
    asked: Option<Context>,
    /// Why what was asked for is taken back.
    undone: Option<&'static str>,
}

impl From<&Context> for Actor {
    fn from(context: &Context) -> Self {
        Self { name: context.principal.name.clone(), asked: Some(context.clone()), undone: None }
    }
}

impl Actor {
    /// Takes back what was asked for, because the node refused it. That is how the audit tells of the failure, in the commit
    /// that takes it back.
    pub(crate) fn undoing(context: &Context, refusal: &Refusal) -> Self {
        context.take_attempt();
        Self { undone: Some(Error::from(refusal.clone()).code), ..Self::from(context) }
    }

    /// What a node found or did by itself.
    pub(crate) fn agent() -> Self {
        Self { name: "agent".to_owned(), asked: None, undone: None }
    }

    /// What control does by itself, such as ending a quarantine.
    pub(crate) fn netloom() -> Self {
        Self { name: "netloom".to_owned(), asked: None, undone: None }
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
        let Some(context) = &self.asked else { return Ok(()) };
        let decision = if self.undone.is_some() { Decision::Failed } else { Decision::Allowed };
        let ObjectRef { kind, id, name } = object;
        let entry = NewAudit {
            object: Some(AuditObject { kind, id: Some(id), name: Some(name) }),
            event: Some(event),
            before: change.before,
            after: change.after,
            code: self.undone.map(str::to_owned),
            ..self.entry(context.action, decision, time)
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
            source: request.and_then(|request| request.source).map(|source| source.to_string()),
            request_id: request.map(|request| request.id.clone()),
            method: request.and_then(|request| request.method.clone()),
            path: request.and_then(|request| request.path.clone()),
            action: action.to_owned(),
            object: None,
            decision,
            code: None,
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

/// A token, for events and problems.
pub(crate) fn token_ref(row: &TokenRow) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Token, id: row.id.to_string(), name: row.name.clone() }
}
