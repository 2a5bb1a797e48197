//! The nodes of the swarm, as its manager knows them.

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use netloom_control::command::{GetNode, ListNodes, ReadmitNode, RemoveNode, UpdateNode, Written};
use netloom_model::order::NodeOrder;
use netloom_model::swarm::{Node, NodeSpec, SwarmRole};
use serde::Deserialize;

use super::State;
use crate::answer::{self, Listed};
use crate::auth::Caller;
use crate::body::{Document, NoBody};
use crate::precondition::{IfMatch, IfNoneMatch, or_present_tag};
use crate::problem::Problem;
use crate::query::{Filter, NoQuery, Texts, one, page};

/// Filters of the list of nodes.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeFilter {
    /// Only of this role.
    #[param(inline)]
    role: Option<SwarmRole>,
    /// Only with this label: `key=value`, or `key` for any value. May be repeated; all must hold.
    #[serde(default)]
    #[param(value_type = Vec<String>, required = false, max_items = 16)]
    label: Texts,
    /// In which order: by `created_at`, which is that of joining, or with a `-` before it backwards.
    #[param(inline)]
    sort: Option<NodeOrder>,
    /// How many items, 100 unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next_page_token` of the page before, with the same filters.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 1024)]
    page_token: Option<String>,
}

/// How a node is removed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoveNodeQuery {
    /// Also while it is ready.
    #[serde(default, deserialize_with = "one")]
    force: Option<bool>,
    /// Your word that its host is off, or is on no segment any more: its addresses there are free at once, and not only when it must have taken its links
    /// down. Two hosts have one address where that is not so. Good also of a node that was removed before, as long as its addresses wait; not of one that is ready.
    #[serde(default, deserialize_with = "one")]
    off: Option<bool>,
}

/// Lists nodes.
///
/// In the order of joining, with where each stands. Served by the manager alone.
#[utoipa::path(tag = "swarm", params(NodeFilter), responses((status = 200, description = "The nodes.", body = Listed<Node>)))]
#[get("/nodes")]
pub(crate) async fn node_list(
    state: State,
    request: HttpRequest,
    Caller(caller): Caller,
    Filter(filter): Filter<NodeFilter>,
) -> Result<HttpResponse, Problem> {
    let NodeFilter { role, label, sort, limit, page_token } = filter;
    let command =
        ListNodes { role, labels: label.into_labels(), order: sort.unwrap_or_default(), page: page(limit, page_token) };
    let found = state.control.list_nodes(caller.authorize(command)?).await?;
    Ok(answer::listed(&request, found))
}

/// Shows a node.
///
/// By its ID, or by its host's name where one host alone has it. Served by the manager alone.
#[utoipa::path(tag = "swarm", params(("id" = String, Path, description = "The node's ID or its host's name."), IfNoneMatch),
    responses((status = 200, description = "The node.", body = Node)))]
#[get("/nodes/{id}")]
pub(crate) async fn node_get(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    _: Filter<NoQuery>,
    known: IfNoneMatch,
) -> Result<HttpResponse, Problem> {
    let node = state.control.get_node(caller.authorize(GetNode(id.into_inner()))?).await?;
    Ok(answer::shown(&node, &known))
}

/// Changes a node.
///
/// A JSON Merge Patch (RFC 7396) of its availability and labels. Served by the manager alone.
#[utoipa::path(tag = "swarm", params(("id" = String, Path, description = "The node's ID or its host's name."), IfMatch),
    request_body(content = NodeSpec, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "Changed.", body = Node)))]
#[patch("/nodes/{id}")]
pub(crate) async fn node_patch(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    _: Filter<NoQuery>,
    IfMatch(precondition): IfMatch,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let node = id.into_inner();
    let present = caller.authorize(GetNode(node.clone()))?;
    let command = caller.authorize(UpdateNode { node, patch: document.patch() })?;
    let changed = or_present_tag(state.control.update_node(command, precondition), state.control.get_node(present));
    Ok(answer::updated(Written::Done(changed.await?)))
}

/// Removes a node.
///
/// It is denied everything by the manager from then on; what runs there goes on. One that is ready is removed with `force=true` alone: let it leave
/// instead. Its addresses on segments are `releasing` until it must have taken its links there down; `off=true` ends that at once, then or later. Served by the manager alone.
#[utoipa::path(tag = "swarm",
    params(("id" = String, Path, description = "The node's ID or its host's name."), RemoveNodeQuery, IfMatch),
    responses((status = 204, description = "Removed.")))]
#[delete("/nodes/{id}")]
pub(crate) async fn node_delete(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    Filter(query): Filter<RemoveNodeQuery>,
    IfMatch(precondition): IfMatch,
) -> Result<HttpResponse, Problem> {
    let node = id.into_inner();
    let present = caller.authorize(GetNode(node.clone()))?;
    let RemoveNodeQuery { force, off } = query;
    let command = RemoveNode { node, force: force.unwrap_or_default(), off: off.unwrap_or_default() };
    let command = caller.authorize(command)?;
    or_present_tag(state.control.remove_node(command, precondition), state.control.get_node(present)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Lets a node back in.
///
/// One whose certificate is out of date, once, within a day: it asks by itself. Served by the manager alone.
#[utoipa::path(tag = "swarm", params(("id" = String, Path, description = "The node's ID or its host's name.")),
    responses((status = 200, description = "It may come back.", body = Node)))]
#[post("/nodes/{id}/readmit")]
pub(crate) async fn node_readmit_create(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    _: Filter<NoQuery>,
    _: NoBody,
) -> Result<HttpResponse, Problem> {
    Ok(answer::found(&state.control.readmit_node(caller.authorize(ReadmitNode(id.into_inner()))?).await?))
}
