//! The link of the host's that a network is on and that is not Netloom's: a macvlan's parent, a bridge that is not managed.

use netloom_model::assignment::AssignedNetwork;
use netloom_model::condition::{self, Condition};
use netloom_model::facts::{Facts, HostLink};
use netloom_model::plan::Refusal;

/// Why a parent can't carry a network.
pub(super) enum Stand {
    /// Not there; where only links of one kind will do, of which.
    Missing(Option<&'static str>),
    /// Not up; likewise.
    Down(Option<&'static str>),
    Vlan(u16),
    /// It is of another kind than this.
    NotA(&'static str),
}

/// The link of the host's that a network is on: there, up, and of a kind where only one will do.
pub(super) fn find<'a>(name: &str, kind: Option<&'static str>, facts: &'a Facts) -> Result<&'a HostLink, Stand> {
    let link = facts.link(name).ok_or(Stand::Missing(kind))?;
    match kind {
        Some(kind) if link.kind.as_deref() != Some(kind) => Err(Stand::NotA(kind)),
        _ if link.up => Ok(link),
        _ => Err(Stand::Down(kind)),
    }
}

impl Stand {
    /// As a refusal of what would be on it. Where the network is the swarm's it says which node it is, and how another link of it is named.
    pub(super) fn refusal(&self, object: String, parent: &str, network: &AssignedNetwork, facts: &Facts) -> Refusal {
        let (host, name) = (&facts.hostname, &network.name);
        let (none, link) = if network.segment {
            let purpose = format!("by which network `{name}` is to be on it");
            (
                format!("node `{host}` has no link `{parent}`, {purpose}"),
                format!("link `{parent}` of node `{host}`, {purpose},"),
            )
        } else {
            (format!("the host has no link {parent}"), format!("the host's link {parent}"))
        };
        let (code, what, hint) = match self {
            Self::Missing(kind) => ("parent-missing", none, candidates(*kind, facts)),
            Self::Down(kind) => (
                "parent-down",
                format!("{link} is down"),
                format!("`ip link set {parent} up`; {}", candidates(*kind, facts)),
            ),
            Self::NotA(kind) => (
                "parent-missing",
                format!("{link} is no {kind}"),
                format!("a {kind} of that name is needed; {}", candidates(Some(kind), facts)),
            ),
            Self::Vlan(id) => (
                "feature-missing",
                format!("this node can't make VLAN {id} on {parent} yet"),
                format!(
                    "make the VLAN link yourself (`ip link add link {parent} name {parent}.{id} type vlan id {id}`) and name it as the parent"
                ),
            ),
        };
        let other = network.segment.then(|| {
            format!(
                "; to have network `{name}` on another link here: PATCH /api/v1/networks/{name} at the manager, with {{\"parents\": {{\"{host}\": LINK}}}}"
            )
        });
        Refusal {
            code: code.to_owned(),
            // Said of what is made and in use, too, whose parent goes down or away.
            message: format!("{object} can't be carried now: {what}"),
            object,
            operation: "create".to_owned(),
            errno: None,
            hint: Some(hint + &other.unwrap_or_default()),
        }
    }
}

/// What is said of an endpoint whose link is down because its addresses may be somebody else's by now.
pub(super) fn fenced(interface: &str, network: &AssignedNetwork) -> Condition {
    Condition::new(
        condition::FENCED,
        "NotRenewed",
        format!(
            "{interface} is down: network `{}` is the swarm's, its manager has not confirmed for too long that the addresses there are still this \
             sandbox's, and could have given them to others; it comes up by itself when the manager answers",
            network.name
        ),
    )
}

/// Links that could be a parent, in words; where only one kind will do, of that kind.
fn candidates(kind: Option<&str>, facts: &Facts) -> String {
    let able = |link: &HostLink| !link.loopback && link.mac.is_some() && link.controller.is_none();
    let fit = |link: &&HostLink| link.up && kind.map_or_else(|| able(link), |kind| link.kind.as_deref() == Some(kind));
    let names: Vec<&str> = facts.links.iter().filter(fit).map(|link| link.name.as_str()).collect();
    match (names.is_empty(), kind) {
        (true, None) => "no link of this host is up and could be a parent".to_owned(),
        (true, Some(kind)) => format!("no {kind} of this host is up"),
        (false, None) => format!("links of this host that are up: {}", names.join(", ")),
        (false, Some(kind)) => format!("{kind}s of this host that are up: {}", names.join(", ")),
    }
}
