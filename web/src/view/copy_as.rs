//! An object as other tools take it, to be copied: what reads it, what makes it as it is, and a resource with its import for tools in the manner of Terraform.

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

/// A kind of object that has a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// A network.
    Network,
    /// A sandbox.
    Sandbox,
}

impl Resource {
    const fn collection(self) -> &'static str {
        match self {
            Self::Network => "networks",
            Self::Sandbox => "sandboxes",
        }
    }

    /// The type by which automation knows it.
    const fn kind(self) -> &'static str {
        match self {
            Self::Network => "netloom_network",
            Self::Sandbox => "netloom_sandbox",
        }
    }
}

/// All that an object can be copied as. A predefined one is not made by anybody.
pub fn of_object<T: Serialize>(
    frame: &Frame,
    resource: Resource,
    name: &str,
    spec: &T,
    predefined: bool,
) -> Vec<CopyAs> {
    let path = format!("/api/v1/{}/{}", resource.collection(), link::encode(name));
    let mut all =
        vec![CopyAs { title: "curl that reads it", text: format!("{}\n{}", frame.set_token(), frame.curl(&path)) }];
    let Ok(spec) = serde_json::to_value(spec) else { return all };
    if !predefined {
        all.push(CopyAs { title: "curl that makes it as it is", text: frame.put(&path, &spec) });
        all.push(CopyAs { title: "Terraform-style JSON", text: pretty(&terraform(resource, name, &spec)) });
    }
    all
}

/// JSON configuration with the resource and its import.
fn terraform(resource: Resource, name: &str, spec: &Value) -> Value {
    let label = label(name);
    json!({
        "import": [{"to": format!("{}.{label}", resource.kind()), "id": name}],
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
        let shown = terraform(Resource::Network, "web.a", &json!({"name": "web.a", "driver": "bridge"}));
        assert_eq!(shown["resource"]["netloom_network"]["web_a"]["driver"], "bridge");
        assert_eq!(shown["import"][0], json!({"to": "netloom_network.web_a", "id": "web.a"}));
    }
}
