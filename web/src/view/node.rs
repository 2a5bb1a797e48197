//! One node of the swarm: where it stands and why, what it is, and what may be done about it.

use std::collections::BTreeSet;

use askama::Template;
use netloom_model::NodeId;
use netloom_model::event::Event;
use netloom_model::swarm::{Availability, Node, NodeState, SwarmRole};

use super::confirm::{Question, Tick};
use super::copy_as;
use super::events::EventRow;
use super::format;
use super::frame::Frame;
use super::link;
use super::nodes::NodeRow;
use super::object::Notices;
use super::prose::Prose;
use super::refusal::Refusal;
use super::when::When;

/// An availability that can be chosen.
#[derive(Debug, Clone)]
pub struct AvailabilityChoice {
    pub(crate) word: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) chosen: bool,
}

impl AvailabilityChoice {
    fn new(availability: Availability, chosen: Availability) -> Self {
        let meaning = match availability {
            Availability::Active => "services may use it, once there are any",
            Availability::Pause => "nothing new of services, once there are any",
            Availability::Drain => "nothing of services, once there are any; sandboxes stay",
        };
        Self { word: availability.as_str(), meaning, chosen: availability == chosen }
    }
}

/// Where a node stands that asked to be let back in, or whose certificate is out of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readmission {
    /// Somebody said so already.
    pub(crate) granted: bool,
    /// It has not asked.
    pub(crate) silent: bool,
}

impl Readmission {
    fn of(frame: &Frame, node: &Node) -> Option<Self> {
        let asked = node.status.readmission_asked_at.is_some();
        let expired = node.status.certificate_expires_at <= frame.now;
        let granted = asked && node.status.conditions.is_empty();
        (asked || expired).then_some(Self { granted, silent: !asked })
    }
}

/// `/ui/nodes/{node}`.
#[derive(Debug, Template)]
#[template(path = "node.html")]
pub struct NodePage {
    frame: Frame,
    row: NodeRow,
    notices: Notices,
    refusal: Option<Refusal>,
    is_manager: bool,
    /// Whether the reader may change it.
    may_change: bool,
    choices: Vec<AvailabilityChoice>,
    readmission: Option<Readmission>,
    remove: String,
    commands: Vec<String>,
    created: When,
    updated: When,
    revision: String,
    events: Vec<EventRow>,
    history_href: String,
}

impl NodePage {
    /// The page of a node with its latest events, on the host that is node `own`. `existing` are the IDs of what is still there of the events' objects.
    pub fn new(
        frame: Frame,
        node: &Node,
        own: NodeId,
        events: &[Event],
        existing: &BTreeSet<String>,
        may_change: bool,
    ) -> Self {
        let frame = framed(frame, node, may_change);
        let row = NodeRow::new(&frame, node, own);
        let chosen = node.spec.availability.unwrap_or_default();
        let is_manager = node.status.role == SwarmRole::Manager;
        Self {
            notices: Notices::new(&frame, &node.status.conditions),
            refusal: None,
            is_manager,
            may_change,
            choices: Availability::ALL.map(|one| AvailabilityChoice::new(one, chosen)).to_vec(),
            readmission: Readmission::of(&frame, node),
            remove: format!("{}/remove", row.href),
            commands: if may_change { commands(&frame, node) } else { Vec::new() },
            created: frame.when(node.created_at),
            updated: frame.when(node.updated_at),
            revision: format::count(node.revision),
            events: events.iter().map(|event| EventRow::new(&frame, event, existing)).collect(),
            history_href: format!("{}/history", row.href),
            row,
            frame,
        }
    }

    /// With what was refused of a change.
    #[must_use]
    pub fn refused(mut self, refusal: Refusal) -> Self {
        self.refusal = Some(refusal);
        self
    }
}

fn framed(frame: Frame, node: &Node, may_change: bool) -> Frame {
    let copies = copy_as::of_node(&frame, node, may_change);
    frame.crumb("Nodes", "/ui/nodes").api(format!("/api/v1/nodes/{}", node.id)).copy_as(copies)
}

fn commands(frame: &Frame, node: &Node) -> Vec<String> {
    let id = node.id.to_string();
    // As it is: what somebody copies changes nothing until they write what is to be.
    let availability = node.spec.availability.unwrap_or_default().as_str();
    let mut commands = vec![frame.netloom("node update", &format!("--availability {availability} {id}"))];
    if node.status.role == SwarmRole::Worker {
        commands.push(frame.netloom("node rm", &id));
    }
    commands
}

/// What surrounds the page that asks before a node is removed.
#[must_use]
pub fn removal_frame(frame: Frame, node: &Node) -> Frame {
    let frame = frame.crumb("Nodes", "/ui/nodes").api(format!("/api/v1/nodes/{}", node.id));
    frame.crumb(&node.status.hostname, link::node(&node.id.to_string()))
}

/// Asks before a node is removed.
pub fn removal(frame: &Frame, node: &Node) -> Question {
    let (id, name) = (node.id.to_string(), &node.status.hostname);
    let ready = node.status.state == NodeState::Ready;
    let mut what = vec![
        format!(
            "Node `{name}` is denied everything by the manager from then on: its certificate is good for nothing. What runs on it goes on, with what its own host has."
        ),
        "To come back, it leaves the swarm and joins again by a token.".to_owned(),
    ];
    if ready {
        what.push(format!(
            "It is ready. Better let it leave by itself, with `netloom swarm leave` on `{name}`: then both sides know."
        ));
    }
    let tick = match ready {
        true => {
            Tick { name: "force", label: "Remove it although it is ready".to_owned(), meaning: None, required: true }
        }
        false => Tick {
            name: "off",
            label: "Its host is off".to_owned(),
            meaning: Some(Prose::new(
                "Your word, which nobody checks: that host has no power, or is cut from the wire. Then its addresses on macvlan and bridge networks of the swarm are free at once. Without it they wait until the node must have taken its links down by itself. Should it be on after all, two hosts answer for one address. As a command that is `--off`.",
            )),
            required: false,
        },
    };
    Question {
        action: format!("{}/remove", link::node(&id)),
        what,
        ticks: vec![tick],
        button: "Remove the node",
        back: link::node(&id),
        command: frame.netloom("node rm", &if ready { format!("--force {id}") } else { id }),
    }
}
