//! Sandboxes of other nodes, by their names or IDs: all that this host knows of them, which is their places on networks of the swarm. What must not live here: this host's own (`sandbox`).

use askama::Template;
use netloom_model::SandboxId;
use netloom_model::swarm_endpoint::SwarmEndpoint;

use super::chip::Chip;
use super::copy_as;
use super::csv_link::CsvLink;
use super::endpoints::SwarmRow;
use super::frame::{Frame, Place};
use super::link;
use super::object::OnNode;
use super::topology::around;
use super::when::When;

/// A sandbox of another node.
#[derive(Debug, Clone)]
pub struct AwaySandbox {
    pub(crate) id: String,
    pub(crate) href: String,
    pub(crate) node: OnNode,
    pub(crate) node_id: String,
    pub(crate) state: Chip,
    /// What was so when its node was heard of last.
    pub(crate) last: Option<&'static str>,
    pub(crate) rows: Vec<SwarmRow>,
    pub(crate) csv: CsvLink,
    /// When this host heard of it first, and of its last change.
    pub(crate) first: When,
    pub(crate) changed: When,
    pub(crate) around: String,
    /// What happened to it, as far as this host knows.
    pub(crate) history: String,
    /// Its leases, where they are this host's to tell: on the manager.
    pub(crate) leases: Option<String>,
}

impl AwaySandbox {
    fn new(frame: &Frame, endpoints: &[&SwarmEndpoint]) -> Option<Self> {
        let first = endpoints.first()?;
        let id = first.sandbox_id.to_string();
        let rows: Vec<SwarmRow> = endpoints.iter().map(|endpoint| SwarmRow::new(frame, endpoint)).collect();
        let leases = || format!("/ui/leases{}", link::query(&[("owner", &id)]));
        Some(Self {
            href: link::sandbox(&id),
            history: format!("{}/history", link::sandbox(&id)),
            csv: CsvLink::new(&format!("{}/endpoints", link::sandbox(&id)), "", "endpoints of the sandbox"),
            node: OnNode::of_endpoint(frame, first),
            node_id: first.node.to_string(),
            state: Chip::from(first.state),
            last: rows.first().and_then(|row| row.last),
            first: frame.when(endpoints.iter().map(|one| one.created_at).min()?),
            changed: frame.when(endpoints.iter().map(|one| one.updated_at).max()?),
            around: around(&id),
            leases: (frame.place == Place::Manager).then(leases),
            rows,
            id,
        })
    }
}

/// `/ui/sandboxes/{sandbox}` of sandboxes of other nodes: one, or those of several nodes that have one name.
#[derive(Debug, Template)]
#[template(path = "sandbox_away.html")]
pub struct SandboxesAwayPage {
    frame: Frame,
    sandboxes: Vec<AwaySandbox>,
}

impl SandboxesAwayPage {
    /// The page of what is known by `reference`, an ID or a name; there is at least one endpoint.
    pub fn new(frame: Frame, reference: &str, endpoints: &[SwarmEndpoint]) -> Self {
        // Each once, in the order given, which is by the endpoint: one sandbox's need not follow each other.
        let mut ids: Vec<SandboxId> = Vec::new();
        for endpoint in endpoints {
            if !ids.contains(&endpoint.sandbox_id) {
                ids.push(endpoint.sandbox_id);
            }
        }
        let path = match (&frame.place, ids.as_slice()) {
            (Place::Manager, [id]) => {
                format!("/api/v1/swarm/endpoints{}", link::query(&[("sandbox", &id.to_string())]))
            }
            (Place::Manager, _) => format!("/api/v1/swarm/endpoints{}", link::query(&[("sandbox", reference)])),
            (_, [id, ..]) => format!("/api/v1/topology{}", link::query(&[("of", &id.to_string())])),
            (_, []) => "/api/v1/topology".to_owned(),
        };
        let copies = copy_as::reading(&frame, &path);
        let frame = frame.crumb("Sandboxes", "/ui/sandboxes").api_as("What this host knows of it, from the API", path);
        let frame = frame.copy_as(copies);
        let of = |id: &SandboxId| -> Vec<&SwarmEndpoint> {
            endpoints.iter().filter(|endpoint| endpoint.sandbox_id == *id).collect()
        };
        let sandboxes = ids.iter().filter_map(|id| AwaySandbox::new(&frame, &of(id))).collect();
        Self { sandboxes, frame }
    }

    pub(crate) fn is_one(&self) -> bool {
        self.sandboxes.len() == 1
    }
}
