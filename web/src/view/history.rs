//! The history of one object, on the page of a network, a sandbox, a lease or a node: when, who, what, and what changed.

use askama::Template;
use netloom_control::command::Page;
use netloom_model::audit::Decision;
use netloom_model::history::HistoryEntry;
use netloom_model::network::Network;

use super::chip::{Chip, Tone};
use super::csv_link::CsvLink;
use super::difference::FieldDifference;
use super::events::tone;
use super::frame::Frame;
use super::link;
use super::network::Head;
use super::prose::Prose;
use super::when::Moment;

/// One entry.
#[derive(Debug, Clone)]
pub struct HistoryRow {
    pub(crate) key: String,
    pub(crate) time: Moment,
    pub(crate) actor: String,
    /// Role and source, where they are known.
    pub(crate) from: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) what: String,
    pub(crate) tone: &'static str,
    pub(crate) event_href: Option<String>,
    pub(crate) message: Option<Prose>,
    pub(crate) outcome: Option<Chip>,
    pub(crate) code: Option<(String, String)>,
    pub(crate) differences: Option<FieldDifference>,
}

impl HistoryRow {
    fn new(frame: &Frame, object: &str, entry: &HistoryEntry) -> Self {
        let what = entry.kind.clone().or_else(|| entry.action.clone()).unwrap_or_default();
        let outcome = match entry.decision {
            Some(Decision::Denied) => Some(Chip::new(Tone::Bad, "denied")),
            Some(Decision::Failed) => Some(Chip::new(Tone::Warn, "failed")),
            Some(Decision::Allowed) | None => None,
        };
        let known = entry.kind.as_ref().and(entry.event);
        // What comes before the next number begins with this event.
        let place =
            |event: u64| link::query(&[("object", object), ("page_token", &event.saturating_add(1).to_string())]);
        let from = [entry.role.map(|role| role.as_str().to_owned()), entry.source.clone()];
        let from: Vec<String> = from.into_iter().flatten().collect();
        let differences = FieldDifference::new(entry.before.as_ref(), entry.after.as_ref());
        Self {
            key: format!("{}-{}-{what}", entry.time.millis(), entry.event.unwrap_or_default()),
            time: frame.moment(entry.time),
            actor: entry.actor.clone(),
            from: (!from.is_empty()).then(|| from.join(", ")),
            request_id: entry.request_id.clone(),
            tone: tone(&what).class(),
            event_href: known.map(|event| format!("/ui/activity{}", place(event))),
            message: entry.message.as_deref().map(Prose::new),
            outcome,
            code: entry.code.clone().map(|code| (format!("/problems/{code}"), code)),
            differences,
            what,
        }
    }
}

/// A page of a history, wherever it stands.
#[derive(Debug, Clone, Template)]
#[template(path = "component/history.html")]
pub struct History {
    rows: Vec<HistoryRow>,
    /// Whether only part of it may be seen.
    partly: bool,
    first: Option<String>,
    next: Option<String>,
}

impl askama::filters::HtmlSafe for History {}

impl History {
    /// The part of an object's history from `token` on. `href` is its page; `audited` says that whoever looks may read the audit.
    pub fn new(
        frame: &Frame,
        object: &str,
        page: &Page<HistoryEntry>,
        (href, token): (&str, &str),
        audited: bool,
    ) -> Self {
        Self {
            rows: page.items.iter().map(|entry| HistoryRow::new(frame, object, entry)).collect(),
            partly: !audited,
            first: (!token.is_empty()).then(|| href.to_owned()),
            next: page
                .next_page_token
                .as_deref()
                .map(|token| format!("{href}{}", link::query(&[("page_token", token)]))),
        }
    }
}

/// `/ui/networks/{network}/history`.
#[derive(Debug, Template)]
#[template(path = "network_history.html")]
pub struct NetworkHistoryPage {
    frame: Frame,
    head: Head,
    history: History,
    csv: CsvLink,
}

impl NetworkHistoryPage {
    /// The page of a network's history, from `token` on.
    pub fn new(frame: Frame, network: &Network, page: &Page<HistoryEntry>, token: &str, audited: bool) -> Self {
        let query = link::query(&[("page_token", token)]);
        let path = format!("/api/v1/networks/{}/history{query}", link::encode(&network.spec.name));
        let frame = frame.crumb("Networks", "/ui/networks").api(path);
        let head = Head::new(network, "history");
        let href = format!("{}/history", head.href);
        let csv = CsvLink::new(&href, "", "entries");
        Self { csv, history: History::new(&frame, &network.id.to_string(), page, (&href, token), audited), head, frame }
    }
}
