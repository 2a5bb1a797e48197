//! What was removed, and what was made and taken back, by the name that it had or by its ID: as long as events tell of it. What must not live here: what is still there.

use std::collections::BTreeSet;

use netloom_model::event::{Event, ObjectKind};
use netloom_model::order::EventOrder;
use netloom_model::search::{Hit, HitKind};
use netloom_store::{EventQuery, ReadTx, events};

use super::READ;
use super::meaning::Meaning;
use crate::error::Error;

/// The events that end a life for good, and those that say that it never really began.
const ENDS: [&str; 5] =
    ["network.deleted", "sandbox.deleted", "node.removed", "network.create_failed", "sandbox.create_failed"];
/// How the latter end.
const FAILED: &str = ".create_failed";

pub(super) async fn hits(tx: &mut ReadTx<'_>, meaning: &Meaning) -> Result<Vec<Hit>, Error> {
    let Some(object) = meaning.id.clone().or_else(|| meaning.text.clone()) else { return Ok(Vec::new()) };
    let wants = |kind: ObjectKind| match kind {
        ObjectKind::Network => meaning.wants(HitKind::Network),
        ObjectKind::Sandbox => meaning.wants(HitKind::Sandbox),
        ObjectKind::Node => meaning.wants(HitKind::Node),
        _ => false,
    };
    let query = EventQuery {
        object: Some(object),
        kinds: ENDS.map(str::to_owned).to_vec(),
        order: EventOrder::Latest,
        limit: READ,
        ..EventQuery::default()
    };
    let mut seen = BTreeSet::new();
    let found = events::list(tx, &query).await?;
    let never = |event: &Event| event.kind.ends_with(FAILED);
    let failed: BTreeSet<String> =
        found.iter().filter(|event| never(event)).map(|event| event.object.id.clone()).collect();
    let ends = found.into_iter().filter(|event| wants(event.object.kind) && seen.insert(event.object.id.clone()));
    let hit = |event: Event| Hit {
        about: match failed.contains(&event.object.id) {
            true => format!("{}, could not be made {}", event.object.kind.as_str(), event.time),
            false => format!("{}, removed {}", event.object.kind.as_str(), event.time),
        },
        // Many may have had a name; an ID is one thing's for ever.
        exact: meaning.id.as_ref() == Some(&event.object.id),
        name: event.object.name,
        id: Some(event.object.id),
        network: None,
    };
    Ok(ends.map(hit).collect())
}
