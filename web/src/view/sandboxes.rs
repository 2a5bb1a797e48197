//! All sandboxes, running and stopped.

use askama::Template;
use netloom_control::command::Page;
use netloom_model::sandbox::{Sandbox, SandboxState};
use serde::Deserialize;

use super::chip::Chip;
use super::csv_link::CsvLink;
use super::endpoint::EndpointView;
use super::frame::Frame;
use super::leases::{Choice, choices};
use super::link;
use super::prose::Prose;
use super::when::When;

/// What the form asks for; an empty text asks for nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SandboxFilter {
    /// A network's name or ID.
    pub network: String,
    /// The word of a state, as the sandboxes' own pages have it.
    pub state: String,
    /// Text in the name or the description.
    pub q: String,
    /// A label: `key=value`, or `key` for any value.
    pub label: String,
    /// Where to go on.
    pub page_token: String,
}

impl SandboxFilter {
    fn query(&self, token: &str) -> String {
        link::query(&[
            ("network", &self.network),
            ("state", &self.state),
            ("q", &self.q),
            ("label", &self.label),
            ("page_token", token),
        ])
    }
}

/// A sandbox as a row.
#[derive(Debug, Clone)]
pub struct SandboxRow {
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) state: Chip,
    /// Its places; one that is none where it is on no network, so that every sandbox has a row.
    pub(crate) places: Vec<Option<EndpointView>>,
    pub(crate) adopted: bool,
    pub(crate) managed_by: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) notice: Option<Prose>,
    pub(crate) created: When,
}

impl SandboxRow {
    /// A sandbox as a row.
    pub fn new(frame: &Frame, sandbox: &Sandbox) -> Self {
        let places = sandbox.status.endpoints.iter();
        let mut places: Vec<_> =
            places.map(|(network, endpoint)| Some(EndpointView::of_sandbox(sandbox, network, endpoint))).collect();
        if places.is_empty() {
            places.push(None);
        }
        Self {
            name: sandbox.spec.name.clone(),
            href: link::sandbox(&sandbox.spec.name),
            state: Chip::from(sandbox.status.state),
            places,
            adopted: sandbox.spec.netns.is_some() || sandbox.spec.pid.is_some(),
            managed_by: sandbox.spec.managed_by.clone(),
            description: sandbox.spec.description.clone(),
            notice: sandbox.status.conditions.first().map(|condition| Prose::new(&condition.message)),
            created: frame.when(sandbox.created_at),
        }
    }
}

/// Sandboxes as a table: a group of rows for each, a row for each of its places.
#[derive(Debug, Clone, Template)]
#[template(path = "component/sandbox_table.html")]
pub struct SandboxTable {
    pub(crate) rows: Vec<SandboxRow>,
}

impl askama::filters::HtmlSafe for SandboxTable {}

impl SandboxTable {
    /// A table of these sandboxes.
    pub fn new(frame: &Frame, sandboxes: &[Sandbox]) -> Self {
        Self { rows: sandboxes.iter().map(|sandbox| SandboxRow::new(frame, sandbox)).collect() }
    }
}

/// `/ui/sandboxes`.
#[derive(Debug, Template)]
#[template(path = "sandboxes.html")]
pub struct SandboxesPage {
    frame: Frame,
    filter: SandboxFilter,
    filtered: bool,
    states: Vec<Choice>,
    table: SandboxTable,
    create: String,
    another: String,
    first: Option<String>,
    next: Option<String>,
    csv: CsvLink,
}

impl SandboxesPage {
    /// The page of a list that was asked for with `filter`; `network` is one that a first sandbox could be on.
    pub fn new(frame: Frame, filter: SandboxFilter, page: &Page<Sandbox>, network: Option<&str>) -> Self {
        let frame = frame.api(format!("/api/v1/sandboxes{}", filter.query(&filter.page_token)));
        let link = |token: &str| format!("/ui/sandboxes{}", filter.query(token));
        let body = |name: &str| serde_json::json!({"name": name, "networks": {network.unwrap_or("none"): {}}});
        Self {
            filtered: [&filter.network, &filter.state, &filter.q, &filter.label].iter().any(|text| !text.is_empty()),
            states: choices(SandboxState::ALL.map(SandboxState::as_str), &filter.state),
            table: SandboxTable::new(&frame, &page.items),
            create: frame.first_post("/api/v1/sandboxes", &body("macvlan1")),
            another: frame.first_post("/api/v1/sandboxes", &body("another")),
            first: (!filter.page_token.is_empty()).then(|| link("")),
            next: page.next_page_token.as_deref().map(link),
            csv: CsvLink::new("/ui/sandboxes", &filter.query(""), "sandboxes"),
            filter,
            frame,
        }
    }
}
