//! Maps of pools.

use actix_web::{HttpResponse, get, web};
use netloom_control::command::GetPoolMap;
use netloom_model::map::PoolMap;
use serde::Deserialize;

use super::State;
use crate::answer;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::{Filter, Subnet, one};

/// Which block of which pool.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct MapQuery {
    /// Key of the pool: the one that contains the block unless said, or the network's first.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 63)]
    pool: Option<String>,
    /// A block in the pool's subnet; the whole of it unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<String>, max_length = 43, example = "192.168.122.0/28")]
    block: Option<Subnet>,
}

/// Maps a pool.
///
/// One block of it: with the leases of up to 1024 addresses, else with how much is taken of each block in it, cut at whole bytes: a /16 into /24s. In IPv6 the cut is where the
/// leases part, and a block with at most 64 of them has them, too. What is free is in runs, by address.
#[utoipa::path(tag = "networks", params(("id" = String, Path, description = "The network's ID or name."), MapQuery),
    responses((status = 200, description = "The block.", body = PoolMap)))]
#[get("/networks/{id}/map")]
pub(crate) async fn network_map_get(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    Filter(query): Filter<MapQuery>,
) -> Result<HttpResponse, Problem> {
    let block = query.block.map(|Subnet(block)| block);
    let command = GetPoolMap { network: id.into_inner(), pool: query.pool, block };
    Ok(answer::found(&state.control.pool_map(caller.authorize(command)?).await?))
}
