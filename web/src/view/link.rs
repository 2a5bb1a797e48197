//! URLs of our own pages and of the API.

use netloom_model::event::{ObjectKind, ObjectRef};

/// Percent-encodes everything but RFC 3986's unreserved characters, and `:` (which IPv6 addresses are full of).
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Encodes a value of a query string; slashes may stay as they are there.
pub fn encode_query(text: &str) -> String {
    encode(text).replace("%2F", "/")
}

/// A query string of the pairs that have a value, with its `?`; empty when none has.
pub fn query(pairs: &[(&str, &str)]) -> String {
    let set: Vec<String> = pairs
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| format!("{key}={}", encode_query(value)))
        .collect();
    if set.is_empty() { String::new() } else { format!("?{}", set.join("&")) }
}

/// A network's page, by name or ID.
pub fn network(reference: &str) -> String {
    format!("/ui/networks/{}", encode(reference))
}

/// A sandbox's page, by name or ID.
pub fn sandbox(reference: &str) -> String {
    format!("/ui/sandboxes/{}", encode(reference))
}

/// An address's page.
pub fn address(address: &str) -> String {
    format!("/ui/addresses/{}", encode(address))
}

/// The page of what happened to a lease, by its ID.
pub fn lease_history(id: &str) -> String {
    format!("/ui/leases/{}/history", encode(id))
}

/// The page of what is free in a pool.
pub fn free(network: &str, pool: &str) -> String {
    format!("/ui/ipam/{}/{}", encode(network), encode(pool))
}

/// A node's page, by ID or its host's name.
pub fn node(reference: &str) -> String {
    format!("/ui/nodes/{}", encode(reference))
}

/// What came of a request: in the audit, which has also what was refused, or in the events.
pub fn request(id: &str, in_audit: bool) -> String {
    let show = if in_audit { "audit" } else { "" };
    format!("/ui/activity{}", query(&[("show", show), ("request_id", id)]))
}

/// The page of an object, where it has one. `gone` names an object that may be no more: then the ID, which is never reused.
pub fn object(object: &ObjectRef) -> Option<String> {
    match object.kind {
        ObjectKind::Network => Some(network(&object.id)),
        ObjectKind::Sandbox => Some(sandbox(&object.id)),
        ObjectKind::Lease => Some(format!("/ui/search?q={}", encode_query(&object.id))),
        ObjectKind::Node => Some(node(&object.id)),
        ObjectKind::Swarm => Some("/ui/swarm".to_owned()),
        ObjectKind::JoinToken => Some("/ui/swarm/join".to_owned()),
        ObjectKind::Endpoint | ObjectKind::Token => None,
    }
}

/// Quotes a text for a shell, when it needs that.
pub fn shell_quote(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/@%+=,".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_survive_odd_names() {
        assert_eq!(network("a b/<c>"), "/ui/networks/a%20b%2F%3Cc%3E");
        assert_eq!(address("fd00::1"), "/ui/addresses/fd00::1");
        assert_eq!(query(&[("a", ""), ("b", "x&y"), ("c", "10.0.0.0/8")]), "?b=x%26y&c=10.0.0.0/8");
        assert_eq!(query(&[("a", "")]), "");
    }

    #[test]
    fn shell_words_are_quoted() {
        assert_eq!(shell_quote("macvlan1"), "macvlan1");
        assert_eq!(shell_quote("a'b"), r"'a'\''b'");
        assert_eq!(shell_quote("http://h/?a=b&c"), "'http://h/?a=b&c'");
    }
}
