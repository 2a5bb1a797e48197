//! Table `plan`: what dry runs said they would do.

use netloom_model::plan::{Plan, PlanApplied, PlanHead};
use netloom_model::{PlanId, Timestamp};
use serde::de::DeserializeOwned;

use crate::column::{self, Columns};
use crate::error::Error;
use crate::order::{Keyset, Place};
use crate::row::PlanRow;
use crate::select::Select;
use crate::tx::{ReadTx, WriteTx, sql};

/// How much of one owner's is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Most plans that are not applied.
    pub plans: u32,
    /// Most bytes of all, those included that are applied.
    pub bytes: u32,
}

/// Adds a plan, and removes those of its owner's that the quota has no room for: the oldest first, of the applied ones (which answer a lost
/// answer) none as long as there are others, and never the one that is added, whatever the clock says.
pub fn insert<R: serde::Serialize>(tx: &mut WriteTx<'_>, row: &PlanRow<R>, quota: Quota) -> Result<(), Error> {
    let (head, body, recipe) = (column::json(&row.plan.head)?, column::json(&row.plan)?, column::json(&row.recipe)?);
    let size = i64::try_from(head.len() + body.len() + recipe.len()).unwrap_or(i64::MAX);
    let statement =
        sql("INSERT INTO plan (id, owner, created_at, expires_at, head, body, recipe, size) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);
        DELETE FROM plan WHERE id IN (SELECT id FROM (
            SELECT id, applied_at,
                row_number() OVER (PARTITION BY applied_at IS NULL ORDER BY id = $1 DESC, created_at DESC, id DESC) AS place,
                sum(size) OVER (ORDER BY id = $1 DESC, applied_at IS NULL, created_at DESC, id DESC
                    ROWS UNBOUNDED PRECEDING) AS bytes
            FROM plan WHERE owner = $2)
            WHERE id <> $1 AND ((applied_at IS NULL AND place > $9) OR bytes > $10))")
        .bind(row.id.to_string())
        .bind(row.owner.clone())
        .bind(row.plan.head.created_at.millis())
        .bind(row.plan.head.expires_at.millis())
        .bind(head)
        .bind(body)
        .bind(recipe)
        .bind(size)
        .bind(column::limit(quota.plans))
        .bind(i64::from(quota.bytes));
    tx.write(statement);
    Ok(())
}

/// The applying of a plan, in the next two columns.
fn applied(columns: &mut Columns<'_>) -> Result<Option<PlanApplied>, Error> {
    let (at, by) = (columns.time_option()?, columns.plain::<Option<String>>()?);
    Ok(at.zip(by).map(|(at, by)| PlanApplied { at, by }))
}

/// The plan with this ID, unless it has expired.
pub async fn by_id<R: DeserializeOwned>(
    tx: &mut ReadTx<'_>,
    id: PlanId,
    now: Timestamp,
) -> Result<Option<PlanRow<R>>, Error> {
    let statement =
        sql("SELECT owner, body, recipe, applied_at, applied_by FROM plan WHERE id = $1 AND expires_at > $2");
    let read = |c: &mut Columns<'_>| Ok((c.plain()?, c.json::<Plan>()?, c.json::<R>()?, applied(c)?));
    let found = tx.row(statement.bind(id.to_string()).bind(now.millis()), read).await?;
    Ok(found.map(|(owner, mut plan, recipe, applied)| {
        plan.head.applied = applied;
        PlanRow { id, owner, plan, recipe }
    }))
}

/// What the plan with this ID is about, unless it has expired; and whose it is.
pub async fn head(tx: &mut ReadTx<'_>, id: PlanId, now: Timestamp) -> Result<Option<(String, PlanHead)>, Error> {
    let statement = sql("SELECT owner, head, applied_at, applied_by FROM plan WHERE id = $1 AND expires_at > $2");
    let read = |c: &mut Columns<'_>| Ok((c.plain()?, c.json::<PlanHead>()?, applied(c)?));
    let found = tx.row(statement.bind(id.to_string()).bind(now.millis()), read).await?;
    Ok(found.map(|(owner, head, applied)| (owner, PlanHead { applied, ..head })))
}

/// A page of the heads of plans that have not expired, oldest first.
pub async fn list(
    tx: &mut ReadTx<'_>,
    after: Option<&Place>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<PlanHead>, Error> {
    let mut select = Select::new("SELECT head, applied_at, applied_by FROM plan WHERE expires_at > ");
    select.with("", now.millis());
    let statement = select.page(Keyset::OLDEST, after, limit);
    let read = |c: &mut Columns<'_>| {
        let head: PlanHead = c.json()?;
        Ok(PlanHead { applied: applied(c)?, ..head })
    };
    tx.rows(statement, read).await
}

/// Notes that a plan is applied.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it is applied already.
pub async fn mark_applied(tx: &mut WriteTx<'_>, id: PlanId, by: &str, now: Timestamp) -> Result<(), Error> {
    let statement = sql(
        "UPDATE plan SET applied_at = $2, applied_by = $3 WHERE id = $1 AND applied_at IS NULL AND expires_at > $2",
    );
    tx.change_one(statement.bind(id.to_string()).bind(now.millis()).bind(by.to_owned())).await
}

/// Removes a plan.
pub fn remove(tx: &mut WriteTx<'_>, id: PlanId) {
    tx.write(sql("DELETE FROM plan WHERE id = $1").bind(id.to_string()));
}

/// Removes plans that have expired. Of each principal there are few.
pub fn prune(tx: &mut WriteTx<'_>, now: Timestamp) {
    tx.write(sql("DELETE FROM plan WHERE expires_at <= $1").bind(now.millis()));
}

/// Every head, expired or not.
pub(crate) async fn heads(tx: &mut ReadTx<'_>) -> Result<Vec<PlanHead>, Error> {
    tx.rows(sql("SELECT head FROM plan"), |c| c.json()).await
}
