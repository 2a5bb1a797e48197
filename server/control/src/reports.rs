//! What a node found, taken in: the one way by which findings become rows and events. Status is never stored.
//!
//! A report never waits for an object's turn: the write that has the turn may be the one that waits for this report.

pub(crate) mod conflict;
pub(crate) mod findings;
pub(crate) mod gone;
pub(crate) mod host;
pub(crate) mod kept;
pub(crate) mod proven;
pub(crate) mod standing;

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::plan::{PlannedOperation, Refusal};
use netloom_model::report::Report;
use netloom_model::{EndpointId, NodeId, SandboxId};
use netloom_store::{Orphaned, ReadTx, WriteTx, attachments, events, networks, sandboxes};

use crate::clock::now;
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, network_ref, sandbox_ref, with};
use crate::sandboxes::view;

impl Control {
    /// Takes in what a node found. The one way in for findings.
    ///
    /// # Errors
    /// The store's; for an address conflict `address-conflict`, not retryable, when no other address may take its place.
    pub async fn report(&self, report: Report) -> Result<(), Error> {
        self.detached(|this| async move { this.take_in(report).await }).await
    }

    async fn take_in(self, report: Report) -> Result<(), Error> {
        let node = self.inner.store.node_id();
        match report {
            Report::Gone { networks, sandboxes, endpoints } => self.gone(networks, sandboxes, endpoints).await,
            Report::AddressConflict { endpoint, address, mac } => self.address_conflict(endpoint, address, mac).await,
            Report::Repaired { key, found, operations } => {
                self.inner.commit(false, Repaired { node, key, found, operations }).await
            }
            Report::Failed { key, refusal } => self.inner.commit(false, Failed { node, key, refusal }).await,
            Report::Orphaned { sandbox, reason } => {
                self.inner.commit(false, Orphan { id: sandbox, reason: Some(reason) }).await
            }
            Report::Found { sandbox } => self.inner.commit(false, Orphan { id: sandbox, reason: None }).await,
            Report::Conditions { everything, conditions, idle } => {
                self.conditions_changed(everything, conditions, &idle).await
            }
            Report::HostChanged(facts) => self.host_changed(*facts).await,
            Report::Sounded(found) => {
                if self.inner.swarm.sounded(found, now()) {
                    self.inner.swarm.tell();
                }
                Ok(())
            }
        }
    }
}

/// The object that a key names, for an event; the node, when it is unknown or gone.
async fn object(tx: &mut ReadTx<'_>, node: NodeId, key: Option<Key>) -> Result<ObjectRef, Error> {
    let named = match key {
        Some(Key::Network(id)) => networks::by_id(tx, id).await?.map(|row| network_ref(&row)),
        Some(Key::Sandbox(id)) => sandboxes::by_id(tx, id).await?.map(|row| sandbox_ref(&row)),
        Some(Key::Peer(id)) => of_peer(tx, id).await?,
        None => None,
    };
    let id = node.to_string();
    Ok(named.unwrap_or_else(|| ObjectRef { kind: ObjectKind::Node, name: id.clone(), id }))
}

/// The network that a peer is on.
async fn of_peer(tx: &mut ReadTx<'_>, id: EndpointId) -> Result<Option<ObjectRef>, Error> {
    let Some(peer) = attachments::by_ids(tx, &[id]).await?.pop() else { return Ok(None) };
    Ok(networks::by_id(tx, peer.network_id).await?.map(|row| network_ref(&row)))
}

struct Repaired {
    node: NodeId,
    key: Option<Key>,
    found: String,
    operations: Vec<PlannedOperation>,
}

#[async_trait]
impl Job for Repaired {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let object = object(tx, self.node, self.key).await?;
        let done: Vec<&str> = self.operations.iter().map(|operation| operation.summary.as_str()).collect();
        // What is of no network and no sandbox is the host's own, which needs no ID to be known here.
        let what = if object.kind == ObjectKind::Node { "this host" } else { &object.name };
        let message = format!("{what} differed and was put right: {}", self.found);
        let event = Actor::agent().event("drift.repaired", object, message, now());
        events::append(tx, &with(with(event, "found", &self.found), "done", done.join("; "))).await?;
        Ok(())
    }
}

struct Failed {
    node: NodeId,
    key: Key,
    refusal: Refusal,
}

#[async_trait]
impl Job for Failed {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let object = object(tx, self.node, Some(self.key)).await?;
        let refusal = &self.refusal;
        let event = Actor::agent().event("apply.failed", object, refusal.message.clone(), now());
        let mut event =
            with(with(with(event, "code", &refusal.code), "object", &refusal.object), "operation", &refusal.operation);
        if let Some(errno) = &refusal.errno {
            event = with(event, "errno", errno);
        }
        events::append(tx, &event).await?;
        Ok(())
    }
}

/// The adopted namespace of a sandbox is gone (with the reason), or there again.
struct Orphan {
    id: SandboxId,
    reason: Option<String>,
}

#[async_trait]
impl Job for Orphan {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let Some(mut parts) = view::parts_of(tx, self.id).await? else { return Ok(()) };
        let row = &parts.row;
        if row.deleting || row.orphaned.is_some() == self.reason.is_some() {
            return Ok(());
        }
        let now = now();
        let (kind, message) = match &self.reason {
            Some(reason) => ("sandbox.orphaned", format!("sandbox `{}` lost its namespace: {reason}", row.name)),
            None => ("sandbox.found", format!("the namespace of sandbox `{}` is there again", row.name)),
        };
        let revision = events::append(tx, &Actor::agent().event(kind, sandbox_ref(row), message, now)).await?;
        let orphaned = self.reason.clone().map(|reason| Orphaned { reason, since: now });
        parts.set_orphaned(tx, orphaned, revision, now).await
    }
}
