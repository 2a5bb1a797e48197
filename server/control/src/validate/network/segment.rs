//! `scope` and `parents` as written: whose a network is, and by which links the nodes of a swarm are on it.
//!
//! What must not live here: whether the host is in a swarm, and which nodes are on the network, which need rows (`segment::parents`).

use netloom_model::Invalid;
use netloom_model::invalid::Code;
use netloom_model::name::check_host_link_name;
use netloom_model::network::{Driver, NetworkSpec, Scope};

use crate::validate::{Problems, immutable};

/// Most nodes that are named.
const PARENTS_MAX: usize = 1024;
/// Longest name of a host, in bytes, as in Linux.
const HOSTNAME_MAX: usize = 64;

/// Checks both, of a network that is to be made or that exists.
pub(super) fn check(problems: &mut Problems, spec: &NetworkSpec) {
    let (driver, scope) = (spec.driver, spec.scope());
    let fits = match (driver, scope) {
        (Driver::Overlay, scope) => scope == Scope::Swarm,
        (_, Scope::Local) | (Driver::Macvlan | Driver::Ipvlan, Scope::Swarm) => true,
        (Driver::Bridge, Scope::Swarm) => spec.unmanaged_bridge().is_some(),
        (Driver::Host | Driver::None, Scope::Swarm) => false,
    };
    if !fits {
        let (message, hint) = match driver {
            Driver::Overlay => ("an overlay network is the swarm's".to_owned(), "leave `scope` out"),
            Driver::Bridge => (
                "a bridge that Netloom makes is its host's alone".to_owned(),
                "name a bridge that each host has, with `bridge.managed` false, or use driver `overlay`",
            ),
            other => (format!("a network of driver {} is its host's", other.as_str()), "leave `scope` out"),
        };
        problems.add(Invalid::new("/scope", Code::NotAllowedHere, scope.as_str(), message).hint(hint));
    }
    parents(problems, spec);
}

fn parents(problems: &mut Problems, spec: &NetworkSpec) {
    const POINTER: &str = "/parents";
    let Some(parents) = &spec.parents else { return };
    let carried = matches!(spec.driver, Driver::Macvlan | Driver::Ipvlan) || spec.unmanaged_bridge().is_some();
    if !(carried && spec.scope() == Scope::Swarm) {
        let message =
            "links by node are for networks of scope `swarm` with driver macvlan, or on bridges that are not managed";
        let invalid = Invalid { value: None, ..Invalid::new(POINTER, Code::NotAllowedHere, "", message) };
        problems.add(invalid.hint("leave it out, or say \"scope\": \"swarm\""));
        return;
    }
    if parents.len() > PARENTS_MAX {
        let message = format!("at most {PARENTS_MAX} nodes can be named");
        problems.add(Invalid::new(POINTER, Code::TooLong, &parents.len().to_string(), message));
        return;
    }
    for (node, link) in parents {
        let pointer = format!("{POINTER}/{}", node.replace('~', "~0").replace('/', "~1"));
        if node.is_empty() || node.len() > HOSTNAME_MAX || node.chars().any(|c| c.is_control() || c == '/') {
            let message = "a node is named by its ID or its host's name, of 1 to 64 bytes";
            problems.add(Invalid::new(&pointer, Code::Format, node, message));
        }
        problems.check(check_host_link_name(&pointer, link));
    }
}

/// Refuses what can't change.
pub(super) fn fixed(problems: &mut Problems, old: &NetworkSpec, new: &NetworkSpec) {
    if old.scope() == new.scope() || old.driver != new.driver {
        return;
    }
    problems.add(immutable("/scope", new.scope().as_str(), old.scope().as_str()));
}
