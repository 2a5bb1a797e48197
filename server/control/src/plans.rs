//! Plans that are kept: what a dry run said can be done as it was said, for an hour, once (docs/adr/0028).
//!
//! A plan holds the command, the seed of what is chosen at random, the revisions of what it was made from, and what was decided. To apply it is
//! to run the same use case from the same seed, and to refuse inside its transaction when any of that has come out otherwise. What must not
//! live here: what the use cases do, and which object is whose; both are theirs.

mod apply;
pub(crate) mod command;
pub(crate) mod intent;
mod keep;
mod reads;

use netloom_model::PlanId;
use netloom_model::audit::Decision;
use netloom_model::plan::{Plan, PlanHead};
use netloom_store::{NewAudit, Place, PlanRow, WriteTx, audit, plans};

use crate::audit::Difference;
use crate::clock::now;
use crate::command::{DiscardAnothersPlan, DiscardPlan, GetPlan, ListPlans, Page};
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::Actor;
use crate::page::Part;
use crate::principal::{Authorized, Context};
use keep::Recipe;

impl Control {
    /// Lists the plans that are kept, oldest first, those included that were applied.
    ///
    /// # Errors
    /// A bad page request.
    pub async fn list_plans(&self, c: Authorized<ListPlans>) -> Result<Page<PlanHead>, Error> {
        let ListPlans { page } = c.into_parts().0;
        let part = Part::new(&page, "plans")?;
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let mut heads = plans::list(tx, part.after.as_ref(), now(), part.read()).await?;
                let next = part.cut(&mut heads, Place::of_plan);
                Ok::<_, Error>(Page {
                    items: heads,
                    next_page_token: next,
                    seq: netloom_store::events::number(tx).await?,
                })
            })
        });
        read.await
    }

    /// Gets a plan.
    ///
    /// # Errors
    /// There is none of this ID, or it has expired.
    pub async fn get_plan(&self, c: Authorized<GetPlan>) -> Result<Plan, Error> {
        let GetPlan(reference) = c.into_parts().0;
        Ok(self.plan_row(&reference).await?.plan)
    }

    /// Forgets a plan. That of somebody else is the administrator's to discard.
    ///
    /// # Errors
    /// There is none of this ID, or it has expired; forbidden; `plan-applied`, of one whose record stays until it expires.
    pub async fn discard_plan(&self, c: Authorized<DiscardPlan>) -> Result<(), Error> {
        let (DiscardPlan(reference), context) = c.into_parts();
        self.inner.commit(false, Discard { id: id_of(&reference)?, context }).await
    }

    async fn plan_row(&self, reference: &str) -> Result<PlanRow<Recipe>, Error> {
        let id = id_of(reference)?;
        let read =
            self.inner.store.ask(move |tx| Box::pin(async move { Ok::<_, Error>(plans::by_id(tx, id, now()).await?) }));
        read.await?.ok_or_else(|| none(reference))
    }
}

fn id_of(reference: &str) -> Result<PlanId, Error> {
    reference.parse().map_err(|_| none(reference))
}

fn none(reference: &str) -> Error {
    Error::not_found("plan", reference).hint(
        "a plan is kept for an hour, and of each principal the last 100 (64 MiB at most): make it anew with `dry_run=true`",
    )
}

struct Discard {
    id: PlanId,
    context: Context,
}

#[async_trait::async_trait]
impl Job for Discard {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let now = now();
        let found = plans::head(tx, self.id, now).await?;
        let (owner, head) = found.ok_or_else(|| none(&self.id.to_string()))?;
        if owner != self.context.principal.identity() {
            self.context.authorize(DiscardAnothersPlan)?;
        }
        if head.applied.is_some() {
            return Err(intent::applied_before(self.id, &head).hint("what was applied is on record until it expires"));
        }
        plans::remove(tx, self.id);
        let entry = Actor::from(&self.context).entry(self.context.action, Decision::Allowed, now);
        let Difference { before, after } = Difference::removed(&head);
        Ok(audit::append(tx, &NewAudit { before, after, ..entry }).await?)
    }
}
