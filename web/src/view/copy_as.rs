//! An object as other tools take it, to be copied: what reads it, what makes it as it is, and a resource with its import for tools in the manner of Terraform.
//! What must not live here: secrets, and where on a page it is offered.

use netloom_model::lease::Lease;
use netloom_model::network::{Network, Scope};
use netloom_model::sandbox::Sandbox;
use netloom_model::swarm::{Node, Swarm};
use serde::Serialize;
use serde_json::{Value, json};

use super::frame::Frame;
use super::link;

/// Something to copy.
#[derive(Debug, Clone)]
pub struct CopyAs {
    pub(crate) title: &'static str,
    pub(crate) text: String,
}

/// A kind of object that automation keeps as a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// A network.
    Network,
    /// A sandbox.
    Sandbox,
    /// An address kept out of use.
    Reservation,
}

impl Resource {
    /// The type by which automation knows it.
    const fn kind(self) -> &'static str {
        match self {
            Self::Network => "netloom_network",
            Self::Sandbox => "netloom_sandbox",
            Self::Reservation => "netloom_reservation",
        }
    }
}

/// What an object without a spec of its own can be copied as: what reads it.
pub fn reading(frame: &Frame, path: &str) -> Vec<CopyAs> {
    vec![CopyAs { title: "curl that reads it", text: format!("{}\n{}", frame.set_token(), frame.curl(path)) }]
}

/// All that a network can be copied as. A predefined one is not made by anybody, and one of the swarm not here, unless this is the manager.
pub fn of_network(frame: &Frame, network: &Network) -> Vec<CopyAs> {
    let name = network.spec.name.as_str();
    let path = format!("/api/v1/networks/{}", link::encode(name));
    let elsewhere = network.status.scope == Scope::Swarm && frame.own != Some(network.status.node);
    match network.status.predefined || elsewhere {
        true => reading(frame, &path),
        false => made(frame, &path, &network.spec, |spec| terraform(Resource::Network, name, name, spec)),
    }
}

/// All that a sandbox can be copied as.
pub fn of_sandbox(frame: &Frame, sandbox: &Sandbox) -> Vec<CopyAs> {
    let name = sandbox.spec.name.as_str();
    let path = format!("/api/v1/sandboxes/{}", link::encode(name));
    made(frame, &path, &sandbox.spec, |spec| terraform(Resource::Sandbox, name, name, spec))
}

/// All that a lease can be copied as. Only one without sandbox was written by somebody; the others come and go with what holds them.
pub fn of_lease(frame: &Frame, lease: &Lease) -> Vec<CopyAs> {
    let Some(spec) = &lease.spec else { return reading(frame, &format!("/api/v1/leases/{}", lease.id)) };
    let network = lease.status.network.as_str();
    let path = format!("/api/v1/networks/{}/leases/{}", link::encode(network), link::encode(&spec.key));
    made(frame, &path, spec, |written| {
        let mut written = written.clone();
        written["network"] = network.into();
        terraform(Resource::Reservation, &spec.key, &format!("{network}/{}", spec.key), &written)
    })
}

/// What a node can be copied as: automation knows none, since a node is made by joining. `may_change` is for those who may change it.
pub fn of_node(frame: &Frame, node: &Node, may_change: bool) -> Vec<CopyAs> {
    let path = format!("/api/v1/nodes/{}", node.id);
    let mut all = reading(frame, &path);
    let patch = json!({
        "availability": node.spec.availability.unwrap_or_default(),
        "labels": node.spec.labels.clone().unwrap_or_default(),
    });
    let title = "curl that gives it this availability and these labels";
    all.extend(may_change.then(|| CopyAs { title, text: frame.patch(&path, &patch) }));
    all
}

/// What the swarm can be copied as; `may_change` is for those who may change it, on its manager.
pub fn of_swarm(frame: &Frame, swarm: &Swarm, may_change: bool) -> Vec<CopyAs> {
    let mut all = reading(frame, "/api/v1/swarm");
    let spec = serde_json::to_value(&swarm.spec).unwrap_or_default();
    let title = "curl that gives it these settings";
    all.extend(may_change.then(|| CopyAs { title, text: frame.put("/api/v1/swarm", &spec) }));
    all
}

/// The command that makes a token like one there is, under its name: elsewhere, or here once that one is revoked. The answer has the new one's secret; that of the old one nobody knows.
pub fn token_like<T: Serialize>(frame: &Frame, collection: &str, spec: &T) -> String {
    frame.first_post(collection, &serde_json::to_value(spec).unwrap_or_default())
}

/// What reads an object, what makes it as it is, and what automation calls it.
fn made<T: Serialize>(frame: &Frame, path: &str, spec: &T, terraform: impl Fn(&Value) -> Value) -> Vec<CopyAs> {
    let mut all = reading(frame, path);
    let Ok(spec) = serde_json::to_value(spec) else { return all };
    all.push(CopyAs { title: "curl that makes it as it is", text: frame.put(path, &spec) });
    all.push(CopyAs { title: "Terraform-style JSON", text: pretty(&terraform(&spec)) });
    all
}

/// JSON configuration with the resource and its import.
fn terraform(resource: Resource, name: &str, import: &str, spec: &Value) -> Value {
    let label = label(name);
    json!({
        "import": [{"to": format!("{}.{label}", resource.kind()), "id": import}],
        "resource": {resource.kind(): {label: spec}},
    })
}

/// A name as a label of a block: letters, digits, `_` and `-`, and no digit first.
fn label(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let label: String = name.chars().map(fits).collect();
    if label.starts_with(|c: char| c.is_ascii_digit() || c == '-') { format!("_{label}") } else { label }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_label_that_a_block_may_have() {
        for (name, wanted) in [("web", "web"), ("web.front-1", "web_front-1"), ("7f9c", "_7f9c"), ("-x", "_-x")] {
            assert_eq!(label(name), wanted);
        }
        let shown = terraform(Resource::Network, "web.a", "web.a", &json!({"name": "web.a", "driver": "bridge"}));
        assert_eq!(shown["resource"]["netloom_network"]["web_a"]["driver"], "bridge");
        assert_eq!(shown["import"][0], json!({"to": "netloom_network.web_a", "id": "web.a"}));
    }
}
