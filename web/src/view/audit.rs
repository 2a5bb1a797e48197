//! One entry of the audit as a row: who asked for what, from where, and what came of it. What must not live here: the page of all (`activity`).

use std::collections::BTreeSet;

use netloom_model::audit::{AuditEntry, AuditObject, Circumstances, Decision};
use netloom_model::event::ObjectRef;

use super::chip::{Chip, Tone};
use super::difference::FieldDifference;
use super::format;
use super::frame::Frame;
use super::link;
use super::object::ObjectLink;
use super::party::Party;
use super::prose::Prose;
use super::when::When;

/// An entry as a row.
#[derive(Debug, Clone)]
pub struct AuditRow {
    pub(crate) seq: String,
    pub(crate) time: When,
    pub(crate) actor: Party,
    pub(crate) role: Option<&'static str>,
    pub(crate) source: Option<Party>,
    pub(crate) action: String,
    pub(crate) object: Option<ObjectLink>,
    pub(crate) outcome: Chip,
    /// The number of the entry that says why it was taken back.
    pub(crate) taken_back: Option<String>,
    pub(crate) code: Option<(String, String)>,
    /// What the problem said.
    pub(crate) detail: Option<Prose>,
    /// The field that it named, where it says so only there.
    pub(crate) pointer: Option<String>,
    pub(crate) changed: Option<FieldDifference>,
    pub(crate) request: String,
    pub(crate) request_id: Option<(String, String)>,
}

impl AuditRow {
    /// An entry as a row; `existing` are the IDs of what is still there to be linked.
    pub fn new(frame: &Frame, entry: &AuditEntry, existing: &BTreeSet<String>) -> Self {
        let outcome = match (entry.decision, entry.taken_back_by) {
            (Decision::Allowed, Some(_)) => Chip::new(Tone::Warn, "taken back"),
            (Decision::Allowed, None) => Chip::new(Tone::Good, entry.decision.as_str()),
            (Decision::Denied, _) => Chip::new(Tone::Bad, entry.decision.as_str()),
            (Decision::Failed, _) => Chip::new(Tone::Warn, entry.decision.as_str()),
        };
        let how = &entry.circumstances;
        let request = [entry.method.as_deref(), entry.path.as_deref()].into_iter().flatten().collect::<Vec<_>>();
        Self {
            seq: format::count(entry.seq),
            time: frame.when(entry.time),
            actor: Party::new(frame, &entry.actor),
            role: how.role.map(|role| role.as_str()),
            source: how.source.as_deref().map(|source| Party::new(frame, source)),
            action: entry.action.clone(),
            object: entry.object.as_ref().map(|object| ObjectLink::of_past(&reference(object), existing)),
            outcome,
            taken_back: entry.taken_back_by.map(format::count),
            code: how.code.clone().map(|code| (format!("/problems/{code}"), code)),
            detail: how.detail.as_deref().map(Prose::new),
            pointer: unsaid_pointer(how),
            changed: FieldDifference::new(how.before.as_ref(), how.after.as_ref()),
            request: request.join(" "),
            request_id: entry.request_id.clone().map(|id| (link::request(&id, true), id)),
        }
    }
}

/// The field that was refused, where the words do not name it.
pub(super) fn unsaid_pointer(how: &Circumstances) -> Option<String> {
    let said = |pointer: &String| how.detail.as_ref().is_some_and(|detail| detail.contains(pointer.as_str()));
    how.pointer.clone().filter(|pointer| !said(pointer))
}

/// What is known of an object, by name rather than by ID where both are.
pub(super) fn reference(object: &AuditObject) -> ObjectRef {
    let name = object.name.clone().or_else(|| object.id.clone()).unwrap_or_default();
    ObjectRef { kind: object.kind, id: object.id.clone().unwrap_or_default(), name }
}
