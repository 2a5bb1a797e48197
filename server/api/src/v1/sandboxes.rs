//! Sandboxes, with their endpoints.

use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, put, web};
use netloom_control::command::{
    CreateSandbox, GetSandbox, ListSandboxes, PutSandbox, RemoveSandbox, UpdateSandbox, WriteOptions,
};
use netloom_model::order::NamedOrder;
use netloom_model::sandbox::{DesiredState, Sandbox, SandboxSpec, SandboxState};
use netloom_model::traffic::InterfaceTraffic;
use serde::Deserialize;

use super::State;
use crate::answer::{self, DryRun, Listed, Whole};
use crate::auth::Caller;
use crate::body::Document;
use crate::idempotency::Key;
use crate::precondition::{IfMatch, IfNoneMatch, PutMatch, or_present_tag};
use crate::problem::Problem;
use crate::query::{Filter, NoQuery, RemoveQuery, Texts, WriteQuery, one, page};

/// Filters of the list of sandboxes.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct SandboxFilter {
    /// Only on this network, by name or ID.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 63)]
    network: Option<String>,
    /// Only with this label: `key=value`, or `key` for any value. May be repeated; all must hold.
    #[serde(default)]
    #[param(value_type = Vec<String>, required = false, max_items = 16)]
    label: Texts,
    /// Only wanted in this state.
    #[param(inline)]
    desired_state: Option<DesiredState>,
    /// Only in this state, as `status.state` has it.
    #[param(inline)]
    state: Option<SandboxState>,
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

/// Lists sandboxes.
///
/// Running and stopped.
#[utoipa::path(tag = "sandboxes", params(SandboxFilter),
    responses((status = 200, description = "The sandboxes.", body = Listed<Sandbox>)))]
#[get("/sandboxes")]
pub(crate) async fn sandbox_list(
    state: State,
    request: HttpRequest,
    Caller(caller): Caller,
    Filter(filter): Filter<SandboxFilter>,
) -> Result<HttpResponse, Problem> {
    let SandboxFilter { network, label, desired_state, state: in_state, q, sort, limit, page_token } = filter;
    let running = desired_state.map(|wanted| wanted == DesiredState::Running);
    let (labels, order, page) = (label.into_labels(), sort.unwrap_or_default(), page(limit, page_token));
    let command = ListSandboxes { network, labels, running, state: in_state, q, order, page };
    let found = state.control.list_sandboxes(caller.authorize(command)?).await?;
    Ok(answer::listed(&request, found))
}

/// Creates a sandbox.
///
/// Makes a network namespace with an endpoint on each named network, all or nothing; or adopts a namespace by path or process.
#[utoipa::path(tag = "sandboxes", params(WriteQuery, Key), request_body = SandboxSpec, responses(
    (status = 201, description = "Created, and verified in the kernel.", body = Sandbox),
    (status = 202, description = "Committed; the wait ran out before the kernel was verified.", body = Sandbox),
    (status = 200, description = "With `dry_run=true`: what would be done, with the very addresses.", body = DryRun<Sandbox>)))]
#[post("/sandboxes")]
pub(crate) async fn sandbox_create(
    state: State,
    Caller(caller): Caller,
    Filter(query): Filter<WriteQuery>,
    Key(idempotency): Key,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let command = CreateSandbox(document.whole::<SandboxSpec>()?);
    let options = WriteOptions { idempotency, ..query.options() };
    let created = state.control.create_sandbox(caller.authorize(command)?, options).await?;
    Ok(answer::created(created))
}

/// Shows a sandbox.
///
/// What is wanted in `status.endpoints`, and what the kernel says now in `status.interfaces`.
#[utoipa::path(tag = "sandboxes", params(("id" = String, Path, description = "The sandbox's ID or name."), IfNoneMatch),
    responses((status = 200, description = "The sandbox.", body = Sandbox)))]
#[get("/sandboxes/{id}")]
pub(crate) async fn sandbox_get(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    _: Filter<NoQuery>,
    known: IfNoneMatch,
) -> Result<HttpResponse, Problem> {
    let sandbox = state.control.get_sandbox(caller.authorize(GetSandbox(id.into_inner()))?).await?;
    Ok(answer::shown(&sandbox, &known))
}

/// Shows a sandbox's `resolv.conf`.
///
/// As programs in it should have it: the resolver at 127.0.0.11, with the host's search domains and options. `netloom exec` gives it to the
/// command by itself; others mount it over `/etc/resolv.conf`.
#[utoipa::path(tag = "sandboxes", params(("id" = String, Path, description = "The sandbox's ID or name.")),
    responses((status = 200, description = "The text.", body = String, content_type = "text/plain")))]
#[get("/sandboxes/{id}/resolv.conf")]
pub(crate) async fn sandbox_resolv_conf_get(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    _: Filter<NoQuery>,
) -> Result<HttpResponse, Problem> {
    let text = state.control.resolv_conf(caller.authorize(GetSandbox(id.into_inner()))?).await?;
    Ok(HttpResponse::Ok().content_type(ContentType::plaintext()).body(text))
}

/// Shows the traffic of a sandbox.
///
/// The counters of each of its interfaces, as they are now and as they were when this was asked for before: a look adds a sample, at most one in 4 s,
/// and what is older than 20 minutes goes. Nothing is read while nobody asks, so that a rate is told from the second time on.
#[utoipa::path(tag = "sandboxes", params(("id" = String, Path, description = "The sandbox's ID or name.")),
    responses((status = 200, description = "The counters, by interface; empty where it can't be looked at.", body = Whole<InterfaceTraffic>)))]
#[get("/sandboxes/{id}/traffic")]
pub(crate) async fn sandbox_traffic_list(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    _: Filter<NoQuery>,
) -> Result<HttpResponse, Problem> {
    let (_, items) = state.control.sandbox_traffic(caller.authorize(GetSandbox(id.into_inner()))?).await?;
    Ok(answer::found(&Whole { items }))
}

/// Puts a sandbox.
///
/// Makes it, or gives it this whole spec: what is absent is unset. A second PUT of the same body changes nothing. By ID only what is there. With
/// `dry_run=true` the answer is a `SandboxDryRun`.
#[utoipa::path(tag = "sandboxes", params(("id" = String, Path, description = "The sandbox's name, or the ID of one that is there."), WriteQuery, PutMatch),
    request_body = SandboxSpec, responses(
    (status = 201, description = "Made, and verified in the kernel.", body = Sandbox),
    (status = 200, description = "Has this spec, verified in the kernel.", body = Sandbox),
    (status = 202, description = "Committed; the wait ran out before the kernel was verified.", body = Sandbox)))]
#[put("/sandboxes/{id}")]
pub(crate) async fn sandbox_put(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    Filter(query): Filter<WriteQuery>,
    PutMatch(precondition): PutMatch,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let sandbox = id.into_inner();
    let spec = document.named::<SandboxSpec>("name", &sandbox)?;
    let present = caller.authorize(GetSandbox(sandbox.clone()))?;
    let command = caller.authorize(PutSandbox { sandbox, spec })?;
    let put = state.control.put_sandbox(command, WriteOptions { precondition, ..query.options() });
    Ok(answer::put(or_present_tag(put, state.control.get_sandbox(present)).await?))
}

/// Changes a sandbox.
///
/// A JSON Merge Patch (RFC 7396) of the spec: a member of `networks` attaches, a null there detaches; `desired_state` stops and
/// starts. With `dry_run=true` the answer is a `SandboxDryRun`.
#[utoipa::path(tag = "sandboxes", params(("id" = String, Path, description = "The sandbox's ID or name."), WriteQuery, IfMatch),
    request_body(content = SandboxSpec, content_type = "application/merge-patch+json"), responses(
    (status = 200, description = "Changed, and verified in the kernel.", body = Sandbox),
    (status = 202, description = "Committed; the wait ran out before the kernel was verified.", body = Sandbox)))]
#[patch("/sandboxes/{id}")]
pub(crate) async fn sandbox_patch(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    Filter(query): Filter<WriteQuery>,
    IfMatch(precondition): IfMatch,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let sandbox = id.into_inner();
    let present = caller.authorize(GetSandbox(sandbox.clone()))?;
    let command = caller.authorize(UpdateSandbox { sandbox, patch: document.patch() })?;
    let options = WriteOptions { precondition, ..query.options() };
    let written = state.control.update_sandbox(command, options);
    let written = or_present_tag(written, state.control.get_sandbox(present)).await?;
    Ok(answer::updated(written))
}

/// Removes a sandbox.
///
/// Its endpoints go with it; their addresses come free once the kernel is proven clean.
#[utoipa::path(tag = "sandboxes", params(("id" = String, Path, description = "The sandbox's ID or name."), RemoveQuery, IfMatch),
    responses(
    (status = 204, description = "Gone from the store and from the kernel."),
    (status = 202, description = "On its way out; the wait ran out before the kernel was clean.", body = Sandbox),
    (status = 200, description = "With `dry_run=true`: what would be done.", body = DryRun<Sandbox>)))]
#[delete("/sandboxes/{id}")]
pub(crate) async fn sandbox_delete(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    Filter(query): Filter<RemoveQuery>,
    IfMatch(precondition): IfMatch,
) -> Result<HttpResponse, Problem> {
    let sandbox = id.into_inner();
    let present = caller.authorize(GetSandbox(sandbox.clone()))?;
    let command = caller.authorize(RemoveSandbox(sandbox))?;
    let written = state.control.remove_sandbox(command, WriteOptions { precondition, ..query.options() });
    let written = or_present_tag(written, state.control.get_sandbox(present)).await?;
    Ok(answer::removed(written))
}
