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

/// Adds a plan, and removes the oldest of whoever asked for it, so that at most `most` of theirs are left.
pub fn insert<R: serde::Serialize>(tx: &mut WriteTx<'_>, row: &PlanRow<R>, most: u32) -> Result<(), Error> {
    let statement = sql("INSERT INTO plan (id, created_by, created_at, expires_at, head, body, recipe) VALUES ($1, $2, $3, $4, $5, $6, $7);
        DELETE FROM plan WHERE id IN
            (SELECT id FROM plan WHERE created_by = $2 ORDER BY created_at DESC, id DESC LIMIT -1 OFFSET $8)")
    .bind(row.id.to_string())
    .bind(row.plan.head.created_by.clone())
    .bind(row.plan.head.created_at.millis())
    .bind(row.plan.head.expires_at.millis())
    .bind(column::json(&row.plan.head)?)
    .bind(column::json(&row.plan)?)
    .bind(column::json(&row.recipe)?)
    .bind(column::limit(most));
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
    let statement = sql("SELECT body, recipe, applied_at, applied_by FROM plan WHERE id = $1 AND expires_at > $2");
    let read = |c: &mut Columns<'_>| Ok((c.json::<Plan>()?, c.json::<R>()?, applied(c)?));
    let found = tx.row(statement.bind(id.to_string()).bind(now.millis()), read).await?;
    Ok(found.map(|(mut plan, recipe, applied)| {
        plan.head.applied = applied;
        PlanRow { id, plan, recipe }
    }))
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

/// Removes a plan; whether there was one that had not expired.
pub async fn remove(tx: &mut WriteTx<'_>, id: PlanId, now: Timestamp) -> Result<bool, Error> {
    let statement = sql("DELETE FROM plan WHERE id = $1 AND expires_at > $2");
    Ok(tx.count_changed(statement.bind(id.to_string()).bind(now.millis())).await? > 0)
}

/// Removes plans that have expired. Of each principal there are few.
pub fn prune(tx: &mut WriteTx<'_>, now: Timestamp) {
    tx.write(sql("DELETE FROM plan WHERE expires_at <= $1").bind(now.millis()));
}

/// Every head, expired or not.
pub(crate) async fn heads(tx: &mut ReadTx<'_>) -> Result<Vec<PlanHead>, Error> {
    tx.rows(sql("SELECT head FROM plan"), |c| c.json()).await
}
