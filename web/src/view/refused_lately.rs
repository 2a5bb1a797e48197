//! What was refused in the last hour, on the front page: who wanted what, why they did not get it, and where the audit tells of it. What must not live here: an entry as
//! the audit's list has it (`audit`).

use askama::Template;
use netloom_control::RefusedLately;
use netloom_model::Timestamp;
use netloom_model::audit::Decision;

use super::chip::Tone;
use super::format;
use super::frame::Frame;
use super::link;
use super::party::Party;
use super::prose::Prose;
use super::when::When;

/// How many objects of a group are named.
const NAMED: usize = 3;

/// What one actor was refused for one reason.
#[derive(Debug, Clone)]
pub struct RefusedRow {
    pub(crate) key: String,
    pub(crate) tone: &'static str,
    pub(crate) actor: Party,
    pub(crate) action: String,
    pub(crate) objects: Option<String>,
    pub(crate) code: Option<(String, String)>,
    pub(crate) detail: Option<Prose>,
    pub(crate) times: Option<String>,
    pub(crate) time: When,
    pub(crate) href: String,
}

/// All of the last hour.
#[derive(Debug, Clone, Template)]
#[template(path = "component/refused_lately.html")]
pub struct RefusedList {
    rows: Vec<RefusedRow>,
    more: Option<String>,
    all: String,
}

impl askama::filters::HtmlSafe for RefusedList {}

impl RefusedList {
    /// The groups since a time, of which `left_out` more are not told; nothing where nothing was refused.
    pub fn new(frame: &Frame, groups: &[RefusedLately], since: Timestamp, left_out: usize) -> Option<Self> {
        let since = since.to_string();
        let all = link::query(&[("show", "audit"), ("decision", "failed"), ("from", &since)]);
        (!groups.is_empty()).then(|| Self {
            rows: groups.iter().map(|group| row(frame, group, &since)).collect(),
            more: (left_out > 0).then(|| format::counted(left_out as u64, "more reason", "more reasons")),
            all: format!("/ui/activity{all}"),
        })
    }
}

fn row(frame: &Frame, group: &RefusedLately, since: &str) -> RefusedRow {
    let entry = &group.latest;
    let pairs = [
        ("show", "audit"),
        ("actor", entry.actor.as_str()),
        ("kind", &entry.action),
        ("decision", entry.decision.as_str()),
        ("from", since),
    ];
    let named = group.objects.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let rest = match group.objects.len().saturating_sub(NAMED) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    let tone = if entry.decision == Decision::Denied { Tone::Bad } else { Tone::Warn };
    RefusedRow {
        key: entry.seq.to_string(),
        tone: tone.class(),
        actor: Party::new(frame, &entry.actor),
        action: entry.action.clone(),
        objects: (!named.is_empty()).then(|| named + &rest),
        code: entry.circumstances.code.clone().map(|code| (format!("/problems/{code}"), code)),
        detail: entry.circumstances.detail.as_deref().map(Prose::new),
        times: (group.times > 1).then(|| format!("{} times", format::count(group.times))),
        time: frame.when(entry.time),
        href: format!("/ui/activity{}", link::query(&pairs)),
    }
}
