//! What was refused in the last hour, for the front page: writes that somebody may have to do something about. What must not live here: all that was refused, which
//! is the audit's list.

use netloom_model::Timestamp;
use netloom_model::audit::AuditEntry;
use netloom_store::audit;

use crate::clock::now;
use crate::command::ListAudit;
use crate::control::Control;
use crate::error::Error;
use crate::principal::Authorized;

/// How far back, in milliseconds.
const LATELY_MILLIS: i64 = 3600 * 1000;
/// How many entries of each kind are looked at, and most groups that are told of.
const LOOKED_AT: u32 = 200;
const GROUPS: usize = 5;

/// Codes of problems that clients meet in the ordinary course and answer by themselves: what is not there, is there already, or changed meanwhile. Nobody has to be told.
pub const ORDINARY: &[&str] = &[
    "unauthenticated",
    "resource-not-found",
    "no-swarm",
    "name-taken",
    "already-exists",
    "precondition-failed",
    "changed-meanwhile",
    "deleting",
    "busy",
    "idempotency-in-flight",
    "idempotency-object-gone",
    "plan-stale",
    "plan-applied",
    "certificate-good",
];

/// What one actor was refused for one reason.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedLately {
    /// The latest of them.
    pub latest: AuditEntry,
    /// How many the audit has of them. It leaves some out where there are many.
    pub times: u64,
    /// Names or IDs of the objects that they were about, the latest first, each once.
    pub objects: Vec<String>,
}

impl Control {
    /// The writes that were denied or failed in the last hour, the same ones together, the latest first; since when that is, and how many groups are left out.
    ///
    /// # Errors
    /// An unreadable store.
    pub async fn refused_lately(
        &self,
        c: Authorized<ListAudit>,
    ) -> Result<(Vec<RefusedLately>, Timestamp, usize), Error> {
        drop(c);
        let since = Timestamp::from_millis(now().millis().saturating_sub(LATELY_MILLIS));
        let read = self
            .inner
            .store
            .ask(move |tx| Box::pin(async move { Ok::<_, Error>(audit::refused_since(tx, since, LOOKED_AT).await?) }));
        let mut groups = grouped(read.await?);
        let left_out = groups.len().saturating_sub(GROUPS);
        groups.truncate(GROUPS);
        Ok((groups, since, left_out))
    }
}

/// The same actor, action and cause is one group.
fn grouped(entries: Vec<AuditEntry>) -> Vec<RefusedLately> {
    let mut groups: Vec<RefusedLately> = Vec::new();
    for entry in entries.into_iter().filter(concerns) {
        let named = entry.object.as_ref().and_then(|object| object.name.clone().or_else(|| object.id.clone()));
        let found = groups.iter_mut().find(|group| same(&group.latest, &entry));
        match found {
            Some(group) => {
                group.times += 1;
                group.objects.extend(named.filter(|name| !group.objects.contains(name)));
            }
            None => groups.push(RefusedLately { latest: entry, times: 1, objects: named.into_iter().collect() }),
        }
    }
    groups
}

/// Whether somebody may have to do something about it. What was only to be read is told by its method, or, of a page, by its action.
fn concerns(entry: &AuditEntry) -> bool {
    let reads = matches!(entry.method.as_deref(), Some("GET" | "HEAD")) || entry.action.ends_with(".list");
    !reads && !entry.circumstances.code.as_deref().is_some_and(is_ordinary)
}

/// Whether clients meet this code in the ordinary course.
pub(crate) fn is_ordinary(code: &str) -> bool {
    ORDINARY.contains(&code)
}

fn same(one: &AuditEntry, other: &AuditEntry) -> bool {
    let of = |entry: &AuditEntry| (entry.actor.clone(), entry.action.clone(), entry.circumstances.code.clone());
    of(one) == of(other) && one.circumstances.detail == other.circumstances.detail
}

#[cfg(test)]
mod tests {
    use netloom_model::audit::{AuditObject, Circumstances, Decision};
    use netloom_model::event::ObjectKind;

    use super::*;

    fn entry(seq: u64, code: &str, name: &str, method: &str) -> AuditEntry {
        AuditEntry {
            seq,
            time: Timestamp::from_millis(0),
            actor: "ci".into(),
            token_id: None,
            request_id: None,
            method: Some(method.into()),
            path: None,
            action: "sandbox.create".into(),
            object: Some(AuditObject { kind: ObjectKind::Sandbox, id: None, name: Some(name.into()) }),
            decision: if code == "forbidden" { Decision::Denied } else { Decision::Failed },
            event: None,
            taken_back_by: None,
            circumstances: Circumstances { code: Some(code.into()), ..Circumstances::default() },
        }
    }

    #[test]
    fn the_same_is_told_once_and_what_clients_meet_daily_not_at_all() {
        let entries = vec![
            entry(10, "invalid-value", "x", "GET"),
            entry(9, "pool-exhausted", "c", "POST"),
            entry(8, "resource-not-found", "x", "DELETE"),
            entry(7, "forbidden", "y", "GET"),
            entry(6, "forbidden", "y", "POST"),
            entry(5, "pool-exhausted", "b", "POST"),
            entry(4, "pool-exhausted", "c", "POST"),
        ];
        let told: Vec<(u64, u64, Vec<String>)> =
            grouped(entries).into_iter().map(|group| (group.latest.seq, group.times, group.objects)).collect();
        assert_eq!(told, [(9, 3, vec!["c".to_owned(), "b".to_owned()]), (6, 1, vec!["y".to_owned()])]);
    }
}
