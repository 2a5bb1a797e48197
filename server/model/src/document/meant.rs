//! What was meant by spellings of others, such as Docker's and Compose's: the hint beside a refusal.
//!
//! Nothing is accepted here that would not be without it: there is one way to say a thing.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use crate::invalid::{Code, Invalid};
use crate::port::Protocol;

/// What people call a field: a field that tells the object it stands in, the names that others have for it, and what to write instead.
const FIELDS: &[(&str, &[&str], &str)] = &[
    // A published port.
    ("host_address", &["host_ip", "hostip", "ip", "address", "bind", "interface"], "`host_address`"),
    ("host_address", &["host_port", "hostport", "published_port", "public_port", "publicport"], "`published`"),
    ("host_address", &["container_port", "containerport", "target_port", "private_port", "privateport"], "`target`"),
    // A sandbox's place on a network.
    ("address4", &["ipv4_address", "ipv4address", "ipaddress", "ip_address", "ip", "ipv4", "address"], "`address4`"),
    ("address4", &["ipv6_address", "ipv6address", "globalipv6address", "ip6", "ipv6"], "`address6`"),
    ("address4", &["mac_address", "macaddress"], "`mac`"),
    ("address4", &["interface_name", "ifname"], "`interface`"),
    ("address4", &["priority", "gw_priority"], "`gateway_priority`"),
    ("address4", &["publish", "expose"], "`ports`: {\"web\": {\"target\": 80, \"published\": 8080}}"),
    // A sandbox.
    ("desired_state", &["network", "network_mode"], "`networks`, by name: {\"NAME\": {}}"),
    (
        "desired_state",
        &["ports", "publish", "port_bindings", "portbindings"],
        "`ports` with the network that they are on: \"networks\": {\"NAME\": {\"ports\": {\"web\": {\"target\": 80, \"published\": 8080}}}}",
    ),
    (
        "desired_state",
        &["ip", "address", "address4", "ipv4_address", "address6", "mac", "mac_address", "aliases"],
        "it with the network that it is on: \"networks\": {\"NAME\": {\"address4\": \"10.0.0.5\", \"mac\": ..., \"aliases\": [...]}}",
    ),
    // A network.
    (
        "pools",
        &[
            "subnet",
            "subnets",
            "gateway",
            "range",
            "ip_range",
            "iprange",
            "ipam",
            "ipam_config",
            "reserved",
            "aux_addresses",
        ],
        "`pools`, by a name of your choice: {\"v4\": {\"subnet\": \"10.0.0.0/24\", \"gateway\": \"10.0.0.1\"}}",
    ),
    (
        "pools",
        &["ipv6", "enable_ipv6", "enableipv6"],
        "a pool of family 6 among `pools`: {\"v4\": {}, \"v6\": {\"family\": 6}}",
    ),
    (
        "pools",
        &["parent", "mode", "host_access", "macvlan_mode"],
        "it in the block `macvlan`: {\"parent\": \"eth0\", \"mode\": \"bridge\"}",
    ),
    (
        "pools",
        &[
            "interface_name",
            "managed",
            "inter_sandbox",
            "icc",
            "enable_icc",
            "masquerade",
            "isolation",
            "gateway_mode4",
            "gateway_mode6",
        ],
        "it in the block `bridge`: {\"interface_name\": ..., \"inter_sandbox\": ..., \"masquerade\": ..., \"isolation\": ...}",
    ),
    (
        "pools",
        &["options", "opts", "driver_opts"],
        "the settings in the block of the driver, `bridge` or `macvlan`; `mtu` and `internal` stand beside it",
    ),
    // Its blocks and pools.
    ("inter_sandbox", &["icc", "enable_icc"], "`inter_sandbox`"),
    ("inter_sandbox", &["name", "bridge", "interface"], "`interface_name`"),
    ("inter_sandbox", &["gateway_mode", "gateway_mode_ipv4"], "`gateway_mode4`, and `gateway_mode6` for IPv6"),
    ("inter_sandbox", &["gateway_mode_ipv6"], "`gateway_mode6`"),
    ("inter_sandbox", &["enable_ip_masquerade", "ip_masquerade"], "`masquerade`"),
    ("host_access", &["macvlan_mode"], "`mode`"),
    ("host_access", &["interface", "interface_name", "device"], "`parent`"),
    ("prefix_length", &["ip_range", "iprange", "allocation_pool"], "`range`"),
    ("prefix_length", &["aux_addresses", "auxiliary_addresses", "aux_address"], "`reserved`"),
    ("prefix_length", &["prefix", "prefixlen", "size"], "`prefix_length`"),
];

/// Fields of a network as a whole, which people look for in its blocks and pools.
const OF_NETWORK: [&str; 3] = ["internal", "mtu", "labels"];

/// What to write instead of a field that is not known among these.
pub(super) fn field(known: &[&str], given: &str) -> Option<String> {
    let given = given.to_ascii_lowercase();
    let is_here = |marker: &str| known.contains(&marker);
    let named = FIELDS.iter().find(|(marker, names, _)| is_here(marker) && names.contains(&given.as_str()));
    if let Some((_, _, instead)) = named {
        return Some(format!("write {instead}"));
    }
    let in_network = ["inter_sandbox", "host_access", "prefix_length"].iter().any(|marker| is_here(marker));
    (in_network && OF_NETWORK.contains(&given.as_str()))
        .then(|| format!("`{given}` is the network's: write it beside `driver`"))
}

/// The word that was meant, where the given one differs by its case or is a slip.
pub(super) fn word(known: &[&str], given: &str) -> Option<String> {
    let meant = super::nearest(known, &given.to_ascii_lowercase())?;
    Some(format!("did you mean `{meant}`?"))
}

/// What to write instead of a value of another type, where that can be told.
pub(super) fn value(document: &Value, refused: &Invalid) -> Option<String> {
    if refused.code != Code::WrongType {
        return None;
    }
    let given = document.pointer(&refused.pointer)?;
    let steps: Vec<&str> = refused.pointer.split('/').skip(1).collect();
    let object = match (steps.as_slice(), given) {
        (["networks"], Value::String(name)) => json!({name: {}}),
        (["networks", _], Value::String(text)) => attachment(text)?,
        (["networks"], Value::Array(items)) => by_name(items)?,
        (["pools"], Value::Array(items)) => pools(items)?,
        (["pools"], Value::String(text)) => json!({"v4": {"subnet": text.parse::<IpNet>().ok()?.to_string()}}),
        (["pools", _], Value::String(text)) => json!({"subnet": text.parse::<IpNet>().ok()?.to_string()}),
        (["networks", _, "ports"], Value::Array(items)) => ports(items)?,
        (["networks", _, "ports", _], Value::String(text)) => port(text)?,
        (["networks", _, "ports", _], Value::Number(number)) => port(&number.to_string())?,
        (_, Value::String(text)) if refused.message.starts_with("a whole number") => {
            return text.parse::<i64>().ok().map(|number| format!("write {number}, without quotes"));
        }
        _ => return None,
    };
    Some(format!("give an object: {object}"))
}

/// By an address: `10.0.0.5`.
fn attachment(text: &str) -> Option<Value> {
    Some(match text.parse().ok()? {
        IpAddr::V4(address) => json!({"address4": address}),
        IpAddr::V6(address) => json!({"address6": address}),
    })
}

/// A list of names.
fn by_name(items: &[Value]) -> Option<Value> {
    let names: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
    let named = names.filter(|names| !names.is_empty())?;
    Some(Value::Object(named.into_iter().map(|name| (name.to_owned(), json!({}))).collect()))
}

/// A list of subnets, or of pools as Docker writes them; else one of names.
fn pools(items: &[Value]) -> Option<Value> {
    let subnet = |item: &Value| -> Option<IpNet> {
        item.as_str().or_else(|| item.get("subnet").or_else(|| item.get("Subnet"))?.as_str())?.parse().ok()
    };
    let subnets: Option<Vec<IpNet>> = items.iter().map(subnet).collect();
    let Some(subnets) = subnets.filter(|subnets| !subnets.is_empty()) else { return by_name(items) };
    let mut pools = serde_json::Map::new();
    for subnet in subnets {
        let family = if subnet.addr().is_ipv4() { "v4" } else { "v6" };
        pools.insert(numbered(&pools, family.to_owned()), json!({"subnet": subnet.to_string()}));
    }
    Some(Value::Object(pools))
}

/// A list of ports, by names made of them.
fn ports(items: &[Value]) -> Option<Value> {
    let mut ports = serde_json::Map::new();
    for item in items {
        let read = match item {
            Value::String(text) => port(text)?,
            Value::Number(number) => port(&number.to_string())?,
            _ => return None,
        };
        let protocol = read.get("protocol").and_then(Value::as_str).map(|protocol| format!("-{protocol}"));
        let name = format!("port-{}{}", read["target"], protocol.unwrap_or_default());
        ports.insert(numbered(&ports, name), read);
    }
    (!ports.is_empty()).then_some(Value::Object(ports))
}

/// A name that is not among these yet: with a number, where it is.
fn numbered(taken: &serde_json::Map<String, Value>, name: String) -> String {
    let numbers = (2..).map(|number| format!("{name}-{number}"));
    let free = std::iter::once(name.clone()).chain(numbers).find(|name| !taken.contains_key(name));
    free.unwrap_or(name)
}

/// Docker's `[ADDRESS:][PUBLISHED:]TARGET[/PROTOCOL]`; nothing where what it says would be refused as well.
fn port(text: &str) -> Option<Value> {
    let (rest, protocol) = match text.split_once('/') {
        Some((rest, protocol)) => (rest, serde_json::from_value(protocol.to_ascii_lowercase().into()).ok()?),
        None => (text, Protocol::Tcp),
    };
    let number = |text: &str| text.parse::<u16>().ok().filter(|number| *number > 0);
    let (rest, target) = rest.rsplit_once(':').map_or((None, rest), |(rest, target)| (Some(rest), target));
    let mut object = json!({"target": number(target)?});
    let (address, published) = match rest {
        None => (None, None),
        Some(rest) => rest.rsplit_once(':').map_or((None, Some(rest)), |(address, port)| (Some(address), Some(port))),
    };
    if let Some(published) = published.filter(|text| !text.is_empty()) {
        object["published"] = number(published)?.into();
    }
    if let Some(address) = address {
        let address: IpAddr = address.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
        object["host_address"] = address.to_string().into();
    }
    if protocol != Protocol::Tcp {
        object["protocol"] = protocol.as_str().into();
    }
    Some(object)
}

#[cfg(test)]
mod tests;
