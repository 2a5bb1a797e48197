//! A node as it is answered: what the store has of it, and where it stands by what was heard of it.

use netloom_model::condition::{Condition, READMISSION_PENDING};
use netloom_model::swarm::{Node, NodeState, NodeStatus, SwarmRole};
use netloom_store::NodeRow;

use crate::clock::now;
use crate::swarm::memory::{Hearing, Memory};

/// Where a node stands, and why, where it is not ready.
pub(crate) fn state(memory: &Memory, row: &NodeRow) -> (NodeState, Option<String>) {
    if row.role == SwarmRole::Manager {
        return (NodeState::Ready, None);
    }
    let (hearing, heard) = memory.hearing(row.id);
    let last = heard.max(row.last_seen);
    match (hearing, last) {
        (Hearing::Lately, _) => (NodeState::Ready, None),
        // A start of the manager is no news of a node that was down.
        (Hearing::Starting, _) if row.down_at.is_none() => (
            NodeState::Unknown,
            Some("the manager started a moment ago, and has not heard of the node since".to_owned()),
        ),
        (_, Some(last)) => (NodeState::Down, Some(format!("it has not reported since {last}"))),
        (_, None) => (NodeState::Down, Some("it has never reported".to_owned())),
    }
}

/// A node as it is answered.
pub(crate) fn node(memory: &Memory, row: NodeRow) -> Node {
    let (state, reason) = state(memory, &row);
    let (_, heard) = memory.hearing(row.id);
    let status = NodeStatus {
        state,
        reason,
        role: row.role,
        hostname: row.hostname.clone(),
        address: row.address.to_string(),
        version: row.version.clone(),
        last_seen: heard.max(row.last_seen),
        certificate_expires_at: row.expires_at,
        readmission_asked_at: row.readmission_asked_at,
        conditions: conditions(&row),
    };
    Node {
        spec: row.spec,
        id: row.id,
        revision: row.revision,
        spec_revision: row.spec_revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
        status,
    }
}

fn conditions(row: &NodeRow) -> Vec<Condition> {
    let Some(asked) = row.readmission_asked_at else { return Vec::new() };
    if row.readmission_until.is_some_and(|until| until > now()) {
        return Vec::new();
    }
    let message = format!(
        "its certificate expired at {}, and it asks to be let back in: `POST /api/v1/nodes/{}/readmit` does",
        row.expires_at, row.id
    );
    vec![Condition { since: Some(asked), ..Condition::new(READMISSION_PENDING, "CertificateExpired", message) }]
}
