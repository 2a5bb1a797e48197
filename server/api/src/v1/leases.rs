//! Leases: of one network, and of all.

use std::net::IpAddr;

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, put, web};
use netloom_control::command::{GetLease, ListLeases, PutLease, ReleaseLease, ReserveLease, UpdateLease, WriteOptions};
use netloom_model::MacAddr;
use netloom_model::lease::{Lease, LeaseKind, LeaseSpec, LeaseState};
use netloom_model::order::LeaseOrder;
use serde::Deserialize;

use super::State;
use crate::answer::{self, DryRun, Listed};
use crate::auth::Caller;
use crate::body::Document;
use crate::idempotency::Key;
use crate::precondition::{IfMatch, IfNoneMatch, PutMatch, or_present_tag};
use crate::problem::Problem;
use crate::query::{Filter, NoQuery, RemoveQuery, Subnet, WriteQuery, one, page};

/// Filters of the list of leases.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeaseFilter {
    /// Only of this network, by name or ID.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 63)]
    network: Option<String>,
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<String>, max_length = 45, example = "192.168.122.3")]
    /// Only this address.
    address: Option<IpAddr>,
    /// Only within this subnet.
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<String>, max_length = 49, example = "192.168.122.0/28")]
    within: Option<Subnet>,
    /// Only this Ethernet address, in any usual spelling.
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<String>, max_length = 17, example = "0242.c0a8.7a03")]
    mac: Option<MacAddr>,
    /// Only of the owner with this name or ID; nothing, when nobody has it.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 63, example = "macvlan1")]
    owner: Option<String>,
    /// Only of owners on this node, by its ID or its host's name; nothing, when nobody of it has one. A worker knows its own alone.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 64, example = "machine2")]
    node: Option<String>,
    /// Only in this state.
    #[param(inline)]
    state: Option<LeaseState>,
    /// Only of this kind.
    #[param(inline)]
    kind: Option<LeaseKind>,
    /// Only the reservations with this key, on whichever network.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 63, example = "printer")]
    key: Option<String>,
    /// In which order: by `address` (unless said), `owner` or `created_at`; with a `-` before it backwards.
    #[param(inline)]
    sort: Option<LeaseOrder>,
    /// How many items, 100 unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next_page_token` of the page before, with the same filters.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 1024)]
    page_token: Option<String>,
}

/// Filters of the list of one network's leases.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkLeaseFilter {
    /// Only in this state.
    #[param(inline)]
    state: Option<LeaseState>,
    /// Only of this kind.
    #[param(inline)]
    kind: Option<LeaseKind>,
    /// In which order: by `address` (unless said), `owner` or `created_at`; with a `-` before it backwards.
    #[param(inline)]
    sort: Option<LeaseOrder>,
    /// How many items, 100 unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next_page_token` of the page before, with the same filters.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 1024)]
    page_token: Option<String>,
}

/// Lists leases of all networks.
///
/// Every address that is not free has one: a sandbox's, a gateway's, a reservation, the host's own.
#[utoipa::path(tag = "leases", params(LeaseFilter),
    responses((status = 200, description = "The leases.", body = Listed<Lease>)))]
#[get("/leases")]
pub(crate) async fn lease_list(
    state: State,
    request: HttpRequest,
    Caller(caller): Caller,
    Filter(filter): Filter<LeaseFilter>,
) -> Result<HttpResponse, Problem> {
    let LeaseFilter {
        network,
        address,
        within,
        mac,
        owner,
        node,
        state: lease_state,
        kind,
        key,
        sort,
        limit,
        page_token,
    } = filter;
    let page = page(limit, page_token);
    let command = ListLeases {
        network,
        address,
        within: within.map(|Subnet(net)| net),
        mac,
        owner,
        node,
        state: lease_state,
        kind,
        key,
        order: sort.unwrap_or_default(),
        page,
    };
    let found = state.control.list_leases(caller.authorize(command)?).await?;
    Ok(answer::listed(&request, found))
}

/// Shows a lease.
///
/// By its ID. Past holders of an address are at `/addresses/{ip}`.
#[utoipa::path(tag = "leases", params(("id" = String, Path, description = "The lease's ID."), IfNoneMatch),
    responses((status = 200, description = "The lease.", body = Lease)))]
#[get("/leases/{id}")]
pub(crate) async fn lease_get(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    _: Filter<NoQuery>,
    known: IfNoneMatch,
) -> Result<HttpResponse, Problem> {
    let command = GetLease { network: None, lease: id.into_inner() };
    let lease = state.control.get_lease(caller.authorize(command)?).await?;
    Ok(answer::shown(&lease, &known))
}

/// Lists the leases of a network.
///
/// Those of its sandboxes, its gateways, its reservations, and the host's own addresses.
#[utoipa::path(tag = "leases",
    params(("id" = String, Path, description = "The network's ID or name."), NetworkLeaseFilter),
    responses((status = 200, description = "The leases.", body = Listed<Lease>)))]
#[get("/networks/{id}/leases")]
pub(crate) async fn network_lease_list(
    state: State,
    request: HttpRequest,
    Caller(caller): Caller,
    id: web::Path<String>,
    Filter(filter): Filter<NetworkLeaseFilter>,
) -> Result<HttpResponse, Problem> {
    let NetworkLeaseFilter { state: lease_state, kind, sort, limit, page_token } = filter;
    let (network, order, page) = (Some(id.into_inner()), sort.unwrap_or_default(), page(limit, page_token));
    let command = ListLeases { network, state: lease_state, kind, order, page, ..ListLeases::default() };
    let found = state.control.list_leases(caller.authorize(command)?).await?;
    Ok(answer::listed(&request, found))
}

/// Reserves an address.
///
/// Keeps it out of use, without a sandbox; the lowest free one unless said.
#[utoipa::path(tag = "leases", params(("id" = String, Path, description = "The network's ID or name."), WriteQuery, Key),
    request_body = LeaseSpec, responses(
    (status = 201, description = "Reserved.", body = Lease),
    (status = 202, description = "Committed; the wait ran out.", body = Lease),
    (status = 200, description = "With `dry_run=true`: the address that would be reserved.", body = DryRun<Lease>)))]
#[post("/networks/{id}/leases")]
pub(crate) async fn network_lease_create(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    Filter(query): Filter<WriteQuery>,
    Key(idempotency): Key,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let command = ReserveLease { network: id.into_inner(), spec: document.whole::<LeaseSpec>()? };
    let options = WriteOptions { idempotency, ..query.options() };
    let created = state.control.reserve_lease(caller.authorize(command)?, options).await?;
    Ok(answer::created(created))
}

/// Shows a lease of a network.
///
/// By the key of a reservation, by address, or by ID.
#[utoipa::path(tag = "leases", params(
    ("id" = String, Path, description = "The network's ID or name."),
    ("key" = String, Path, description = "The lease's key, address or ID."), IfNoneMatch),
    responses((status = 200, description = "The lease.", body = Lease)))]
#[get("/networks/{id}/leases/{key}")]
pub(crate) async fn network_lease_get(
    state: State,
    Caller(caller): Caller,
    path: web::Path<(String, String)>,
    _: Filter<NoQuery>,
    known: IfNoneMatch,
) -> Result<HttpResponse, Problem> {
    let (network, lease) = path.into_inner();
    let command = GetLease { network: Some(network), lease };
    let lease = state.control.get_lease(caller.authorize(command)?).await?;
    Ok(answer::shown(&lease, &known))
}

/// Puts a reservation.
///
/// Reserves an address under this key, or gives the reservation this whole spec: what is absent is unset. A second PUT of the same body changes
/// nothing. By ID or address only what is there. The address and the pool stay; `address` and `pool` may say which they are. With `dry_run=true`
/// the answer is a `LeaseDryRun`.
#[utoipa::path(tag = "leases", params(
    ("id" = String, Path, description = "The network's ID or name."),
    ("key" = String, Path, description = "The reservation's key, or the address or ID of one that is there."), WriteQuery, PutMatch),
    request_body = LeaseSpec, responses(
    (status = 201, description = "Reserved.", body = Lease),
    (status = 200, description = "Has this spec.", body = Lease),
    (status = 202, description = "Committed; the wait ran out.", body = Lease)))]
#[put("/networks/{id}/leases/{key}")]
pub(crate) async fn network_lease_put(
    state: State,
    Caller(caller): Caller,
    path: web::Path<(String, String)>,
    Filter(query): Filter<WriteQuery>,
    PutMatch(precondition): PutMatch,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let (network, lease) = path.into_inner();
    let spec = document.named::<LeaseSpec>("key", &lease)?;
    let present = caller.authorize(GetLease { network: Some(network.clone()), lease: lease.clone() })?;
    let command = caller.authorize(PutLease { network, lease, spec })?;
    let put = state.control.put_lease(command, WriteOptions { precondition, ..query.options() });
    Ok(answer::put(or_present_tag(put, state.control.get_lease(present)).await?))
}

/// Changes a reservation.
///
/// A JSON Merge Patch (RFC 7396) of the spec: null removes a field. `description` and `mac` can change; the address stays. With `dry_run=true` the
/// answer is a `LeaseDryRun`.
#[utoipa::path(tag = "leases", params(
    ("id" = String, Path, description = "The network's ID or name."),
    ("key" = String, Path, description = "The lease's key, address or ID."), WriteQuery, IfMatch),
    request_body(content = LeaseSpec, content_type = "application/merge-patch+json"), responses(
    (status = 200, description = "Changed.", body = Lease),
    (status = 202, description = "Committed; the wait ran out.", body = Lease)))]
#[patch("/networks/{id}/leases/{key}")]
pub(crate) async fn network_lease_patch(
    state: State,
    Caller(caller): Caller,
    path: web::Path<(String, String)>,
    Filter(query): Filter<WriteQuery>,
    IfMatch(precondition): IfMatch,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let (network, lease) = path.into_inner();
    let present = caller.authorize(GetLease { network: Some(network.clone()), lease: lease.clone() })?;
    let command = caller.authorize(UpdateLease { network, lease, patch: document.patch() })?;
    let written = state.control.update_lease(command, WriteOptions { precondition, ..query.options() });
    let written = or_present_tag(written, state.control.get_lease(present)).await?;
    Ok(answer::updated(written))
}

/// Releases a reservation.
///
/// Or ends a quarantine. The lease of a sandbox, a gateway or the host is not released by hand.
#[utoipa::path(tag = "leases", params(
    ("id" = String, Path, description = "The network's ID or name."),
    ("key" = String, Path, description = "The lease's key, address or ID."), RemoveQuery, IfMatch), responses(
    (status = 204, description = "The address is free."),
    (status = 202, description = "On its way out; the wait ran out.", body = Lease),
    (status = 200, description = "With `dry_run=true`: what would be done.", body = DryRun<Lease>)))]
#[delete("/networks/{id}/leases/{key}")]
pub(crate) async fn network_lease_delete(
    state: State,
    Caller(caller): Caller,
    path: web::Path<(String, String)>,
    Filter(query): Filter<RemoveQuery>,
    IfMatch(precondition): IfMatch,
) -> Result<HttpResponse, Problem> {
    let (network, lease) = path.into_inner();
    let present = caller.authorize(GetLease { network: Some(network.clone()), lease: lease.clone() })?;
    let command = caller.authorize(ReleaseLease { network, lease })?;
    let written = state.control.release_lease(command, WriteOptions { precondition, ..query.options() });
    let written = or_present_tag(written, state.control.get_lease(present)).await?;
    Ok(answer::removed(written))
}
