//! This host becomes a node of no swarm: a worker tells its manager first, and a manager ends the swarm.

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::member::DeniedCode;
use netloom_model::swarm::SwarmRole;
use netloom_store::{WriteTx, nodes, swarm};

use super::join::own_swarm;
use super::{denied, managed, no_swarm};
use crate::audit::Difference;
use crate::clock::now;
use crate::command::LeaveSwarm;
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, node_ref, swarm_ref};
use crate::members::{AskError, Membership};
use crate::overlay::belonging;
use crate::principal::Authorized;

impl Control {
    /// Makes this host a node of no swarm.
    ///
    /// # Errors
    /// `no-swarm`; without force: `manager-unreachable` and its like, where the manager can't be told, and `swarm-ends` on the manager.
    pub async fn leave_swarm(&self, c: Authorized<LeaveSwarm>) -> Result<(), Error> {
        self.detached(|control| async move {
            let (LeaveSwarm { force }, context) = c.into_parts();
            let memory = &control.inner.swarm;
            let _turn = memory.turn.lock().await;
            let own = control.own_membership().ok_or_else(no_swarm)?;
            let actor = Actor::from(&context);
            let left = match own.role {
                SwarmRole::Manager => control.inner.commit(false, End { force, actor }).await?,
                SwarmRole::Worker => {
                    let _leaving = control.inner.held.leave().ok_or_else(attaching)?;
                    control.inner.store.read(|tx| Box::pin(async move { belonging::is_free(tx).await })).await?;
                    control.tell(&own, force).await?;
                    control.inner.commit(false, Forget { own, actor }).await?
                }
            };
            control.inner.node.wake(left);
            memory.membership.send_replace(None);
            memory.forget(None);
            memory.forget_contact();
            control.inner.host.forget_others();
            control.inner.fence.forget();
            Ok(())
        })
        .await
    }

    /// Tells the manager. A node that was removed has nobody to tell.
    async fn tell(&self, own: &Membership, force: bool) -> Result<(), Error> {
        let error = match self.inner.wire.leave(own).await {
            Ok(()) => return Ok(()),
            Err(AskError::Denied(denied)) if denied.code == DeniedCode::NodeRemoved => return Ok(()),
            Err(error) => error,
        };
        if force {
            tracing::warn!(%error, "this host left the swarm without its manager being told");
            return Ok(());
        }
        let error = denied::to_caller(error);
        let hint = "leave without telling it (`?force=true`, `netloom swarm leave --force`), then remove the node at the manager";
        Err(match error.hint.clone() {
            Some(first) => error.hint(format!("{first}; or {hint}")),
            None => error.hint(hint),
        })
    }
}

/// A place is being asked for that the manager would give to a node that is none any more.
fn attaching() -> Error {
    Error::conflict("busy", "a sandbox is being attached to a network of the swarm just now")
        .hint("leave again in a moment; sandboxes on networks of the swarm are to be detached first")
        .retryable(true)
}

struct Forget {
    own: Membership,
    actor: Actor,
}

#[async_trait]
impl Job for Forget {
    /// What the agent must look at.
    type Output = Vec<Key>;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Vec<Key>, Error> {
        let event = self.actor.event("swarm.left", own_swarm(&self.own), "this host left the swarm", now());
        self.actor.append(tx, &event, Difference::default()).await?;
        swarm::remove_membership(tx);
        belonging::leave(tx, now()).await
    }
}

/// The manager leaves, and with it all that the swarm was.
struct End {
    force: bool,
    actor: Actor,
}

#[async_trait]
impl Job for End {
    /// What the agent must look at.
    type Output = Vec<Key>;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Vec<Key>, Error> {
        let row = managed(tx).await?;
        let others: Vec<_> = nodes::all(tx).await?.into_iter().filter(|node| node.role == SwarmRole::Worker).collect();
        if !self.force {
            let detail = match others.len() {
                0 => "this host is the swarm's only manager: the swarm ends when it leaves".to_owned(),
                count => format!(
                    "this host is the swarm's only manager, and {count} nodes are in it: the swarm ends when it leaves"
                ),
            };
            return Err(Error::conflict("swarm-ends", detail)
                .blockers(others.iter().map(node_ref).collect())
                .hint("`?force=true` (`netloom swarm leave --force`) ends it: its nodes, join tokens and authority are gone for good"));
        }
        let message = format!("swarm `{}` ended: its manager left", row.spec.settings().name);
        let event = self.actor.event("swarm.ended", swarm_ref(&row), message, now());
        self.actor.append(tx, &event, Difference::removed(&row.spec)).await?;
        swarm::remove(tx);
        swarm::remove_membership(tx);
        belonging::leave(tx, now()).await
    }
}
