//! Table `idempotency_key`: what was made under which key of which client.

use netloom_model::Timestamp;

use crate::column::Columns;
use crate::error::Error;
use crate::row::{IdempotencyKeyRow, KeyScope};
use crate::tx::{ReadTx, WriteTx, sql};

/// Most keys that one call of [`prune`] removes: the writer is not to be held for long.
pub const PRUNED_AT_ONCE: u64 = 10_000;

/// Adds a key.
///
/// # Errors
/// [`Error::Duplicate`] with [`crate::constraint::IDEMPOTENCY_KEY`].
pub fn insert(tx: &mut WriteTx<'_>, row: &IdempotencyKeyRow) {
    let statement = sql("INSERT INTO idempotency_key (principal, route, key, body_hash, object_id, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)")
    .bind(row.scope.principal.clone())
    .bind(row.scope.route.clone())
    .bind(row.scope.key.clone())
    .bind(row.body_hash.to_vec())
    .bind(row.object_id.clone())
    .bind(row.expires_at.millis());
    tx.write(statement);
}

/// The key, expired or not.
pub async fn find(tx: &mut ReadTx<'_>, scope: &KeyScope) -> Result<Option<IdempotencyKeyRow>, Error> {
    let statement = sql("SELECT body_hash, object_id, expires_at FROM idempotency_key
        WHERE principal = $1 AND route = $2 AND key = $3")
    .bind(scope.principal.clone())
    .bind(scope.route.clone())
    .bind(scope.key.clone());
    let read = |c: &mut Columns<'_>| Ok((c.hash()?, c.plain()?, c.time()?));
    let found = tx.row(statement, read).await?;
    Ok(found.map(|(body_hash, object_id, expires_at)| IdempotencyKeyRow {
        scope: scope.clone(),
        body_hash,
        object_id,
        expires_at,
    }))
}

/// Removes a key, if it is there.
pub fn remove(tx: &mut WriteTx<'_>, scope: &KeyScope) {
    let statement = sql("DELETE FROM idempotency_key WHERE principal = $1 AND route = $2 AND key = $3")
        .bind(scope.principal.clone())
        .bind(scope.route.clone())
        .bind(scope.key.clone());
    tx.write(statement);
}

/// Removes keys that have expired, at most [`PRUNED_AT_ONCE`]; how many.
pub async fn prune(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<u64, Error> {
    let statement = sql("DELETE FROM idempotency_key WHERE (principal, route, key) IN
        (SELECT principal, route, key FROM idempotency_key WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)");
    tx.count_changed(statement.bind(now.millis()).bind(crate::column::integer(PRUNED_AT_ONCE))).await
}

/// The scope of every key.
pub(crate) async fn all(tx: &mut ReadTx<'_>) -> Result<Vec<IdempotencyKeyRow>, Error> {
    let statement = sql("SELECT principal, route, key, body_hash, object_id, expires_at FROM idempotency_key");
    let read = |c: &mut Columns<'_>| {
        Ok(IdempotencyKeyRow {
            scope: KeyScope { principal: c.plain()?, route: c.plain()?, key: c.plain()? },
            body_hash: c.hash()?,
            object_id: c.plain()?,
            expires_at: c.time()?,
        })
    };
    tx.rows(statement, read).await
}
