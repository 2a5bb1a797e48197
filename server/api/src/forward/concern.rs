//! What a request is about, as its path, query and body say: this host, or the swarm. The two ends of a request that is handed on ask the same
//! question, each of its own store; who answers what is decided here alone.

use actix_web::http::Method;
use actix_web::web::Bytes;
use netloom_control::Control;
use netloom_model::network::{Driver, Scope};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::problem::Problem;

/// What a path and its query are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Concern {
    /// This host: its sandboxes, its events, its tokens, what it is in a swarm.
    Host,
    /// The swarm, its nodes, and what the manager knows of all of them.
    Swarm,
    /// A network, and what belongs to it: the swarm's, unless it is one of the host's own.
    Network(String),
    /// A network that is to be: the body says whose; and its name, where the path says it.
    NewNetwork(Option<String>),
}

impl Concern {
    /// Of a request.
    pub(super) fn of(method: &Method, path: &str, query: &str) -> Self {
        let Some(path) = path.strip_prefix("/api/v1/") else { return Self::Host };
        let segments: Vec<_> = path.split('/').map(|part| percent_decode_str(part).decode_utf8_lossy()).collect();
        let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        // What would read otherwise when it is decoded once more, or as another path, is nothing that has a name here.
        if segments.iter().any(|part| part.contains(['%', '/', '\\', '\u{fffd}'])) {
            return Self::Host;
        }
        match segments.as_slice() {
            ["swarm", "membership", ..] => Self::Host,
            ["swarm" | "nodes", ..] | ["addresses", _, ..] => Self::Swarm,
            ["networks"] if method == Method::POST => Self::NewNetwork(None),
            ["networks"] if query.split('&').any(|pair| pair == "scope=swarm") => Self::Swarm,
            ["networks", name] if method == Method::PUT => Self::NewNetwork(Some((*name).to_owned())),
            ["networks", name, ..] => Self::Network((*name).to_owned()),
            _ => Self::Host,
        }
    }

    /// Whether it is the swarm's, with what this host's store says of the network that is named.
    ///
    /// # Errors
    /// An unreadable store.
    pub(super) async fn is_swarms(&self, control: &Control, body: &Bytes) -> Result<bool, Problem> {
        let named = match self {
            Self::Host => return Ok(false),
            Self::Swarm => return Ok(true),
            Self::NewNetwork(_) if !makes_swarms(body) => return Ok(false),
            Self::NewNetwork(None) => return Ok(true),
            Self::NewNetwork(Some(name)) | Self::Network(name) => name,
        };
        Ok(control.scope_of(named).await? != Some(Scope::Local))
    }
}

/// Whether a network's spec is one of the swarm's. What can't be read is nobody's.
fn makes_swarms(body: &[u8]) -> bool {
    let Ok(Value::Object(spec)) = serde_json::from_slice(body) else { return false };
    let says = |key: &str, word: &str| spec.get(key).and_then(Value::as_str) == Some(word);
    says("scope", Scope::Swarm.as_str()) || says("driver", Driver::Overlay.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_says_what_a_request_is_about() {
        let network = |name: &str| Concern::Network(name.to_owned());
        let new = |name: Option<&str>| Concern::NewNetwork(name.map(str::to_owned));
        let cases = [
            ("GET", "/api/v1/swarm", "", Concern::Swarm),
            ("PATCH", "/api/v1/swarm", "", Concern::Swarm),
            ("POST", "/api/v1/swarm/join-tokens/t/rotate", "", Concern::Swarm),
            ("PUT", "/api/v1/swarm/membership", "", Concern::Host),
            ("GET", "/api/v1/nodes", "", Concern::Swarm),
            ("POST", "/api/v1/nodes/n/readmit", "", Concern::Swarm),
            ("GET", "/api/v1/addresses/10.0.0.1", "at=x", Concern::Swarm),
            ("GET", "/api/v1/plans", "", Concern::Host),
            ("POST", "/api/v1/plans/p/apply", "", Concern::Host),
            ("DELETE", "/api/v1/networks/%%36dine", "", Concern::Host),
            ("GET", "/api/v1/networks/a%252Fb", "", Concern::Host),
            ("GET", "/api/v1/networks/a%2F..%2Fb", "", Concern::Host),
            ("GET", "/api/v1/networks", "", Concern::Host),
            ("GET", "/api/v1/networks", "limit=3&scope=swarm", Concern::Swarm),
            ("GET", "/api/v1/networks", "q=scope=swarm", Concern::Host),
            ("POST", "/api/v1/networks", "wait=0s", new(None)),
            ("PUT", "/api/v1/networks/a", "", new(Some("a"))),
            ("PATCH", "/api/v1/networks/a", "", network("a")),
            ("DELETE", "/api/v1/networks/my%2Dnet", "", network("my-net")),
            ("PUT", "/api/v1/networks/a/leases/k", "", network("a")),
            ("POST", "/api/v1/sandboxes", "", Concern::Host),
            ("GET", "/api/v1/tokens", "", Concern::Host),
            ("GET", "/api/v1/%73warm", "", Concern::Swarm),
            ("GET", "/ui/swarm", "", Concern::Host),
        ];
        for (method, path, query, wanted) in cases {
            let method: Method = method.parse().expect("a method");
            assert_eq!(Concern::of(&method, path, query), wanted, "{method} {path}?{query}");
        }
    }

    #[test]
    fn the_body_says_whose_a_new_network_is() {
        for (body, wanted) in [
            (r#"{"name": "a", "driver": "overlay"}"#, true),
            (r#"{"name": "a", "driver": "macvlan", "scope": "swarm"}"#, true),
            (r#"{"name": "a", "driver": "bridge"}"#, false),
            (r#"{"name": "overlay"}"#, false),
            (r#"["overlay"]"#, false),
            ("overlay", false),
            ("", false),
        ] {
            assert_eq!(makes_swarms(body.as_bytes()), wanted, "{body}");
        }
    }
}
