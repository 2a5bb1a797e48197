//! Histories of single objects.

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse, get, web};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
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

/// Somebody asks for a part of the history of the object that the path names.
pub(crate) struct Asked {
    state: State,
    request: HttpRequest,
    caller: Caller,
    object: String,
    query: HistoryQuery,
}

impl FromRequest for Asked {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let parts =
            <(State, HttpRequest, Caller, web::Path<String>, Filter<HistoryQuery>)>::from_request(request, payload);
        async move {
            let (state, request, caller, object, Filter(query)) = parts.await?;
            Ok(Self { state, request, caller, object: object.into_inner(), query })
        }
        .boxed_local()
    }
}

impl Asked {
    async fn history(self, kind: ObjectKind) -> Result<HttpResponse, Problem> {
        let Self { state, request, caller, object, query: HistoryQuery { limit, page_token } } = self;
        let command = ListHistory { kind, object, page: page(limit, page_token) };
        Ok(answer::listed(&request, state.control.list_history(caller.0.authorize(command)?).await?))
    }
}

/// Lists the history of a network.
///
/// The latest first: what happened to it, and for role admin who asked for it, what changed, and what was refused. By its ID also of one that is gone.
#[utoipa::path(tag = "networks", params(("id" = String, Path, description = "The network's ID or name."), HistoryQuery),
    responses((status = 200, description = "The history.", body = Listed<HistoryEntry>)))]
#[get("/networks/{id}/history")]
pub(crate) async fn network_history_list(asked: Asked) -> Result<HttpResponse, Problem> {
    asked.history(ObjectKind::Network).await
}

/// Lists the history of a sandbox.
///
/// The latest first: what happened to it, and for role admin who asked for it, what changed, and what was refused. By its ID also of one that is gone.
#[utoipa::path(tag = "sandboxes", params(("id" = String, Path, description = "The sandbox's ID or name."), HistoryQuery),
    responses((status = 200, description = "The history.", body = Listed<HistoryEntry>)))]
#[get("/sandboxes/{id}/history")]
pub(crate) async fn sandbox_history_list(asked: Asked) -> Result<HttpResponse, Problem> {
    asked.history(ObjectKind::Sandbox).await
}

/// Lists the history of a lease.
///
/// The latest first: what happened to it, and for role admin who asked for it, what changed, and what was refused. By its ID also of one that is gone.
#[utoipa::path(tag = "leases", params(("id" = String, Path, description = "The lease's ID."), HistoryQuery),
    responses((status = 200, description = "The history.", body = Listed<HistoryEntry>)))]
#[get("/leases/{id}/history")]
pub(crate) async fn lease_history_list(asked: Asked) -> Result<HttpResponse, Problem> {
    asked.history(ObjectKind::Lease).await
}

/// Lists the history of a node.
///
/// The latest first: what happened to it, and for role admin who asked for it, what changed, and what was refused. By its ID also of one that is gone.
#[utoipa::path(tag = "swarm", params(("id" = String, Path, description = "The node's ID or its host's name."), HistoryQuery),
    responses((status = 200, description = "The history.", body = Listed<HistoryEntry>)))]
#[get("/nodes/{id}/history")]
pub(crate) async fn node_history_list(asked: Asked) -> Result<HttpResponse, Problem> {
    asked.history(ObjectKind::Node).await
}
