//! The swarm as it is answered, on a manager and on a worker; and `info`, what this host is.

use netloom_model::member::SwarmDescribed;
use netloom_model::swarm::{Info, Swarm, SwarmRole, SwarmState, SwarmStatus};
use netloom_store::{ReadTx, swarm};

use super::{certificates, described, managed, no_swarm};
use crate::command::{GetInfo, GetSwarm};
use crate::control::Control;
use crate::error::Error;
use crate::members::Membership;
use crate::principal::Authorized;

impl Control {
    /// The swarm that this host is a node of.
    ///
    /// # Errors
    /// `no-swarm`.
    pub async fn get_swarm(&self, c: Authorized<GetSwarm>) -> Result<Swarm, Error> {
        drop(c);
        let membership = self.own_membership().ok_or_else(no_swarm)?;
        self.shown_swarm(&membership).await
    }

    /// What this host is, in a swarm or not.
    ///
    /// # Errors
    /// The store's; the node's, where it has not looked at the host yet and does not now.
    pub async fn get_info(&self, c: Authorized<GetInfo>) -> Result<Info, Error> {
        drop(c);
        let facts = self.known_facts().await?;
        let count = self.inner.store.ask(|tx| Box::pin(async move { Ok::<_, Error>(swarm::count_objects(tx).await?) }));
        let (networks, sandboxes) = count.await?;
        let swarm = match self.own_membership() {
            Some(membership) => Some(self.shown_swarm(&membership).await?),
            None => None,
        };
        let swarm_state = match &swarm {
            None => SwarmState::Inactive,
            Some(swarm) if swarm.status.connected => SwarmState::Active,
            Some(_) => SwarmState::Disconnected,
        };
        Ok(Info {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hostname: facts.hostname.clone(),
            kernel: facts.kernel.clone(),
            node: self.node_id(),
            networks,
            sandboxes,
            swarm_state,
            swarm,
        })
    }

    /// The swarm, of which this host is known to be a node.
    pub(super) async fn shown_swarm(&self, membership: &Membership) -> Result<Swarm, Error> {
        let known = match membership.role {
            SwarmRole::Worker => membership.described.clone(),
            SwarmRole::Manager => self.inner.store.read(|tx| Box::pin(async move { own(tx).await })).await?,
        };
        self.swarm_as(membership, known)
    }

    /// The swarm, of which this is known.
    pub(super) fn swarm_as(&self, membership: &Membership, known: SwarmDescribed) -> Result<Swarm, Error> {
        let memory = &self.inner.swarm;
        let contact = memory.contact();
        let is_manager = membership.role == SwarmRole::Manager;
        let connected = is_manager || memory.is_connected(&contact);
        let trouble = contact.trouble.or_else(|| {
            Some(match contact.last {
                Some((_, time)) => format!("nothing was heard of the manager at {} since {time}", membership.manager),
                None => {
                    format!("the manager at {} has not answered since this host's Netloom started", membership.manager)
                }
            })
        });
        let settings = known.spec.settings();
        Ok(Swarm {
            spec: known.spec,
            id: membership.swarm,
            revision: known.revision,
            created_at: known.created_at,
            updated_at: known.updated_at,
            status: SwarmStatus {
                role: membership.role,
                node: membership.node,
                manager: membership.manager.to_string(),
                connected,
                last_contact: contact.last.map(|(_, time)| time).filter(|_| !is_manager),
                trouble: trouble.filter(|_| !connected),
                managers: known.managers,
                nodes: known.nodes,
                ca_digest: netloom_pki::digest(&membership.ca).map_err(certificates::internal)?,
                certificate_expires_at: membership.valid.1,
                settings,
            },
        })
    }
}

async fn own(tx: &mut ReadTx<'_>) -> Result<SwarmDescribed, Error> {
    let row = managed(tx).await?;
    described(tx, &row).await
}
