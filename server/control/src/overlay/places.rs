//! Who is on a network of the swarm, for people: from all nodes, as the manager knows them.
//!
//! What must not live here: keeping the table of attachments (`attachments`, `remote`), and what a node says of its own (`sandboxes`).

use netloom_store::{AttachmentRow, Place, attachments, events};

use crate::command::{ListEndpoints, Page, SwarmEndpoint};
use crate::control::Control;
use crate::error::Error;
use crate::networks::{find, not_copied};
use crate::page::Part;
use crate::principal::Authorized;
use crate::swarm::memory::Hearing;

impl Control {
    /// Lists the endpoints of a network of the swarm by the sandboxes' names, those of all nodes. A network that is this host's alone has none here.
    ///
    /// # Errors
    /// A bad page request; there is no such network; `not-manager`.
    pub async fn list_endpoints(&self, c: Authorized<ListEndpoints>) -> Result<Page<SwarmEndpoint>, Error> {
        let ListEndpoints { network, page } = c.into_parts().0;
        let part = Part::new(&page, &format!("endpoints {network:?}"))?;
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let row = find(tx, &network).await?;
                not_copied(&row, tx.node())?;
                let mut rows = attachments::list(tx, row.id, part.after.as_ref(), part.read()).await?;
                let next_page_token = part.cut(&mut rows, |(row, _)| Place::of_attachment(row));
                let items = rows.into_iter().map(shown).collect();
                Ok::<_, Error>(Page { items, next_page_token, seq: events::number(tx).await? })
            })
        });
        let mut page: Page<SwarmEndpoint> = read.await?;
        let (own, memory) = (self.node_id(), &self.inner.swarm);
        for one in &mut page.items {
            one.heard = one.node == own || memory.hearing(one.node).0 == Hearing::Lately;
        }
        Ok(page)
    }
}

fn shown((row, hostname): (AttachmentRow, Option<String>)) -> SwarmEndpoint {
    SwarmEndpoint {
        id: row.id,
        sandbox: row.sandbox_id,
        name: row.sandbox_name,
        node: row.node,
        hostname,
        mac: row.mac,
        addresses: row.addresses,
        running: row.running,
        heard: false,
    }
}
