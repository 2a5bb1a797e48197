//! `/ui/addresses/{address}`: all about one address, also one that nobody has.

use std::net::IpAddr;

use actix_web::HttpResponse;
use ipnet::IpNet;
use netloom_control::Error;
use netloom_control::command::{GetAddress, GetNetwork, GetPoolMap, ListLeases};
use netloom_model::invalid::Code;
use netloom_model::lease::{AddressReport, Lease};
use netloom_model::swarm_endpoint::SwarmEndpoint;
use netloom_model::{Invalid, Timestamp, net};
use serde::Deserialize;

use super::{existing, part, text};
use crate::view::address::{AddressPage, Around, surroundings};
use crate::view::frame::Section;
use crate::view::link;
use crate::view::map::Unleased;
use crate::visit::{Shown, Visit};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    at: String,
}

/// All about one address.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.show_or_go(show).await
}

/// What is no address has no page here: the search says what it may be.
async fn show(visit: &Visit) -> Result<Shown<AddressPage>, Error> {
    let segment = visit.segment("address");
    if net::parse_address("address", &segment).is_err() {
        return Ok(Shown::There(format!("/ui/search{}", link::query(&[("q", &segment), ("stay", "1")]))));
    }
    let (address, then) = asked(visit)?;
    let reports = reports(visit).await?;
    let around = match then {
        None => around(visit, address, &reports).await?,
        Some(_) => Around { now: holder_now(visit, address).await?, ..Around::default() },
    };
    let frame = visit.frame(address.to_string(), Section::Leases);
    let holdings = reports.iter().flat_map(|report| report.history.iter().chain(&report.held_at));
    let existing = existing(
        visit,
        holdings.flat_map(|holding| [holding.owner.id.clone(), Some(holding.network_id.to_string())]).flatten(),
    )
    .await?;
    Ok(Shown::Page(AddressPage::new(frame, address, &reports, &around, then, &existing)))
}

/// Which address, and when.
fn asked(visit: &Visit) -> Result<(IpAddr, Option<Timestamp>), Error> {
    let address = net::parse_address("address", &visit.segment("address"))?;
    let asked: Asked = visit.query()?;
    Ok((address, text(&asked.at).map(|at| time(&at)).transpose()?))
}

/// What is known of the address.
pub(super) async fn reports(visit: &Visit) -> Result<Vec<AddressReport>, Error> {
    let (address, at) = asked(visit)?;
    visit.control.get_address(visit.authorize(GetAddress { address, at })?).await
}

/// Who has the address now: a report of another time does not tell.
async fn holder_now(visit: &Visit, address: IpAddr) -> Result<Option<Lease>, Error> {
    let reports = visit.control.get_address(visit.authorize(GetAddress { address, at: None })?).await?;
    Ok(reports.into_iter().find_map(|report| report.lease))
}

/// What is known of the map's row that the address is in.
async fn around(visit: &Visit, address: IpAddr, reports: &[AddressReport]) -> Result<Around, Error> {
    let place = reports.iter().find_map(|report| Some((report.subnet.as_ref()?.parse().ok()?, report)));
    let Some((subnet, report)) = place else { return Ok(Around::default()) };
    let Some(within) = surroundings(address, subnet) else { return Ok(Around::default()) };
    let command = ListLeases { within: Some(within), page: part(""), ..ListLeases::default() };
    let leases = visit.control.list_leases(visit.authorize(command)?).await?.items;
    let network = match report.network_id {
        Some(id) => visit.control.get_network(visit.authorize(GetNetwork(id.to_string()))?).await.ok(),
        None => None,
    };
    let pool = network.as_ref().zip(report.pool.as_ref()).and_then(|(network, key)| network.status.pools.get(key));
    let away = match pool.filter(|pool| pool.capacity.free.is_none()) {
        Some(_) => away(visit, report, within).await?,
        None => Vec::new(),
    };
    Ok(Around { leases, away, unleased: pool.map_or(Unleased::Free, Unleased::of), now: None })
}

/// Who of other nodes has addresses around one, where this host gives none of them.
async fn away(visit: &Visit, report: &AddressReport, within: IpNet) -> Result<Vec<SwarmEndpoint>, Error> {
    let Some(network) = report.network_id.map(|id| id.to_string()) else { return Ok(Vec::new()) };
    let command = GetPoolMap { network, pool: report.pool.clone(), block: Some(within) };
    Ok(visit.control.pool_map(visit.authorize(command)?).await?.away)
}

/// A time as the API takes it, or as a browser's form writes it: without seconds or zone, then taken as UTC.
fn time(text: &str) -> Result<Timestamp, Invalid> {
    let filled = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        19 => format!("{text}Z"),
        _ => text.to_owned(),
    };
    // Pages write whole seconds: whoever copies one means what they show of that second.
    let filled = match filled.strip_suffix('Z') {
        Some(second) if text.len() >= 19 && !second.contains('.') => format!("{second}.999Z"),
        _ => filled,
    };
    filled
        .parse()
        .map_err(|_| Invalid::new("?at", Code::Format, text, "not a time").hint("for example 2026-01-31T12:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_and_browsers_write_them() {
        for (text, read) in [
            ("2026-01-31T12:00:00.000Z", "2026-01-31T12:00:00.000Z"),
            ("2026-01-31T12:00", "2026-01-31T12:00:00.000Z"),
            ("2026-01-31T12:00:00", "2026-01-31T12:00:00.999Z"),
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.999Z"),
        ] {
            assert_eq!(time(text).map(|time| time.to_string()).as_deref(), Ok(read), "{text}");
        }
        assert!(time("2026-01-31").is_ok());
        assert!(time("yesterday").is_err());
    }
}
