//! Which conditions a node has told of, and since when: an event when one comes and when it goes. After a restart those events tell.
//!
//! What must not live here: what the conditions say (the node), and control's own findings (`findings`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::condition::{CLEARED, Condition, NOT_REPORTED, ONLY_IN_USE, RAISED};
use netloom_model::event::{Event, ObjectKind, ObjectRef};
use netloom_model::report::Live;
use netloom_model::{NetworkId, Timestamp};
use netloom_store::{ReadTx, Store, WriteTx, events, networks, sandboxes};

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
    dates: Mutex<Dates>,
    /// Held while a report is taken in.
    turn: tokio::sync::Mutex<()>,
}

/// The beginnings of conditions.
#[derive(Debug, Clone, Default)]
struct Dates {
    /// Of those on record; none before the events of a former life were read.
    since: Option<BTreeMap<Place, Timestamp>>,
    /// Of those that a node had and that are not on record yet: its reports come after its answers.
    coming: BTreeMap<Place, Timestamp>,
}

impl Dates {
    /// Since when a condition holds that a node has now.
    fn of(&mut self, place: Place) -> Option<Timestamp> {
        let known = self.since.as_ref()?.get(&place).copied();
        Some(known.unwrap_or_else(|| *self.coming.entry(place).or_insert_with(now)))
    }
}

impl Standing {
    /// Says of a node's conditions since when they hold.
    pub(crate) fn date(&self, live: &mut Live) {
        let mut dates = self.dates();
        for (key, object) in &mut live.objects {
            let reported = |condition: &&mut Condition| !NOT_REPORTED.contains(&condition.kind.as_str());
            for condition in object.conditions.iter_mut().filter(reported) {
                condition.since = condition.since.or_else(|| dates.of((*key, condition.kind.clone())));
            }
        }
    }

    fn dates(&self) -> MutexGuard<'_, Dates> {
        self.dates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is on record, which is read from the events at first.
    async fn since(&self, store: &Store) -> Result<BTreeMap<Place, Timestamp>, Error> {
        if let Some(since) = self.dates().since.clone() {
            return Ok(since);
        }
        let since = store.read(|tx| Box::pin(async move { read(tx).await })).await?;
        Ok(self.dates().since.insert(since).clone())
    }
}

impl Control {
    /// Takes in which conditions hold: of these objects, or of all. Of networks that are `idle` what can be told only in use stays as it was.
    pub(super) async fn conditions_changed(
        &self,
        everything: bool,
        conditions: BTreeMap<Key, Vec<Condition>>,
        idle: &BTreeSet<NetworkId>,
    ) -> Result<(), Error> {
        let standing = &self.inner.standing;
        let _turn = standing.turn.lock().await;
        let mut since = standing.since(&self.inner.store).await?;
        let is_unknown = |(key, kind): &Place| {
            ONLY_IN_USE.contains(&kind.as_str()) && matches!(key, Key::Network(id) if idle.contains(id))
        };
        let is_over = |place: &Place| {
            let (key, kind) = place;
            let holding = conditions.get(key);
            let holds = holding.is_some_and(|holding| holding.iter().any(|condition| condition.kind == *kind));
            (everything || holding.is_some()) && !holds && !is_unknown(place)
        };
        let cleared: BTreeSet<Place> = since.keys().filter(|place| is_over(place)).cloned().collect();
        let all = conditions.iter().flat_map(|(key, holding)| holding.iter().map(move |condition| (*key, condition)));
        let mut raised: Vec<(Key, Condition)> = all
            .filter(|(key, condition)| !since.contains_key(&(*key, condition.kind.clone())))
            .map(|(key, condition)| (key, condition.clone()))
            .collect();
        {
            let mut dates = standing.dates();
            dates.coming.retain(|place, _| !is_over(place));
            for (key, condition) in &mut raised {
                condition.since = dates.of((*key, condition.kind.clone()));
            }
        }
        if cleared.is_empty() && raised.is_empty() {
            return Ok(());
        }
        let now = now();
        since.retain(|place, _| !cleared.contains(place));
        let begun =
            |(key, condition): &(Key, Condition)| ((*key, condition.kind.clone()), condition.since.unwrap_or(now));
        since.extend(raised.iter().map(begun));
        self.inner.commit(false, Changed { raised, cleared, now }).await?;
        let mut dates = standing.dates();
        dates.coming.retain(|place, _| !since.contains_key(place));
        dates.since = Some(since);
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
                Actor::agent().event(RAISED, object, condition.message.clone(), condition.since.unwrap_or(self.now));
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
            // What is remarkable about it is its network's.
            Key::Peer(_) => {}
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
