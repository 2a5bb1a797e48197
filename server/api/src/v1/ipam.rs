//! Pools of all networks with their use, and giving back what orphans hold.

use std::str::FromStr;

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use netloom_control::command::{FindFreeSubnets, ListFreeRanges, ListPools, Reclaim, Reclaimed, Written};
use netloom_model::event::ObjectRef;
use netloom_model::ipam::{FreeRange, FreeSubnet, PoolReport};
use netloom_model::lease::Lease;
use netloom_model::net::Family;
use netloom_model::order::PoolOrder;
use serde::{Deserialize, Serialize};

use super::State;
use crate::answer::{self, Listed, Whole};
use crate::auth::Caller;
use crate::body::NoBody;
use crate::problem::Problem;
use crate::query::{Filter, Parameter, RemoveQuery, Subnet, one, page};

/// An address family as a parameter: 4 or 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version(Family);

impl Parameter for Version {
    const NEEDED: &str = "`4` or `6` is needed";
}

impl FromStr for Version {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "4" => Ok(Self(Family::V4)),
            "6" => Ok(Self(Family::V6)),
            _ => Err(Self::NEEDED),
        }
    }
}

/// Filters of the list of pools.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolFilter {
    /// Only of this network, by name or ID.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 63)]
    network: Option<String>,
    /// Only of this family: 4 or 6.
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<u8>, minimum = 4, maximum = 6, example = 4)]
    family: Option<Version>,
    /// In which order: by `subnet`; with a `-` before it backwards.
    #[param(inline)]
    sort: Option<PoolOrder>,
    /// How many items, 100 unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next_page_token` of the page before, with the same filters.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 1024)]
    page_token: Option<String>,
}

/// What was reclaimed, or would be.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ReclaimReport {
    /// The sandboxes that were removed, longest gone first.
    #[schema(max_items = 1000)]
    sandboxes: Vec<ObjectRef>,
    /// The leases that went with them, by address, as they were: with `reason` and `since`.
    leases: Vec<Lease>,
}

impl From<Reclaimed> for ReclaimReport {
    fn from(reclaimed: Reclaimed) -> Self {
        let Reclaimed { sandboxes, leases } = reclaimed;
        Self { sandboxes, leases }
    }
}

/// Lists the pools of all networks.
///
/// IPv4 before IPv6, unless backwards. Each with how its addresses are used, the largest free block, and a condition before it runs dry.
#[utoipa::path(tag = "leases", params(PoolFilter),
    responses((status = 200, description = "The pools.", body = Listed<PoolReport>)))]
#[get("/ipam")]
pub(crate) async fn ipam_list(
    state: State,
    request: HttpRequest,
    Caller(caller): Caller,
    Filter(filter): Filter<PoolFilter>,
) -> Result<HttpResponse, Problem> {
    let PoolFilter { network, family, sort, limit, page_token } = filter;
    let (family, order, page) =
        (family.map(|Version(family)| family), sort.unwrap_or_default(), page(limit, page_token));
    let command = ListPools { network, family, order, page };
    let found = state.control.list_pools(caller.authorize(command)?).await?;
    Ok(answer::listed(&request, found))
}

/// Which free subnets.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct FreeSubnetFilter {
    /// Of this family: 4 (unless said) or 6.
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<u8>, minimum = 4, maximum = 6, example = 4)]
    family: Option<Version>,
    /// Length of the prefix in bits; that of an automatic subnet (24, of IPv6 64) unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 128, example = 24)]
    prefix_length: Option<u32>,
    /// In this block rather than in the default pools. What other tools use by default then counts as free.
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<String>, max_length = 49, example = "10.0.0.0/8")]
    within: Option<Subnet>,
    /// How many, 10 unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// Finds subnets that a new pool could have.
///
/// Those that networks without a subnet of their own would be given, the first first: in the default pools, clear of every pool, of the host's routes and
/// nameservers, and of what other tools use by default. Nothing is kept: a network that is made meanwhile may take one.
#[utoipa::path(tag = "leases", params(FreeSubnetFilter),
    responses((status = 200, description = "The subnets; empty when none is free.", body = Whole<FreeSubnet>)))]
#[get("/ipam/free-subnets")]
pub(crate) async fn free_subnet_list(
    state: State,
    Caller(caller): Caller,
    Filter(filter): Filter<FreeSubnetFilter>,
) -> Result<HttpResponse, Problem> {
    let FreeSubnetFilter { family, prefix_length, within, limit } = filter;
    let within = within.map(|Subnet(block)| block);
    let of_block = within.map(|block| Family::of(block.network()));
    let family = family.map(|Version(family)| family).or(of_block).unwrap_or(Family::V4);
    // What is longer than any prefix is refused as that.
    let prefix_length = prefix_length.map(|length| u8::try_from(length).unwrap_or(u8::MAX));
    let command = FindFreeSubnets { family, prefix_length, within, limit };
    let items = state.control.find_free_subnets(caller.authorize(command)?).await?;
    Ok(answer::found(&Whole { items }))
}

/// Which free ranges.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct FreeRangeFilter {
    /// Of the pool with this key; of the network's first unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 63, example = "v4")]
    pool: Option<String>,
    /// Only of so many addresses or more.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 4_294_967_295_u32, example = 5)]
    at_least: Option<u32>,
    /// How many items, 100 unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next_page_token` of the page before, with the same filters.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 1024)]
    page_token: Option<String>,
}

/// Lists the free addresses of a pool.
///
/// As ranges that nobody has an address of, lowest first, anywhere in the subnet: the part that dynamic addresses come from is the pool's `range`.
/// Of a network of the swarm on a worker `not-manager`: what is free of it the manager alone knows.
#[utoipa::path(tag = "leases",
    params(("id" = String, Path, description = "The network's ID or name."), FreeRangeFilter),
    responses((status = 200, description = "The ranges.", body = Listed<FreeRange>)))]
#[get("/networks/{id}/free-ranges")]
pub(crate) async fn free_range_list(
    state: State,
    request: HttpRequest,
    Caller(caller): Caller,
    id: web::Path<String>,
    Filter(filter): Filter<FreeRangeFilter>,
) -> Result<HttpResponse, Problem> {
    let FreeRangeFilter { pool, at_least, limit, page_token } = filter;
    let command = ListFreeRanges { network: id.into_inner(), pool, at_least, page: page(limit, page_token) };
    let found = state.control.list_free_ranges(caller.authorize(command)?).await?;
    Ok(answer::listed(&request, found))
}

/// Releases what orphans hold.
///
/// Removes the sandboxes whose adopted namespace is gone, without waiting for the end of their grace, by the ordinary removal: an
/// address is free once the kernel has nothing of it. At most 1000 sandboxes a call. With `dry_run=true` the answer is a
/// `ReclaimReportDryRun` that lists what would go.
#[utoipa::path(tag = "leases", params(RemoveQuery), responses(
    (status = 200, description = "What was released.", body = ReclaimReport),
    (status = 202, description = "What is being released; the wait ran out before the kernel was clean.", body = ReclaimReport)))]
#[post("/ipam/reclaim")]
pub(crate) async fn reclaim_create(
    state: State,
    Caller(caller): Caller,
    Filter(query): Filter<RemoveQuery>,
    _: NoBody,
) -> Result<HttpResponse, Problem> {
    let written = state.control.reclaim(caller.authorize(Reclaim)?, query.options()).await?;
    Ok(match written {
        Written::Done(reclaimed) => answer::found(&ReclaimReport::from(reclaimed)),
        Written::Pending(reclaimed) => HttpResponse::Accepted().json(ReclaimReport::from(reclaimed)),
        Written::Planned(reclaimed, plan) => answer::planned(ReclaimReport::from(reclaimed), plan),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_four_or_six() {
        assert_eq!("4".parse(), Ok(Version(Family::V4)));
        assert_eq!("6".parse(), Ok(Version(Family::V6)));
        for text in ["", "5", "46", "IPv4", " 4"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
