//! Table `event`, and the counter that numbers it.

use netloom_model::condition::{CLEARED, RAISED};
use netloom_model::event::{Event, ObjectRef};
use netloom_model::order::EventOrder;

use crate::column::{self, Columns};
use crate::error::Error;
use crate::query::EventQuery;
use crate::row::NewEvent;
use crate::select::Select;
use crate::tx::{ReadTx, WriteTx, sql};

/// Most events that one call of [`prune`] removes: the writer is not to be held for long.
pub const PRUNED_AT_ONCE: u64 = 10_000;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT (SELECT store_id FROM meta), e.seq, e.time, e.kind, e.object_kind, e.object_id, e.object_name, ",
            "e.message, e.data, e.actor, e.request_id, ",
            taken_back!(),
            " FROM event AS e ",
            $rest
        )
    };
}

/// The number of the event that takes back what this one tells: writes to one object queue up, so that it is the next of its request and object which could. Index `event_outcome` leads to it,
/// however much else a client asked under the same ID.
macro_rules! taken_back {
    () => {
        "CASE WHEN e.kind IN ('network.created', 'network.updated', 'sandbox.created', 'sandbox.updated') THEN (
            SELECT CASE WHEN later.kind NOT IN ('network.updated', 'sandbox.updated') THEN later.seq END FROM event AS later INDEXED BY event_outcome
            WHERE later.request_id = e.request_id AND later.object_id = e.object_id AND later.seq > e.seq
            AND later.kind IN ('network.updated', 'sandbox.updated', 'network.create_failed', 'network.update_failed', 'sandbox.create_failed',
                'sandbox.update_failed')
            ORDER BY later.seq LIMIT 1) END"
    };
}

/// What holds of an event of [`RAISED`] (`$1`) that stands: its object is there, and no later one of [`CLEARED`] (`$2`) or [`RAISED`] is of the
/// same object and kind of condition.
macro_rules! stands {
    () => {
        "e.kind = $1 AND (EXISTS (SELECT 1 FROM network WHERE id = e.object_id) OR EXISTS (SELECT 1 FROM sandbox WHERE id = e.object_id))
        AND NOT EXISTS (SELECT 1 FROM event AS later WHERE later.object_id = e.object_id AND later.seq > e.seq
        AND later.kind IN ($1, $2) AND json_extract(later.data, '$.type') = json_extract(e.data, '$.type'))"
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
        taken_back_by: columns.plain::<Option<i64>>()?.and_then(|number| u64::try_from(number).ok()),
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

/// Takes the next number without an event: of a commit that copies what another store tells.
pub fn advance(tx: &mut WriteTx<'_>) -> u64 {
    let seq = tx.sequence + 1;
    tx.write(sql("UPDATE meta SET event_seq = $1").bind(column::integer(seq)));
    (tx.sequence, tx.appended) = (seq, true);
    seq
}

/// Events, in the order that is asked for.
pub async fn list(tx: &mut ReadTx<'_>, query: &EventQuery) -> Result<Vec<Event>, Error> {
    let mut select = Select::new(select!("WHERE e.seq > "));
    select.with("", column::integer(query.after));
    if let Some(before) = query.before {
        select.with(" AND e.seq < ", column::integer(before));
    }
    match query.kinds.as_slice() {
        [] => {}
        [kind] => {
            select.with(" AND e.kind = ", kind.clone());
        }
        // By number rather than by the index of kinds, so that the order costs no sorting.
        kinds => {
            select.with(" AND +e.kind IN (SELECT value FROM json_each(", column::list(kinds)).text("))");
        }
    }
    if let Some(object) = &query.object {
        select.with(" AND e.seq IN (SELECT seq FROM event WHERE object_id = ", object.clone());
        select.with(" UNION SELECT seq FROM event WHERE object_name = ", object.clone()).text(")");
    }
    if let Some(actor) = &query.actor {
        select.with(" AND e.actor = ", actor.clone());
    }
    if let Some(request) = &query.request_id {
        select.with(" AND e.request_id = ", request.clone());
    }
    if let Some(from) = query.from {
        select.with(" AND e.time >= ", from.millis());
    }
    if let Some(until) = query.until {
        select.with(" AND e.time < ", until.millis());
    }
    select.text(match query.order {
        EventOrder::Oldest => " ORDER BY e.seq LIMIT ",
        EventOrder::Latest => " ORDER BY e.seq DESC LIMIT ",
    });
    select.with("", column::limit(query.limit));
    tx.rows(select.statement(), row).await
}

/// Of each object that is there and each kind of condition the last event, where that is of its coming: what was raised and not cleared since.
pub async fn standing(tx: &mut ReadTx<'_>) -> Result<Vec<Event>, Error> {
    let statement = sql(concat!(select!("WHERE "), stands!(), " ORDER BY e.seq"));
    tx.rows(statement.bind(RAISED).bind(CLEARED), row).await
}

/// Number of the latest event there was.
pub async fn number(tx: &mut ReadTx<'_>) -> Result<u64, Error> {
    tx.only(sql("SELECT event_seq FROM meta"), |c| c.count()).await
}

/// Numbers of the event from which on all are kept, and of the latest. Without any kept, the first is the next that will come.
///
/// [`prune`] spares some events of [`RAISED`], so that the first is never one of these: at worst a cursor that points to just before one
/// counts as lost.
pub async fn bounds(tx: &mut ReadTx<'_>) -> Result<(u64, u64), Error> {
    let statement = sql(
        "SELECT COALESCE((SELECT seq FROM event WHERE kind <> $1 ORDER BY seq LIMIT 1), event_seq + 1), event_seq FROM meta",
    );
    tx.only(statement.bind(RAISED), |c| Ok((c.count()?, c.count()?))).await
}

/// Removes the oldest events beyond the `keep` latest, at most [`PRUNED_AT_ONCE`]; how many. Those that say since when a condition stands
/// are kept: nothing else does.
pub async fn prune(tx: &mut WriteTx<'_>, keep: u64) -> Result<u64, Error> {
    let below = number(tx).await?.saturating_sub(keep).saturating_add(1);
    let statement = sql(concat!(
        "DELETE FROM event WHERE seq IN (SELECT e.seq FROM event AS e WHERE e.seq < $3 AND NOT (",
        stands!(),
        ") ORDER BY e.seq LIMIT $4)"
    ));
    let statement = statement.bind(RAISED).bind(CLEARED).bind(column::integer(below));
    tx.count_changed(statement.bind(column::integer(PRUNED_AT_ONCE))).await
}
