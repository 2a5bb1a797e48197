//! Leases: searching and getting them here; reserving and releasing without a sandbox, and changing what is reserved, in the modules below.

mod edit;
pub(crate) mod reserve;

use std::net::IpAddr;
use std::time::Duration;

use netloom_model::invalid::{Code, Invalid};
use netloom_model::lease::{Lease, LeaseNode, LeaseStatus};
use netloom_model::net::Span;
use netloom_model::{LeaseId, NodeId};
use netloom_store::{LeaseQuery, LeaseRow, NetworkRow, Place, ReadTx, events, leases};

use crate::command::{GetLease, ListLeases, Page};
use crate::control::Control;
use crate::error::Error;
use crate::page::Part;
use crate::principal::Authorized;
use crate::{networks, swarm};

impl Control {
    /// Lists leases of all networks, by address.
    ///
    /// # Errors
    /// A bad page request; a network that does not exist.
    pub async fn list_leases(&self, c: Authorized<ListLeases>) -> Result<Page<Lease>, Error> {
        let (c, _) = c.into_parts();
        let filters = format!(
            "leases {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            c.network, c.address, c.within, c.mac, c.owner, c.node, c.state, c.kind, c.key, c.order
        );
        let part = Part::new(&c.page, &filters)?;
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let network = match &c.network {
                    Some(reference) => Some(networks::find(tx, reference).await?.id),
                    None => None,
                };
                let node = match &c.node {
                    Some(reference) => Some(node_of(tx, reference).await?),
                    None => None,
                };
                let query = LeaseQuery {
                    network,
                    node,
                    address: c.address,
                    within: c.within.map(Span::of),
                    mac: c.mac,
                    owner: c.owner,
                    state: c.state,
                    kind: c.kind,
                    key: c.key,
                    order: c.order,
                    after: part.after.clone(),
                    limit: part.read(),
                    ..LeaseQuery::default()
                };
                let mut rows = leases::list(tx, &query).await?;
                let next = part.cut(&mut rows, |row| Place::of_lease(query.order, row));
                Ok::<_, Error>((rows, next, events::number(tx).await?))
            })
        });
        let (rows, next_page_token, seq) = read.await?;
        let grace = self.inner.config.orphan_grace;
        let mut items: Vec<Lease> = rows.into_iter().map(|row| answered(row, grace)).collect();
        self.note_silence(&mut items).await?;
        Ok(Page { items, next_page_token, seq })
    }

    /// Gets a lease.
    ///
    /// # Errors
    /// There is none of this ID, key or address.
    pub async fn get_lease(&self, c: Authorized<GetLease>) -> Result<Lease, Error> {
        let (c, _) = c.into_parts();
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                match &c.network {
                    Some(network) => {
                        let network = networks::find(tx, network).await?;
                        find(tx, &network, &c.lease).await
                    }
                    None => {
                        let refused = || Error::not_found("lease", &c.lease);
                        let id: LeaseId = c.lease.parse().map_err(|_| refused())?;
                        leases::by_id(tx, id).await?.ok_or_else(refused)
                    }
                }
            })
        });
        let mut lease = answered(read.await?, self.inner.config.orphan_grace);
        self.note_silence(std::slice::from_mut(&mut lease)).await?;
        Ok(lease)
    }
}

/// A node by its ID, also one that is gone or of which nothing is known here; or by its host's name.
pub(crate) async fn node_of(tx: &mut ReadTx<'_>, reference: &str) -> Result<NodeId, Error> {
    match reference.parse() {
        Ok(id) => Ok(id),
        Err(_) => {
            let found = swarm::nodes::find(tx, reference).await;
            Ok(found.map_err(|error| naming("?node", reference, error))?.id)
        }
    }
}

/// A failure to find what a filter names, said of the filter: another one may name something, too.
fn naming(pointer: &str, value: &str, error: Error) -> Error {
    let invalid = Invalid::new(pointer, Code::NotFound, value, error.detail.clone());
    Error { errors: vec![Invalid { hint: error.hint.clone(), ..invalid }], ..error }
}

/// A lease of a network, by ID, key or address.
///
/// # Errors
/// There is none.
pub(crate) async fn find(tx: &mut ReadTx<'_>, network: &NetworkRow, reference: &str) -> Result<LeaseRow, Error> {
    let row = if let Ok(id) = reference.parse::<LeaseId>() {
        leases::by_id(tx, id).await?
    } else if let Ok(address) = reference.parse::<IpAddr>() {
        leases::by_address(tx, address.to_canonical()).await?
    } else {
        leases::by_key(tx, network.id, reference).await?
    };
    row.filter(|row| row.network_id == network.id).ok_or_else(|| {
        let error = Error::not_found("lease", reference);
        match in_reserved_map(network, reference) {
            Some((pool, addresses)) => error.hint(format!(
                "`{reference}` stands in the `reserved` map of pool `{pool}`: ask for an address of {addresses}, or change the map"
            )),
            None => error,
        }
    })
}

/// The pool whose reserved map has this name, and what the map says there.
fn in_reserved_map<'n>(network: &'n NetworkRow, name: &str) -> Option<(&'n str, &'n str)> {
    let pools = network.spec.pools.iter().flatten();
    pools.filter_map(|(key, pool)| Some((key.as_str(), pool.reserved.as_ref()?.get(name)?.as_str()))).next()
}

/// A lease as answered; `grace` is how long an orphaned one is kept.
pub(crate) fn answered(row: LeaseRow, grace: Duration) -> Lease {
    let (reason, since) = row.orphaned.map(|orphaned| (orphaned.reason, orphaned.since)).unzip();
    let id = row.owner.node;
    let removed = row.fence.as_ref().map(|fence| fence.hostname.clone());
    let (fence, until) = row.fence.map(|fence| (waits_for(&fence.hostname), fence.until)).unzip();
    let millis = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
    Lease {
        spec: row.spec,
        id: row.id,
        revision: row.revision,
        spec_revision: row.spec_revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
        status: LeaseStatus {
            address: row.address.to_string(),
            prefix_length: row.prefix_length,
            mac: row.mac,
            network_id: row.network_id,
            network: row.network_name,
            pool: row.pool_key,
            kind: row.kind,
            state: row.state,
            owner: row.owner,
            endpoint_id: row.endpoint_id,
            scope: row.scope,
            node: row.hostname.or(removed).map(|hostname| LeaseNode { id, hostname, silent_since: None }),
            reason: reason.or(fence),
            since,
            until: row.until.or(until).or(since.map(|since| since.plus_millis(millis))),
        },
    }
}

/// Why an address of a node that was removed is given to nobody yet.
fn waits_for(hostname: &str) -> String {
    format!(
        "node `{hostname}` was removed, and may still answer for the address on the segment: until then it must have taken its link down"
    )
}
