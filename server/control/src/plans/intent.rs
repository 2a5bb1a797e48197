//! What stands around a planned command in its transaction: what it was made from is noted, and what it decided; or both are held against what
//! the plan says, and the plan is marked as applied.

use std::sync::{Mutex, PoisonError};

use netloom_model::PlanId;
use netloom_model::event::ObjectRef;
use netloom_model::plan::{NodePlan, Plan, PlanHead, PlanRead, PlanStep};
use netloom_model::{NodeId, Timestamp};
use netloom_store::{Error as StoreError, WriteTx, plans};

use super::command::PlannedCommand;
use super::keep::LIFE;
use super::reads;
use crate::clock::now;
use crate::error::Error;
use crate::principal::Context;

/// A planned command under way.
pub(crate) struct Intent {
    pub(crate) command: PlannedCommand,
    pub(crate) by: String,
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
}

impl Intent {
    /// To make a plan of a command.
    pub(crate) fn new(command: PlannedCommand, context: &Context) -> Self {
        Self { command, by: context.principal.name.clone(), held: None, noted: Mutex::default() }
    }

    /// To hold a command to its plan.
    pub(crate) fn held(command: PlannedCommand, context: &Context, held: Held) -> Self {
        Self { held: Some(held), ..Self::new(command, context) }
    }

    /// What was found at last.
    pub(crate) fn noted(&self) -> Noted {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// IDs of the objects that the plan names, where the command is held to one.
    pub(crate) fn decided(&self) -> Option<&[String]> {
        self.held.as_ref()?.decisions.as_deref()
    }

    /// Reads what the command is made from, before it changes anything.
    ///
    /// # Errors
    /// `plan-stale`, `plan-applied`.
    pub(crate) async fn before(&self, tx: &mut WriteTx<'_>) -> Result<Vec<PlanRead>, Error> {
        let reads = reads::of(tx, &self.command).await?;
        if let Some(held) = &self.held {
            if held.applies {
                let marked = plans::mark_applied(tx, held.id, &self.by, now()).await;
                marked.map_err(|error| match error {
                    StoreError::NotFound => applied_meanwhile(held.id),
                    other => other.into(),
                })?;
            }
            let changed = reads::changed(&held.reads, &reads);
            if !changed.is_empty() {
                return Err(changed_since(held.id, changed));
            }
        }
        Ok(reads)
    }

    /// Notes what was decided.
    ///
    /// # Errors
    /// `plan-stale`, when the plan says otherwise.
    pub(crate) fn after(&self, reads: Vec<PlanRead>, decisions: Option<Vec<String>>) -> Result<(), Error> {
        if let Some(held) = &self.held
            && let (Some(then), Some(now)) = (&held.decisions, &decisions)
            && then != now
        {
            return Err(otherwise(held.id, "decided", then, now));
        }
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = Noted { reads, decisions };
        Ok(())
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

fn applied_meanwhile(id: PlanId) -> Error {
    Error::conflict("plan-applied", format!("plan `{id}` was applied or discarded meanwhile"))
        .hint("a plan is applied once; see it for when and by whom")
}
