//! Drift: what of Netloom's differs from what is wanted, what of somebody else's is left alone, and the latest repairs. What must not
//! live here: how a difference is found or put right.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use netloom_model::drift::{Difference, Drift};
use netloom_model::event::Event;

use super::chip::Chip;
use super::csv_link::CsvLink;
use super::events::EventRow;
use super::format;
use super::frame::Frame;
use super::object::ObjectLink;
use super::prose::Prose;

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
            found: drift.found.clone(),
            wanted: drift.wanted.clone(),
        }
    }
}

/// Differences as tables, one for each object that they belong to.
#[derive(Debug, Clone, Template)]
#[template(path = "component/drift_table.html")]
pub struct DriftTable {
    /// What the IDs of its parts begin with.
    id: &'static str,
    groups: Vec<DriftGroup>,
    /// How many more there are than are shown.
    more: Option<String>,
}

/// What differs of one object.
#[derive(Debug, Clone)]
pub struct DriftGroup {
    /// The object; absent for what belongs to nothing of Netloom's.
    pub(crate) object: Option<ObjectLink>,
    /// The same as text, for the table's label.
    pub(crate) label: String,
    pub(crate) key: String,
    pub(crate) count: String,
    pub(crate) rows: Vec<DriftRow>,
}

impl DriftGroup {
    fn new(drift: &[&Drift]) -> Self {
        let of = drift.first().and_then(|one| one.belongs_to.as_ref());
        Self {
            object: of.map(ObjectLink::from),
            label: of.map_or("nothing of Netloom's".to_owned(), |of| format!("{} {}", of.kind.as_str(), of.name)),
            key: of.map_or("none".to_owned(), |of| of.id.clone()),
            count: counted(drift.len()),
            rows: drift.iter().copied().map(DriftRow::from).collect(),
        }
    }
}

impl askama::filters::HtmlSafe for DriftTable {}

impl DriftTable {
    fn new<'a>(id: &'static str, drift: impl Iterator<Item = &'a Drift>) -> Option<Self> {
        let all: Vec<&Drift> = drift.collect();
        let more = all.len().saturating_sub(SHOWN);
        // In the order in which their first difference came.
        let mut groups: Vec<Vec<&Drift>> = Vec::new();
        let mut places: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for one in all.into_iter().take(SHOWN) {
            let owner = one.belongs_to.as_ref().map(|of| of.id.as_str());
            let place = *places.entry(owner).or_insert(groups.len());
            match groups.get_mut(place) {
                Some(group) => group.push(one),
                None => groups.push(vec![one]),
            }
        }
        let groups: Vec<DriftGroup> = groups.iter().map(|group| DriftGroup::new(group)).collect();
        (!groups.is_empty()).then(|| Self { id, groups, more: (more > 0).then(|| counted(more)) })
    }
}

/// A repair as a row: what was found, in the event's own words, and what was done about it.
#[derive(Debug, Clone)]
pub struct RepairRow {
    pub(crate) event: EventRow,
    pub(crate) done: Vec<Prose>,
}

impl RepairRow {
    fn new(frame: &Frame, event: &Event, existing: &BTreeSet<String>) -> Self {
        let done = event.data.get("done").map(String::as_str).unwrap_or_default();
        Self {
            event: EventRow::new(frame, event, existing),
            done: done.split("; ").filter(|one| !one.is_empty()).map(Prose::new).collect(),
        }
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
    repairs: Vec<RepairRow>,
    csv: CsvLink,
    repairs_csv: CsvLink,
}

impl DriftPage {
    /// The page of these differences and of the latest repairs, latest first. `existing` are the IDs of what is still there of the repairs' objects.
    pub fn new(frame: Frame, drift: &[Drift], repairs: &[Event], existing: &BTreeSet<String>) -> Self {
        let frame = frame.api("/api/v1/drift");
        Self {
            summary: Summary::new(drift),
            ours: DriftTable::new("ours", drift.iter().filter(|one| !is_foreign(one))),
            foreign: DriftTable::new("foreign", drift.iter().filter(|one| is_foreign(one))),
            repairs: repairs.iter().map(|event| RepairRow::new(&frame, event, existing)).collect(),
            csv: CsvLink::new("/ui/drift", "", "differences"),
            repairs_csv: CsvLink::new("/ui/activity", "?kind=drift", "repairs"),
            frame,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drift(name: &str, of: Option<&str>) -> Drift {
        let object = of.map(|of| serde_json::json!({"kind": "sandbox", "id": of, "name": of}));
        let mut value = serde_json::json!({"difference": "missing", "object": "link", "name": name, "place": "host"});
        if let Some(object) = object {
            value["belongs_to"] = object;
        }
        serde_json::from_value(value).expect("a difference")
    }

    #[test]
    fn differences_stand_by_the_object_that_they_belong_to() {
        let all = [drift("eth0", Some("a")), drift("eth0", Some("b")), drift("eth1", Some("a")), drift("x", None)];
        let table = DriftTable::new("ours", all.iter()).expect("differences");
        let told: Vec<(&str, usize)> = table.groups.iter().map(|one| (one.label.as_str(), one.rows.len())).collect();
        assert_eq!(told, [("sandbox a", 2), ("sandbox b", 1), ("nothing of Netloom's", 1)]);
        assert!(table.more.is_none());
        assert!(DriftTable::new("ours", [].iter()).is_none());
    }

    #[test]
    fn no_more_than_a_page_is_shown() {
        let many: Vec<Drift> = (0..SHOWN + 7).map(|n| drift(&n.to_string(), Some("a"))).collect();
        let table = DriftTable::new("ours", many.iter()).expect("differences");
        assert_eq!((table.groups[0].rows.len(), table.more.as_deref()), (SHOWN, Some("7")));
    }
}
