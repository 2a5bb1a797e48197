//! The host's own links and routes: to choose a parent by, and to see what a subnet would overlap with.

use actix_web::{HttpResponse, get};
use netloom_control::command::GetFacts;
use netloom_model::facts::{HostLink, HostRoute};

use super::State;
use crate::answer::{self, Whole};
use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::{Filter, NoQuery};

/// Lists the host's links.
///
/// The candidates for a macvlan network's parent. Netloom's own links are left out.
#[utoipa::path(tag = "host", responses((status = 200, description = "The links.", body = Whole<HostLink>)))]
#[get("/host/interfaces")]
pub(crate) async fn host_interface_list(
    state: State,
    Caller(caller): Caller,
    _: Filter<NoQuery>,
) -> Result<HttpResponse, Problem> {
    let items = state.control.facts(caller.authorize(GetFacts)?).await?.links;
    Ok(answer::found(&Whole { items }))
}

/// Lists the host's routes.
///
/// Automatic pools keep clear of them. Netloom's own routes are left out.
#[utoipa::path(tag = "host", responses((status = 200, description = "The routes.", body = Whole<HostRoute>)))]
#[get("/host/routes")]
pub(crate) async fn host_route_list(
    state: State,
    Caller(caller): Caller,
    _: Filter<NoQuery>,
) -> Result<HttpResponse, Problem> {
    let items = state.control.facts(caller.authorize(GetFacts)?).await?.routes;
    Ok(answer::found(&Whole { items }))
}
