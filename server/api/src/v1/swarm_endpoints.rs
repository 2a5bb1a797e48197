//! Endpoints on networks of the swarm, as its manager knows them of all nodes.

use actix_web::{HttpRequest, HttpResponse, get};
use netloom_control::command::ListEndpoints;
use netloom_model::swarm_endpoint::SwarmEndpoint;
use serde::Deserialize;

use super::State;
use crate::answer::{self, Listed};
use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::{Filter, one, page};

/// Which endpoints.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwarmEndpointFilter {
    /// Only on the network with this ID or name.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 63, example = "far")]
    network: Option<String>,
    /// Only of the sandbox with this ID, or of sandboxes of this name, which several nodes may have.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 63, example = "web1")]
    sandbox: Option<String>,
    /// Only of the node with this ID, or whose host has this name.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 64, example = "machine2")]
    node: Option<String>,
    /// How many items, 100 unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next_page_token` of the page before, with the same filters.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 1024)]
    page_token: Option<String>,
}

/// Lists endpoints of the swarm.
///
/// Those of all nodes on networks of the swarm, by the sandboxes' names: all that the manager knows of sandboxes of other nodes. Of a node that is silent it is what
/// it said last. Served by the manager alone.
#[utoipa::path(tag = "swarm", params(SwarmEndpointFilter),
    responses((status = 200, description = "The endpoints.", body = Listed<SwarmEndpoint>)))]
#[get("/swarm/endpoints")]
pub(crate) async fn swarm_endpoint_list(
    state: State,
    request: HttpRequest,
    Caller(caller): Caller,
    Filter(filter): Filter<SwarmEndpointFilter>,
) -> Result<HttpResponse, Problem> {
    let SwarmEndpointFilter { network, sandbox, node, limit, page_token } = filter;
    let command = ListEndpoints { network, sandbox, node, page: page(limit, page_token) };
    Ok(answer::listed(&request, state.control.list_endpoints(caller.authorize(command)?).await?))
}
