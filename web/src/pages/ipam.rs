//! `/ui/ipam`: the pools of all networks with their use, and the leases whose holder is gone.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{ListLeases, ListPools};
use netloom_model::Invalid;
use netloom_model::invalid::Code;
use netloom_model::lease::LeaseState;
use netloom_model::net::Family;

use super::{part, text};
use crate::view::frame::Section;
use crate::view::ipam::{IpamPage, PoolFilter};
use crate::visit::Visit;

/// The pools of all networks.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.answer(show(&visit).await).await
}

async fn show(visit: &Visit) -> Result<IpamPage, Error> {
    let filter: PoolFilter = visit.query()?;
    let command = ListPools { page: part(&filter.page_token), ..command(&filter)? };
    let pools = visit.control.list_pools(visit.authorize(command)?).await?;
    let command = ListLeases { state: Some(LeaseState::Orphaned), page: part(""), ..ListLeases::default() };
    let orphans = visit.control.list_leases(visit.authorize(command)?).await?;
    Ok(IpamPage::new(visit.frame("Address pools", Section::Pools), filter, &pools, &orphans))
}

/// What a filter asks for.
pub(super) fn command(filter: &PoolFilter) -> Result<ListPools, Error> {
    Ok(ListPools { network: text(&filter.network), family: family(&filter.family)?, ..ListPools::default() })
}

fn family(word: &str) -> Result<Option<Family>, Invalid> {
    match word {
        "" => Ok(None),
        "4" => Ok(Some(Family::V4)),
        "6" => Ok(Some(Family::V6)),
        _ => Err(Invalid::new("?family", Code::Format, word, "not an address family").hint("4 or 6")),
    }
}
