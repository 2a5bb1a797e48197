//! Networks.

use std::net::IpAddr;

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, put, web};
use netloom_control::command::{
    CreateNetwork, GetNetwork, GetNetworkHealth, ListNetworks, PutNetwork, RemoveNetwork, UpdateNetwork, WriteOptions,
};
use netloom_model::health::NetworkHealth;
use netloom_model::network::{Driver, Network, NetworkSpec, Scope};
use netloom_model::order::NamedOrder;
use serde::{Deserialize, Serialize};

use super::State;
use crate::answer::{self, DryRun, Listed};
use crate::auth::Caller;
use crate::body::Document;
use crate::idempotency::Key;
use crate::precondition::{IfMatch, IfNoneMatch, PutMatch, or_present_tag};
use crate::problem::Problem;
use crate::query::{Filter, NoQuery, Texts, Wait, WriteQuery, one, options, page};

/// Filters of the list of networks.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkFilter {
    /// Only this driver.
    #[param(inline)]
    driver: Option<Driver>,
    /// Only this scope.
    #[param(inline)]
    scope: Option<Scope>,
    /// Only with this label: `key=value`, or `key` for any value. May be repeated; all must hold.
    #[serde(default)]
    #[param(value_type = Vec<String>, required = false, max_items = 16)]
    label: Texts,
    /// Only with a pool that contains this address.
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<String>, max_length = 45, example = "192.168.122.9")]
    contains_ip: Option<IpAddr>,
    /// Only with this text in the name or the description.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 256)]
    q: Option<String>,
    /// In which order: by `name` (unless said) or `created_at`; with a `-` before it backwards.
    #[param(inline)]
    sort: Option<NamedOrder>,
    /// How many items, 100 unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next_page_token` of the page before, with the same filters.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 1024)]
    page_token: Option<String>,
}

/// What goes with a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cascade {
    /// Its endpoints are detached from their sandboxes first.
    Endpoints,
}

/// How a network is removed.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoveNetworkQuery {
    /// When true, the plan is returned and nothing is changed.
    #[serde(default, deserialize_with = "one")]
    dry_run: Option<bool>,
    /// How long to wait until the kernel is clean: `30s`, `500ms`, `0s`; at most 300 s, `30s` unless said. When it runs out, the answer is 202.
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<String>, example = "30s")]
    wait: Option<Wait>,
    /// `endpoints` detaches the network's endpoints first; without it a network in use stays.
    #[param(inline)]
    cascade: Option<Cascade>,
}

/// Lists networks.
///
/// Predefined ones included.
#[utoipa::path(tag = "networks", params(NetworkFilter),
    responses((status = 200, description = "The networks.", body = Listed<Network>)))]
#[get("/networks")]
pub(crate) async fn network_list(
    state: State,
    request: HttpRequest,
    Caller(caller): Caller,
    Filter(filter): Filter<NetworkFilter>,
) -> Result<HttpResponse, Problem> {
    let NetworkFilter { driver, scope, label, contains_ip, q, sort, limit, page_token } = filter;
    let (labels, order, page) = (label.into_labels(), sort.unwrap_or_default(), page(limit, page_token));
    let command = ListNetworks { driver, scope, labels, contains_ip, q, order, page };
    let found = state.control.list_networks(caller.authorize(command)?).await?;
    Ok(answer::listed(&request, found))
}

/// Creates a network.
///
/// Its pools and reserved addresses are settled in one commit. The answer comes when the kernel holds what a network needs there.
#[utoipa::path(tag = "networks", params(WriteQuery, Key), request_body = NetworkSpec, responses(
    (status = 201, description = "Created, and verified in the kernel.", body = Network),
    (status = 202, description = "Committed; the wait ran out before the kernel was verified.", body = Network),
    (status = 200, description = "With `dry_run=true`: what would be done.", body = DryRun<Network>)))]
#[post("/networks")]
pub(crate) async fn network_create(
    state: State,
    Caller(caller): Caller,
    Filter(query): Filter<WriteQuery>,
    Key(idempotency): Key,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let command = CreateNetwork(document.whole::<NetworkSpec>()?);
    let options = WriteOptions { idempotency, ..query.options() };
    let created = state.control.create_network(caller.authorize(command)?, options).await?;
    Ok(answer::created(created))
}

/// Shows a network.
///
/// The spec as it was written, and in `status` the canonical pools with their use.
#[utoipa::path(tag = "networks", params(("id" = String, Path, description = "The network's ID or name."), IfNoneMatch),
    responses((status = 200, description = "The network.", body = Network)))]
#[get("/networks/{id}")]
pub(crate) async fn network_get(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    _: Filter<NoQuery>,
    known: IfNoneMatch,
) -> Result<HttpResponse, Problem> {
    let network = state.control.get_network(caller.authorize(GetNetwork(id.into_inner()))?).await?;
    Ok(answer::shown(&network, &known))
}

/// How health is looked at.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealthQuery {
    /// Whether this node probes the others first, which may take some seconds. What they find is what they said last.
    #[serde(default, deserialize_with = "one")]
    fresh: Option<bool>,
}

/// Shows how nodes reach each other.
///
/// For networks of driver overlay: whether VXLAN packets pass between the nodes that have running sandboxes on one, there and back, and how large they may be. Nodes probe each
/// other every 15 seconds, with a VXLAN number of its own. The manager tells what all nodes find, a worker what it finds itself.
#[utoipa::path(tag = "networks", params(("id" = String, Path, description = "The network's ID or name."), HealthQuery),
    responses((status = 200, description = "What is known.", body = NetworkHealth)))]
#[get("/networks/{id}/health")]
pub(crate) async fn network_health_get(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    Filter(query): Filter<HealthQuery>,
) -> Result<HttpResponse, Problem> {
    let command = GetNetworkHealth { network: id.into_inner(), fresh: query.fresh.unwrap_or_default() };
    let health = state.control.network_health(caller.authorize(command)?).await?;
    Ok(answer::found(&health))
}

/// Puts a network.
///
/// Makes it, or gives it this whole spec: what is absent is unset. A second PUT of the same body changes nothing. By ID only what is there. With
/// `dry_run=true` the answer is a `NetworkDryRun`.
#[utoipa::path(tag = "networks", params(("id" = String, Path, description = "The network's name, or the ID of one that is there."), WriteQuery, PutMatch),
    request_body = NetworkSpec, responses(
    (status = 201, description = "Made, and verified in the kernel.", body = Network),
    (status = 200, description = "Has this spec, verified in the kernel.", body = Network),
    (status = 202, description = "Committed; the wait ran out before the kernel was verified.", body = Network)))]
#[put("/networks/{id}")]
pub(crate) async fn network_put(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    Filter(query): Filter<WriteQuery>,
    PutMatch(precondition): PutMatch,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let network = id.into_inner();
    let spec = document.named::<NetworkSpec>("name", &network)?;
    let present = caller.authorize(GetNetwork(network.clone()))?;
    let command = caller.authorize(PutNetwork { network, spec })?;
    let put = state.control.put_network(command, WriteOptions { precondition, ..query.options() });
    Ok(answer::put(or_present_tag(put, state.control.get_network(present)).await?))
}

/// Changes a network.
///
/// A JSON Merge Patch (RFC 7396) of the spec: null removes a field. What can't change says so. With `dry_run=true` the
/// answer is a `NetworkDryRun`.
#[utoipa::path(tag = "networks", params(("id" = String, Path, description = "The network's ID or name."), WriteQuery, IfMatch),
    request_body(content = NetworkSpec, content_type = "application/merge-patch+json"), responses(
    (status = 200, description = "Changed, and verified in the kernel.", body = Network),
    (status = 202, description = "Committed; the wait ran out before the kernel was verified.", body = Network)))]
#[patch("/networks/{id}")]
pub(crate) async fn network_patch(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    Filter(query): Filter<WriteQuery>,
    IfMatch(precondition): IfMatch,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let network = id.into_inner();
    let present = caller.authorize(GetNetwork(network.clone()))?;
    let command = caller.authorize(UpdateNetwork { network, patch: document.patch() })?;
    let options = WriteOptions { precondition, ..query.options() };
    let written = state.control.update_network(command, options);
    let written = or_present_tag(written, state.control.get_network(present)).await?;
    Ok(answer::updated(written))
}

/// Removes a network.
///
/// Refused while endpoints are on it, unless `cascade=endpoints`; the refusal lists them.
#[utoipa::path(tag = "networks",
    params(("id" = String, Path, description = "The network's ID or name."), RemoveNetworkQuery, IfMatch), responses(
    (status = 204, description = "Gone from the store and from the kernel."),
    (status = 202, description = "On its way out; the wait ran out before the kernel was clean.", body = Network),
    (status = 200, description = "With `dry_run=true`: what would be done.", body = DryRun<Network>)))]
#[delete("/networks/{id}")]
pub(crate) async fn network_delete(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    Filter(query): Filter<RemoveNetworkQuery>,
    IfMatch(precondition): IfMatch,
) -> Result<HttpResponse, Problem> {
    let network = id.into_inner();
    let present = caller.authorize(GetNetwork(network.clone()))?;
    let command = caller.authorize(RemoveNetwork { network, cascade: query.cascade.is_some() })?;
    let options = WriteOptions { precondition, ..options(query.dry_run, query.wait) };
    let written = state.control.remove_network(command, options);
    let written = or_present_tag(written, state.control.get_network(present)).await?;
    Ok(answer::removed(written))
}
