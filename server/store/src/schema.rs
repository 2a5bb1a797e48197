//! The schema's versions: brings a database up to the one this program knows, and reads what the database is.

mod migrations;

use std::collections::BTreeSet;
use std::path::Path;

use netloom_model::{NodeId, StoreId};
use sqlx::migrate::Migrator;
use sqlx::{Connection, Row, SqliteConnection};

pub(crate) use self::migrations::MIGRATIONS;

use crate::backup;
use crate::error::Error;
use crate::tx::Identity;

/// The newest schema of some migrations.
fn newest(migrations: &Migrator) -> i64 {
    migrations.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// The newest schema that this program knows.
pub(crate) fn known() -> i64 {
    newest(&MIGRATIONS)
}

/// The schema that a database has, 0 for a new one; an error when it can't be brought to the newest of these. Writes nothing.
///
/// # Errors
/// [`Error::Newer`], [`Error::Foreign`].
pub(crate) async fn admit(connection: &mut SqliteConnection, migrations: &Migrator) -> Result<i64, Error> {
    let known = newest(migrations);
    let found = version(connection).await?;
    if found > known {
        return Err(Error::Newer { found, known });
    }
    if found == 0 {
        let others = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> '_sqlx_migrations' LIMIT 1";
        if let Some(row) = sqlx::query(others).fetch_optional(&mut *connection).await? {
            return Err(Error::Foreign(format!("it has a table `{}` and no schema", row.try_get::<String, _>(0)?)));
        }
    }
    Ok(found)
}

/// Applies what is missing, once a backup of an older database stands beside it; writes nothing when nothing is, so that a
/// database on a full disk can be opened.
pub(crate) async fn migrate(
    connection: &mut SqliteConnection,
    path: &Path,
    migrations: &Migrator,
) -> Result<(), Error> {
    let known = newest(migrations);
    let found = admit(connection, migrations).await?;
    if found == known {
        return Ok(());
    }
    if found > 0
        && let Err(error) = backup::keep_before(connection, path, found, known).await
    {
        tracing::error!("the database stays at schema {found}: the backup before the upgrade could not be made");
        return Err(error);
    }
    migrations.run(connection).await.map_err(Error::caused)
}

/// Whether the database has the schema of this program, filled in. Writes nothing.
pub(crate) async fn is_current(connection: &mut SqliteConnection) -> Result<bool, Error> {
    let (found, known) = (version(connection).await?, known());
    if found > known {
        return Err(Error::Newer { found, known });
    }
    Ok(found == known && sqlx::query("SELECT store_id FROM meta").fetch_optional(connection).await?.is_some())
}

/// The schema of a database that this program can open, recognised by the migrations that were applied to it.
pub(crate) async fn recognise(connection: &mut SqliteConnection) -> Result<i64, Error> {
    let (found, known) = (version(connection).await?, known());
    if found == 0 {
        return Err(Error::Foreign("it has no schema of Netloom's".into()));
    }
    if found > known {
        return Err(Error::Newer { found, known });
    }
    let applied = "SELECT version, checksum FROM _sqlx_migrations WHERE success";
    for row in sqlx::query(applied).fetch_all(connection).await? {
        let (version, checksum) = (row.try_get::<i64, _>(0)?, row.try_get::<Vec<u8>, _>(1)?);
        if !MIGRATIONS.iter().any(|ours| ours.version == version && *ours.checksum == *checksum) {
            return Err(Error::Foreign(format!("its schema {version} is another program's")));
        }
    }
    Ok(found)
}

/// Whether the tables of a database are those of its schema, as the migrations make them.
///
/// # Errors
/// [`Error::Corrupt`] with the first table or column that is missing or another.
pub(crate) async fn compare(connection: &mut SqliteConnection, version: i64) -> Result<(), Error> {
    let mut model = SqliteConnection::connect("sqlite::memory:").await?;
    for migration in MIGRATIONS.iter().filter(|migration| migration.version <= version) {
        sqlx::raw_sql(migration.sql.clone()).execute(&mut model).await?;
    }
    let (wanted, found) = (columns(&mut model).await?, columns(connection).await?);
    model.close().await?;
    let Some((table, column)) = wanted.difference(&found).next() else { return Ok(()) };
    let whole = found.iter().any(|(one, _)| one == table);
    let what = if whole { format!("column `{column}` of table `{table}`") } else { format!("table `{table}`") };
    Err(Error::Corrupt(format!("its {what}, which belongs to schema {version}, is missing or another")))
}

/// The columns of a database's tables, each with what it holds.
async fn columns(connection: &mut SqliteConnection) -> Result<BTreeSet<(String, String)>, Error> {
    let statement =
        "SELECT t.name, trim(c.name || ' ' || c.type) FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS c
        WHERE t.type = 'table'";
    let rows = sqlx::query(statement).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// What tells one state of a database from every other: schema, ID, number of the last event.
pub(crate) type Mark = (i64, String, i64);

/// The mark of a database that was used.
pub(crate) async fn mark(connection: &mut SqliteConnection) -> Result<Option<Mark>, Error> {
    let version = version(connection).await?;
    let row = sqlx::query("SELECT store_id, event_seq FROM meta").fetch_optional(connection).await?;
    row.map(|row| Ok((version, row.try_get(0)?, row.try_get(1)?))).transpose()
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

pub(crate) fn random() -> Result<[u8; 16], Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::backend(format!("no random bytes: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
