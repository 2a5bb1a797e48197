//! Who did something, or where a request came from: a name; a node of the swarm by what its host is called. What must not live here: who that is (control).

use askama::Template;
use netloom_model::NodeId;

use super::frame::Frame;

/// What a node's ID has before it, where it stands for who asked.
const NODE: &str = "node:";

/// Somebody, or somewhere.
#[derive(Debug, Clone, Template)]
#[template(path = "component/party.html")]
pub struct Party {
    words: String,
    href: Option<String>,
}

impl askama::filters::HtmlSafe for Party {}

impl Party {
    /// As events and the audit have it; a node by its name, where the page knows that.
    pub fn new(frame: &Frame, text: &str) -> Self {
        match node_of(text).and_then(|id| Some((id, frame.nodes.get(&id)?))) {
            Some((id, name)) => Self { words: format!("node {name}"), href: Some(frame.node(id)) },
            None => Self { words: text.to_owned(), href: None },
        }
    }
}

/// The node that a text stands for.
pub fn node_of(text: &str) -> Option<NodeId> {
    text.strip_prefix(NODE)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use netloom_model::Timestamp;

    use super::*;
    use crate::view::frame::{Place, Section};

    #[test]
    fn a_node_is_called_by_its_host_where_that_is_known() {
        let id: NodeId = "nod_aebagbafaydqqcikbmga2dqpca".parse().expect("an ID");
        let mut frame = Frame::new("x", Section::Activity, "http://h", Timestamp::from_millis(0), "r");
        frame.place = Place::Manager;
        let shown = |frame: &Frame, text: &str| Party::new(frame, text).render().expect("plain");
        assert_eq!(shown(&frame, &format!("node:{id}")), format!("node:{id}"));
        frame.nodes.insert(id, "host3".into());
        assert_eq!(shown(&frame, &format!("node:{id}")), format!("<a href=\"/ui/nodes/{id}\">node host3</a>"));
        for other in ["admin", "uid:0", "192.0.2.7", "node:x", "join-token:worker"] {
            assert_eq!(shown(&frame, other), other);
        }
    }
}
