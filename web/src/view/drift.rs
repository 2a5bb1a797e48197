//! Drift: what of Netloom's differs from what is wanted, what of somebody else's is left alone, and the latest repairs. What must not
//! live here: how a difference is found or put right.

use std::collections::BTreeSet;

use askama::Template;
use netloom_model::drift::{Difference, Drift};
use netloom_model::event::Event;

use super::chip::Chip;
use super::csv_link::CsvLink;
use super::events::EventRow;
use super::format;
use super::frame::Frame;
use super::object::ObjectLink;

/// Most rows of one table: a host whose namespaces are all gone has thousands.
const SHOWN: usize = 50;

/// How much differs, as the overview tells it and the page of drift begins: nothing is said of what there is none of.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// What of Netloom's differs, such as `2 things differ from what is wanted`.
    pub(crate) ours: Option<String>,
    /// What is somebody else's, such as `1 thing is somebody else's and is left alone`.
    pub(crate) foreign: Option<String>,
}

impl Summary {
    /// Counts differences.
    pub fn new(drift: &[Drift]) -> Self {
        let all = drift.len();
        let foreign = drift.iter().filter(|one| is_foreign(one)).count();
        let told = |number: usize, one: &str, many: &str| match number {
            0 => None,
            1 => Some(format!("1 thing {one}")),
            _ => Some(format!("{} things {many}", counted(number))),
        };
        Self {
            ours: told(all - foreign, "differs from what is wanted", "differ from what is wanted"),
            foreign: told(foreign, "is somebody else's and is left alone", "are somebody else's and are left alone"),
        }
    }
}

/// A difference as a row.
#[derive(Debug, Clone)]
pub struct DriftRow {
    pub(crate) name: String,
    pub(crate) object: String,
    pub(crate) difference: Chip,
    pub(crate) place: String,
    pub(crate) belongs_to: Option<ObjectLink>,
    pub(crate) found: Option<String>,
    pub(crate) wanted: Option<String>,
}

impl From<&Drift> for DriftRow {
    fn from(drift: &Drift) -> Self {
        Self {
            name: drift.name.clone(),
            object: drift.object.clone(),
            difference: Chip::from(drift.difference),
            place: drift.place.clone(),
            belongs_to: drift.belongs_to.as_ref().map(ObjectLink::from),
            found: drift.found.clone(),
            wanted: drift.wanted.clone(),
        }
    }
}

/// Differences as a table.
#[derive(Debug, Clone, Template)]
#[template(path = "component/drift_table.html")]
pub struct DriftTable {
    label: &'static str,
    rows: Vec<DriftRow>,
    /// How many more there are than are shown.
    more: Option<String>,
}

impl askama::filters::HtmlSafe for DriftTable {}

impl DriftTable {
    fn new<'a>(label: &'static str, drift: impl Iterator<Item = &'a Drift>) -> Option<Self> {
        let mut rows: Vec<DriftRow> = drift.map(DriftRow::from).collect();
        let more = rows.len().saturating_sub(SHOWN);
        rows.truncate(SHOWN);
        (!rows.is_empty()).then(|| Self { label, rows, more: (more > 0).then(|| counted(more)) })
    }
}

fn is_foreign(drift: &Drift) -> bool {
    drift.difference == Difference::Foreign
}

fn counted(number: usize) -> String {
    format::count(u64::try_from(number).unwrap_or(u64::MAX))
}

/// `/ui/drift`.
#[derive(Debug, Template)]
#[template(path = "drift.html")]
pub struct DriftPage {
    frame: Frame,
    summary: Summary,
    ours: Option<DriftTable>,
    foreign: Option<DriftTable>,
    events: Vec<EventRow>,
    csv: CsvLink,
}

impl DriftPage {
    /// The page of these differences and of the latest repairs, latest first. `existing` are the IDs of what is still there of the repairs' objects.
    pub fn new(frame: Frame, drift: &[Drift], repairs: &[Event], existing: &BTreeSet<String>) -> Self {
        let frame = frame.api("/api/v1/drift");
        Self {
            summary: Summary::new(drift),
            ours: DriftTable::new("What differs", drift.iter().filter(|one| !is_foreign(one))),
            foreign: DriftTable::new("What is somebody else's", drift.iter().filter(|one| is_foreign(one))),
            events: repairs.iter().map(|event| EventRow::new(&frame, event, existing)).collect(),
            csv: CsvLink::new("/ui/drift", "", "differences"),
            frame,
        }
    }
}
