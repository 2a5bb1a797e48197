//! `/ui/topology`: who is on which network.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{GetNetwork, GetNode, GetSandbox, GetTopology, PageRequest};
use netloom_model::id::looks_like_id;
use netloom_model::topology::Topology;

use super::text;
use super::word;
use crate::view::frame::Section;
use crate::view::link;
use crate::view::topology::{TopologyFilter, TopologyPage};
use crate::view::wrong::Wrong;
use crate::visit::Visit;

/// Sandboxes on one page.
const ROWS: u32 = 50;

/// Who is on which network.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.show(show).await
}

async fn show(visit: &Visit) -> Result<TopologyPage, Error> {
    let filter: TopologyFilter = visit.query()?;
    word("?as", &filter.r#as, &["graph", "table"], |word| word)?;
    let filter = named(visit, filter).await?;
    let command = command(&filter);
    let topology = match filter.is_graph() && command.of.is_none() {
        true => Topology::default(),
        false => visit.control.topology(visit.authorize(command)?).await?,
    };
    Ok(TopologyPage::new(visit.frame("Topology", Section::Topology), filter, &topology, visit.control.node_id()))
}

/// A filter whose object is a bare name, with the one thing that is called so; of several the reader chooses.
async fn named(visit: &Visit, filter: TopologyFilter) -> Result<TopologyFilter, Error> {
    let of = filter.of.trim();
    if !filter.is_graph() || of.is_empty() || of.contains(':') || looks_like_id(of) {
        return Ok(filter);
    }
    let mut kinds = Vec::new();
    kinds.extend(visit.control.get_network(visit.authorize(GetNetwork(of.to_owned()))?).await.ok().map(|_| "network"));
    kinds.extend(visit.control.get_sandbox(visit.authorize(GetSandbox(of.to_owned()))?).await.ok().map(|_| "sandbox"));
    kinds.extend(visit.control.get_node(visit.authorize(GetNode(of.to_owned()))?).await.ok().map(|_| "node"));
    let full = |kind: &str| format!("{kind}:{of}");
    match kinds.as_slice() {
        [] => Ok(filter),
        [kind] => Ok(TopologyFilter { of: full(kind), ..filter }),
        several => {
            let href = |kind: &&str| format!("/ui/topology{}", link::query(&[("as", "graph"), ("of", &full(kind))]));
            let choices = several.iter().map(|kind| (full(kind), href(kind))).collect();
            visit.set_aside(Wrong::new("of", of, "several things are called so: which one?", None).or(choices));
            Ok(TopologyFilter { of: String::new(), ..filter })
        }
    }
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
