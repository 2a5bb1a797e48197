//! Who is on which network from which node: the sandboxes of other nodes, each once and in order, and what is counted of them.

use netloom_model::network::{Driver, Scope};
use netloom_model::{EndpointId, NodeId, SandboxId};
use netloom_store::topology::{
    AwayQuery, SandboxAway, SandboxAwayQuery, attached_away, away, counted_away, counted_of_node, sandboxes_away,
};
use netloom_store::{AttachmentRow, NetworkRow, Place, Store, attachments, networks};

use super::kit::{at, ip, network, open, read, unique, write};

fn overlay(name: &str, vni: u32) -> NetworkRow {
    NetworkRow { driver: Driver::Overlay, scope: Scope::Swarm, vni: Some(vni), parent: None, ..network(name) }
}

fn place(network: &NetworkRow, node: NodeId, sandbox: SandboxId, name: &str, address: &str) -> AttachmentRow {
    AttachmentRow {
        id: EndpointId::from_random(unique()),
        network_id: network.id,
        node,
        vtep: ip("192.168.122.185"),
        sandbox_id: sandbox,
        sandbox_name: name.into(),
        mac: netloom_model::MacAddr([2, 0x42, 172, 45, 0, 2]),
        addresses: vec![ip(address)],
        aliases: Vec::new(),
        running: name != "idle",
        gone: name == "gone",
        revision: 5,
        created_at: at(1_000),
        updated_at: at(1_000),
    }
}

/// Two networks, on which nodes 1 and 2 have sandboxes: `twin` on each of them, `both` on both networks, one that is stopped, one that has left; and the
/// host's own `mine`.
async fn furnished() -> (tempfile::TempDir, Store, [NetworkRow; 2], [NodeId; 2]) {
    let (directory, store) = open().await;
    let own = store.node_id();
    let (blue, red) = (overlay("blue", 4097), overlay("red", 4098));
    let nodes = [1, 2].map(|number| NodeId::from_random([number; 16]));
    let [one, two] = nodes;
    let sandbox = || SandboxId::from_random(unique());
    let both = sandbox();
    let rows = [
        place(&blue, one, both, "both", "172.45.0.2"),
        place(&red, one, both, "both", "172.46.0.2"),
        place(&blue, one, sandbox(), "twin", "172.45.0.3"),
        place(&blue, two, sandbox(), "twin", "172.45.0.4"),
        place(&blue, two, sandbox(), "idle", "172.45.0.5"),
        place(&blue, two, sandbox(), "gone", "172.45.0.6"),
        place(&red, own, sandbox(), "mine", "172.46.0.3"),
    ];
    for network in [&blue, &red] {
        write!(store, (network), tx => networks::insert(tx, &network).await).unwrap();
    }
    for row in &rows {
        write!(store, (row), tx => attachments::put(tx, &row)).unwrap();
    }
    (directory, store, [blue, red], nodes)
}

async fn page(store: &Store, query: SandboxAwayQuery) -> Vec<SandboxAway> {
    read!(store, (), tx => sandboxes_away(tx, &query).await).unwrap()
}

fn names(found: &[SandboxAway]) -> Vec<&str> {
    found.iter().map(|sandbox| sandbox.name.as_str()).collect()
}

#[tokio::test]
async fn sandboxes_of_other_nodes_come_each_once_by_name_and_go_on_where_a_page_ended() {
    let (_directory, store, [blue, red], _) = furnished().await;
    let all = page(&store, SandboxAwayQuery { limit: 9, ..SandboxAwayQuery::default() }).await;
    assert_eq!(names(&all), ["both", "idle", "twin", "twin"]);
    assert_eq!(all.iter().map(|sandbox| sandbox.running).collect::<Vec<_>>(), [true, false, true, true]);
    assert_ne!((all[2].node, all[2].id), (all[3].node, all[3].id));
    for network in [None, Some(blue.id)] {
        let (mut walked, mut after) = (Vec::new(), None);
        loop {
            let found =
                page(&store, SandboxAwayQuery { network, after, limit: 1, ..SandboxAwayQuery::default() }).await;
            let Some(last) = found.last() else { break };
            after = Some(Place::in_topology(&last.name, &last.key));
            walked.extend(found);
        }
        assert_eq!(names(&walked), names(&all), "{network:?}");
    }
    let red = page(&store, SandboxAwayQuery { network: Some(red.id), limit: 9, ..SandboxAwayQuery::default() }).await;
    assert_eq!(names(&red), ["both"], "not the host's own");
    let text = SandboxAwayQuery { text: Some("WI".into()), limit: 9, ..SandboxAwayQuery::default() };
    assert_eq!(names(&page(&store, text).await), ["twin", "twin"]);
    // A place of this host's own, which comes before those of one name.
    let after = Some(Place::in_topology("twin", ""));
    let rest = page(&store, SandboxAwayQuery { after, limit: 9, ..SandboxAwayQuery::default() }).await;
    assert_eq!(names(&rest), ["twin", "twin"]);
}

#[tokio::test]
async fn their_endpoints_are_told_and_their_numbers_counted() {
    let (_directory, store, [blue, red], [one, two]) = furnished().await;
    let own = store.node_id();
    let all = page(&store, SandboxAwayQuery { limit: 9, ..SandboxAwayQuery::default() }).await;
    let ids: Vec<SandboxId> = all.iter().map(|sandbox| sandbox.id).collect();
    let told = read!(store, (ids), tx => attached_away(tx, &ids).await).unwrap();
    assert_eq!(told.len(), 5, "one of them has two places");
    let addresses = told.iter().filter(|at| at.sandbox == all[0].id).map(|at| (at.network, at.addresses.clone()));
    let mut addresses: Vec<_> = addresses.collect();
    addresses.sort_by(|a, b| a.1.cmp(&b.1));
    assert_eq!(addresses, [(blue.id, vec![ip("172.45.0.2")]), (red.id, vec![ip("172.46.0.2")])]);

    let of = async |query: AwayQuery| {
        let found = read!(store, (), tx => away(tx, &query).await).unwrap();
        found.into_iter().map(|away| away.name).collect::<Vec<_>>()
    };
    let query = AwayQuery { limit: 9, ..AwayQuery::default() };
    assert_eq!(of(AwayQuery { network: Some(blue.id), ..query.clone() }).await, ["both", "idle", "twin", "twin"]);
    assert_eq!(of(AwayQuery { node: Some(two), ..query.clone() }).await, ["idle", "twin"]);
    assert_eq!(of(AwayQuery { node: Some(own), ..query.clone() }).await, [] as [&str; 0], "the host's own is not away");
    assert_eq!(of(AwayQuery { sandbox: Some(all[0].id), ..query.clone() }).await, ["both", "both"]);
    assert_eq!(of(AwayQuery { limit: 2, ..query }).await, ["both", "both"]);

    let blue = blue.id;
    let mut counted = read!(store, (), tx => counted_away(tx, blue).await).unwrap();
    counted.sort_by_key(|(_, sandboxes)| *sandboxes);
    assert_eq!(counted.iter().map(|(_, sandboxes)| *sandboxes).collect::<Vec<_>>(), [2, 2]);
    assert!(counted.iter().all(|(node, _)| [one, two].contains(node)));
    for (node, sandboxes) in [(one, 2), (two, 2)] {
        assert_eq!(read!(store, (), tx => counted_of_node(tx, node).await).unwrap(), sandboxes);
    }
}
