//! `/ui/leases`: leases of all networks, searched.

use std::str::FromStr;

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::ListLeases;
use netloom_model::invalid::Code;
use netloom_model::lease::{LeaseKind, LeaseState};
use netloom_model::order::LeaseOrder;
use netloom_model::{Invalid, net};

use super::{part, some_network, text, word};
use crate::view::frame::Section;
use crate::view::leases::{LeaseFilter, LeasesPage};
use crate::visit::Visit;

/// Leases of all networks.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.show(show).await
}

async fn show(visit: &Visit) -> Result<LeasesPage, Error> {
    let filter: LeaseFilter = visit.query()?;
    let command = ListLeases { page: part(&filter.page_token), ..command(&filter)? };
    let page = visit.control.list_leases(visit.authorize(command)?).await?;
    let network = if page.items.is_empty() { some_network(visit).await? } else { None };
    Ok(LeasesPage::new(visit.frame("Leases", Section::Leases), filter, &page, network.as_deref()))
}

/// What a filter asks for.
pub(super) fn command(filter: &LeaseFilter) -> Result<ListLeases, Error> {
    let filter = filter.resolved();
    Ok(ListLeases {
        network: text(&filter.network),
        address: text(&filter.address).map(|address| net::parse_address("?address", &address)).transpose()?,
        within: text(&filter.within).map(|subnet| net::parse_subnet("?within", &subnet)).transpose()?,
        mac: text(&filter.mac).map(|mac| parse("?mac", &mac)).transpose()?,
        owner: text(&filter.owner),
        node: text(&filter.node),
        state: word("?state", &filter.state, &LeaseState::ALL, LeaseState::as_str)?,
        kind: word("?kind", &filter.kind, &LeaseKind::ALL, LeaseKind::as_str)?,
        key: text(&filter.key),
        order: order(&filter.sort)?,
        ..ListLeases::default()
    })
}

/// An order by the API's word.
fn order(sort: &str) -> Result<LeaseOrder, Invalid> {
    let Some(sort) = text(sort) else { return Ok(LeaseOrder::default()) };
    serde_json::from_value(sort.clone().into()).map_err(|_| {
        Invalid::new("?sort", Code::Format, &sort, "leases don't come in this order")
            .hint("address, owner or created_at, with a `-` before it backwards")
    })
}

/// A value by its text form.
pub(super) fn parse<T: FromStr>(pointer: &str, value: &str) -> Result<T, Invalid>
where
    T::Err: std::fmt::Display,
{
    value.parse().map_err(|cause: T::Err| Invalid::new(pointer, Code::Format, value, cause.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_or_refused_by_name() {
        let read =
            command(&LeaseFilter { mac: "0242.c0a8.7a02".into(), state: "held".into(), ..LeaseFilter::default() });
        let read = read.expect("good filters");
        assert_eq!(read.mac.map(|mac| mac.to_string()).as_deref(), Some("02:42:c0:a8:7a:02"));
        assert_eq!(read.state, Some(LeaseState::Held));
        for (filter, field) in [
            (LeaseFilter { address: "x".into(), ..LeaseFilter::default() }, "?address"),
            (LeaseFilter { within: "10.0.0.1/8".into(), ..LeaseFilter::default() }, "?within"),
            (LeaseFilter { mac: "02".into(), ..LeaseFilter::default() }, "?mac"),
            (LeaseFilter { kind: "vip".into(), ..LeaseFilter::default() }, "?kind"),
            (LeaseFilter { sort: "mac".into(), ..LeaseFilter::default() }, "?sort"),
        ] {
            let refused = command(&filter).expect_err("a bad filter");
            assert_eq!(refused.errors[0].pointer, field);
        }
    }
}
