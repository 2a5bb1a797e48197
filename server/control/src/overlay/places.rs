//! Who is on networks of the swarm, for people and programs: from all nodes, as the manager knows them; and one sandbox of another node, as far as this host knows of it.
//!
//! What must not live here: keeping the table of attachments (`attachments`, `remote`), and what a node says of its own (`sandboxes`).

use std::collections::BTreeSet;

use netloom_model::SandboxId;
use netloom_model::swarm_endpoint::{SwarmEndpoint, SwarmEndpointState};
use netloom_store::attachments::{self, AttachmentQuery, NamedAttachment};
use netloom_store::{Place, ReadTx, events};

use crate::command::{GetSandbox, ListEndpoints, Page};
use crate::control::Control;
use crate::error::{Error, ErrorKind};
use crate::leases::node_of;
use crate::networks::{find, not_copied};
use crate::page::Part;
use crate::principal::Authorized;
use crate::sandboxes;

/// Most endpoints of the sandboxes of one name.
pub(crate) const OF_ONE_NAME: u32 = 200;

impl Control {
    /// Lists endpoints on networks of the swarm by the sandboxes' names, those of all nodes. A network that is this host's alone has none here.
    ///
    /// # Errors
    /// A bad page request; there is no such network or node; `no-swarm`, `not-manager`.
    pub async fn list_endpoints(&self, c: Authorized<ListEndpoints>) -> Result<Page<SwarmEndpoint>, Error> {
        let c = c.into_parts().0;
        self.as_manager()?;
        let part = Part::new(&c.page, &format!("endpoints {:?} {:?} {:?}", c.network, c.sandbox, c.node))?;
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let query = asked(tx, &c).await?;
                page_of(tx, query, &part).await
            })
        });
        let mut page: Page<SwarmEndpoint> = read.await?;
        self.as_of(&mut page.items).await?;
        Ok(page)
    }

    /// Lists the endpoints of other nodes on a network of the swarm, as far as this host was told of them: what a worker knows of its neighbours.
    ///
    /// # Errors
    /// A bad page request; there is no such network.
    pub async fn endpoints_away(&self, c: Authorized<ListEndpoints>) -> Result<Page<SwarmEndpoint>, Error> {
        let c = c.into_parts().0;
        let part = Part::new(&c.page, &format!("endpoints away {:?}", c.network))?;
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let network = find(tx, c.network.as_deref().unwrap_or_default()).await?.id;
                let query = AttachmentQuery { network: Some(network), away: true, ..AttachmentQuery::default() };
                page_of(tx, query, &part).await
            })
        });
        let mut page: Page<SwarmEndpoint> = read.await?;
        self.as_of(&mut page.items).await?;
        Ok(page)
    }

    /// The endpoints of sandboxes of other nodes that are called so or have this ID, as far as this host knows of them; none where a sandbox of this host's own is.
    ///
    /// # Errors
    /// An unreadable store.
    pub async fn sandboxes_away(&self, c: Authorized<GetSandbox>) -> Result<Vec<SwarmEndpoint>, Error> {
        let GetSandbox(reference) = c.into_parts().0;
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                match sandboxes::find(tx, &reference).await {
                    Err(error) if error.kind == ErrorKind::NotFound => {}
                    found => return found.map(|_| Vec::new()),
                }
                let query = AttachmentQuery { away: true, limit: OF_ONE_NAME, ..called(&reference) };
                Ok::<_, Error>(attachments::list(tx, &query).await?.into_iter().map(shown).collect())
            })
        });
        let mut found: Vec<SwarmEndpoint> = read.await?;
        self.as_of(&mut found).await?;
        Ok(found)
    }

    /// Says of endpoints whether their nodes report, and of this host's own whether their namespaces are there.
    pub(crate) async fn as_of(&self, endpoints: &mut [SwarmEndpoint]) -> Result<(), Error> {
        let silent = self.silent(endpoints.iter().map(|one| one.node)).await?;
        let own = self.inner.store.node_id();
        let here: BTreeSet<SandboxId> =
            endpoints.iter().filter(|one| one.node == own).map(|one| one.sandbox_id).collect();
        let orphaned = if here.is_empty() { BTreeSet::new() } else { self.orphaned_among(here).await? };
        for one in endpoints {
            one.silent_since = silent.get(&one.node).copied();
            one.state = match (one.silent_since, one.running) {
                (Some(_), _) => SwarmEndpointState::Unknown,
                (None, true) if orphaned.contains(&one.sandbox_id) => SwarmEndpointState::Orphaned,
                (None, true) => SwarmEndpointState::Running,
                (None, false) => SwarmEndpointState::Stopped,
            };
        }
        Ok(())
    }

    async fn orphaned_among(&self, sandboxes: BTreeSet<SandboxId>) -> Result<BTreeSet<SandboxId>, Error> {
        let ids: Vec<SandboxId> = sandboxes.into_iter().collect();
        let rows = self
            .inner
            .store
            .ask(move |tx| Box::pin(async move { Ok::<_, Error>(netloom_store::sandboxes::by_ids(tx, &ids).await?) }));
        Ok(rows.await?.into_iter().filter(|row| row.orphaned.is_some()).map(|row| row.id).collect())
    }
}

/// The part of what a query finds that was asked for, by the sandboxes' names.
async fn page_of(tx: &mut ReadTx<'_>, query: AttachmentQuery, part: &Part) -> Result<Page<SwarmEndpoint>, Error> {
    let query = AttachmentQuery { after: part.after.clone(), limit: part.read(), ..query };
    let mut rows = attachments::list(tx, &query).await?;
    let next_page_token = part.cut(&mut rows, |(row, ..)| Place::of_attachment(row));
    let items = rows.into_iter().map(shown).collect();
    Ok(Page { items, next_page_token, seq: events::number(tx).await? })
}

/// A sandbox by its ID or its name.
pub(crate) fn called(reference: &str) -> AttachmentQuery {
    match reference.parse::<SandboxId>() {
        Ok(id) => AttachmentQuery { sandbox: Some(id), ..AttachmentQuery::default() },
        Err(_) => AttachmentQuery { sandbox_name: Some(reference.to_owned()), ..AttachmentQuery::default() },
    }
}

/// What is asked for, with the objects that it names.
async fn asked(tx: &mut ReadTx<'_>, c: &ListEndpoints) -> Result<AttachmentQuery, Error> {
    let network = match &c.network {
        Some(reference) => {
            let row = find(tx, reference).await?;
            not_copied(&row, tx.node())?;
            Some(row.id)
        }
        None => None,
    };
    let node = match &c.node {
        Some(reference) => Some(node_of(tx, reference).await?),
        None => None,
    };
    let of = c.sandbox.as_deref().map(called).unwrap_or_default();
    Ok(AttachmentQuery { network, node, ..of })
}

pub(crate) fn shown((row, network, hostname): NamedAttachment) -> SwarmEndpoint {
    SwarmEndpoint {
        id: row.id,
        network_id: row.network_id,
        network,
        sandbox_id: row.sandbox_id,
        sandbox: row.sandbox_name,
        node: row.node,
        hostname,
        state: SwarmEndpointState::Unknown,
        running: row.running,
        silent_since: None,
        mac: row.mac,
        addresses: row.addresses,
        aliases: row.aliases,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
