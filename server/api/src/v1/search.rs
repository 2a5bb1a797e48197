//! Search: objects and addresses by whatever a person has at hand.

use actix_web::{HttpResponse, get};
use netloom_control::command::Search;
use netloom_model::search::SearchReport;
use serde::Deserialize;

use super::State;
use crate::answer;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::{Filter, one};

/// What is searched for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchQuery {
    /// An address, a subnet or an Ethernet address in any spelling, an ID, a name or a part of one, the key of a reservation, an owner, or a label as
    /// `key=value`; the beginning of an address (`10.0.`) or an Ethernet address (`02:42:c0`); the number of a published port; the name of a network or
    /// sandbox that was removed; a link of the host's (a parent, a bridge, a port of one), a network's number in VXLAN packets (`vni:4097`), a request's ID, the URL of a page or
    /// an object of the API. What stands around it in a text (`(10.0.0.5),`) is passed over. An IPv4 address with a number that begins with 0 is not read; `ambiguity` says what it may mean. A word before it asks for one kind: `net:`, `sandbox:`, `lease:`, `pool:`, `node:`, `token:`.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 256, example = "0242.c0a8.7a03")]
    q: Option<String>,
}

/// Searches everything.
///
/// By kind, what is named exactly first, at most 25 of each. An address is found whether or not somebody has it; `/addresses/{ip}` tells more of it.
/// Nodes are told of by the swarm's manager, tokens to administrators, by name only.
#[utoipa::path(tag = "leases", params(SearchQuery),
    responses((status = 200, description = "What was found.", body = SearchReport)))]
#[get("/search")]
pub(crate) async fn search_get(
    state: State,
    Caller(caller): Caller,
    Filter(query): Filter<SearchQuery>,
) -> Result<HttpResponse, Problem> {
    let command = Search(query.q.unwrap_or_default());
    Ok(answer::found(&state.control.search(caller.authorize(command)?).await?))
}
