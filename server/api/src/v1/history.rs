//! Histories of single objects.

use actix_web::{HttpRequest, HttpResponse, get, web};
use netloom_control::command::ListHistory;
use netloom_model::event::ObjectKind;
use netloom_model::history::HistoryEntry;
use serde::Deserialize;

use super::State;
use crate::answer::{self, Listed};
use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::{Filter, one, page};

/// Which part of a history.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    /// How many items, 100 unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next_page_token` of the page before.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 1024)]
    page_token: Option<String>,
}

async fn history(
    kind: ObjectKind,
    object: String,
    (state, request, caller): (State, HttpRequest, Caller),
    HistoryQuery { limit, page_token }: HistoryQuery,
) -> Result<HttpResponse, Problem> {
    let command = ListHistory { kind, object, page: page(limit, page_token) };
    Ok(answer::listed(&request, state.control.list_history(caller.0.authorize(command)?).await?))
}

/// Lists the history of a network.
///
/// The latest first: what happened to it, and for role admin who asked for it, what changed, and what was refused. By its ID also of one that is gone.
#[utoipa::path(tag = "networks", params(("id" = String, Path, description = "The network's ID or name."), HistoryQuery),
    responses((status = 200, description = "The history.", body = Listed<HistoryEntry>)))]
#[get("/networks/{id}/history")]
pub(crate) async fn network_history_list(
    state: State,
    request: HttpRequest,
    caller: Caller,
    id: web::Path<String>,
    Filter(query): Filter<HistoryQuery>,
) -> Result<HttpResponse, Problem> {
    history(ObjectKind::Network, id.into_inner(), (state, request, caller), query).await
}

/// Lists the history of a sandbox.
///
/// The latest first: what happened to it, and for role admin who asked for it, what changed, and what was refused. By its ID also of one that is gone.
#[utoipa::path(tag = "sandboxes", params(("id" = String, Path, description = "The sandbox's ID or name."), HistoryQuery),
    responses((status = 200, description = "The history.", body = Listed<HistoryEntry>)))]
#[get("/sandboxes/{id}/history")]
pub(crate) async fn sandbox_history_list(
    state: State,
    request: HttpRequest,
    caller: Caller,
    id: web::Path<String>,
    Filter(query): Filter<HistoryQuery>,
) -> Result<HttpResponse, Problem> {
    history(ObjectKind::Sandbox, id.into_inner(), (state, request, caller), query).await
}

/// Lists the history of a lease.
///
/// The latest first: what happened to it, and for role admin who asked for it, what changed, and what was refused. By its ID also of one that is gone.
#[utoipa::path(tag = "leases", params(("id" = String, Path, description = "The lease's ID."), HistoryQuery),
    responses((status = 200, description = "The history.", body = Listed<HistoryEntry>)))]
#[get("/leases/{id}/history")]
pub(crate) async fn lease_history_list(
    state: State,
    request: HttpRequest,
    caller: Caller,
    id: web::Path<String>,
    Filter(query): Filter<HistoryQuery>,
) -> Result<HttpResponse, Problem> {
    history(ObjectKind::Lease, id.into_inner(), (state, request, caller), query).await
}

/// Lists the history of a node.
///
/// The latest first: what happened to it, and for role admin who asked for it, what changed, and what was refused. By its ID also of one that is gone.
#[utoipa::path(tag = "swarm", params(("id" = String, Path, description = "The node's ID or its host's name."), HistoryQuery),
    responses((status = 200, description = "The history.", body = Listed<HistoryEntry>)))]
#[get("/nodes/{id}/history")]
pub(crate) async fn node_history_list(
    state: State,
    request: HttpRequest,
    caller: Caller,
    id: web::Path<String>,
    Filter(query): Filter<HistoryQuery>,
) -> Result<HttpResponse, Problem> {
    history(ObjectKind::Node, id.into_inner(), (state, request, caller), query).await
}
