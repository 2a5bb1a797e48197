//! `/ui/search?q=`: one box for everything.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{GetLease, ListLeases, ListNetworks, ListSandboxes, PageRequest};
use serde::Deserialize;

use crate::view::frame::Section;
use crate::view::link;
use crate::view::search::{Asked, SearchPage};
use crate::visit::{Visit, to};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    q: String,
}

enum Found {
    There(String),
    List(Box<SearchPage>),
}

/// Goes to what the text names exactly, or lists what it may mean.
pub async fn page(visit: Visit) -> HttpResponse {
    match show(&visit).await {
        Ok(Found::There(page)) => to(&page),
        Ok(Found::List(page)) => visit.answer(Ok(*page)).await,
        Err(failure) => visit.fail(&failure).await,
    }
}

async fn show(visit: &Visit) -> Result<Found, Error> {
    let query: Query = visit.query()?;
    match Asked::of(&query.q) {
        Asked::Page(page) => Ok(Found::There(page)),
        Asked::Lease(id) => {
            let lease = visit.control.get_lease(visit.authorize(GetLease { network: None, lease: id })?).await?;
            Ok(Found::There(link::address(&lease.status.address)))
        }
        Asked::Text(text) => by_text(visit, &text).await,
    }
}

async fn by_text(visit: &Visit, text: &str) -> Result<Found, Error> {
    let frame = visit.frame("Search", Section::None);
    if text.is_empty() {
        return Ok(Found::List(Box::new(SearchPage::new(frame, text, &[], &[], &[]))));
    }
    let page = || PageRequest { limit: Some(25), token: None };
    let networks =
        visit.authorize(ListNetworks { q: Some(text.to_owned()), page: page(), ..ListNetworks::default() })?;
    let sandboxes =
        visit.authorize(ListSandboxes { q: Some(text.to_owned()), page: page(), ..ListSandboxes::default() })?;
    let leases = visit.authorize(ListLeases { owner: Some(text.to_owned()), page: page(), ..ListLeases::default() })?;
    let (networks, sandboxes, leases) = tokio::try_join!(
        visit.control.list_networks(networks),
        visit.control.list_sandboxes(sandboxes),
        visit.control.list_leases(leases),
    )?;
    let network = networks.items.iter().any(|network| network.spec.name == text);
    let sandbox = sandboxes.items.iter().any(|sandbox| sandbox.spec.name == text);
    match (network, sandbox) {
        (true, false) => Ok(Found::There(link::network(text))),
        (false, true) => Ok(Found::There(link::sandbox(text))),
        _ => Ok(Found::List(Box::new(SearchPage::new(frame, text, &networks.items, &sandboxes.items, &leases.items)))),
    }
}
