//! Who is on which network.

use actix_web::{HttpResponse, get};
use netloom_control::command::GetTopology;
use netloom_model::topology::Topology;
use serde::Deserialize;

use super::State;
use crate::answer;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::{Filter, Texts, one, page};

/// Of which sandboxes, or around what.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopologyQuery {
    /// What is around one object: its ID, or `network:NAME`, `sandbox:NAME` or `node:NAME`. The other parameters mean nothing then.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 128, example = "network:macvlan-net1")]
    of: Option<String>,
    /// Only sandboxes on this network, by name or ID.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 63)]
    network: Option<String>,
    /// Only with this label: `key=value`, or `key` for any value. May be repeated; all must hold. Then only this host's sandboxes: labels are known on a sandbox's own node.
    #[serde(default)]
    #[param(value_type = Vec<String>, required = false, max_items = 16)]
    label: Texts,
    /// Only with this text in the name or the description; of sandboxes of other nodes in the name.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 256)]
    q: Option<String>,
    /// How many sandboxes, 100 unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next_page_token` of the page before, with the same filters.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 1024)]
    page_token: Option<String>,
}

/// Shows who is on which network.
///
/// A page of this host's sandboxes by name with their endpoints, on a manager of a swarm together with those of other nodes on the swarm's networks; or with `of` what is around one
/// object: of a network and of a node of the swarm with the sandboxes of other nodes, as far as this host knows of them. Of these at most 36 are told one by one, the others counted by their node.
#[utoipa::path(tag = "networks", params(TopologyQuery),
    responses((status = 200, description = "Sandboxes, networks and nodes, and which is on which.", body = Topology)))]
#[get("/topology")]
pub(crate) async fn topology_get(
    state: State,
    Caller(caller): Caller,
    Filter(query): Filter<TopologyQuery>,
) -> Result<HttpResponse, Problem> {
    let TopologyQuery { of, network, label, q, limit, page_token } = query;
    let command = GetTopology { of, network, labels: label.into_labels(), q, page: page(limit, page_token) };
    Ok(answer::found(&state.control.topology(caller.authorize(command)?).await?))
}
