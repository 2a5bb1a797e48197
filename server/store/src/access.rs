//! Tables `token`, `session` and `login_link`. Of every secret only the hash is here.

use netloom_model::token::Role;
use netloom_model::{Timestamp, TokenId};

use crate::column::{self, Columns};
use crate::error::Error;
use crate::order::Keyset;
use crate::query::TokenQuery;
use crate::row::{NewSession, SessionRow, TokenRow};
use crate::select::Select;
use crate::tx::{ReadTx, WriteTx, sql};

macro_rules! tokens {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.name, t.role, t.hash, t.created_at, t.expires_at, t.expires_given, t.created_by, t.revision, ",
            "t.last_used_at FROM token AS t ",
            $rest
        )
    };
}

fn token(columns: &mut Columns<'_>) -> Result<TokenRow, Error> {
    Ok(TokenRow {
        id: columns.parsed()?,
        name: columns.plain()?,
        role: columns.role()?,
        hash: columns.hash()?,
        created_at: columns.time()?,
        expires_at: columns.time_option()?,
        expires_given: columns.plain()?,
        created_by: columns.plain()?,
        revision: columns.count()?,
        last_used_at: columns.time_option()?,
    })
}

/// Adds a token.
///
/// # Errors
/// [`Error::Duplicate`] with [`crate::constraint::TOKEN_NAME`].
pub async fn insert_token(tx: &mut WriteTx<'_>, row: &TokenRow) -> Result<(), Error> {
    let statement = sql("INSERT INTO token
        (id, name, role, hash, created_at, expires_at, expires_given, created_by, revision, last_used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
    .bind(row.id.to_string())
    .bind(row.name.clone())
    .bind(row.role.as_str())
    .bind(row.hash.to_vec())
    .bind(row.created_at.millis())
    .bind(row.expires_at.map(Timestamp::millis))
    .bind(row.expires_given.clone())
    .bind(row.created_by.clone())
    .bind(column::integer(row.revision))
    .bind(row.last_used_at.map(Timestamp::millis));
    tx.write(statement);
    Ok(())
}

/// Removes a token and the sessions that stand for it.
pub async fn remove_token(tx: &mut WriteTx<'_>, id: TokenId) -> Result<(), Error> {
    tx.write(sql("DELETE FROM token WHERE id = $1").bind(id.to_string()));
    Ok(())
}

/// Notes when tokens were used last; those that are gone are passed over.
pub async fn note_use(tx: &mut WriteTx<'_>, used: &[(TokenId, Timestamp)]) -> Result<(), Error> {
    for (id, at) in used {
        let statement = sql("UPDATE token SET last_used_at = $1 WHERE id = $2");
        tx.write(statement.bind(at.millis()).bind(id.to_string()));
    }
    Ok(())
}

/// Every token.
pub(crate) async fn tokens(tx: &mut ReadTx<'_>) -> Result<Vec<TokenRow>, Error> {
    tx.rows(sql(tokens!("")), token).await
}

/// Tokens by name.
pub async fn list_tokens(tx: &mut ReadTx<'_>, query: &TokenQuery) -> Result<Vec<TokenRow>, Error> {
    let mut select = Select::new(tokens!("WHERE 1 = 1"));
    if let Some(role) = query.role {
        select.with(" AND t.role = ", role.as_str());
    }
    tx.rows(select.page(Keyset::BY_NAME, query.after.as_ref(), query.limit), token).await
}

/// The token with this ID, expired or not.
pub async fn token_by_id(tx: &mut ReadTx<'_>, id: TokenId) -> Result<Option<TokenRow>, Error> {
    tx.row(sql(tokens!("WHERE t.id = $1")).bind(id.to_string()), token).await
}

/// The token with this name, expired or not.
pub async fn token_by_name(tx: &mut ReadTx<'_>, name: &str) -> Result<Option<TokenRow>, Error> {
    tx.row(sql(tokens!("WHERE t.name = $1")).bind(name.to_owned()), token).await
}

/// How many tokens of a role are good at a time.
pub async fn count_good(tx: &mut ReadTx<'_>, role: Role, now: Timestamp) -> Result<u64, Error> {
    let statement = sql("SELECT COUNT(*) FROM token WHERE role = $1 AND (expires_at IS NULL OR expires_at > $2)");
    tx.only(statement.bind(role.as_str()).bind(now.millis()), |c| c.count()).await
}

/// Adds a login session, by the hash of its secret.
///
/// # Errors
/// [`Error::Constraint`] when its token does not exist, or when it has none and was not opened by a link.
pub async fn insert_session(tx: &mut WriteTx<'_>, hash: [u8; 32], session: &NewSession) -> Result<(), Error> {
    let statement =
        sql("INSERT INTO session (hash, token_id, by_link, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(hash.to_vec())
            .bind(session.token_id.map(|id| id.to_string()))
            .bind(session.by_link)
            .bind(session.created_at.millis())
            .bind(session.expires_at.millis());
    tx.write(statement);
    Ok(())
}

/// Removes the oldest sessions that came of a token, or of none, but for so many; how many it removed.
pub async fn keep_latest_sessions(tx: &mut WriteTx<'_>, token_id: Option<TokenId>, kept: u32) -> Result<u64, Error> {
    let statement = sql("DELETE FROM session WHERE token_id IS NOT DISTINCT FROM $1 AND hash NOT IN
        (SELECT hash FROM session WHERE token_id IS NOT DISTINCT FROM $1 ORDER BY created_at DESC LIMIT $2)");
    tx.count_changed(statement.bind(token_id.map(|id| id.to_string())).bind(column::limit(kept))).await
}

/// The session with this hash, expired or not, and its token.
pub async fn session(tx: &mut ReadTx<'_>, hash: [u8; 32]) -> Result<Option<SessionRow>, Error> {
    let statement =
        sql("SELECT s.created_at, s.expires_at, s.by_link, s.token_id, t.id, t.name, t.role, t.hash, t.created_at, t.expires_at,
        t.expires_given, t.created_by, t.revision, t.last_used_at
        FROM session AS s LEFT JOIN token AS t ON t.id = s.token_id WHERE s.hash = $1");
    tx.row(statement.bind(hash.to_vec()), |c| {
        let (created_at, expires_at, by_link) = (c.time()?, c.time()?, c.plain()?);
        let token = if c.plain::<Option<&str>>()?.is_some() { Some(token(c)?) } else { None };
        Ok(SessionRow { token, by_link, created_at, expires_at })
    })
    .await
}

/// Moves the end of a session, if it is there.
pub async fn prolong_session(tx: &mut WriteTx<'_>, hash: [u8; 32], expires_at: Timestamp) -> Result<(), Error> {
    let statement = sql("UPDATE session SET expires_at = $1 WHERE hash = $2");
    tx.write(statement.bind(expires_at.millis()).bind(hash.to_vec()));
    Ok(())
}

/// Removes the login links that were made without a token, and the sessions that such links opened.
pub async fn remove_access_of_root(tx: &mut WriteTx<'_>) -> Result<(), Error> {
    tx.write(sql("DELETE FROM session WHERE token_id IS NULL; DELETE FROM login_link WHERE token_id IS NULL"));
    Ok(())
}

/// Removes a session, if it is there.
pub async fn remove_session(tx: &mut WriteTx<'_>, hash: [u8; 32]) -> Result<(), Error> {
    tx.write(sql("DELETE FROM session WHERE hash = $1").bind(hash.to_vec()));
    Ok(())
}

/// Adds a login link, by the hash of its secret, with the token of whoever asked for it.
///
/// # Errors
/// [`Error::Constraint`] when the token does not exist.
pub async fn insert_link(
    tx: &mut WriteTx<'_>,
    hash: [u8; 32],
    token_id: Option<TokenId>,
    expires_at: Timestamp,
) -> Result<(), Error> {
    let statement = sql("INSERT INTO login_link (hash, token_id, expires_at) VALUES ($1, $2, $3)");
    tx.write(statement.bind(hash.to_vec()).bind(token_id.map(|id| id.to_string())).bind(expires_at.millis()));
    Ok(())
}

/// Whether a login link is there and good at a time, and so is the token with which it was made.
pub async fn knows_link(tx: &mut ReadTx<'_>, hash: [u8; 32], now: Timestamp) -> Result<bool, Error> {
    let statement = sql("SELECT 1 FROM login_link AS l LEFT JOIN token AS t ON t.id = l.token_id
        WHERE l.hash = $1 AND l.expires_at > $2 AND (t.expires_at IS NULL OR t.expires_at > $2)");
    Ok(tx.row(statement.bind(hash.to_vec()).bind(now.millis()), |_| Ok(())).await?.is_some())
}

/// Uses a login link up; the token with which it was made, if any; nothing where it was not there or had expired.
pub async fn use_link(tx: &mut WriteTx<'_>, hash: [u8; 32], now: Timestamp) -> Result<Option<Option<TokenId>>, Error> {
    let statement = sql("DELETE FROM login_link WHERE hash = $1 AND expires_at > $2 RETURNING token_id");
    tx.row(statement.bind(hash.to_vec()).bind(now.millis()), |c| c.parsed_option()).await
}

/// Removes sessions and login links that have expired.
pub async fn prune(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<(), Error> {
    let statement = sql("DELETE FROM session WHERE expires_at <= $1; DELETE FROM login_link WHERE expires_at <= $1");
    tx.write(statement.bind(now.millis()));
    Ok(())
}
