//! Which conditions a node has told of, and since when: an event when one comes and when it goes. After a restart those events tell.
//!
//! What must not live here: what the conditions say (the node), and control's own findings (`findings`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use netloom_model::Timestamp;
use netloom_model::assignment::Key;
use netloom_model::condition::{CLEARED, Condition, RAISED};
use netloom_model::event::{Event, ObjectKind, ObjectRef};
use netloom_model::report::Live;
use netloom_store::{ReadTx, WriteTx, events, networks, sandboxes};

use crate::clock::now;
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::{Actor, network_ref, sandbox_ref, with};

/// A condition of an object, by its kind.
type Place = (Key, String);

/// Since when each condition holds.
#[derive(Default)]
pub(crate) struct Standing {
    since: Mutex<BTreeMap<Place, Timestamp>>,
    /// Held while a report is taken in; whether the events of a former life were read.
    turn: tokio::sync::Mutex<bool>,
}

impl Standing {
    /// Says of a node's conditions since when they hold.
    pub(crate) fn date(&self, live: &mut Live) {
        let since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, object) in &mut live.objects {
            for condition in &mut object.conditions {
                condition.since = condition.since.or_else(|| since.get(&(*key, condition.kind.clone())).copied());
            }
        }
    }

    fn known(&self) -> BTreeMap<Place, Timestamp> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, since: BTreeMap<Place, Timestamp>) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

impl Control {
    /// Takes in which conditions hold: of these objects, or of all.
    pub(super) async fn conditions_changed(
        &self,
        everything: bool,
        conditions: BTreeMap<Key, Vec<Condition>>,
    ) -> Result<(), Error> {
        let standing = &self.inner.standing;
        let mut was_read = standing.turn.lock().await;
        if !*was_read {
            let read = self.inner.store.read(|tx| Box::pin(async move { read(tx).await }));
            standing.set(read.await?);
            *was_read = true;
        }
        let mut since = standing.known();
        let is_looked_at = |key: &Key| everything || conditions.contains_key(key);
        let holds = |(key, kind): &Place| {
            conditions.get(key).is_some_and(|holding| holding.iter().any(|condition| condition.kind == *kind))
        };
        let cleared: BTreeSet<Place> =
            since.keys().filter(|place| is_looked_at(&place.0) && !holds(place)).cloned().collect();
        let all = conditions.iter().flat_map(|(key, holding)| holding.iter().map(move |condition| (*key, condition)));
        let raised: Vec<(Key, Condition)> = all
            .filter(|(key, condition)| !since.contains_key(&(*key, condition.kind.clone())))
            .map(|(key, condition)| (key, condition.clone()))
            .collect();
        if cleared.is_empty() && raised.is_empty() {
            return Ok(());
        }
        let now = now();
        since.retain(|place, _| !cleared.contains(place));
        since.extend(raised.iter().map(|(key, condition)| ((*key, condition.kind.clone()), now)));
        self.inner.commit(false, Changed { raised, cleared, now }).await?;
        standing.set(since);
        Ok(())
    }
}

/// What was raised in a former life, and not cleared since.
async fn read(tx: &mut ReadTx<'_>) -> Result<BTreeMap<Place, Timestamp>, Error> {
    let place = |event: &Event| {
        let id = &event.object.id;
        let key = match event.object.kind {
            ObjectKind::Network => Key::Network(id.parse().ok()?),
            ObjectKind::Sandbox => Key::Sandbox(id.parse().ok()?),
            _ => return None,
        };
        Some((key, event.data.get("type")?.clone()))
    };
    let raised = events::standing(tx).await?;
    Ok(raised.iter().filter_map(|event| Some((place(event)?, event.time))).collect())
}

/// Conditions that came and went, for the record.
struct Changed {
    raised: Vec<(Key, Condition)>,
    cleared: BTreeSet<Place>,
    now: Timestamp,
}

#[async_trait]
impl Job for Changed {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let keys = self.cleared.iter().map(|(key, _)| *key).chain(self.raised.iter().map(|(key, _)| *key));
        let objects = lasting(tx, keys.collect()).await?;
        for (key, kind) in &self.cleared {
            let Some(object) = objects.get(key).cloned() else { continue };
            let message = format!("{kind} of {} `{}` is over", object.kind.as_str(), object.name);
            let event = Actor::agent().event(CLEARED, object, message, self.now);
            events::append(tx, &with(event, "type", kind)).await?;
        }
        for (key, condition) in &self.raised {
            let Some(object) = objects.get(key).cloned() else { continue };
            let event =
                Actor::agent().event(RAISED, object, condition.message.clone(), self.now);
            let event = with(with(event, "type", &condition.kind), "reason", &condition.reason);
            events::append(tx, &event).await?;
        }
        Ok(())
    }
}

/// Those of the objects that are not on their way out: what goes with one is no news. Read at once, before anything is written.
async fn lasting(tx: &mut ReadTx<'_>, keys: BTreeSet<Key>) -> Result<BTreeMap<Key, ObjectRef>, Error> {
    let (mut of_networks, mut of_sandboxes) = (Vec::new(), Vec::new());
    for key in keys {
        match key {
            Key::Network(id) => of_networks.push(id),
            Key::Sandbox(id) => of_sandboxes.push(id),
        }
    }
    let mut lasting = BTreeMap::new();
    if !of_networks.is_empty() {
        let rows = networks::by_ids(tx, &of_networks).await?.into_iter().filter(|row| !row.deleting);
        lasting.extend(rows.map(|row| (Key::Network(row.id), network_ref(&row))));
    }
    if !of_sandboxes.is_empty() {
        let rows = sandboxes::by_ids(tx, &of_sandboxes).await?.into_iter().filter(|row| !row.deleting);
        lasting.extend(rows.map(|row| (Key::Sandbox(row.id), sandbox_ref(&row))));
    }
    Ok(lasting)
}
