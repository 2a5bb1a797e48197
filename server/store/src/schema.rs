//! The schema's versions: brings a database up to the one this program knows, and reads what the database is.

use netloom_model::{NodeId, StoreId};
use sqlx::migrate::Migrator;
use sqlx::{Row, SqliteConnection};

use crate::error::Error;
use crate::tx::Identity;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// Applies what is missing; writes nothing when nothing is, so that a database on a full disk can be opened.
pub(crate) async fn migrate(connection: &mut SqliteConnection) -> Result<(), Error> {
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    let found = version(connection).await?;
    if found > known {
        return Err(Error::Newer { found, known });
    }
    if found < known {
        MIGRATIONS.run(connection).await.map_err(Error::caused)?;
    }
    Ok(())
}

/// Whether the database has the schema of this program, filled in. Writes nothing.
pub(crate) async fn is_current(connection: &mut SqliteConnection) -> Result<bool, Error> {
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    let found = version(connection).await?;
    if found > known {
        return Err(Error::Newer { found, known });
    }
    Ok(found == known && sqlx::query("SELECT store_id FROM meta").fetch_optional(connection).await?.is_some())
}

async fn version(connection: &mut SqliteConnection) -> Result<i64, Error> {
    let tables = "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'";
    if sqlx::query(tables).fetch_one(&mut *connection).await?.try_get::<i64, _>(0)? == 0 {
        return Ok(0);
    }
    let latest = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations WHERE success";
    Ok(sqlx::query(latest).fetch_one(connection).await?.try_get(0)?)
}

/// What the database is, made up when it is new; and the number of its last event.
pub(crate) async fn identity(connection: &mut SqliteConnection) -> Result<(Identity, u64), Error> {
    let read = "SELECT store_id, node_id, event_seq FROM meta";
    if sqlx::query(read).fetch_optional(&mut *connection).await?.is_none() {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().map_err(Error::caused)?.as_millis();
        sqlx::query("INSERT INTO meta (id, store_id, node_id, event_seq, created_at) VALUES (1, $1, $2, 0, $3)")
            .bind(StoreId::from_random(random()?).to_string())
            .bind(NodeId::from_random(random()?).to_string())
            .bind(i64::try_from(now).unwrap_or(i64::MAX))
            .execute(&mut *connection)
            .await?;
    }
    let row = sqlx::query(read).fetch_one(connection).await?;
    let mut columns = crate::column::Columns::new(&row);
    let identity = Identity { store: columns.parsed()?, node: columns.parsed()? };
    Ok((identity, columns.count()?))
}

fn random() -> Result<[u8; 16], Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::backend(format!("no random bytes: {error}")))?;
    Ok(bytes)
}
