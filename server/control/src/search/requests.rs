//! A request, by the ID that its answer had: as long as events or the audit tell of it. What must not live here: what came of it, which the two lists tell.

use netloom_model::order::EventOrder;
use netloom_model::search::{Hit, HitKind};
use netloom_store::{AuditQuery, EventQuery, ReadTx, audit, events};

use super::meaning::Meaning;
use crate::error::Error;

/// The request of this ID; what the audit has of it only to who may read that.
pub(super) async fn hits(tx: &mut ReadTx<'_>, meaning: &Meaning, audited: bool) -> Result<Vec<Hit>, Error> {
    let Some(id) = meaning.text.clone().filter(|_| meaning.wants(HitKind::Request)) else { return Ok(Vec::new()) };
    let request_id = Some(id.clone());
    let entry = match audited {
        true => audit::list(tx, &AuditQuery { request_id: request_id.clone(), limit: 1, ..AuditQuery::default() })
            .await?
            .pop(),
        false => None,
    };
    let about = match entry {
        Some(entry) => format!("`{}` by `{}`, {}, {}", entry.action, entry.actor, entry.decision.as_str(), entry.time),
        None => {
            let query = EventQuery { request_id, order: EventOrder::Latest, limit: 1, ..EventQuery::default() };
            let Some(event) = events::list(tx, &query).await?.pop() else { return Ok(Vec::new()) };
            format!("`{}` by `{}`, {}", event.kind, event.actor, event.time)
        }
    };
    Ok(vec![Hit { name: id, id: None, network: None, about, exact: true }])
}
