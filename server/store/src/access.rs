//! Tables `token`, `session` and `login_link`. Of every secret only the hash is here.

use netloom_model::{Timestamp, TokenId};

use crate::column::Columns;
use crate::error::Error;
use crate::row::{SessionRow, TokenRow};
use crate::tx::{ReadTx, WriteTx, sql};

fn token(columns: &mut Columns<'_>) -> Result<TokenRow, Error> {
    Ok(TokenRow {
        id: columns.parsed()?,
        name: columns.plain()?,
        role: columns.plain()?,
        hash: columns.hash()?,
        created_at: columns.time()?,
        expires_at: columns.time_option()?,
    })
}

/// Adds a token.
///
/// # Errors
/// [`Error::Duplicate`] with [`crate::constraint::TOKEN_NAME`].
pub async fn insert_token(tx: &mut WriteTx<'_>, row: &TokenRow) -> Result<(), Error> {
    let statement =
        sql("INSERT INTO token (id, name, role, hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(row.id.to_string())
            .bind(row.name.clone())
            .bind(row.role.clone())
            .bind(row.hash.to_vec())
            .bind(row.created_at.millis())
            .bind(row.expires_at.map(Timestamp::millis));
    tx.write(statement);
    Ok(())
}

/// Removes a token and the sessions that stand for it; whether there was one.
pub async fn remove_token_by_name(tx: &mut WriteTx<'_>, name: &str) -> Result<bool, Error> {
    Ok(tx.count_changed(sql("DELETE FROM token WHERE name = $1").bind(name.to_owned())).await? > 0)
}

/// Every token.
pub(crate) async fn tokens(tx: &mut ReadTx<'_>) -> Result<Vec<TokenRow>, Error> {
    tx.rows(sql("SELECT id, name, role, hash, created_at, expires_at FROM token"), token).await
}

/// The token with this ID, expired or not.
pub async fn token_by_id(tx: &mut ReadTx<'_>, id: TokenId) -> Result<Option<TokenRow>, Error> {
    let statement = sql("SELECT id, name, role, hash, created_at, expires_at FROM token WHERE id = $1");
    tx.row(statement.bind(id.to_string()), token).await
}

/// The token with this name, expired or not.
pub async fn token_by_name(tx: &mut ReadTx<'_>, name: &str) -> Result<Option<TokenRow>, Error> {
    let statement = sql("SELECT id, name, role, hash, created_at, expires_at FROM token WHERE name = $1");
    tx.row(statement.bind(name.to_owned()), token).await
}

/// Adds a login session, by the hash of its secret.
///
/// # Errors
/// [`Error::Constraint`] when the token does not exist.
pub async fn insert_session(
    tx: &mut WriteTx<'_>,
    hash: [u8; 32],
    token_id: TokenId,
    created_at: Timestamp,
    expires_at: Timestamp,
) -> Result<(), Error> {
    let statement = sql("INSERT INTO session (hash, token_id, created_at, expires_at) VALUES ($1, $2, $3, $4)")
        .bind(hash.to_vec())
        .bind(token_id.to_string())
        .bind(created_at.millis())
        .bind(expires_at.millis());
    tx.write(statement);
    Ok(())
}

/// The session with this hash, expired or not, and its token.
pub async fn session(tx: &mut ReadTx<'_>, hash: [u8; 32]) -> Result<Option<SessionRow>, Error> {
    let statement = sql("SELECT t.id, t.name, t.role, t.hash, t.created_at, t.expires_at, s.created_at, s.expires_at
        FROM session AS s JOIN token AS t ON t.id = s.token_id WHERE s.hash = $1");
    tx.row(statement.bind(hash.to_vec()), |c| {
        Ok(SessionRow { token: token(c)?, created_at: c.time()?, expires_at: c.time()? })
    })
    .await
}

/// Removes a session, if it is there.
pub async fn remove_session(tx: &mut WriteTx<'_>, hash: [u8; 32]) -> Result<(), Error> {
    tx.write(sql("DELETE FROM session WHERE hash = $1").bind(hash.to_vec()));
    Ok(())
}

/// Adds a login link, by the hash of its secret.
pub async fn insert_link(tx: &mut WriteTx<'_>, hash: [u8; 32], expires_at: Timestamp) -> Result<(), Error> {
    let statement = sql("INSERT INTO login_link (hash, expires_at) VALUES ($1, $2)");
    tx.write(statement.bind(hash.to_vec()).bind(expires_at.millis()));
    Ok(())
}

/// Whether a login link is there and good at a time.
pub async fn knows_link(tx: &mut ReadTx<'_>, hash: [u8; 32], now: Timestamp) -> Result<bool, Error> {
    let statement = sql("SELECT 1 FROM login_link WHERE hash = $1 AND expires_at > $2");
    Ok(tx.row(statement.bind(hash.to_vec()).bind(now.millis()), |_| Ok(())).await?.is_some())
}

/// Uses a login link up; whether it was there and had not expired.
pub async fn use_link(tx: &mut WriteTx<'_>, hash: [u8; 32], now: Timestamp) -> Result<bool, Error> {
    let statement = sql("DELETE FROM login_link WHERE hash = $1 AND expires_at > $2");
    Ok(tx.count_changed(statement.bind(hash.to_vec()).bind(now.millis())).await? > 0)
}

/// Removes sessions and login links that have expired.
pub async fn prune(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<(), Error> {
    let statement = sql("DELETE FROM session WHERE expires_at <= $1; DELETE FROM login_link WHERE expires_at <= $1");
    tx.write(statement.bind(now.millis()));
    Ok(())
}
