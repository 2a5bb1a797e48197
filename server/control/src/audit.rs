//! The audit: what was asked for, by whom, from where, and what came of it. An entry of a change is written by the change's own
//! transaction (`journal`); what was denied, what failed and the giving out of secrets are written here.
//!
//! Reading is not noted, but for what was denied. Nor is a dry run, unless it was denied.

mod difference;
mod failure;
mod lately;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use netloom_model::audit::{AuditEntry, Decision};
use netloom_model::{Timestamp, TokenId};
use netloom_store::{AuditQuery, NewAudit, Place, WriteTx, audit, events};

use crate::clock::now;
use crate::command::{ListAudit, Page};
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::journal::Actor;
use crate::page::Part;
use crate::principal::{Authorized, Context};
use crate::rate::{Rate, TooOften};

pub(crate) use difference::Difference;
pub use failure::Failure;
pub(crate) use lately::is_ordinary;
pub use lately::{ORDINARY, RefusedLately};

/// How many refusals of one principal, action and code are noted at once, and how often one more is after that: nobody may fill the disk
/// with what they are refused, nor hide one refusal behind many others.
const REFUSALS_AT_ONCE: u32 = 10;
const REFUSAL_EVERY: Duration = Duration::from_secs(600);

/// An entry of something that was done and changed no object, such as a secret given out.
#[derive(Debug, Clone)]
pub(crate) struct Noted {
    pub(crate) actor: Actor,
    pub(crate) action: &'static str,
}

impl Noted {
    /// Of what somebody asked for.
    pub(crate) fn of(context: &Context, action: &'static str) -> Self {
        Self { actor: Actor::from(context), action }
    }

    /// Adds it.
    pub(crate) async fn add(&self, tx: &mut WriteTx<'_>, now: Timestamp) -> Result<(), Error> {
        Ok(audit::append(tx, &self.actor.entry(self.action, Decision::Allowed, now)).await?)
    }
}

#[async_trait]
impl Job for Noted {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        self.add(tx, now()).await
    }
}

impl Control {
    /// Takes note of a request that was denied or failed, with what its problem says; whoever answers a request with a failure
    /// calls it. Of what was not authorised to begin with, such as a request that can't be read, there is nothing to note.
    pub async fn note_failure(&self, context: &Context, failure: Failure, dry_run: bool) {
        let Some(attempt) = context.take_attempt() else { return };
        if dry_run && !attempt.denied {
            return;
        }
        let who = context.principal.identity();
        if !self.inner.refusals.let_through(&who, attempt.action, &failure.code, Instant::now()) {
            return;
        }
        let decision = if attempt.denied { Decision::Denied } else { Decision::Failed };
        let entry = failure.told_by(Actor::from(context).entry(attempt.action, decision, now()));
        let entry = NewAudit { object: attempt.object, ..entry };
        if let Err(error) = self.inner.commit(false, Refused(entry)).await {
            tracing::warn!(%error, request_id = context.request_id, "what was refused could not be noted in the audit");
        }
    }

    /// Takes note of what was refused to a node, or to what means to be one, in the same measure.
    pub(crate) async fn note_refused(&self, actor: &Actor, action: &'static str, error: &Error) {
        if !self.inner.refusals.let_through(actor.name(), action, error.code, Instant::now()) {
            return;
        }
        let entry = Failure::from(error).told_by(actor.entry(action, Decision::Failed, now()));
        if let Err(error) = self.inner.commit(false, Refused(entry)).await {
            tracing::warn!(%error, "what was refused to a node could not be noted in the audit");
        }
    }

    /// Lists audit entries, the latest first.
    ///
    /// # Errors
    /// A bad page request.
    pub async fn list_audit(&self, c: Authorized<ListAudit>) -> Result<Page<AuditEntry>, Error> {
        let (c, _) = c.into_parts();
        let filters = format!(
            "audit {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            c.actor, c.object, c.actions, c.request_id, c.decision, c.since, c.until
        );
        let part = Part::new(&c.page, &filters)?;
        let token_id: Option<TokenId> = c.actor.as_deref().and_then(|actor| actor.parse().ok());
        let query = AuditQuery {
            actor: c.actor.filter(|_| token_id.is_none()),
            token_id,
            object: c.object,
            actions: c.actions,
            request_id: c.request_id,
            decision: c.decision,
            since: c.since.map(|since| since.at(now())),
            until: c.until,
            after: part.after.clone(),
            limit: part.read(),
        };
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let mut entries = audit::list(tx, &query).await?;
                let next = part.cut(&mut entries, Place::of_audit_entry);
                Ok::<_, Error>((entries, next, events::number(tx).await?))
            })
        });
        let (items, next_page_token, seq) = read.await?;
        Ok(Page { items, next_page_token, seq })
    }
}

struct Refused(NewAudit);

#[async_trait]
impl Job for Refused {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        Ok(audit::append(tx, &self.0).await?)
    }
}

/// How often each principal was refused what, with which code.
#[derive(Debug)]
pub(crate) struct Refusals(Rate<(String, &'static str, String)>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Rate::new(REFUSALS_AT_ONCE, REFUSAL_EVERY))
    }
}

impl Refusals {
    /// Whether one more is to be noted. The first that is not is told to the log.
    fn let_through(&self, who: &str, action: &'static str, code: &str, now: Instant) -> bool {
        let Err(TooOften { wait, first }) = self.0.take((who.to_owned(), action, code.to_owned()), now) else {
            return true;
        };
        if first {
            let seconds = wait.as_secs();
            tracing::warn!(who, action, code, "is refused so often that the audit leaves it out for {seconds} s");
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_fills_the_disk_with_refusals_nor_hides_one_behind_others() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let noted = |action, code, second| refusals.let_through("a", action, code, start + Duration::from_secs(second));
        let day = (0..86_400).filter(|second| noted("prune", "forbidden", *second)).count();
        assert_eq!(day, 10 + 143);
        assert!(noted("token.create", "forbidden", 86_400), "another thing is noted");
        assert!(noted("prune", "busy", 86_400), "and another cause");
        assert!(refusals.let_through("b", "prune", "forbidden", start), "and another's");
    }
}
