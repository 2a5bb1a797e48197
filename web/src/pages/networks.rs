//! `/ui/networks`: all networks.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{GetFacts, ListNetworks};
use netloom_model::Invalid;
use netloom_model::invalid::Code;
use netloom_model::network::Driver;

use super::{pair, part, text};
use crate::view::frame::Section;
use crate::view::networks::{NetworkFilter, NetworksPage};
use crate::visit::Visit;

/// All networks.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.show(show).await
}

async fn show(visit: &Visit) -> Result<NetworksPage, Error> {
    let filter: NetworkFilter = visit.query()?;
    let command = ListNetworks { page: part(&filter.page_token), ..command(&filter)? };
    let page = visit.control.list_networks(visit.authorize(command)?).await?;
    let facts = match page.items.iter().all(|network| network.status.predefined) {
        true => visit.control.facts(visit.authorize(GetFacts)?).await.ok(),
        false => None,
    };
    Ok(NetworksPage::new(visit.frame("Networks", Section::Networks), filter, &page, facts.as_ref()))
}

/// What a filter asks for.
pub(super) fn command(filter: &NetworkFilter) -> Result<ListNetworks, Error> {
    let labels = text(&filter.label).map(|label| pair(&label)).into_iter().collect();
    Ok(ListNetworks { driver: driver(&filter.driver)?, labels, q: text(&filter.q), ..ListNetworks::default() })
}

fn driver(word: &str) -> Result<Option<Driver>, Error> {
    let known = [Driver::Bridge, Driver::Host, Driver::None, Driver::Macvlan, Driver::Overlay];
    match (word, known.into_iter().find(|driver| driver.as_str() == word)) {
        ("", _) => Ok(None),
        (_, Some(driver)) => Ok(Some(driver)),
        (_, None) => Err(Invalid::new("?driver", Code::Format, word, "not a driver")
            .hint("bridge, host, none, macvlan or overlay")
            .into()),
    }
}
