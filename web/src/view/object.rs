//! An object as a link, and what is remarkable about it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use askama::Template;
use netloom_model::NodeId;
use netloom_model::condition::Condition;
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::lease::{LeaseState, LeaseStatus, Owner, OwnerKind};
use netloom_model::network::Scope;
use netloom_model::swarm_endpoint::SwarmEndpoint;

use super::frame::{Frame, Place};
use super::link;
use super::prose::Prose;
use super::when::When;

/// An object's name, linked where it has a page, with its kind.
#[derive(Debug, Clone, Template)]
#[template(path = "component/object.html")]
pub struct ObjectLink {
    kind: String,
    name: String,
    href: Option<String>,
}

impl askama::filters::HtmlSafe for ObjectLink {}

impl From<&ObjectRef> for ObjectLink {
    fn from(object: &ObjectRef) -> Self {
        Self { kind: object.kind.as_str().to_owned(), name: object.name.clone(), href: link::object(object) }
    }
}

impl ObjectLink {
    /// An object of the past: linked only when its ID is among those that exist.
    pub fn of_past(object: &ObjectRef, existing: &BTreeSet<String>) -> Self {
        Self { href: past_href(object, existing), ..Self::from(object) }
    }

    /// Who holds a lease. A sandbox of a node that was removed has no page any more.
    pub fn of_lease(lease: &LeaseStatus) -> Self {
        let known = Self::from(&lease.owner);
        Self { href: known.href.filter(|_| !is_of_removed(lease)), ..known }
    }

    /// The sandbox of another node that has an endpoint.
    pub fn of_endpoint(endpoint: &SwarmEndpoint) -> Self {
        let id = endpoint.sandbox_id.to_string();
        Self::from(&ObjectRef { kind: ObjectKind::Sandbox, id, name: endpoint.sandbox.clone() })
    }

    /// Who held something: linked to its page while it exists, else to what happened to it.
    pub fn of_holder(owner: &Owner, existing: &BTreeSet<String>) -> Self {
        let known = Self::from(owner);
        match &owner.id {
            Some(id) if known.href.is_some() && !existing.contains(id) => {
                Self { href: Some(format!("/ui/activity{}", link::query(&[("object", id)]))), ..known }
            }
            _ => known,
        }
    }
}

/// On which node of the swarm something is, where that is a question.
#[derive(Debug, Clone)]
pub struct OnNode {
    pub(crate) name: String,
    /// Its page; none of this host, and of one that is no node any more.
    pub(crate) href: Option<String>,
    /// When it reported last, where it is silent since.
    pub(crate) silent: Option<When>,
}

impl OnNode {
    /// The node of a lease on a network of the swarm. What is the network's own is on none.
    pub fn of_lease(frame: &Frame, lease: &LeaseStatus) -> Option<Self> {
        if lease.scope != Scope::Swarm || lease.owner.kind == OwnerKind::Network {
            return None;
        }
        Some(lease.node.as_ref().map_or_else(Self::this, |node| Self {
            name: node.hostname.clone(),
            href: (!is_of_removed(lease)).then(|| link::node(&node.id.to_string())),
            silent: node.silent_since.map(|since| frame.when(since)),
        }))
    }

    /// The node of an endpoint on a network of the swarm.
    pub fn of_endpoint(frame: &Frame, endpoint: &SwarmEndpoint) -> Self {
        if frame.own == Some(endpoint.node) {
            return Self::this();
        }
        Self {
            href: endpoint.hostname.as_ref().map(|_| frame.node(endpoint.node)),
            name: endpoint.hostname.clone().unwrap_or_else(|| endpoint.node.to_string()),
            silent: endpoint.silent_since.map(|since| frame.when(since)),
        }
    }

    /// The node that an object is of: this host, or on a worker its manager, of whose networks it has copies.
    pub fn of(frame: &Frame, node: NodeId) -> Self {
        let (name, href) = match &frame.place {
            Place::Worker(manager) if frame.own != Some(node) => {
                (format!("the manager at {manager}"), "/ui/swarm".to_owned())
            }
            _ => {
                let own = frame.hostname.clone().filter(|_| frame.own == Some(node));
                (own.unwrap_or_else(|| node.to_string()), frame.node(node))
            }
        };
        Self { name, href: Some(href), silent: None }
    }

    /// This host.
    pub fn this() -> Self {
        Self { name: "this host".to_owned(), href: None, silent: None }
    }
}

/// Whether a lease is of a node that was removed, and waits.
fn is_of_removed(lease: &LeaseStatus) -> bool {
    lease.state == LeaseState::Releasing && lease.reason.is_some() && lease.node.is_some()
}

/// The page of an object that an event tells of, when it is still there. The pages of an address and of the swarm are always there.
pub fn past_href(object: &ObjectRef, existing: &BTreeSet<String>) -> Option<String> {
    match object.kind {
        ObjectKind::Network | ObjectKind::Sandbox | ObjectKind::Node => {
            link::object(object).filter(|_| existing.contains(&object.id))
        }
        ObjectKind::Lease => object.name.parse::<IpAddr>().ok().map(|_| link::address(&object.name)),
        ObjectKind::Swarm => link::object(object),
        ObjectKind::Endpoint | ObjectKind::Token | ObjectKind::JoinToken => None,
    }
}

impl From<&Owner> for ObjectLink {
    fn from(owner: &Owner) -> Self {
        let reference = owner.id.as_deref().unwrap_or(&owner.name);
        let href = match owner.kind {
            OwnerKind::Sandbox => Some(link::sandbox(reference)),
            OwnerKind::Network => Some(link::network(reference)),
            OwnerKind::Reservation | OwnerKind::Host | OwnerKind::Stranger => None,
        };
        // Its name is that of the host's link, or says what else of the host's it is: `router`, `nameserver`.
        let kind = if owner.kind == OwnerKind::Host { "of the host" } else { owner.kind.as_str() };
        Self { kind: kind.to_owned(), name: owner.name.clone(), href }
    }
}

/// One remarkable thing about an object.
#[derive(Debug, Clone)]
pub struct Notice {
    pub(crate) kind: String,
    pub(crate) reason: String,
    pub(crate) message: Prose,
    pub(crate) since: Option<When>,
}

/// What is remarkable about an object; nothing is drawn when all is well.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "component/notices.html")]
pub struct Notices {
    items: Vec<Notice>,
}

impl askama::filters::HtmlSafe for Notices {}

impl Notices {
    /// The conditions of an object.
    pub fn new(frame: &Frame, conditions: &[Condition]) -> Self {
        let item = |condition: &Condition| Notice {
            kind: condition.kind.clone(),
            reason: condition.reason.clone(),
            message: Prose::new(&condition.message),
            since: condition.since.map(|since| frame.when(since)),
        };
        Self { items: conditions.iter().map(item).collect() }
    }
}

/// What is being done about an object that is not as it is wanted.
pub(super) const fn under_way(reconciling: bool, failed: bool) -> Option<&'static str> {
    match (reconciling, failed) {
        (true, true) => Some("it is tried again"),
        (true, false) => Some("work is under way"),
        (false, _) => None,
    }
}

/// Text by key, such as labels.
pub fn pairs(map: Option<&netloom_model::name::Labels>) -> Vec<(String, String)> {
    map.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}
