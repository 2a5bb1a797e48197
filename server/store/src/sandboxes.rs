//! Table `sandbox`, with its labels.

use netloom_model::{SandboxId, Timestamp};
use sqlx::sqlite::SqliteRow;

use crate::column::{self, Columns};
use crate::error::Error;
use crate::networks::{self, NetworkUse, ToAttach};
use crate::query::{SandboxQuery, SandboxStanding};
use crate::row::{EndpointRow, LeaseRow, Orphaned, SandboxRow};
use crate::select::Select;
use crate::tx::{ReadTx, Statement, WriteTx, sql};
use crate::{endpoints, labels, leases};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.name, s.namespace, s.running, s.deleting, s.orphaned, s.orphaned_at, s.spec, s.revision, s.spec_revision, ",
            "s.created_at, s.updated_at FROM sandbox AS s ",
            $rest
        )
    };
}

fn row(columns: &mut Columns<'_>) -> Result<SandboxRow, Error> {
    Ok(SandboxRow {
        id: columns.parsed()?,
        name: columns.plain()?,
        namespace: columns.json()?,
        running: columns.plain()?,
        deleting: columns.plain()?,
        orphaned: columns.orphaned()?,
        spec: columns.json()?,
        revision: columns.count()?,
        spec_revision: columns.count()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

/// Adds a sandbox, local to this node.
///
/// # Errors
/// [`Error::Duplicate`] with [`crate::constraint::SANDBOX_NAME`].
pub async fn insert(tx: &mut WriteTx<'_>, row: &SandboxRow) -> Result<(), Error> {
    let node = tx.identity.node.to_string();
    let statement = sql("INSERT INTO sandbox (id, name, scope, node, namespace, running, deleting, orphaned, orphaned_at, spec, revision, spec_revision, created_at, updated_at)
        VALUES ($1, $2, 'local', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
    .bind(row.id.to_string())
    .bind(row.name.clone())
    .bind(node)
    .bind(column::json(&row.namespace)?)
    .bind(row.running)
    .bind(row.deleting)
    .bind(reason(row.orphaned.as_ref()))
    .bind(since(row.orphaned.as_ref()))
    .bind(column::json(&row.spec)?)
    .bind(column::integer(row.revision))
    .bind(column::integer(row.spec_revision))
    .bind(row.created_at.millis())
    .bind(row.updated_at.millis());
    tx.write(statement);
    if row.spec.labels.is_some() {
        labels::SANDBOX.replace(tx, row.id.to_string(), row.spec.labels.as_ref()).await?;
    }
    Ok(())
}

/// Writes what can change of a sandbox that was read in this transaction: namespace, whether it should run, why and since when it is
/// orphaned, spec with its labels, its revision and the spec's, time.
pub async fn update(tx: &mut WriteTx<'_>, row: &SandboxRow) -> Result<(), Error> {
    let statement = sql(
        "UPDATE sandbox SET namespace = $2, running = $3, orphaned = $4, orphaned_at = $5, spec = $6, revision = $7,
        spec_revision = $8, updated_at = $9 WHERE id = $1",
    )
    .bind(row.id.to_string())
    .bind(column::json(&row.namespace)?)
    .bind(row.running)
    .bind(reason(row.orphaned.as_ref()))
    .bind(since(row.orphaned.as_ref()))
    .bind(column::json(&row.spec)?)
    .bind(column::integer(row.revision))
    .bind(column::integer(row.spec_revision))
    .bind(row.updated_at.millis());
    tx.write(statement);
    labels::SANDBOX.replace(tx, row.id.to_string(), row.spec.labels.as_ref()).await
}

/// Writes the specs of sandboxes that were read in this transaction, with revision (of both kinds) and time; their labels are as they were.
pub fn respecify(tx: &mut WriteTx<'_>, rows: &[SandboxRow], revision: u64, now: Timestamp) -> Result<(), Error> {
    let specs: Result<Vec<_>, Error> =
        rows.iter().map(|row| Ok((row.id.to_string(), column::json(&row.spec)?))).collect();
    let statement = sql("UPDATE sandbox SET spec = new.value ->> 1, revision = $2, spec_revision = $2, updated_at = $3
        FROM json_each($1) AS new WHERE sandbox.id = new.value ->> 0");
    tx.write(statement.bind(column::json(&specs?)?).bind(column::integer(revision)).bind(now.millis()));
    Ok(())
}

/// Marks a sandbox as being removed. An unknown ID is passed over.
pub fn mark_deleting(tx: &mut WriteTx<'_>, id: SandboxId, revision: u64, now: Timestamp) {
    tx.followed = true;
    let statement = sql("UPDATE sandbox SET deleting = 1, revision = $2, updated_at = $3 WHERE id = $1");
    tx.write(statement.bind(id.to_string()).bind(column::integer(revision)).bind(now.millis()));
}

/// Removes a sandbox's row and its labels. An unknown ID is passed over. Where an endpoint still refers to it the schema refuses.
pub fn purge(tx: &mut WriteTx<'_>, id: SandboxId) {
    tx.write(sql("DELETE FROM sandbox WHERE id = $1").bind(id.to_string()));
}

/// The sandbox with this ID.
pub async fn by_id(tx: &mut ReadTx<'_>, id: SandboxId) -> Result<Option<SandboxRow>, Error> {
    tx.row(sql(select!("WHERE s.id = $1")).bind(id.to_string()), row).await
}

/// All that is stored of one sandbox: the row, its endpoints by position, and their leases by address.
pub type Whole = (SandboxRow, Vec<EndpointRow>, Vec<LeaseRow>);

/// The sandbox with this ID, whole.
pub async fn whole(tx: &mut ReadTx<'_>, id: SandboxId) -> Result<Option<Whole>, Error> {
    let [own, its_endpoints, its_leases] = tx.answers(select_whole(id)).await?;
    read_whole(&own, &its_endpoints, &its_leases)
}

/// What changing a sandbox needs.
#[derive(Debug)]
pub struct ToChange {
    /// The sandbox.
    pub sandbox: Whole,
    /// The networks that it is on or leaving, as a node needs them, by name.
    pub networks: Vec<NetworkUse>,
    /// Networks that it may come onto, by name.
    pub named: Vec<ToAttach>,
}

/// The sandbox with this ID and those of these networks that there are, in one reading.
pub async fn to_change(tx: &mut ReadTx<'_>, id: SandboxId, named: &[&str]) -> Result<Option<ToChange>, Error> {
    let [own, its_endpoints, its_leases] = select_whole(id);
    let (on, to_attach) = (networks::select_of_sandbox(id), networks::select_to_attach(named));
    let [own, its_endpoints, its_leases, on, named] =
        tx.answers([own, its_endpoints, its_leases, on, to_attach]).await?;
    let Some(sandbox) = read_whole(&own, &its_endpoints, &its_leases)? else { return Ok(None) };
    let networks = networks::with_pools(read_all(&on, networks::row_with_use)?);
    Ok(Some(ToChange { sandbox, networks, named: networks::attachable(read_all(&named, networks::row_to_attach)?) }))
}

fn select_whole(id: SandboxId) -> [Statement; 3] {
    let own = sql(select!("WHERE s.id = $1")).bind(id.to_string());
    [own, endpoints::select_of_sandbox(id), leases::select_of_sandbox(id)]
}

fn read_whole(
    own: &[SqliteRow],
    its_endpoints: &[SqliteRow],
    its_leases: &[SqliteRow],
) -> Result<Option<Whole>, Error> {
    let Some(own) = own.first() else { return Ok(None) };
    let sandbox = row(&mut Columns::new(own))?;
    Ok(Some((sandbox, read_all(its_endpoints, endpoints::row)?, read_all(its_leases, leases::row)?)))
}

fn read_all<T>(rows: &[SqliteRow], read: fn(&mut Columns<'_>) -> Result<T, Error>) -> Result<Vec<T>, Error> {
    rows.iter().map(|row| read(&mut Columns::new(row))).collect()
}

/// The sandbox with this name.
pub async fn by_name(tx: &mut ReadTx<'_>, name: &str) -> Result<Option<SandboxRow>, Error> {
    tx.row(sql(select!("WHERE s.name = $1")).bind(name.to_owned()), row).await
}

/// The sandboxes with these IDs, by name. Unknown IDs are passed over.
pub async fn by_ids(tx: &mut ReadTx<'_>, ids: &[SandboxId]) -> Result<Vec<SandboxRow>, Error> {
    let statement = sql(select!("WHERE s.id IN (SELECT value FROM json_each($1)) ORDER BY s.name"));
    tx.rows(statement.bind_list(ids), row).await
}

/// A page of sandboxes.
pub async fn list(tx: &mut ReadTx<'_>, query: &SandboxQuery) -> Result<Vec<SandboxRow>, Error> {
    let mut select = Select::new(select!("WHERE 1 = 1"));
    if let Some(network) = query.network {
        select.with(" AND s.id IN (SELECT sandbox_id FROM endpoint WHERE network_id = ", network.to_string()).text(")");
    }
    if let Some(ids) = &query.ids {
        select.with(" AND s.id IN (SELECT value FROM json_each(", column::list(ids)).text("))");
    }
    labels::SANDBOX.select(&mut select, &query.labels);
    if let Some(running) = query.running {
        select.with(" AND s.running = ", running);
    }
    if let Some(text) = &query.text {
        let text = text.to_ascii_lowercase();
        select.with(" AND (instr(lower(s.name), ", text.clone());
        select.with(") > 0 OR instr(lower(COALESCE(json_extract(s.spec, '$.description'), '')), ", text).text(") > 0)");
    }
    tx.rows(select.page(query.order, query.after.as_ref(), query.limit), row).await
}

/// Every sandbox, by name.
pub async fn all(tx: &mut ReadTx<'_>) -> Result<Vec<SandboxRow>, Error> {
    tx.rows(sql(select!("ORDER BY s.name")), row).await
}

/// What the state of every sandbox depends on.
pub async fn standings(tx: &mut ReadTx<'_>) -> Result<Vec<SandboxStanding>, Error> {
    let statement = sql("SELECT id, running, deleting, orphaned_at IS NOT NULL, revision FROM sandbox");
    tx.rows(statement, |c| {
        Ok(SandboxStanding {
            id: c.parsed()?,
            running: c.plain()?,
            deleting: c.plain()?,
            orphaned: c.plain()?,
            revision: c.count()?,
        })
    })
    .await
}

/// How many sandboxes should run, and how many should not.
pub async fn count_by_running(tx: &mut ReadTx<'_>) -> Result<(u64, u64), Error> {
    let statement = sql("SELECT COUNT(*) FILTER (WHERE running = 1), COUNT(*) FILTER (WHERE running = 0) FROM sandbox");
    tx.only(statement, |c| Ok((c.count()?, c.count()?))).await
}

/// Says why and since when a sandbox's adopted namespace is given up, or that it is not any more.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn set_orphaned(tx: &mut WriteTx<'_>, id: SandboxId, orphaned: Option<&Orphaned>) -> Result<(), Error> {
    let statement = sql("UPDATE sandbox SET orphaned = $2, orphaned_at = $3 WHERE id = $1").bind(id.to_string());
    tx.change_one(statement.bind(reason(orphaned)).bind(since(orphaned))).await
}

fn reason(orphaned: Option<&Orphaned>) -> Option<String> {
    orphaned.map(|orphaned| orphaned.reason.clone())
}

fn since(orphaned: Option<&Orphaned>) -> Option<i64> {
    orphaned.map(|orphaned| orphaned.since.millis())
}

/// Sandboxes whose adopted namespace was gone by a time and that are not being removed, longest gone first; at most `limit`.
pub async fn orphaned(tx: &mut ReadTx<'_>, by: Timestamp, limit: u32) -> Result<Vec<SandboxRow>, Error> {
    let statement = sql(select!(
        "WHERE s.orphaned_at IS NOT NULL AND s.orphaned_at <= $1 AND s.deleting = 0 ORDER BY s.orphaned_at, s.name LIMIT $2"
    ));
    tx.rows(statement.bind(by.millis()).bind(column::limit(limit)), row).await
}

/// Sandboxes that should not run and are not being removed, by name.
pub async fn stopped(tx: &mut ReadTx<'_>) -> Result<Vec<SandboxRow>, Error> {
    tx.rows(sql(select!("WHERE s.running = 0 AND s.deleting = 0 ORDER BY s.name")), row).await
}
