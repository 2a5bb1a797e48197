//! What the drawing has in it, and where.

use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::network::{Driver, Scope};
use netloom_model::topology::{TopologyNetwork, TopologyNode, TopologyRest};

use super::*;

fn topology(sandboxes: u8, left_out: u64) -> Topology {
    let (node, network) = (NodeId::from_random([1; 16]), NetworkId::from_random([1; 16]));
    let sandbox = |at: u8| TopologySandbox {
        id: SandboxId::from_random([at; 16]),
        name: format!("box \"{at:02}\""),
        node,
        running: at.is_multiple_of(2),
        state: None,
    };
    let place = |at: u8| TopologyEndpoint {
        sandbox: SandboxId::from_random([at; 16]),
        network,
        addresses: vec![[10, 0, 0, at].into()],
    };
    Topology {
        of: Some(ObjectRef { kind: ObjectKind::Network, id: network.to_string(), name: "a".into() }),
        sandboxes: (0..sandboxes).map(sandbox).collect(),
        networks: vec![TopologyNetwork {
            id: network,
            name: "a".repeat(60),
            driver: Driver::Bridge,
            scope: Scope::Local,
        }],
        nodes: vec![TopologyNode { id: node, hostname: Some("machine1".into()), silent_since: None }],
        endpoints: (1..sandboxes).map(place).collect(),
        left_out: (left_out > 0).then_some(TopologyRest { node, sandboxes: left_out }).into_iter().collect(),
        next_page_token: None,
        seq: 1,
    }
}

#[test]
fn no_two_boxes_overlap_and_all_are_on_the_picture() {
    let graph = Graph::new(&topology(36, 3));
    for (at, a) in graph.nodes.iter().enumerate() {
        assert!(a.x + WIDTH <= graph.width && a.y + HEIGHT <= graph.height, "{a:?}");
        for b in &graph.nodes[at + 1..] {
            let apart = a.x.abs_diff(b.x) >= WIDTH || a.y.abs_diff(b.y) >= HEIGHT;
            assert!(apart, "{a:?} {b:?}");
        }
        assert!(a.name.chars().count() <= 40 && a.under.chars().count() <= 40, "{a:?}");
        assert_eq!(a.label, format!("{} {}", a.name, a.under), "what is read out is what is seen");
        assert_eq!(a.full.is_some(), a.label.contains('…'), "{a:?}");
    }
    assert_eq!(graph.edges.len(), 35 + 1 + 1, "places, the rest, and the node");
    assert_eq!(
        graph.nodes.iter().filter(|node| node.class == "rest").map(|node| node.name.as_str()).collect::<Vec<_>>(),
        ["3 more sandboxes"]
    );
    assert_eq!(graph.nodes[35].name, "box \"00\"", "the one on no network is last");
}

#[test]
fn there_are_never_more_than_sixty_boxes() {
    let mut crowd = topology(36, 0);
    let id = |at: u8| [at; 16];
    crowd.networks = (1..=100)
        .map(|at| TopologyNetwork {
            id: NetworkId::from_random(id(at)),
            name: format!("n{at}"),
            driver: Driver::Overlay,
            scope: Scope::Swarm,
        })
        .collect();
    crowd.nodes = (1..=100)
        .map(|at| TopologyNode { id: NodeId::from_random(id(at)), hostname: None, silent_since: None })
        .collect();
    crowd.left_out = (1..=100).map(|at| TopologyRest { node: NodeId::from_random(id(at)), sandboxes: 10 }).collect();
    let graph = Graph::new(&crowd);
    assert!(graph.nodes.len() <= 60, "{}", graph.nodes.len());
    for told in ["1,000 more sandboxes", "90 more networks", "92 more nodes"] {
        assert!(graph.nodes.iter().any(|node| node.name == told), "{told}");
    }
}

#[test]
fn the_same_as_text_keeps_names_in_quotes() {
    let graph = Graph::new(&topology(2, 0));
    assert!(
        graph.mermaid.starts_with("flowchart LR\n") && graph.mermaid.contains("s1[\"box #quot;01#quot;\"]"),
        "{}",
        graph.mermaid
    );
    assert!(graph.mermaid.contains("s1 ---|\"10.0.0.1\"| n0"), "{}", graph.mermaid);
    assert!(
        graph.dot.contains("s1 [label=\"box \\\"01\\\"\"];") && graph.dot.contains("s1 -- n0 [label=\"10.0.0.1\"];"),
        "{}",
        graph.dot
    );
}
