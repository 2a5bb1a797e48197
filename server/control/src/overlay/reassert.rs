//! What a worker holds on networks of the swarm and its manager knows nothing of, as after a restore of the manager's store from before: it is
//! asked for anew, with the addresses that the sandboxes have, so that nobody else is given them and others forward to them again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netloom_model::member::AttachRequest;
use netloom_model::sandbox::AttachmentSpec;
use netloom_model::{EndpointId, SandboxId};
use netloom_store::{EndpointRow, LeaseRow, ReadTx, SandboxRow, endpoints, leases, sandboxes};

use crate::control::Control;
use crate::error::Error;

impl Control {
    /// Asks for places again as [`Self::reassert`], unless that is under way: the manager says with each answer what it does not know, and which of
    /// them have other addresses than this node says.
    pub(crate) async fn reassert_once(&self, unknown: Vec<EndpointId>, moved: Vec<EndpointId>) {
        if let Ok(_turn) = self.inner.reasserting.try_lock() {
            self.reassert(unknown, &moved).await;
        }
    }

    /// Asks for places again that the manager says it does not know, or knows otherwise; those that this node has not written, or is giving up, are passed
    /// over.
    async fn reassert(&self, mut asked: Vec<EndpointId>, moved: &[EndpointId]) {
        asked.extend(moved);
        let read = self.inner.store.read(move |tx| Box::pin(async move { requests(tx, &asked).await }));
        let requests = match read.await {
            Ok(requests) => requests,
            Err(error) => {
                tracing::warn!(%error, "what the manager does not know of this node's can't be read; tried again");
                return;
            }
        };
        for request in requests {
            let (sandbox, endpoint) = (request.sandbox_name.clone(), request.endpoint);
            match self.inner.ask_for_place(request).await {
                Ok(given) if moved.contains(&endpoint) => {
                    if let Err(error) = self.moved(given).await {
                        tracing::warn!(sandbox, %error, "the addresses that the manager gave anew can't be written; tried again");
                    }
                }
                Ok(given) => {
                    self.inner.fence.known(endpoint);
                    if let Err(error) = self.watch_fence().await {
                        tracing::warn!(sandbox, %error, "its links can't be brought up yet");
                    }
                    tracing::info!(sandbox, network = %given.network, "the manager knows of an attachment again");
                }
                Err(error) => tracing::warn!(
                    sandbox, %error,
                    "the manager does not know of an attachment, and does not take it: detach the sandbox, and attach it again"
                ),
            }
        }
    }
}

async fn requests(tx: &mut ReadTx<'_>, unknown: &[EndpointId]) -> Result<Vec<AttachRequest>, Error> {
    let mut rows = endpoints::on_replicas(tx).await?;
    rows.retain(|row| !row.deleting && unknown.contains(&row.id));
    let endpoints: Vec<EndpointId> = rows.iter().map(|row| row.id).collect();
    let mut own: BTreeMap<EndpointId, Vec<LeaseRow>> = BTreeMap::new();
    for lease in leases::of_endpoints(tx, &endpoints).await? {
        if let Some(id) = lease.endpoint_id {
            own.entry(id).or_default().push(lease);
        }
    }
    let ids: BTreeSet<SandboxId> = rows.iter().map(|row| row.sandbox_id).collect();
    let ids: Vec<SandboxId> = ids.into_iter().collect();
    let known = sandboxes::by_ids(tx, &ids).await?;
    let sandboxes: BTreeMap<SandboxId, &SandboxRow> = known.iter().map(|row| (row.id, row)).collect();
    let request = |row: EndpointRow| {
        let sandbox = sandboxes.get(&row.sandbox_id).filter(|sandbox| !sandbox.deleting)?;
        let leases = own.remove(&row.id).unwrap_or_default();
        Some(request(sandbox, row, &leases))
    };
    Ok(rows.into_iter().filter_map(request).collect())
}

/// What the endpoint is, as if each of it had been asked for.
pub(super) fn request(sandbox: &SandboxRow, row: EndpointRow, leases: &[LeaseRow]) -> AttachRequest {
    let address = |is_wanted: fn(&IpAddr) -> bool| {
        leases.iter().map(|lease| lease.address).find(is_wanted).map(|address| address.to_string())
    };
    AttachRequest {
        sandbox: sandbox.id,
        sandbox_name: sandbox.name.clone(),
        running: sandbox.running,
        network: row.network_id,
        endpoint: row.id,
        wanted: AttachmentSpec {
            address4: address(IpAddr::is_ipv4),
            address6: address(IpAddr::is_ipv6),
            mac: row.mac.map(|mac| mac.to_string()),
            ..row.spec
        },
        dry_run: false,
        instead_of: None,
    }
}
