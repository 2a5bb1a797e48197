//! What ends of other nodes' attachments, on the manager, and what of a node moves with it.

use std::sync::Arc;

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::{EndpointId, NodeId};
use netloom_store::{AttachmentRow, NodeRow, WriteTx, attachments, leases, nodes};

use crate::clock::now;
use crate::commit::Job;
use crate::error::Error;
use crate::journal::{Actor, with};
use crate::networks::fixed::Stamp;
use crate::networks::host::Host;

/// The sandbox of an attachment, for events.
pub(super) fn sandbox_of(row: &AttachmentRow) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Sandbox, id: row.sandbox_id.to_string(), name: row.sandbox_name.clone() }
}

/// Notes a node's new address on the underlay with its attachments. Answers what nodes must look at.
pub(crate) async fn follow_node(tx: &mut WriteTx<'_>, node: &NodeRow) -> Result<Vec<Key>, Error> {
    let of_node = attachments::of_node(tx, node.id).await?;
    attachments::move_node(tx, node.id, node.address, node.revision, node.updated_at);
    Ok(of_node.iter().flat_map(keys_of).collect())
}

/// What a node must look at when an attachment of another one changed.
pub(super) const fn keys_of(row: &AttachmentRow) -> [Key; 2] {
    [Key::Peer(row.id), Key::Network(row.network_id)]
}

/// Releases attachments of a node with their leases.
pub(crate) struct Release {
    pub(crate) node: NodeId,
    pub(crate) endpoints: Vec<EndpointId>,
    /// Why, where the node did not ask for it.
    pub(crate) reason: Option<String>,
    /// What is known of hosts: an address that one of them has is its own from then on.
    pub(crate) host: Arc<Host>,
}

#[async_trait]
impl Job for Release {
    /// What nodes must look at.
    type Output = Vec<Key>;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Vec<Key>, Error> {
        let mut rows = attachments::by_ids(tx, &self.endpoints).await?;
        rows.retain(|row| row.node == self.node);
        let hostname = nodes::called(tx, self.node).await?;
        let now = now();
        let mut stamp = None;
        for row in &rows {
            let object = sandbox_of(row);
            let why = self.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
            let message =
                format!("sandbox `{}` of node `{hostname}` is off its network of the swarm{why}", object.name);
            let event =
                with(Actor::node(self.node).event("attachment.released", object, message, now), "node", self.node);
            stamp = Some(Stamp { revision: netloom_store::events::append(tx, &event).await?, now });
        }
        // As of the last event, with a statement each: a node may say of thousands that nothing is left of them.
        let Some(stamp) = stamp else { return Ok(Vec::new()) };
        let ids: Vec<EndpointId> = rows.iter().map(|row| row.id).collect();
        let own = leases::of_endpoints(tx, &ids).await?;
        self.host.let_go(tx, &own, stamp).await?;
        attachments::end(tx, &ids, stamp.revision, stamp.now);
        Ok(rows.iter().flat_map(keys_of).collect())
    }
}
