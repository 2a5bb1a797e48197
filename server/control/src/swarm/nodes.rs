//! The nodes of the swarm, as people ask for them: listed, shown, changed, let back in.

mod remove;
pub(super) mod view;

use async_trait::async_trait;
use netloom_model::swarm::Node;
use netloom_model::{NodeId, Timestamp};
use netloom_store::{NodeQuery, NodeRow, Place, ReadTx, WriteTx, events, nodes};
use serde_json::Value;

use super::settings;
use crate::audit::Difference;
use crate::clock::now;
use crate::command::{GetNode, ListNodes, Page, ReadmitNode, UpdateNode};
use crate::commit::Job;
use crate::control::Control;
use crate::edit::merged;
use crate::error::Error;
use crate::journal::{Actor, node_ref};
use crate::page::Part;
use crate::precondition::Precondition;
use crate::principal::Authorized;

/// How long a node may be let back in after an operator said so.
const READMISSION_MILLIS: i64 = 24 * 3_600_000;

impl Control {
    /// Lists nodes.
    ///
    /// # Errors
    /// A bad page request; `no-swarm`; `not-manager`.
    pub async fn list_nodes(&self, c: Authorized<ListNodes>) -> Result<Page<Node>, Error> {
        let (ListNodes { role, labels, order, page }, _) = c.into_parts();
        self.as_manager()?;
        let part = Part::new(&page, &format!("nodes {role:?} {labels:?} {order:?}"))?;
        let query = NodeQuery { role, labels, order, after: part.after.clone(), limit: part.read() };
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let mut rows = nodes::list(tx, &query).await?;
                let next = part.cut(&mut rows, Place::of_node);
                Ok::<_, Error>((rows, next, events::number(tx).await?))
            })
        });
        let (rows, next_page_token, seq) = read.await?;
        let items = rows.into_iter().map(|row| view::node(&self.inner.swarm, row)).collect();
        Ok(Page { items, next_page_token, seq })
    }

    /// Gets a node.
    ///
    /// # Errors
    /// There is none of this ID or host's name, or several of that name; `no-swarm`; `not-manager`.
    pub async fn get_node(&self, c: Authorized<GetNode>) -> Result<Node, Error> {
        let (GetNode(reference), _) = c.into_parts();
        self.as_manager()?;
        let read = self.inner.store.ask(move |tx| Box::pin(async move { find(tx, &reference).await }));
        Ok(view::node(&self.inner.swarm, read.await?))
    }

    /// Changes what can be written of a node.
    ///
    /// # Errors
    /// Everything wrong with the new spec; `precondition-failed`; as [`Self::get_node`].
    pub async fn update_node(&self, c: Authorized<UpdateNode>, precondition: Precondition) -> Result<Node, Error> {
        let (UpdateNode { node, patch }, context) = c.into_parts();
        self.as_manager()?;
        let update = Update { reference: node, patch, precondition, actor: Actor::from(&context) };
        Ok(view::node(&self.inner.swarm, self.inner.commit(false, update).await?))
    }

    /// Lets a node back in, once and within a day, whose certificate is out of date.
    ///
    /// # Errors
    /// `certificate-good`, where it is not; as [`Self::get_node`].
    pub async fn readmit_node(&self, c: Authorized<ReadmitNode>) -> Result<Node, Error> {
        let (ReadmitNode(reference), context) = c.into_parts();
        self.as_manager()?;
        let allow = Allow { reference, actor: Actor::from(&context) };
        Ok(view::node(&self.inner.swarm, self.inner.commit(false, allow).await?))
    }
}

/// A node by its ID or its host's name.
pub(crate) async fn find(tx: &mut ReadTx<'_>, reference: &str) -> Result<NodeRow, Error> {
    if let Ok(id) = reference.parse::<NodeId>() {
        return nodes::by_id(tx, id).await?.ok_or_else(|| Error::not_found("node", reference));
    }
    let mut found = nodes::by_hostname(tx, reference).await?;
    if found.len() > 1 {
        let detail = format!("{} nodes have a host of the name `{reference}`", found.len());
        let blockers = found.iter().map(node_ref).collect();
        return Err(Error::conflict("ambiguous-name", detail).blockers(blockers).hint("name the node by its ID"));
    }
    found.pop().ok_or_else(|| Error::not_found("node", reference))
}

struct Update {
    reference: String,
    patch: Value,
    precondition: Precondition,
    actor: Actor,
}

#[async_trait]
impl Job for Update {
    type Output = NodeRow;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<NodeRow, Error> {
        let mut row = find(tx, &self.reference).await?;
        self.precondition.check("node", &self.reference, Some(row.spec_revision))?;
        let spec = merged(&row.spec, &self.patch)?;
        settings::check_node(&spec)?;
        if spec == row.spec {
            return Ok(row);
        }
        let difference = Difference::changed(&row.spec, &spec);
        row.spec = spec;
        row.updated_at = now();
        let message = format!("node `{}` changed", row.hostname);
        let event = self.actor.event("node.updated", node_ref(&row), message, row.updated_at);
        row.revision = self.actor.append(tx, &event, difference).await?;
        row.spec_revision = row.revision;
        nodes::set(tx, &row).await?;
        Ok(row)
    }
}

struct Allow {
    reference: String,
    actor: Actor,
}

#[async_trait]
impl Job for Allow {
    type Output = NodeRow;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<NodeRow, Error> {
        let mut row = find(tx, &self.reference).await?;
        let now: Timestamp = now();
        if row.expires_at > now && row.readmission_asked_at.is_none() {
            let detail = format!("the certificate of node `{}` is good until {}", row.hostname, row.expires_at);
            return Err(
                Error::conflict("certificate-good", detail).hint("there is nothing to do: it is renewed by itself")
            );
        }
        row.readmission_until = Some(now.plus_millis(READMISSION_MILLIS));
        row.updated_at = now;
        let message = format!("node `{}` may come back, once, within a day", row.hostname);
        let event = self.actor.event("node.readmission_allowed", node_ref(&row), message, now);
        row.revision = self.actor.append(tx, &event, Difference::default()).await?;
        nodes::set(tx, &row).await?;
        Ok(row)
    }
}
