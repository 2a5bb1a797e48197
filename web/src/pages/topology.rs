//! `/ui/topology`: who is on which network.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{GetTopology, PageRequest};
use netloom_model::Invalid;
use netloom_model::id::looks_like_id;
use netloom_model::invalid::Code;
use netloom_model::topology::Topology;

use super::text;
use super::word;
use crate::view::frame::Section;
use crate::view::link;
use crate::view::topology::{ROWS, TopologyFilter, TopologyPage};
use crate::view::wrong::Wrong;
use crate::visit::{OBJECTS, Visit};

/// Who is on which network.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.show(show).await
}

async fn show(visit: &Visit) -> Result<TopologyPage, Error> {
    let filter: TopologyFilter = visit.query()?;
    word("?as", &filter.r#as, &["graph", "table"], |word| word)?;
    text(&filter.columns).map(|part| part_of_networks(&part)).transpose()?;
    around_is_drawn(visit, &filter);
    let filter = named(visit, filter).await?;
    let command = command(&filter);
    let topology = match filter.is_graph() && command.of.is_none() {
        true => Topology::default(),
        false => match visit.control.topology(visit.authorize(command)?).await {
            Err(failure) => {
                removed(visit, &filter.of).await;
                return Err(failure);
            }
            found => found?,
        },
    };
    Ok(TopologyPage::new(visit.frame("Topology", Section::Topology), filter, &topology, visit.control.node_id()))
}

/// Says where what is around an object is shown, to whoever asks a list for it.
fn around_is_drawn(visit: &Visit, filter: &TopologyFilter) {
    let of = filter.of.trim();
    if filter.is_graph() || of.is_empty() {
        return;
    }
    let href = format!("/ui/topology{}", link::query(&[("as", "graph"), ("of", of)]));
    let choices = vec![(format!("What is around {of}"), href)];
    visit.set_aside(Wrong::new("of", of, "what is around something is drawn, and not listed", None).or(choices));
}

/// Which part of the networks is side by side.
fn part_of_networks(text: &str) -> Result<usize, Invalid> {
    text.parse().ok().filter(|part| *part > 0).ok_or_else(|| {
        Invalid::new("?columns", Code::Format, text, "not the number of a part of the networks").hint("1 for the first")
    })
}

/// A filter whose object is a bare name, with the one thing that is called so; of several the reader chooses.
async fn named(visit: &Visit, filter: TopologyFilter) -> Result<TopologyFilter, Error> {
    let of = filter.of.trim();
    if !filter.is_graph() || of.is_empty() || of.contains(':') || looks_like_id(of) {
        return Ok(filter);
    }
    let mut kinds = Vec::new();
    for kind in OBJECTS {
        if visit.is_there(kind, of).await {
            kinds.push(kind.as_str());
        }
    }
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

/// Where what is asked for was removed, says so at its field: when and by whom, and where that is told.
async fn removed(visit: &Visit, of: &str) {
    let of = of.trim();
    let known = |word: &str| OBJECTS.into_iter().find(|kind| kind.as_str() == word);
    let prefixed = of.split_once(':').and_then(|(word, name)| Some((known(word)?, name)));
    let (kind, name) = prefixed.map_or((None, of), |(kind, name)| (Some(kind), name));
    if let Some(gone) = visit.gone(kind, name).await {
        visit.set_aside(gone.wrong("of", of));
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
