//! What a use case waits for when a network of the swarm is concerned: a place that the manager gives, and all who are on the network to know of it.

use std::time::Duration;

use netloom_model::NetworkId;
use netloom_model::member::{AttachRequest, Attachment};

use netloom_model::swarm::SwarmRole;

use crate::control::Inner;
use crate::error::Error;
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
        let own = self.swarm.membership.borrow().clone();
        let known = match own {
            Some(own) if own.role == SwarmRole::Worker => {
                match self.wire.spread(&own, &networks, revision, left).await {
                    Ok(known) => known,
                    Err(error) => {
                        tracing::debug!(%error, "whether others know of an attachment can't be asked");
                        false
                    }
                }
            }
            _ => tokio::time::timeout(left, self.spread(&networks, revision)).await.is_ok(),
        };
        if known { settled } else { Settled::Pending }
    }
}
