//! What may be changed of an object that exists: `x-mutability` on every property that a user writes, for those who generate
//! providers of the document. The rules themselves are control's; a test holds every word here against what the service does.

use serde_json::Value;

use super::WRITTEN;

/// Whether another value can be given in place.
#[derive(Clone, Copy)]
enum Mutability {
    /// Any other value.
    Mutable,
    /// None: `immutable-field`. What holds the property is made anew.
    Immutable,
    /// A map to which entries come, and from which none go.
    AddOnly,
    /// Some values, as the description says; a dry run tells.
    Restricted,
}

impl Mutability {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Mutable => "mutable",
            Self::Immutable => "immutable",
            Self::AddOnly => "add-only",
            Self::Restricted => "restricted",
        }
    }
}

/// Adds it to every property of what is written.
pub(super) fn add(document: &mut Value) {
    for schema in WRITTEN {
        let properties = document["components"]["schemas"][schema]["properties"].as_object_mut();
        for (name, property) in properties.into_iter().flatten() {
            property["x-mutability"] = of(schema, name).as_str().into();
        }
    }
}

fn of(schema: &str, property: &str) -> Mutability {
    match (schema, property) {
        ("MacvlanWrite" | "OverlayWrite", _)
        | ("NetworkWrite", "name" | "driver" | "scope" | "internal" | "mtu" | "macvlan" | "overlay")
        | ("PoolWrite", "family" | "subnet" | "prefix_length" | "gateway")
        | ("BridgeWrite", "interface_name" | "managed" | "probe")
        | ("SandboxWrite", "name" | "netns" | "pid")
        | ("AttachmentWrite", "address4" | "address6" | "mac" | "interface")
        | ("LeaseWrite", "key" | "address" | "pool")
        | ("SwarmWrite", "advertise_address") => Mutability::Immutable,
        ("NetworkWrite", "pools") => Mutability::AddOnly,
        ("NetworkWrite", "bridge" | "parents")
        | ("PoolWrite", "range")
        | ("BridgeWrite", "gateway_mode4" | "gateway_mode6")
        | ("SwarmWrite", "data_path_port")
        | ("SandboxWrite", "networks") => Mutability::Restricted,
        _ => Mutability::Mutable,
    }
}
