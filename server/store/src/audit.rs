//! Tables `audit` and `audit_horizon`. Entries are added and read; the schema itself refuses that one is changed or replaced, or removed
//! before its time.

use netloom_model::Timestamp;
use netloom_model::audit::{AuditEntry, AuditObject, Circumstances, Decision};
use netloom_model::event::ObjectKind;
use serde_json::{Map, Value};

use crate::column::{self, Columns};
use crate::error::Error;
use crate::order::Keyset;
use crate::query::AuditQuery;
use crate::row::NewAudit;
use crate::select::Select;
use crate::tx::{ReadTx, WriteTx, sql};

/// How long an entry is kept, in milliseconds: 365 days.
pub const KEPT_MILLIS: i64 = 365 * DAY;

const DAY: i64 = 24 * 3600 * 1000;
/// How far the horizon goes, against the time for which the service has run: faster than time, so that it catches up after a while
/// without the service.
const PACE: i64 = 2;
/// How near the horizon comes to the oldest entry without time passing, in milliseconds: a new table, or years without an entry, are not
/// waited through. The trigger `audit_horizon_is_moved_slowly` says the same.
const LEAP_TO: i64 = 30 * DAY;

/// Most entries that one call of [`prune`] removes: the writer is not to be held for long.
pub const PRUNED_AT_ONCE: u64 = 10_000;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT a.seq, a.time, a.actor, a.token_id, a.request_id, a.method, a.path, a.action, a.object_kind, a.object_id, ",
            "a.object_name, a.decision, a.event, a.role, a.source, a.code, a.detail, a.pointer, a.spec_before, a.spec_after, ",
            taken_back!(),
            " FROM audit AS a",
            $rest
        )
    };
}

/// The number of the entry that tells of an entry's request that it failed after all: the next of its request, object and action that an event goes with. What is refused to begin with has none, and
/// what others asked under the same ID is none of it. Index `audit_outcome` leads there.
macro_rules! taken_back {
    () => {
        "CASE WHEN a.decision = 'allowed' AND a.event IS NOT NULL THEN (
            SELECT CASE WHEN later.decision = 'failed' THEN later.seq END FROM audit AS later INDEXED BY audit_outcome
            WHERE later.request_id = a.request_id AND later.object_id = a.object_id AND later.action = a.action AND later.seq > a.seq
            AND later.event IS NOT NULL AND later.actor = a.actor
            ORDER BY later.seq LIMIT 1) END"
    };
}

fn row(columns: &mut Columns<'_>) -> Result<AuditEntry, Error> {
    Ok(AuditEntry {
        seq: columns.count()?,
        time: columns.time()?,
        actor: columns.plain()?,
        token_id: columns.parsed_option()?,
        request_id: columns.plain()?,
        method: columns.plain()?,
        path: columns.plain()?,
        action: columns.plain()?,
        object: object(columns)?,
        decision: columns.decision()?,
        event: columns.plain::<Option<i64>>()?.and_then(|number| u64::try_from(number).ok()),
        circumstances: Circumstances {
            role: columns.role_option()?,
            source: columns.plain()?,
            code: columns.plain()?,
            detail: columns.plain()?,
            pointer: columns.plain()?,
            before: columns.json_option()?,
            after: columns.json_option()?,
        },
        taken_back_by: columns.plain::<Option<i64>>()?.and_then(|number| u64::try_from(number).ok()),
    })
}

fn object(columns: &mut Columns<'_>) -> Result<Option<AuditObject>, Error> {
    let (kind, id, name) = (columns.object_kind_option()?, columns.plain()?, columns.plain()?);
    Ok(kind.map(|kind| AuditObject { kind, id, name }))
}

/// Adds an entry.
pub async fn append(tx: &mut WriteTx<'_>, entry: &NewAudit) -> Result<(), Error> {
    let json = |fields: &Option<Map<String, Value>>| fields.as_ref().map(column::json).transpose();
    let object = entry.object.as_ref();
    let statement =
        sql("INSERT INTO audit (seq, time, actor, role, token_id, source, request_id, method, path, action,
        object_kind, object_id, object_name, decision, code, detail, pointer, event, spec_before, spec_after)
        VALUES ((SELECT COALESCE(MAX(seq), 0) + 1 FROM audit),
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)")
        .bind(entry.time.millis())
        .bind(entry.actor.clone())
        .bind(entry.role.map(|role| role.as_str()))
        .bind(entry.token_id.map(|id| id.to_string()))
        .bind(entry.source.clone())
        .bind(entry.request_id.clone())
        .bind(entry.method.clone())
        .bind(entry.path.clone())
        .bind(entry.action.clone())
        .bind(object.map(|object| object.kind.as_str()))
        .bind(object.and_then(|object| object.id.clone()))
        .bind(object.and_then(|object| object.name.clone()))
        .bind(entry.decision.as_str())
        .bind(entry.code.clone())
        .bind(entry.detail.clone())
        .bind(entry.pointer.clone())
        .bind(entry.event.map(column::integer))
        .bind(json(&entry.before)?)
        .bind(json(&entry.after)?);
    tx.write(statement);
    Ok(())
}

/// Entries, the latest first.
pub async fn list(tx: &mut ReadTx<'_>, query: &AuditQuery) -> Result<Vec<AuditEntry>, Error> {
    let mut select = Select::new(select!(" WHERE 1 = 1"));
    if let Some(actor) = &query.actor {
        select.with(" AND a.actor = ", actor.clone());
    }
    if let Some(token) = query.token_id {
        select.with(" AND a.token_id = ", token.to_string());
    }
    if let Some(object) = &query.object {
        select.with(" AND a.seq IN (SELECT seq FROM audit WHERE object_id = ", object.clone());
        select.with(" UNION SELECT seq FROM audit WHERE object_name = ", object.clone()).text(")");
    }
    if !query.actions.is_empty() {
        select.with(" AND EXISTS (SELECT 1 FROM json_each(", column::list(&query.actions));
        select.text(") AS k WHERE a.action = k.value OR substr(a.action, 1, length(k.value) + 1) = k.value || '.')");
    }
    if let Some(decision) = query.decision {
        if decision != Decision::Allowed {
            // The index of these is known by this condition.
            select.text(" AND a.decision <> 'allowed'");
        }
        select.with(" AND a.decision = ", decision.as_str());
    }
    if let Some(request) = &query.request_id {
        select.with(" AND a.request_id = ", request.clone());
    }
    // By number rather than by time, so that the order costs no sorting.
    if let Some(since) = query.since {
        select.with(" AND a.time >= ", since.millis());
    }
    if let Some(until) = query.until {
        select.with(" AND a.time < ", until.millis());
    }
    tx.rows(select.page(Keyset::LATEST_ENTRY, query.after.as_ref(), query.limit), row).await
}

/// The latest entries of the object with this ID before a number, latest first; with those that have only its name, which it has had since its first event that is kept.
pub async fn of_object(
    tx: &mut ReadTx<'_>,
    kind: ObjectKind,
    id: &str,
    before: u64,
    limit: u32,
) -> Result<Vec<AuditEntry>, Error> {
    let statement = sql(select!(
        " WHERE a.seq < $3 AND a.seq IN (SELECT seq FROM audit WHERE object_id = $1
        UNION SELECT n.seq FROM audit AS n WHERE n.object_id IS NULL AND n.object_kind = $2
            AND n.object_name = (SELECT e.object_name FROM event AS e WHERE e.object_id = $1 ORDER BY e.seq DESC LIMIT 1)
            AND n.time >= (SELECT e.time FROM event AS e WHERE e.object_id = $1 ORDER BY e.seq LIMIT 1))
        ORDER BY a.seq DESC LIMIT $4"
    ));
    let statement = statement.bind(id.to_owned()).bind(kind.as_str());
    tx.rows(statement.bind(column::integer(before)).bind(column::limit(limit)), row).await
}

/// What was denied or failed at this time or later, latest first: of each of the two at most so many. As a rule nearly all is allowed, so that this is read by its index, not by time.
pub async fn refused_since(tx: &mut ReadTx<'_>, since: Timestamp, limit: u32) -> Result<Vec<AuditEntry>, Error> {
    let statement = sql(select!(
        " WHERE a.time >= $1 AND a.seq IN (
        SELECT seq FROM (SELECT seq FROM audit WHERE decision <> 'allowed' AND decision = 'failed' ORDER BY seq DESC LIMIT $2)
        UNION ALL
        SELECT seq FROM (SELECT seq FROM audit WHERE decision <> 'allowed' AND decision = 'denied' ORDER BY seq DESC LIMIT $2))
        ORDER BY a.seq DESC"
    ));
    tx.rows(statement.bind(since.millis()).bind(column::limit(limit)), row).await
}

/// Moves the horizon on to [`KEPT_MILLIS`] ago, as far as the time allows for which the service has run since the last call; never by
/// more than a day. Writes nothing while no entry is that old.
pub fn move_horizon(tx: &mut WriteTx<'_>, now: Timestamp, ran_millis: i64) {
    let statement = sql("UPDATE audit_horizon
        SET time = MIN($1, MAX(time, (SELECT MIN(time) FROM audit) - $2) + $3)
        WHERE (SELECT MIN(time) FROM audit) < $1");
    let step = ran_millis.clamp(0, DAY / PACE) * PACE;
    tx.write(statement.bind(now.millis().saturating_sub(KEPT_MILLIS)).bind(LEAP_TO).bind(step));
}

/// Removes entries from before the horizon, the oldest first, at most [`PRUNED_AT_ONCE`]; how many. The latest stays.
pub async fn prune(tx: &mut WriteTx<'_>) -> Result<u64, Error> {
    let statement = sql("DELETE FROM audit WHERE seq IN (SELECT seq FROM audit
        WHERE time < (SELECT time FROM audit_horizon) AND seq < (SELECT MAX(seq) FROM audit) ORDER BY time LIMIT $1)");
    tx.count_changed(statement.bind(column::integer(PRUNED_AT_ONCE))).await
}
