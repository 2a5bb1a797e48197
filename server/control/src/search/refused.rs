//! What was asked for and never came to be, by the name that it was to have: as long as the audit tells of it, and to who may read that. What must not live here: what was
//! made and taken back, which has an ID and is among what is gone (`removed`).

use std::collections::BTreeMap;

use netloom_model::audit::{AuditEntry, Decision};
use netloom_model::event::ObjectKind;
use netloom_model::search::{Hit, HitKind};
use netloom_store::{AuditQuery, ReadTx, audit};

use super::meaning::Meaning;
use crate::audit::is_ordinary;
use crate::error::Error;

/// What makes something, by the last words of actions.
const MAKING: [&str; 3] = [".create", ".put", ".reserve"];

/// Most entries of each decision about a name that are looked through, the latest ones: much of that may be ordinary.
const LOOKED_THROUGH: u32 = 200;

pub(super) async fn hits(tx: &mut ReadTx<'_>, meaning: &Meaning) -> Result<Vec<Hit>, Error> {
    let Some(name) = meaning.text.as_ref().filter(|_| wants_any(meaning)) else { return Ok(Vec::new()) };
    let mut found: BTreeMap<ObjectKind, (AuditEntry, usize)> = BTreeMap::new();
    for decision in [Decision::Failed, Decision::Denied] {
        let (object, decision) = (Some(name.clone()), Some(decision));
        let query = AuditQuery { object, decision, limit: LOOKED_THROUGH, ..AuditQuery::default() };
        for entry in audit::list(tx, &query).await?.into_iter().filter(never_came_to_be) {
            let Some(kind) = entry.object.as_ref().map(|object| object.kind) else { continue };
            if !wants(meaning, kind) {
                continue;
            }
            let (latest, times) = found.entry(kind).or_insert_with(|| (entry.clone(), 0));
            *times += 1;
            if entry.seq > latest.seq {
                *latest = entry;
            }
        }
    }
    Ok(found.into_iter().map(|(kind, (latest, times))| hit(name, kind, &latest, times)).collect())
}

/// What has an ID was there; what there is already, or is not, is no news of a name.
fn never_came_to_be(entry: &AuditEntry) -> bool {
    let is_made = MAKING.iter().any(|making| entry.action.ends_with(making));
    let has_no_id = entry.object.as_ref().is_some_and(|object| object.id.is_none());
    is_made && has_no_id && !entry.circumstances.code.as_deref().is_some_and(is_ordinary)
}

fn hit(name: &str, kind: ObjectKind, latest: &AuditEntry, times: usize) -> Hit {
    let how = &latest.circumstances;
    let often = if times > 1 { format!("{times} times, last ") } else { String::new() };
    let why = how.detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default();
    let code = how.code.as_deref().map(|code| format!(" as `{code}`")).unwrap_or_default();
    let about = format!("{}, refused {often}{}{code}{why}", kind.as_str(), latest.time);
    Hit { name: name.to_owned(), id: None, network: None, about, exact: false }
}

fn wants_any(meaning: &Meaning) -> bool {
    [HitKind::Network, HitKind::Sandbox, HitKind::Lease].into_iter().any(|kind| meaning.wants(kind))
}

fn wants(meaning: &Meaning, kind: ObjectKind) -> bool {
    match kind {
        ObjectKind::Network => meaning.wants(HitKind::Network),
        ObjectKind::Sandbox => meaning.wants(HitKind::Sandbox),
        ObjectKind::Lease => meaning.wants(HitKind::Lease),
        _ => meaning.only.is_none(),
    }
}
