//! Whether every row of a database can be read as the service reads it. For copies that are to be put back: it reads
//! everything, in pages, and changes nothing. What must not live here: whether rows fit each other (`integrity`).

use std::future::Future;

use crate::error::Error;
use crate::order::Place;
use crate::query::{AuditQuery, EventQuery, LeaseQuery, PoolQuery};
use crate::tx::ReadTx;
use crate::{
    access, attachments, audit, endpoints, events, fences, idempotency_keys, join_tokens, leases, networks, nodes,
    plans, pools, replica, sandboxes, swarm,
};

/// Rows read at once.
const PAGE: u32 = 10_000;

/// Reads every row that the service will read.
///
/// # Errors
/// [`Error::Corrupt`] with the table and the first thing in it that can't be read.
pub(crate) async fn check(tx: &mut ReadTx<'_>) -> Result<(), Error> {
    table("network", networks::all(tx)).await?;
    table("pool", pools::list(tx, &PoolQuery { limit: u32::MAX, ..PoolQuery::default() })).await?;
    table("sandbox", sandboxes::all(tx)).await?;
    table("endpoint", endpoints::all(tx)).await?;
    table("pool_count", leases::count_by_kind_state(tx)).await?;
    table("token", access::tokens(tx)).await?;
    table("idempotency_key", idempotency_keys::all(tx)).await?;
    table("plan", plans::heads(tx)).await?;
    table("swarm", swarm::get(tx)).await?;
    table("membership", swarm::membership(tx)).await?;
    table("node", nodes::all(tx)).await?;
    table("join_token", join_tokens::all(tx)).await?;
    table("attachment", attachments::all(tx)).await?;
    table("replica", replica::get(tx)).await?;
    table("fence", fences::all(tx)).await?;
    table("renewal", fences::renewal(tx)).await?;
    let mut query = LeaseQuery { limit: PAGE, ..LeaseQuery::default() };
    while let Some(last) = table("lease", leases::list(tx, &query)).await?.pop() {
        query.after = Some(Place::of_lease(query.order, &last));
    }
    let mut after = 0;
    while let Some(last) = table("lease_history", leases::holdings(tx, after, PAGE)).await?.pop() {
        after = last;
    }
    let mut query = EventQuery { limit: PAGE, ..EventQuery::default() };
    while let Some(last) = table("event", events::list(tx, &query)).await?.pop() {
        query.after = last.seq;
    }
    let mut query = AuditQuery { limit: PAGE, ..AuditQuery::default() };
    while let Some(last) = table("audit", audit::list(tx, &query)).await?.pop() {
        query.after = Some(Place::of_audit_entry(&last));
    }
    Ok(())
}

/// Says of which table an answer is that can't be read.
async fn table<T>(name: &str, rows: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    rows.await.map_err(|error| match error {
        Error::Corrupt(why) => Error::Corrupt(format!("a row of its table `{name}` can't be read: {why}")),
        other => other,
    })
}
