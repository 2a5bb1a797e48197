//! Events about to be numbered: who did what to which object. One per commit, none for success, one per failure, finding or repair.

use netloom_model::Timestamp;
use netloom_model::event::{KINDS, ObjectKind, ObjectRef};
use netloom_store::{EndpointRow, LeaseRow, NetworkRow, NewEvent, SandboxRow};

use crate::principal::Context;

/// Who does it, with which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Actor {
    name: String,
    request_id: Option<String>,
}

impl From<&Context> for Actor {
    fn from(context: &Context) -> Self {
        Self { name: context.principal.name.clone(), request_id: Some(context.request_id.clone()) }
    }
}

impl Actor {
    /// What a node found or did by itself.
    pub(crate) fn agent() -> Self {
        Self { name: "agent".to_owned(), request_id: None }
    }

    /// What control does by itself, such as ending a quarantine.
    pub(crate) fn netloom() -> Self {
        Self { name: "netloom".to_owned(), request_id: None }
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
            request_id: self.request_id.clone(),
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
