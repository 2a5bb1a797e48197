//! Pools of all networks with their use, and giving back what orphans hold.

use std::str::FromStr;

use actix_web::{HttpRequest, HttpResponse, get, post};
use netloom_control::command::{ListPools, Reclaim, Reclaimed, Written};
use netloom_model::event::ObjectRef;
use netloom_model::ipam::PoolReport;
use netloom_model::lease::Lease;
use netloom_model::net::Family;
use netloom_model::order::PoolOrder;
use serde::{Deserialize, Serialize};

use super::State;
use crate::answer::{self, Listed};
use crate::auth::Caller;
use crate::body::NoBody;
use crate::problem::Problem;
use crate::query::{Filter, Parameter, RemoveQuery, one, page};

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
