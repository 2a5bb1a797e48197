//! The audit: what was asked for, by whom, from where, and what came of it. An entry of a change is written by the change's own
//! transaction (`journal`); what was denied, what failed and the giving out of secrets are written here.
//!
//! Reading is not noted, but for what was denied. Nor is a dry run, unless it was denied.

mod difference;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

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

pub(crate) use difference::Difference;

/// How many refusals of one principal are noted in a minute: nobody may fill the disk with what they are refused.
const REFUSALS_A_MINUTE: u32 = 600;
const MINUTE_MILLIS: i64 = 60_000;

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
    /// Takes note of a request that was denied or failed, with the code of its problem; whoever answers a request with a failure
    /// calls it. Of what was not authorised to begin with, such as a request that can't be read, there is nothing to note.
    pub async fn note_failure(&self, context: &Context, code: &str, dry_run: bool) {
        let Some(attempt) = context.take_attempt() else { return };
        if dry_run && !attempt.denied {
            return;
        }
        let now = now();
        if !self.inner.refusals.let_through(context, now) {
            return;
        }
        let decision = if attempt.denied { Decision::Denied } else { Decision::Failed };
        let entry = NewAudit {
            object: attempt.object,
            code: Some(code.to_owned()),
            ..Actor::from(context).entry(attempt.action, decision, now)
        };
        if let Err(error) = self.inner.commit(false, Refused(entry)).await {
            tracing::warn!(%error, request_id = context.request_id, "what was refused could not be noted in the audit");
        }
    }

    /// Lists audit entries, the latest first.
    ///
    /// # Errors
    /// A bad page request.
    pub async fn list_audit(&self, c: Authorized<ListAudit>) -> Result<Page<AuditEntry>, Error> {
        let (c, _) = c.into_parts();
        let filters =
            format!("audit {:?} {:?} {:?} {:?} {:?} {:?}", c.actor, c.object, c.actions, c.decision, c.since, c.until);
        let part = Part::new(&c.page, &filters)?;
        let token_id: Option<TokenId> = c.actor.as_deref().and_then(|actor| actor.parse().ok());
        let query = AuditQuery {
            actor: c.actor.filter(|_| token_id.is_none()),
            token_id,
            object: c.object,
            actions: c.actions,
            decision: c.decision,
            since: c.since,
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

/// How many refusals each principal had in the present minute.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<(i64, HashMap<String, u32>)>);

impl Refusals {
    /// Whether one more is to be noted. The first that is not is told to the log.
    fn let_through(&self, context: &Context, now: Timestamp) -> bool {
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.millis().div_euclid(MINUTE_MILLIS);
        if refusals.0 != minute {
            *refusals = (minute, HashMap::new());
        }
        let name = &context.principal.name;
        let count = refusals.1.entry(name.clone()).or_default();
        *count = count.saturating_add(1);
        if *count == REFUSALS_A_MINUTE + 1 {
            tracing::warn!(
                actor = name,
                "is refused more than {REFUSALS_A_MINUTE} times a minute: the audit leaves the rest of this minute out"
            );
        }
        *count <= REFUSALS_A_MINUTE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::{Principal, Role};

    #[test]
    fn nobody_fills_the_disk_with_refusals() {
        let context = |name: &str| Context::new(Principal { name: name.into(), role: Role::Viewer, token: None }, "r");
        let (refusals, at) = (Refusals::default(), Timestamp::from_millis);
        let noted = (0..1000).filter(|_| refusals.let_through(&context("a"), at(1))).count();
        assert_eq!(noted, 600);
        assert!(refusals.let_through(&context("b"), at(2)), "another's are noted");
        assert!(refusals.let_through(&context("a"), at(60_001)), "and the next minute's");
    }
}
