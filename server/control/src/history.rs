//! The history of one object: its events, each with the audit's entry of the same commit, and what was asked for and refused. Of what is gone, too, by its ID.
//!
//! What must not live here: writing either of them (`journal`, `audit`).

use std::collections::{HashMap, HashSet};

use netloom_model::audit::{AuditEntry, Circumstances};
use netloom_model::event::{Event, ObjectKind};
use netloom_model::history::HistoryEntry;
use netloom_model::id::looks_like_id;
use netloom_model::order::EventOrder;
use netloom_model::{LeaseId, Timestamp};
use netloom_store::{EventQuery, Place, ReadTx, audit, events, leases};

use crate::command::{ListAudit, ListHistory, Page};
use crate::control::Control;
use crate::error::Error;
use crate::page::Part;
use crate::principal::Authorized;
use crate::{networks, sandboxes, swarm};

impl Control {
    /// Lists what happened to an object, the latest first; with what the audit knows of it, where who asks may read that.
    ///
    /// # Errors
    /// A bad page request; nothing of this kind has this name, or nothing is known of this ID.
    pub async fn list_history(&self, c: Authorized<ListHistory>) -> Result<Page<HistoryEntry>, Error> {
        let (c, context) = c.into_parts();
        let audited = context.may(&ListAudit::default());
        let part = Part::new(&c.page, &format!("history {:?} {:?} {audited}", c.kind, c.object))?;
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let id = id_of(tx, c.kind, &c.object).await?;
                let from = part.after.as_ref().and_then(Place::history).unwrap_or((u64::MAX, u64::MAX));
                let query = EventQuery {
                    object: Some(id.clone()),
                    before: Some(from.0),
                    order: EventOrder::Latest,
                    limit: part.read(),
                    ..EventQuery::default()
                };
                let events = events::list(tx, &query).await?;
                let entries = match audited {
                    true => audit::of_object(tx, c.kind, &id, from.1, part.read()).await?,
                    false => Vec::new(),
                };
                if part.after.is_none() && events.is_empty() && entries.is_empty() {
                    present(tx, c.kind, &c.object).await?;
                }
                let mut rows = merged(events, entries, from);
                let next = part.cut(&mut rows, |(_, (event, entry))| Place::of_history(*event, *entry));
                Ok::<_, Error>((rows, next, events::number(tx).await?))
            })
        });
        let (rows, next_page_token, seq) = read.await?;
        Ok(Page { items: rows.into_iter().map(|(entry, _)| entry).collect(), next_page_token, seq })
    }
}

/// Refuses what is not there, of which nothing is known either.
async fn present(tx: &mut ReadTx<'_>, kind: ObjectKind, reference: &str) -> Result<(), Error> {
    match kind {
        ObjectKind::Network => networks::find(tx, reference).await.map(drop),
        ObjectKind::Sandbox => sandboxes::find(tx, reference).await.map(drop),
        ObjectKind::Node => swarm::nodes::find(tx, reference).await.map(drop),
        kind => {
            let lease: Option<LeaseId> = reference.parse().ok().filter(|_| kind == ObjectKind::Lease);
            let found = match lease {
                Some(id) => leases::by_id(tx, id).await?,
                None => None,
            };
            found.map(drop).ok_or_else(|| Error::not_found(kind.as_str(), reference))
        }
    }
}

/// The ID of an object; what looks like one may be gone.
async fn id_of(tx: &mut ReadTx<'_>, kind: ObjectKind, reference: &str) -> Result<String, Error> {
    if looks_like_id(reference) {
        return Ok(reference.to_owned());
    }
    match kind {
        ObjectKind::Network => Ok(networks::find(tx, reference).await?.id.to_string()),
        ObjectKind::Sandbox => Ok(sandboxes::find(tx, reference).await?.id.to_string()),
        ObjectKind::Node => Ok(swarm::nodes::find(tx, reference).await?.id.to_string()),
        kind => Err(Error::not_found(kind.as_str(), reference)),
    }
}

/// Events and entries as one list, both the latest first, each with the numbers from before which the list goes on after it.
fn merged(events: Vec<Event>, entries: Vec<AuditEntry>, from: (u64, u64)) -> Vec<(HistoryEntry, (u64, u64))> {
    let known: HashSet<u64> = events.iter().map(|event| event.seq).collect();
    let (mut of_event, mut alone) = (HashMap::new(), Vec::new());
    for entry in entries {
        match entry.event.filter(|event| known.contains(event) && !of_event.contains_key(event)) {
            Some(event) => drop(of_event.insert(event, entry)),
            None => alone.push(entry),
        }
    }
    let (mut rows, mut place) = (Vec::new(), from);
    let mut alone = alone.into_iter().peekable();
    for event in events {
        let entry = of_event.remove(&event.seq);
        // Clocks are set back at times: where both are the audit's, its numbers decide.
        let is_later = |other: &AuditEntry| match &entry {
            Some(entry) => other.seq > entry.seq,
            None => other.time > event.time,
        };
        while let Some(other) = alone.next_if(is_later) {
            place.1 = place.1.min(other.seq);
            rows.push((told(None, Some(other)), place));
        }
        place = (event.seq, entry.as_ref().map_or(place.1, |entry| place.1.min(entry.seq)));
        rows.push((told(Some(event), entry), place));
    }
    for other in alone {
        place.1 = place.1.min(other.seq);
        rows.push((told(None, Some(other)), place));
    }
    rows
}

fn told(event: Option<Event>, entry: Option<AuditEntry>) -> HistoryEntry {
    let mut told = match (&event, &entry) {
        (Some(event), _) => blank(event.time, &event.actor, event.request_id.clone()),
        (None, Some(entry)) => blank(entry.time, &entry.actor, entry.request_id.clone()),
        (None, None) => blank(Timestamp::from_millis(0), "", None),
    };
    if let Some(entry) = entry {
        told.event = entry.event;
        told.action = Some(entry.action);
        told.decision = Some(entry.decision);
        told.circumstances = entry.circumstances;
    }
    if let Some(event) = event {
        (told.event, told.kind, told.message) = (Some(event.seq), Some(event.kind), Some(event.message));
        told.taken_back_by = event.taken_back_by;
    }
    told
}

fn blank(time: Timestamp, actor: &str, request_id: Option<String>) -> HistoryEntry {
    HistoryEntry {
        time,
        actor: actor.to_owned(),
        request_id,
        event: None,
        kind: None,
        message: None,
        action: None,
        taken_back_by: None,
        decision: None,
        circumstances: Circumstances::default(),
    }
}
