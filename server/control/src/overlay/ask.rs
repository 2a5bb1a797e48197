//! What a use case waits for when a network of the swarm is concerned: a place that the manager gives, and all who are on the network to know of it.

use std::time::Duration;

use netloom_model::NetworkId;
use netloom_model::member::{AttachRequest, Attachment};
use netloom_model::report::Outcome;
use netloom_model::swarm::SwarmRole;

use super::attachments::{self, is_attachment};
use super::reassert;
use crate::commit::Change;
use crate::control::{Control, Inner};
use crate::error::Error;
use crate::sandboxes::view::SandboxParts;
use crate::settle::{Deadline, Settled};
use crate::swarm::denied;

/// How long the manager may take to give a place; it writes one transaction.
const ANSWER: Duration = Duration::from_secs(5);

impl Inner {
    /// Asks the manager for a place on a network of the swarm. What it told of before may come here later: whoever writes the place finds out.
    ///
    /// # Errors
    /// The manager's own, as `address-taken`; that it can't be asked.
    pub(crate) async fn ask_for_place(&self, request: AttachRequest) -> Result<Attachment, Error> {
        let own = self.swarm.membership.borrow().clone();
        let Some(own) = own else {
            let detail = format!("network {} is the swarm's, and this host is in none any more", request.network);
            return Err(Error::conflict("no-swarm", detail).hint("let the host join again: `netloom swarm join`"));
        };
        if self.held.is_leaving() {
            let detail = format!("this host is leaving the swarm that network {} is of", request.network);
            return Err(Error::conflict("busy", detail).hint("ask again when it has left, or has not").retryable(true));
        }
        let asked = tokio::time::timeout(ANSWER, self.wire.attach(&own, &request)).await;
        let given = match asked {
            Ok(Ok(given)) => given.map_err(Error::from)?,
            Ok(Err(error)) => return Err(denied::to_caller(error)),
            Err(_) => {
                let detail = format!("the manager at {} did not answer within {} s", own.manager, ANSWER.as_secs());
                return Err(Error::conflict("manager-unreachable", detail)
                    .fact("manager", own.manager)
                    .retryable(true));
            }
        };
        Ok(given)
    }

    /// Whether this host is a worker of a swarm.
    pub(crate) fn is_worker(&self) -> bool {
        self.swarm.membership.borrow().as_ref().is_some_and(|own| own.role == SwarmRole::Worker)
    }

    /// Waits until this node's own kernel forwards as others' attachments are that this store has had from a number on. Whether it does.
    pub(crate) async fn spread_here(&self, networks: &[NetworkId], revision: u64, within: Duration) -> bool {
        let networks = networks.to_vec();
        let read = self.store.read(move |tx| {
            Box::pin(async move { attachments::peers_since(tx, &networks, revision.saturating_sub(1)).await })
        });
        let Ok(keys) = read.await else { return false };
        let outcomes = self.node.converge(keys, revision, within).await;
        outcomes.values().all(|outcome| matches!(outcome, Outcome::Converged { .. }))
    }

    /// Has the node hold a sandbox as it was written, and everybody else on its networks of the swarm that is not known here yet.
    pub(crate) async fn settle_with_peers(&self, change: &Change<SandboxParts>, deadline: &Deadline) -> Settled {
        let settled = self.settle(&change.keys, change.revision, deadline).await;
        if matches!(settled, Settled::Done) {
            self.arrivals.known(attachments::networks_of(&change.parts.endpoints), change.revision);
        }
        settled
    }

    /// Says of a sandbox on networks of the swarm that was started what is so now, and not with the next heartbeat only: by the manager's answers others can
    /// be waited for. A manager that can't be asked hears of it later.
    pub(crate) async fn tell_started(&self, parts: &SandboxParts) -> Option<(Vec<NetworkId>, u64)> {
        let mut told: Option<(Vec<NetworkId>, u64)> = None;
        for one in parts.endpoints.iter().filter(|one| is_attachment(&one.row) && !one.row.deleting) {
            let request = reassert::request(&parts.row, one.row.clone(), &one.leases);
            match self.ask_for_place(request).await {
                Ok(given) => {
                    let (networks, revision) = told.get_or_insert_default();
                    networks.push(given.network);
                    *revision = given.revision.max(*revision);
                }
                Err(error) => tracing::debug!(%error, "the manager can't be told at once that a sandbox was started"),
            }
        }
        told
    }
}

impl Control {
    /// Waits until all who are on these networks, and can be reached, know what the manager's store says up to a number. Where they don't in time,
    /// what was settled is pending.
    pub(crate) async fn settle_elsewhere(
        &self,
        settled: Settled,
        spread: Option<(Vec<NetworkId>, u64)>,
        deadline: &Deadline,
    ) -> Settled {
        let (Settled::Done, Some((networks, revision))) = (&settled, spread) else { return settled };
        let left = deadline.left();
        let own = self.inner.swarm.membership.borrow().clone();
        let known = match own {
            Some(own) if own.role == SwarmRole::Worker => {
                match self.inner.wire.spread(&own, &networks, revision, left).await {
                    Ok(known) => known,
                    Err(error) => {
                        tracing::debug!(%error, "whether others know of an attachment can't be asked");
                        false
                    }
                }
            }
            _ => tokio::time::timeout(left, self.spread_to(&networks, revision, None)).await.is_ok(),
        };
        if known { settled } else { Settled::Pending }
    }
}
