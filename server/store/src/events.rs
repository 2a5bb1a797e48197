//! Table `event`, and the counter that numbers it.

use netloom_model::event::{Event, ObjectRef};

use crate::column::{self, Columns};
use crate::error::Error;
use crate::row::NewEvent;
use crate::select::Select;
use crate::tx::{ReadTx, WriteTx, sql};

/// Most events that one call of [`prune`] removes: the writer is not to be held for long.
pub const PRUNED_AT_ONCE: u64 = 10_000;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT (SELECT store_id FROM meta), e.seq, e.time, e.kind, e.object_kind, e.object_id, e.object_name, ",
            "e.message, e.data, e.actor, e.request_id FROM event AS e ",
            $rest
        )
    };
}

fn row(columns: &mut Columns<'_>) -> Result<Event, Error> {
    let (store, seq) = (columns.plain::<&str>()?, columns.count()?);
    Ok(Event {
        id: format!("{store}:{seq}"),
        seq,
        time: columns.time()?,
        kind: columns.plain()?,
        object: ObjectRef { kind: columns.object_kind()?, id: columns.plain()?, name: columns.plain()? },
        message: columns.plain()?,
        data: columns.json()?,
        actor: columns.plain()?,
        request_id: columns.plain()?,
    })
}

/// Numbers an event and adds it. The counter is a row changed in the same transaction: what is rolled back leaves no gap.
pub async fn append(tx: &mut WriteTx<'_>, event: &NewEvent) -> Result<u64, Error> {
    let seq = tx.sequence + 1;
    let statement = sql("UPDATE meta SET event_seq = $10;
        INSERT INTO event (seq, time, kind, object_kind, object_id, object_name, message, data, actor, request_id)
        VALUES ($10, $1, $2, $3, $4, $5, $6, $7, $8, $9)")
    .bind(event.time.millis())
    .bind(event.kind.clone())
    .bind(event.object.kind.as_str())
    .bind(event.object.id.clone())
    .bind(event.object.name.clone())
    .bind(event.message.clone())
    .bind(column::json(&event.data)?)
    .bind(event.actor.clone())
    .bind(event.request_id.clone())
    .bind(column::integer(seq));
    tx.write(statement);
    (tx.sequence, tx.appended) = (seq, true);
    Ok(seq)
}

/// Events after a number, oldest first. `kinds` keeps those of one of these kinds, or that start with one of them and a
/// dot; none keeps all. `object` keeps those of the object with this ID or name.
pub async fn after(
    tx: &mut ReadTx<'_>,
    seq: u64,
    kinds: &[String],
    object: Option<&str>,
    limit: u32,
) -> Result<Vec<Event>, Error> {
    let mut select = Select::new(select!("WHERE e.seq > "));
    select.with("", column::integer(seq));
    if !kinds.is_empty() {
        select.with(" AND EXISTS (SELECT 1 FROM json_each(", column::list(kinds));
        select.text(") AS k WHERE e.kind = k.value OR substr(e.kind, 1, length(k.value) + 1) = k.value || '.')");
    }
    if let Some(object) = object {
        select.with(" AND e.seq IN (SELECT seq FROM event WHERE object_id = ", object.to_owned());
        select.with(" UNION SELECT seq FROM event WHERE object_name = ", object.to_owned()).text(")");
    }
    select.with(" ORDER BY e.seq LIMIT ", column::limit(limit));
    tx.rows(select.statement(), row).await
}

/// The latest events, latest first.
pub async fn latest(tx: &mut ReadTx<'_>, limit: u32) -> Result<Vec<Event>, Error> {
    tx.rows(sql(select!("ORDER BY e.seq DESC LIMIT $1")).bind(column::limit(limit)), row).await
}

/// Of each object and each `type` of condition the last event of these two kinds, where that is of the first: what was raised and not cleared since.
pub async fn standing(tx: &mut ReadTx<'_>, raised: &str, cleared: &str) -> Result<Vec<Event>, Error> {
    let statement = sql(select!(
        "WHERE e.kind = $1 AND NOT EXISTS (SELECT 1 FROM event AS later WHERE later.object_id = e.object_id AND later.seq > e.seq \
         AND later.kind IN ($1, $2) AND json_extract(later.data, '$.type') = json_extract(e.data, '$.type')) ORDER BY e.seq"
    ));
    tx.rows(statement.bind(raised.to_owned()).bind(cleared.to_owned()), row).await
}

/// Numbers of the oldest event kept and of the latest. Without any kept, the oldest is the next that will come.
pub async fn bounds(tx: &mut ReadTx<'_>) -> Result<(u64, u64), Error> {
    let statement = sql("SELECT COALESCE((SELECT MIN(seq) FROM event), event_seq + 1), event_seq FROM meta");
    tx.only(statement, |c| Ok((c.count()?, c.count()?))).await
}

/// Removes the oldest events beyond the `keep` latest, at most [`PRUNED_AT_ONCE`]; how many.
pub async fn prune(tx: &mut WriteTx<'_>, keep: u64) -> Result<u64, Error> {
    let (oldest, latest) = bounds(tx).await?;
    let below = latest.saturating_sub(keep).saturating_add(1).min(oldest.saturating_add(PRUNED_AT_ONCE));
    tx.count_changed(sql("DELETE FROM event WHERE seq < $1").bind(column::integer(below))).await
}
