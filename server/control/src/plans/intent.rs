//! What stands around a planned command in its transaction: what it was made from is noted, and what it decided; or both are held against what
//! the plan says, and the plan is marked as applied.

use std::sync::{Mutex, PoisonError};

use netloom_model::PlanId;
use netloom_model::event::ObjectRef;
use netloom_model::plan::{NodePlan, Plan, PlanApplied, PlanHead, PlanRead, PlanStep};
use netloom_model::{NodeId, Timestamp};
use netloom_store::{WriteTx, plans};

use super::command::PlannedCommand;
use super::keep::LIFE;
use super::{none, reads};
use crate::clock::now;
use crate::error::Error;
use crate::principal::Context;

/// A planned command under way.
pub(crate) struct Intent {
    pub(crate) command: PlannedCommand,
    pub(crate) by: String,
    /// Who that is, whatever the name: see [`crate::principal::Principal::identity`].
    pub(crate) owner: String,
    /// The plan that it is held to.
    held: Option<Held>,
    noted: Mutex<Noted>,
}

/// What a plan says.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) id: PlanId,
    pub(crate) reads: Vec<PlanRead>,
    pub(crate) decisions: Option<Vec<String>>,
    /// Whether this is the applying of it, rather than another look before.
    pub(crate) applies: bool,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Noted {
    pub(crate) reads: Vec<PlanRead>,
    pub(crate) decisions: Option<Vec<String>>,
    /// That the plan was marked as applied.
    pub(crate) applied: Option<PlanApplied>,
}

impl Intent {
    /// To make a plan of a command.
    pub(crate) fn new(command: PlannedCommand, context: &Context) -> Self {
        let (by, owner) = (context.principal.name.clone(), context.principal.identity());
        Self { command, by, owner, held: None, noted: Mutex::default() }
    }

    /// To hold a command to its plan.
    pub(crate) fn held(command: PlannedCommand, context: &Context, held: Held) -> Self {
        Self { held: Some(held), ..Self::new(command, context) }
    }

    /// What was found at last.
    pub(crate) fn noted(&self) -> Noted {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The plan that the command is held to, if it is.
    pub(crate) const fn held_to(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// Reads what the command is made from, before it changes anything.
    ///
    /// # Errors
    /// `plan-applied`, before all else: what the applying did itself is no change since. `plan-stale`.
    pub(crate) async fn before(&self, tx: &mut WriteTx<'_>) -> Result<Noted, Error> {
        self.note(Noted::default());
        let mut applied = None;
        if let Some(held) = &self.held {
            let now = now();
            let head = plans::head(tx, held.id, now).await?.map(|(_, head)| head);
            let head = head.ok_or_else(|| none(&held.id.to_string()))?;
            if head.applied.is_some() {
                return Err(applied_before(held.id, &head));
            }
            if held.applies {
                plans::mark_applied(tx, held.id, &self.by, now).await?;
                applied = Some(PlanApplied { at: now, by: self.by.clone() });
            }
        }
        let reads = reads::of(tx, &self.command).await?;
        if let Some(held) = &self.held {
            let changed = reads::changed(&held.reads, &reads);
            if !changed.is_empty() {
                return Err(changed_since(held.id, changed));
            }
        }
        Ok(Noted { reads, decisions: None, applied })
    }

    /// Notes what was decided, beside what was found before.
    ///
    /// # Errors
    /// `plan-stale`, when the plan says otherwise.
    pub(crate) fn after(&self, before: Noted, decisions: Option<Vec<String>>) -> Result<(), Error> {
        if let Some(held) = &self.held
            && let (Some(then), Some(now)) = (&held.decisions, &decisions)
            && then != now
        {
            return Err(otherwise(held.id, "decided", then, now));
        }
        self.note(Noted { decisions, ..before });
        Ok(())
    }

    fn note(&self, noted: Noted) {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = noted;
    }

    /// The plan, of what the node would do.
    pub(crate) fn plan(&self, told: NodePlan, object: Option<ObjectRef>, node: NodeId) -> Plan {
        let created_at = now();
        let head = PlanHead {
            id: None,
            summary: self.command.summary(),
            object,
            created_at,
            created_by: self.by.clone(),
            expires_at: end(created_at),
            applied: None,
        };
        let step = |operation| PlanStep { node, operation };
        let operations = told.operations.into_iter().map(step).collect();
        Plan { head, operations, interruptions: told.interruptions, reads: self.noted().reads }
    }
}

fn end(made: Timestamp) -> Timestamp {
    made.plus_millis(i64::try_from(LIFE.as_millis()).unwrap_or(i64::MAX))
}

/// `plan-stale`, of a plan: its other part says why.
pub(crate) fn stale(id: PlanId, why: &str) -> Error {
    Error::conflict("plan-stale", format!("plan `{id}` can't be applied any more: {why}"))
        .hint("make the plan anew with `dry_run=true`, and apply that")
}

fn changed_since(id: PlanId, changed: Vec<ObjectRef>) -> Error {
    let names: Vec<String> =
        changed.iter().take(5).map(|object| format!("{} `{}`", object.kind.as_str(), object.name)).collect();
    let more =
        if changed.len() > names.len() { format!(" and {} more", changed.len() - names.len()) } else { String::new() };
    let verb = if changed.len() == 1 { "has" } else { "have" };
    stale(id, &format!("{}{more} {verb} changed since it was made", names.join(", "))).blockers(changed)
}

/// `plan-stale`, where something comes out otherwise than the plan says; the first difference is told.
pub(crate) fn otherwise(id: PlanId, what: &str, then: &[String], now: &[String]) -> Error {
    let at = then.iter().zip(now).position(|(then, now)| then != now).unwrap_or(then.len().min(now.len()));
    let told =
        |list: &[String]| list.get(at).map_or_else(|| "nothing".to_owned(), |text| text.chars().take(500).collect());
    let (planned, present) = (told(then), told(now));
    stale(id, &format!("other things would be {what} now than it says")).fact("planned", planned).fact("now", present)
}

/// `plan-applied`, with what it was applied to.
pub(crate) fn applied_before(id: PlanId, head: &PlanHead) -> Error {
    let when =
        head.applied.as_ref().map_or_else(String::new, |applied| format!(" at {} by {}", applied.at, applied.by));
    let mut error = Error::conflict("plan-applied", format!("plan `{id}` was applied{when}"))
        .hint("a plan is applied once: see what came of it, or make the plan anew with `dry_run=true`");
    if let Some(object) = &head.object {
        error = error.fact("object_kind", object.kind.as_str()).fact("object_id", &object.id);
    }
    error
}
