//! What of the swarm needs attention: on its manager the nodes that are down or ask to be let back in, on a worker a manager that is not reached.
//!
//! The sentences of several nodes are the same, so that whoever tells them can say them once.

use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::swarm::{HEARTBEATS_MISSED, NodeState, SwarmRole};
use netloom_store::{NodeRow, nodes};

use super::nodes::view;
use crate::control::Control;
use crate::error::Error;
use crate::journal::node_ref;
use crate::members::Membership;

/// Said of a node whose certificate is out of date.
const ASKS: &str = "its certificate is out of date, and it asks to be let back in";

impl Control {
    /// What of the swarm needs attention: the object and a sentence. Nothing where this host is in none.
    pub(crate) async fn swarm_attention(&self) -> Result<Vec<(ObjectRef, String)>, Error> {
        match self.own_membership() {
            None => Ok(Vec::new()),
            Some(own) if own.role == SwarmRole::Worker => self.manager_unreached(&own).await,
            Some(_) => {
                let read = self.inner.store.ask(|tx| Box::pin(async move { Ok::<_, Error>(nodes::all(tx).await?) }));
                Ok(read.await?.into_iter().filter_map(|row| self.of_node(row)).collect())
            }
        }
    }

    /// A node that asks to be let back in is down as well: that it asks says more.
    fn of_node(&self, row: NodeRow) -> Option<(ObjectRef, String)> {
        let object = node_ref(&row);
        let node = view::node(&self.inner.swarm, row);
        let sentence = match node.status.state {
            _ if !node.status.conditions.is_empty() => ASKS.to_owned(),
            NodeState::Down => format!(
                "the node is down: it has missed {HEARTBEATS_MISSED} reports in a row; what runs on it goes on, if its host does"
            ),
            NodeState::Ready | NodeState::Unknown => return None,
        };
        Some((object, sentence))
    }

    async fn manager_unreached(&self, own: &Membership) -> Result<Vec<(ObjectRef, String)>, Error> {
        let swarm = self.shown_swarm(own).await?;
        let name = swarm.status.settings.name;
        let object = ObjectRef { kind: ObjectKind::Swarm, id: swarm.id.to_string(), name };
        let told = |trouble: String| {
            (
                object,
                format!(
                    "the manager is not reached: {trouble}; what runs here goes on, but for links on segments that are fenced"
                ),
            )
        };
        Ok(swarm.status.trouble.map(told).into_iter().collect())
    }
}
