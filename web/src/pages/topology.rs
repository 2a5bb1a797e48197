//! `/ui/topology`: who is on which network.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{GetTopology, PageRequest};
use netloom_model::topology::Topology;

use super::text;
use crate::view::frame::Section;
use crate::view::topology::{TopologyFilter, TopologyPage};
use crate::visit::Visit;

/// Sandboxes on one page.
const ROWS: u32 = 50;

/// Who is on which network.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.answer(show(&visit).await).await
}

async fn show(visit: &Visit) -> Result<TopologyPage, Error> {
    let filter: TopologyFilter = visit.query()?;
    let command = command(&filter);
    let topology = match filter.is_graph() && command.of.is_none() {
        true => Topology::default(),
        false => visit.control.topology(visit.authorize(command)?).await?,
    };
    Ok(TopologyPage::new(visit.frame("Topology", Section::Topology), filter, &topology, visit.control.node_id()))
}

/// What a filter asks for.
pub(super) fn command(filter: &TopologyFilter) -> GetTopology {
    let label = text(&filter.label).map(|label| match label.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (label, None),
    });
    GetTopology {
        of: text(&filter.of).filter(|_| filter.is_graph()),
        network: text(&filter.network),
        labels: label.into_iter().collect(),
        q: text(&filter.q),
        page: PageRequest { limit: Some(ROWS), token: text(&filter.page_token) },
    }
}
