//! Table `join_token`. Of a secret only the hash is here.

use netloom_model::{JoinTokenId, Timestamp};

use crate::column::{self, Columns};
use crate::error::Error;
use crate::order::Keyset;
use crate::query::JoinTokenQuery;
use crate::row::JoinTokenRow;
use crate::select::Select;
use crate::tx::{ReadTx, WriteTx, sql};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT j.id, j.spec, j.hash, j.uses, j.expires_at, j.last_used_at, j.created_at, j.created_by, j.revision ",
            "FROM join_token AS j ",
            $rest
        )
    };
}

fn row(columns: &mut Columns<'_>) -> Result<JoinTokenRow, Error> {
    Ok(JoinTokenRow {
        id: columns.parsed()?,
        spec: columns.json()?,
        hash: columns.hash()?,
        uses: columns.small()?,
        expires_at: columns.time_option()?,
        last_used_at: columns.time_option()?,
        created_at: columns.time()?,
        created_by: columns.plain()?,
        revision: columns.count()?,
    })
}

/// Adds a join token.
///
/// # Errors
/// [`Error::Duplicate`] with [`crate::constraint::JOIN_TOKEN_NAME`].
pub fn insert(tx: &mut WriteTx<'_>, row: &JoinTokenRow) -> Result<(), Error> {
    let statement =
        sql("INSERT INTO join_token (id, name, role, spec, hash, max_uses, uses, expires_at, last_used_at, created_at,
        created_by, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")
        .bind(row.id.to_string())
        .bind(row.spec.name.clone())
        .bind(row.spec.role.as_str())
        .bind(column::json(&row.spec)?)
        .bind(row.hash.to_vec())
        .bind(row.spec.max_uses.map(i64::from))
        .bind(i64::from(row.uses))
        .bind(row.expires_at.map(Timestamp::millis))
        .bind(row.last_used_at.map(Timestamp::millis))
        .bind(row.created_at.millis())
        .bind(row.created_by.clone())
        .bind(column::integer(row.revision));
    tx.write(statement);
    Ok(())
}

/// Writes what can change of a join token that was read in this transaction: its secret's hash, how often and when it was used, revision. The
/// transaction fails where it would have been used more often than it may.
pub fn update(tx: &mut WriteTx<'_>, row: &JoinTokenRow) {
    let statement = sql("UPDATE join_token SET hash = $2, uses = $3, last_used_at = $4, revision = $5 WHERE id = $1")
        .bind(row.id.to_string())
        .bind(row.hash.to_vec())
        .bind(i64::from(row.uses))
        .bind(row.last_used_at.map(Timestamp::millis))
        .bind(column::integer(row.revision));
    tx.write(statement);
}

/// Removes a join token, if it is there.
pub fn remove(tx: &mut WriteTx<'_>, id: JoinTokenId) {
    tx.write(sql("DELETE FROM join_token WHERE id = $1").bind(id.to_string()));
}

/// The join token with this ID, whether or not it lets anybody in.
pub async fn by_id(tx: &mut ReadTx<'_>, id: JoinTokenId) -> Result<Option<JoinTokenRow>, Error> {
    tx.row(sql(select!("WHERE j.id = $1")).bind(id.to_string()), row).await
}

/// The join token with this name, likewise.
pub async fn by_name(tx: &mut ReadTx<'_>, name: &str) -> Result<Option<JoinTokenRow>, Error> {
    tx.row(sql(select!("WHERE j.name = $1")).bind(name.to_owned()), row).await
}

/// The join token whose secret has this hash, likewise.
pub async fn by_hash(tx: &mut ReadTx<'_>, hash: [u8; 32]) -> Result<Option<JoinTokenRow>, Error> {
    tx.row(sql(select!("WHERE j.hash = $1")).bind(hash.to_vec()), row).await
}

/// Join tokens by name.
pub async fn list(tx: &mut ReadTx<'_>, query: &JoinTokenQuery) -> Result<Vec<JoinTokenRow>, Error> {
    let mut select = Select::new(select!("WHERE 1 = 1"));
    if let Some(role) = query.role {
        select.with(" AND j.role = ", role.as_str());
    }
    tx.rows(select.page(Keyset::BY_NAME, query.after.as_ref(), query.limit), row).await
}

/// Every join token.
pub(crate) async fn all(tx: &mut ReadTx<'_>) -> Result<Vec<JoinTokenRow>, Error> {
    tx.rows(sql(select!("")), row).await
}
