//! `/ui/ipam`: the pools of all networks with their use, free subnets, and the leases whose holder is gone; and what is free in one pool.

use actix_web::HttpResponse;
use netloom_control::command::{FindFreeSubnets, ListFreeRanges, ListLeases, ListPools, Page};
use netloom_control::{Error, ErrorKind};
use netloom_model::invalid::Code;
use netloom_model::ipam::FreeSubnet;
use netloom_model::lease::LeaseState;
use netloom_model::net::Family;
use netloom_model::{Invalid, net};

use super::{part, text};
use crate::view::frame::Section;
use crate::view::free::{FreeFilter, FreePage};
use crate::view::ipam::{IpamPage, PoolFilter};
use crate::visit::Visit;

/// The pools of all networks.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.show(show).await
}

async fn show(visit: &Visit) -> Result<IpamPage, Error> {
    let filter: PoolFilter = visit.query()?;
    let command = ListPools { page: part(&filter.page_token), ..command(&filter)? };
    let pools = visit.control.list_pools(visit.authorize(command)?).await?;
    let command = ListLeases { state: Some(LeaseState::Orphaned), page: part(""), ..ListLeases::default() };
    let orphans = visit.control.list_leases(visit.authorize(command)?).await?;
    let free = free_subnets(visit, &filter).await?;
    Ok(IpamPage::new(visit.frame("IPAM", Section::Ipam), filter, &pools, &orphans, free.as_deref()))
}

/// What is free in one pool.
pub async fn free(visit: Visit) -> HttpResponse {
    visit.show(show_free).await
}

async fn show_free(visit: &Visit) -> Result<FreePage, Error> {
    let filter: FreeFilter = visit.query()?;
    let command = ListFreeRanges { page: part(&filter.page_token), ..free_ranges(visit)? };
    let pools = ListPools { network: Some(command.network.clone()), ..ListPools::default() };
    let pools = visit.control.list_pools(visit.authorize(pools)?).await?;
    let pool = pools.items.into_iter().find(|pool| command.pool.as_ref() == Some(&pool.pool)).ok_or_else(|| {
        let (network, pool) = (&command.network, visit.segment("pool"));
        Error::new(ErrorKind::NotFound, "resource-not-found", format!("network `{network}` has no pool `{pool}`"))
            .hint("the page of the network shows which pools it has")
    })?;
    // Of a network of the swarm its manager alone knows what is free; the page then says so.
    let free = match pool.capacity.free {
        Some(_) => visit.control.list_free_ranges(visit.authorize(command)?).await?,
        None => Page { items: Vec::new(), next_page_token: None, seq: 0 },
    };
    let title = format!("Free in {}", pool.subnet);
    Ok(FreePage::new(visit.frame(title, Section::Ipam), filter, &pool, &free))
}

/// What the path and the query ask for of a pool's free ranges.
pub(super) fn free_ranges(visit: &Visit) -> Result<ListFreeRanges, Error> {
    let filter: FreeFilter = visit.query()?;
    let at_least = text(&filter.at_least).map(|number| number_of_addresses(&number)).transpose()?;
    let (network, pool) = (visit.segment("network"), Some(visit.segment("pool")));
    Ok(ListFreeRanges { network, pool, at_least, ..ListFreeRanges::default() })
}

fn number_of_addresses(text: &str) -> Result<u32, Invalid> {
    text.parse().map_err(|_| {
        Invalid::new("?at_least", Code::Format, text, "not a whole number up to 4,294,967,295").hint("for example 64")
    })
}

/// The free subnets that were asked for, if any were.
pub(super) async fn free_subnets(visit: &Visit, filter: &PoolFilter) -> Result<Option<Vec<FreeSubnet>>, Error> {
    let Some(size) = text(&filter.free) else { return Ok(None) };
    let length = size.trim_start_matches('/');
    let prefix_length: u8 = length.parse().map_err(|_| {
        Invalid::new("?free", Code::Format, &size, "not the length of a prefix").hint("for example /24")
    })?;
    let within = text(&filter.within).map(|block| net::parse_subnet("?within", &block)).transpose()?;
    let of_block = within.map(|block| Family::of(block.network()));
    let family = of_block.or(family("?of", filter.free_family())?).unwrap_or(Family::V4);
    let command = FindFreeSubnets { family, prefix_length: Some(prefix_length), within, limit: None };
    Ok(Some(visit.control.find_free_subnets(visit.authorize(command)?).await?))
}

/// What a filter asks for.
pub(super) fn command(filter: &PoolFilter) -> Result<ListPools, Error> {
    Ok(ListPools { network: text(&filter.network), family: family("?family", &filter.family)?, ..ListPools::default() })
}

fn family(pointer: &str, word: &str) -> Result<Option<Family>, Invalid> {
    match word {
        "" => Ok(None),
        "4" => Ok(Some(Family::V4)),
        "6" => Ok(Some(Family::V6)),
        _ => Err(Invalid::new(pointer, Code::Format, word, "not an address family").hint("4 or 6")),
    }
}
