//! What this host is in a swarm: its manager, one of its workers, or in none; and what is said in the place of pages that only a manager has.

use askama::Template;
use netloom_model::swarm::{Swarm, SwarmRole};
use serde_json::json;

use super::chip::{Chip, Tone};
use super::copy_as;
use super::format;
use super::frame::Frame;
use super::link;
use super::object::OnNode;
use super::prose::Prose;
use super::when::When;

/// A host in no swarm: how it makes or joins one.
#[derive(Debug, Clone)]
pub struct Lone {
    pub(crate) init: String,
    pub(crate) init_at: String,
    pub(crate) join: String,
    pub(crate) put: String,
}

impl Lone {
    fn new(frame: &Frame) -> Self {
        Self {
            init: frame.netloom("swarm init", ""),
            init_at: frame.netloom("swarm init", "--advertise-addr ADDRESS"),
            join: frame.netloom("swarm join", "--token TOKEN MANAGER"),
            put: frame.put("/api/v1/swarm", &json!({})),
        }
    }
}

/// What is only to be known of a worker: whether it hears of its manager.
#[derive(Debug, Clone)]
pub struct Contact {
    pub(crate) connected: bool,
    pub(crate) trouble: Option<Prose>,
    pub(crate) last: Option<When>,
    pub(crate) leave: String,
}

/// A host in a swarm.
#[derive(Debug, Clone)]
pub struct Member {
    pub(crate) name: String,
    pub(crate) manager: String,
    pub(crate) managers: String,
    pub(crate) workers: String,
    /// Absent on the manager.
    pub(crate) contact: Option<Contact>,
    pub(crate) certificate: When,
    pub(crate) settings: Vec<(&'static str, String)>,
    pub(crate) pools: Vec<String>,
    pub(crate) digest: String,
    pub(crate) id: String,
    pub(crate) here: OnNode,
    pub(crate) node: String,
    pub(crate) created: When,
    pub(crate) updated: When,
    pub(crate) events: String,
    /// Changes a setting; for those who may, on the manager.
    pub(crate) patch: Option<String>,
}

impl Member {
    fn new(frame: &Frame, swarm: &Swarm, may_change: bool) -> Self {
        let status = &swarm.status;
        let is_manager = status.role == SwarmRole::Manager;
        let contact = Contact {
            connected: status.connected,
            trouble: status.trouble.as_deref().map(Prose::new),
            last: status.last_contact.map(|last| frame.when(last)),
            leave: frame.netloom("swarm leave", ""),
        };
        let patch = json!({"default_address_pools": ["10.20.0.0/16"], "subnet_size": 26});
        Self {
            name: status.settings.name.clone(),
            manager: status.manager.clone(),
            managers: format::count(status.managers.into()),
            workers: format::count(status.nodes.saturating_sub(status.managers).into()),
            contact: (!is_manager).then_some(contact),
            certificate: frame.when(status.certificate_expires_at),
            settings: settings(swarm),
            pools: status.settings.default_address_pools.clone(),
            digest: status.ca_digest.clone(),
            id: swarm.id.to_string(),
            here: OnNode::of(frame, status.node),
            node: status.node.to_string(),
            created: frame.when(swarm.created_at),
            updated: frame.when(swarm.updated_at),
            events: format!("/ui/activity{}", link::query(&[("object", &swarm.id.to_string())])),
            patch: (is_manager && may_change).then(|| frame.patch("/api/v1/swarm", &patch)),
        }
    }
}

/// When links on segments are taken down.
fn fence(seconds: u32) -> String {
    match seconds {
        0 => "never".to_owned(),
        seconds => format!("{} without the manager", format::duration(i64::from(seconds) * 1000)),
    }
}

fn settings(swarm: &Swarm) -> Vec<(&'static str, String)> {
    let settings = &swarm.status.settings;
    let hours = settings.certificate_validity_hours;
    let validity = match hours % 24 {
        0 => format::counted((hours / 24).into(), "day", "days"),
        _ => format::counted(hours.into(), "hour", "hours"),
    };
    vec![
        ("Length of subnets", format!("/{}", settings.subnet_size)),
        ("Data path port", format!("UDP {}", settings.data_path_port)),
        ("Task history", format!("{} of each replica", format::count(settings.task_history_limit.into()))),
        ("Certificates hold", validity),
        ("Fence on segments", fence(settings.segment_fence_seconds)),
    ]
}

/// `/ui/swarm`.
#[derive(Debug, Template)]
#[template(path = "swarm.html")]
pub struct SwarmPage {
    frame: Frame,
    state: Chip,
    lone: Option<Lone>,
    member: Option<Member>,
}

impl SwarmPage {
    /// The page of the swarm that this host is in, if any. `may_change` says whether the reader may make, join and change one.
    pub fn new(frame: Frame, swarm: Option<&Swarm>, may_change: bool) -> Self {
        let frame = match swarm {
            Some(swarm) => {
                let is_manager = swarm.status.role == SwarmRole::Manager;
                let copies = copy_as::of_swarm(&frame, swarm, is_manager && may_change);
                frame.api("/api/v1/swarm").copy_as(copies)
            }
            None => frame.api_as("What this host is, from the API", "/api/v1/info"),
        };
        let state = match swarm.map(|swarm| (swarm.status.role, swarm.status.connected)) {
            None => Chip::new(Tone::Quiet, "in none"),
            Some((SwarmRole::Manager, _)) => Chip::new(Tone::Good, "manager"),
            Some((SwarmRole::Worker, true)) => Chip::new(Tone::Good, "worker, connected"),
            Some((SwarmRole::Worker, false)) => Chip::new(Tone::Bad, "worker, disconnected"),
        };
        Self {
            state,
            lone: swarm.is_none().then(|| Lone::new(&frame)),
            member: swarm.map(|swarm| Member::new(&frame, swarm, may_change)),
            frame,
        }
    }
}

/// In the place of a page that only a manager has.
#[derive(Debug, Template)]
#[template(path = "elsewhere.html")]
pub struct ElsewherePage {
    frame: Frame,
    /// The manager's address, where there is one to be asked.
    manager: Option<String>,
}

impl ElsewherePage {
    /// What a worker of this swarm says, or a host that is in none.
    pub fn new(frame: Frame, swarm: Option<&Swarm>) -> Self {
        let path = if swarm.is_some() { "/api/v1/swarm" } else { "/api/v1/info" };
        let host = |swarm: &Swarm| swarm.status.manager.rsplit_once(':').map(|(host, _)| host.to_owned());
        Self { frame: frame.api_as("What this host is, from the API", path), manager: swarm.and_then(host) }
    }
}
