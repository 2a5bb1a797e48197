//! What was removed, by the name that it had or by its ID: as long as events tell of it. What must not live here: what is still there.

use std::collections::BTreeSet;

use netloom_model::event::ObjectKind;
use netloom_model::order::EventOrder;
use netloom_model::search::{Hit, HitKind};
use netloom_store::{EventQuery, ReadTx, events};

use super::READ;
use super::meaning::Meaning;
use crate::error::Error;

/// The events that end a life for good.
const ENDS: [&str; 2] = ["network.deleted", "sandbox.deleted"];

pub(super) async fn hits(tx: &mut ReadTx<'_>, meaning: &Meaning) -> Result<Vec<Hit>, Error> {
    let Some(object) = meaning.id.clone().or_else(|| meaning.text.clone()) else { return Ok(Vec::new()) };
    let wants = |kind: ObjectKind| match kind {
        ObjectKind::Network => meaning.wants(HitKind::Network),
        ObjectKind::Sandbox => meaning.wants(HitKind::Sandbox),
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
    let ends = events::list(tx, &query).await?.into_iter();
    let ends = ends.filter(|event| wants(event.object.kind) && seen.insert(event.object.id.clone()));
    let hit = |event: netloom_model::event::Event| Hit {
        about: format!("{}, removed {}", event.object.kind.as_str(), event.time),
        // Many may have had a name; an ID is one thing's for ever.
        exact: meaning.id.as_ref() == Some(&event.object.id),
        name: event.object.name,
        id: Some(event.object.id),
        network: None,
    };
    Ok(ends.map(hit).collect())
}
