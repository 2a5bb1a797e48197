//! Removing a node: it is none of the swarm from then on. Whoever knows that its host is off may say so, then or later.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use netloom_model::NodeId;
use netloom_model::event::ObjectRef;
use netloom_model::swarm::{NodeState, SwarmRole};
use netloom_store::{FenceRow, NodeRow, WriteTx, nodes};

use super::{find, view};
use crate::audit::Difference;
use crate::clock::now;
use crate::command::RemoveNode;
use crate::commit::Job;
use crate::control::Control;
use crate::error::{Error, ErrorKind};
use crate::journal::{Actor, fence_ref, node_ref, with};
use crate::networks::host::Host;
use crate::overlay::mtu;
use crate::precondition::Precondition;
use crate::principal::Authorized;
use crate::segment::waits::{self, Left};
use crate::swarm::memory::Hearing;

impl Control {
    /// Removes a node: it is denied everything from then on. Of one that was removed before, and whose addresses wait, it is taken that its host is off.
    ///
    /// # Errors
    /// `node-ready` without force, or where it is said to be off; `node-is-manager`; `precondition-failed`; as [`Self::get_node`].
    pub async fn remove_node(&self, c: Authorized<RemoveNode>, precondition: Precondition) -> Result<(), Error> {
        self.detached(|control| async move { control.remove(c, precondition).await }).await
    }

    async fn remove(&self, c: Authorized<RemoveNode>, precondition: Precondition) -> Result<(), Error> {
        let (RemoveNode { node, force, off }, context) = c.into_parts();
        self.as_manager()?;
        let actor = Actor::from(&context);
        let read = {
            let reference = node.clone();
            self.inner.store.read(move |tx| {
                Box::pin(async move {
                    let waiting = if off { waits::find(tx, &reference).await? } else { Vec::new() };
                    Ok::<_, Error>((find(tx, &reference).await, waiting))
                })
            })
        };
        let (found, waiting) = read.await?;
        let row = match found {
            Err(error) if error.kind == ErrorKind::NotFound && !waiting.is_empty() => {
                precondition.check("node", &node, None)?;
                return self.end_wait(only(waiting)?, Some(actor)).await;
            }
            found => found?,
        };
        if waiting.iter().any(|removed| removed.node != row.id) {
            return Err(ambiguous(waiting.iter().map(fence_ref).chain([node_ref(&row)]).collect()));
        }
        let ready = row.role == SwarmRole::Worker && view::state(&self.inner.swarm, &row).0 == NodeState::Ready;
        if ready && (off || !force) {
            return Err(is_ready(&row, off));
        }
        if off && self.inner.swarm.hearing(row.id).0 == Hearing::Starting {
            return Err(not_known_yet(&row));
        }
        let (silent, host) = (self.silence_of(row.id), Arc::clone(&self.inner.host));
        let remove = Remove { id: row.id, reference: node, precondition, actor, off, silent, host };
        let left = self.inner.commit(false, remove).await?;
        self.wait_for(row.id, left).await?;
        self.forget_node(row.id);
        Ok(())
    }
}

/// Of nodes that were removed before the one that is meant.
fn only(mut waiting: Vec<FenceRow>) -> Result<FenceRow, Error> {
    match (waiting.pop(), waiting.as_slice()) {
        (Some(row), []) => Ok(row),
        (last, others) => Err(ambiguous(others.iter().chain(last.as_ref()).map(fence_ref).collect())),
    }
}

fn ambiguous(nodes: Vec<ObjectRef>) -> Error {
    let detail = format!(
        "{} nodes have a host of that name, those that were removed and have addresses that wait included",
        nodes.len()
    );
    Error::conflict("ambiguous-name", detail).blockers(nodes).hint("name the node by its ID")
}

fn is_ready(row: &NodeRow, off: bool) -> Error {
    let error = |detail: String| Error::conflict("node-ready", detail).blockers(vec![node_ref(row)]);
    if off {
        return error(format!("node `{}` is ready: it reports, and is not off", row.hostname)).hint(
            "turn its host off, or remove it without that word (`?force=true`, `netloom node rm --force`): its addresses on segments are free when it must have let go of them",
        );
    }
    error(format!("node `{}` is ready: it would be cut off from the swarm", row.hostname)).hint(
        "let it leave by itself (`netloom swarm leave` there), or remove it all the same with `?force=true` (`netloom node rm --force`)",
    )
}

/// Right after its start a manager has heard of nobody: whether a host is off it can't know.
fn not_known_yet(row: &NodeRow) -> Error {
    let detail = format!(
        "this manager has just started, and waits for a word of node `{}`: whether it is off is not known yet",
        row.hostname
    );
    Error::conflict("node-unknown", detail)
        .blockers(vec![node_ref(row)])
        .retry_after(Duration::from_secs(15))
        .hint("ask again in 15 s: a node that is on has reported by then")
}

struct Remove {
    id: NodeId,
    reference: String,
    precondition: Precondition,
    actor: Actor,
    /// Whether its host is off, as whoever asks says.
    off: bool,
    /// How long it has been silent at least.
    silent: Duration,
    host: Arc<Host>,
}

#[async_trait]
impl Job for Remove {
    type Output = Left;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Left, Error> {
        let row = nodes::by_id(tx, self.id).await?.ok_or_else(|| Error::not_found("node", &self.reference))?;
        self.precondition.check("node", &self.reference, Some(row.spec_revision))?;
        if row.role == SwarmRole::Manager {
            let detail = format!("node `{}` is the swarm's manager", row.hostname);
            return Err(Error::conflict("node-is-manager", detail)
                .hint("the swarm ends when it leaves: `DELETE /api/v1/swarm/membership?force=true`"));
        }
        let off = if self.off { format!("; it is off, as `{}` says", self.actor.name()) } else { String::new() };
        let event =
            self.actor.event("node.removed", node_ref(&row), format!("node `{}` removed{off}", row.hostname), now());
        let event = if self.off { with(event, "off", true) } else { event };
        self.actor.append(tx, &event, Difference::removed(&row.spec)).await?;
        let silent = (!self.off).then_some(self.silent);
        let mut left = waits::leave(tx, &row, silent, "its node was removed", &self.host).await?;
        left.keys.extend(mtu::remove_node(tx, &row).await?);
        Ok(left)
    }
}
