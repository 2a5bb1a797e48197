//! A handler per page: authorise, ask control, hand the answer to the view model.

pub mod activity;
pub mod address;
pub mod csv;
pub mod drift;
pub mod history;
pub mod ipam;
pub mod join;
pub mod leases;
pub mod login;
pub mod missing;
pub mod network;
pub mod network_map;
pub mod networks;
pub mod node;
pub mod nodes;
pub mod overview;
pub mod reference;
pub mod sandbox;
pub mod sandboxes;
pub mod search;
pub mod swarm;
pub mod tokens;
pub mod topology;

use std::collections::{BTreeMap, BTreeSet};

use netloom_control::Error;
use netloom_control::command::{GetOverview, ListNetworks, PageRequest};
use netloom_model::audit::Circumstances;
use netloom_model::event::Event;
use netloom_model::invalid::Code;
use netloom_model::{Invalid, NodeId};

use crate::view::party::node_of;
use crate::visit::Visit;

/// Rows on one page of a list.
const ROWS: u32 = 100;

/// The part of a list that a page shows.
fn part(token: &str) -> PageRequest {
    PageRequest { limit: Some(ROWS), token: text(token) }
}

/// One of a few words, or nothing.
fn word<T: Copy>(pointer: &str, value: &str, all: &[T], name: fn(T) -> &'static str) -> Result<Option<T>, Invalid> {
    let Some(value) = text(value) else { return Ok(None) };
    let known = || all.iter().map(|one| name(*one)).collect::<Vec<_>>().join(", ");
    let found = all.iter().copied().find(|one| name(*one) == value);
    found
        .map(Some)
        .ok_or_else(|| Invalid::new(pointer, Code::Format, &value, "not one of the known words").hint(known()))
}

/// A form's text, when it says anything.
fn text(value: &str) -> Option<String> {
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// A network of the user's own that gives addresses, for the example on an empty page.
async fn some_network(visit: &Visit) -> Result<Option<String>, Error> {
    let networks = visit.control.list_networks(visit.authorize(ListNetworks::default())?).await?;
    let own = networks.items.into_iter().find(|one| !one.status.predefined && !one.status.pools.is_empty());
    Ok(own.map(|network| network.spec.name))
}

/// Which of these objects, by ID, are still there to be linked.
async fn existing(visit: &Visit, ids: impl Iterator<Item = String>) -> Result<BTreeSet<String>, Error> {
    let ids: BTreeSet<String> = ids.collect();
    visit.control.existing(visit.authorize(GetOverview)?, ids.into_iter().collect()).await
}

/// What the hosts of those nodes are called that stand for somebody among these; nothing is read where none does.
async fn nodes_among<'p>(
    visit: &Visit,
    mut parties: impl Iterator<Item = &'p str>,
) -> Result<BTreeMap<NodeId, String>, Error> {
    match parties.any(|text| node_of(text).is_some()) {
        true => visit.control.node_names(visit.authorize(GetOverview)?).await,
        false => Ok(BTreeMap::new()),
    }
}

/// Who takes part in an entry: who asked, and from where.
fn parties<'e>(actor: &'e str, circumstances: &'e Circumstances) -> impl Iterator<Item = &'e str> {
    std::iter::once(actor).chain(circumstances.source.as_deref())
}

/// A label as it is written: with its value, or for any.
fn pair(label: &str) -> (String, Option<String>) {
    match label.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (label.to_owned(), None),
    }
}

/// The IDs of what events are about: their objects, and the networks and nodes that they name besides.
fn objects_of(events: &[Event]) -> impl Iterator<Item = String> {
    let besides = |event: &Event| ["network_id", "node"].map(|key| event.data.get(key).cloned());
    events.iter().flat_map(move |event| [Some(event.object.id.clone())].into_iter().chain(besides(event)).flatten())
}

/// What a list's page has in its query beside a filter.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Paging {
    page_token: String,
}
