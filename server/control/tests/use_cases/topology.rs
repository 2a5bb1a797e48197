//! Who is on which network: page by page, by filter, and around one object; those of other nodes too, and counted where there are many.

use netloom_control::command::*;
use netloom_control::{Error, ErrorKind};
use netloom_model::NodeId;
use netloom_model::health::{Sounding, Trouble, TroubleCode};
use netloom_model::lease::AddressState;
use netloom_model::report::Report;
use netloom_model::sandbox::SandboxState;
use netloom_model::search::HitKind;
use netloom_model::swarm_endpoint::SwarmEndpointState;
use netloom_model::topology::{NEIGHBOURS_MOST, Topology};
use serde_json::json;

use crate::kit::pair::Pair;
use crate::kit::{Kit, macvlan};

async fn topology(kit: &Kit, command: GetTopology) -> Result<Topology, Error> {
    kit.control.topology(kit.may(command)).await
}

async fn around(kit: &Kit, of: &str) -> Topology {
    topology(kit, GetTopology { of: Some(of.into()), ..GetTopology::default() }).await.expect("an answer")
}

/// `sandbox network address` of each endpoint, by the names in it.
fn words(topology: &Topology) -> Vec<String> {
    let word = |endpoint: &netloom_model::topology::TopologyEndpoint| {
        let sandbox = topology.sandboxes.iter().find(|one| one.id == endpoint.sandbox).expect("it is there");
        let network = topology.networks.iter().find(|one| one.id == endpoint.network).expect("it is there");
        let addresses: Vec<String> = endpoint.addresses.iter().map(ToString::to_string).collect();
        format!("{} {} {}", sandbox.name, network.name, addresses.join(","))
    };
    let mut words: Vec<String> = topology.endpoints.iter().map(word).collect();
    words.sort();
    words
}

fn names(topology: &Topology) -> (Vec<&str>, Vec<&str>) {
    let sandboxes = topology.sandboxes.iter().map(|one| one.name.as_str()).collect();
    (sandboxes, topology.networks.iter().map(|one| one.name.as_str()).collect())
}

async fn furnished() -> Kit {
    let kit = Kit::new().await;
    kit.create_network(macvlan("n", json!({"v4": {"subnet": "10.1.0.0/24"}, "v6": {"subnet": "fd00:1::/64"}})))
        .await
        .expect("n");
    kit.create_network(macvlan("m", json!({"v4": {"subnet": "10.2.0.0/24"}}))).await.expect("m");
    kit.on("a", "n").await.expect("a");
    kit.create_sandbox(json!({"name": "b", "labels": {"k": "v"}, "networks": {"n": {}, "m": {}}})).await.expect("b");
    kit.create_sandbox(json!({"name": "c", "networks": {}})).await.expect("c");
    kit
}

#[tokio::test]
async fn a_page_has_its_sandboxes_with_their_networks_and_those_on_none() {
    let kit = furnished().await;
    let all = topology(&kit, GetTopology::default()).await.expect("an answer");
    assert_eq!(names(&all), (vec!["a", "b", "c"], vec!["m", "n"]));
    assert!(all.sandboxes.iter().all(|one| one.state == Some(SandboxState::Running)), "{:?}", all.sandboxes);
    assert_eq!(words(&all), ["a n 10.1.0.2,fd00:1::2", "b m 10.2.0.2", "b n 10.1.0.3,fd00:1::3"]);
    assert_eq!((all.nodes.len(), all.nodes[0].hostname.as_deref(), all.seq), (1, Some("machine1"), kit.seq().await));
    assert!(all.of.is_none() && all.left_out.is_empty() && all.next_page_token.is_none());

    let lost = all.sandboxes[0].id;
    kit.control.report(Report::Orphaned { sandbox: lost, reason: "it is gone".into() }).await.expect("taken");
    let states: Vec<_> = around(&kit, "network:n").await.sandboxes.iter().map(|one| one.state).collect();
    assert_eq!(states, [Some(SandboxState::Orphaned), Some(SandboxState::Running)]);

    let page = PageRequest { limit: Some(2), token: None };
    let first = topology(&kit, GetTopology { page, ..GetTopology::default() }).await.expect("a page");
    assert_eq!(names(&first).0, ["a", "b"]);
    let page = PageRequest { limit: Some(2), token: first.next_page_token };
    let second = topology(&kit, GetTopology { page, ..GetTopology::default() }).await.expect("a page");
    assert_eq!((names(&second), second.next_page_token.is_none()), ((vec!["c"], vec![]), true));
}

#[tokio::test]
async fn filters_are_those_of_the_list_of_sandboxes() {
    let kit = furnished().await;
    let by = |command: GetTopology| topology(&kit, command);
    let on_m = by(GetTopology { network: Some("m".into()), ..GetTopology::default() }).await.expect("on m");
    assert_eq!(names(&on_m), (vec!["b"], vec!["m", "n"]));
    let labelled = GetTopology { labels: vec![("k".into(), Some("v".into()))], ..GetTopology::default() };
    assert_eq!(names(&by(labelled).await.expect("labelled")).0, ["b"]);
    let text = GetTopology { q: Some("C".into()), ..GetTopology::default() };
    assert_eq!(names(&by(text).await.expect("by name")).0, ["c"]);
    let none =
        by(GetTopology { network: Some("x".into()), ..GetTopology::default() }).await.expect_err("no such network");
    assert_eq!(none.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn around_an_object_is_what_it_is_connected_to() {
    let kit = furnished().await;
    let network = around(&kit, "network:m").await;
    assert_eq!(names(&network), (vec!["b"], vec!["m", "n"]));
    assert_eq!(network.of.as_ref().map(|of| of.name.as_str()), Some("m"));
    let id = kit.sandbox("a").await.expect("a").id.to_string();
    let sandbox = around(&kit, &id).await;
    assert_eq!((names(&sandbox), words(&sandbox).len()), ((vec!["a"], vec!["n"]), 1));
    let node = around(&kit, "node:machine1").await;
    assert_eq!(names(&node).0, ["a", "b", "c"]);
    assert_eq!(around(&kit, &node.nodes[0].id.to_string()).await, node);
    for (of, kind) in
        [("network:x", ErrorKind::NotFound), ("sandbox:x", ErrorKind::NotFound), ("x", ErrorKind::Invalid)]
    {
        let refused = topology(&kit, GetTopology { of: Some(of.into()), ..GetTopology::default() }).await;
        assert_eq!(refused.expect_err("nothing of the kind").kind, kind, "{of}");
    }
}

#[tokio::test]
async fn a_crowd_is_counted() {
    let kit = Kit::new().await;
    kit.create_network(macvlan("n", json!({"v4": {"subnet": "10.1.0.0/24"}}))).await.expect("n");
    let most = u64::from(NEIGHBOURS_MOST);
    for at in 0..most + 3 {
        kit.on(&format!("s{at:02}"), "n").await.expect("a sandbox");
    }
    for of in ["network:n", "node:machine1"] {
        let crowd = around(&kit, of).await;
        assert_eq!(crowd.sandboxes.len() as u64, most, "{of}");
        let left_out: Vec<u64> = crowd.left_out.iter().map(|rest| rest.sandboxes).collect();
        assert_eq!(left_out, [3], "{of}");
    }
}

/// `sandbox node` of each sandbox in order, where the manager is `here` and the worker `there`.
fn on_nodes(topology: &Topology, here: NodeId) -> Vec<String> {
    let word = |sandbox: &netloom_model::topology::TopologySandbox| {
        format!("{} {}", sandbox.name, if sandbox.node == here { "here" } else { "there" })
    };
    topology.sandboxes.iter().map(word).collect()
}

/// A manager and a worker with sandboxes of their own, some of one name, and on two networks of the swarm.
async fn spread() -> Pair {
    let pair = Pair::new().await;
    for name in ["far", "wide"] {
        let network = json!({"name": name, "driver": "overlay", "internal": true});
        pair.manager.create_network(network).await.expect("a network");
    }
    pair.until(async |pair: &Pair| pair.worker.network("wide").await.is_ok()).await;
    let both = |name: &str| json!({"name": name, "labels": {"k": "v"}, "networks": {"far": {}, "wide": {}}});
    pair.manager.create_sandbox(both("b")).await.expect("b");
    pair.manager.create_sandbox(json!({"name": "d", "networks": {}})).await.expect("d");
    pair.worker.on("a", "far").await.expect("a");
    pair.worker.create_sandbox(both("b")).await.expect("b");
    pair.worker.create_sandbox(json!({"name": "alone", "networks": {}})).await.expect("alone");
    pair
}

/// What a manager's search finds of the sandboxes of other nodes.
async fn away(kit: &Kit, text: &str) -> Vec<String> {
    let found = kit.control.search(kit.may(Search(text.into()))).await.expect("an answer");
    let hits = found.groups.into_iter().filter(|group| group.kind == HitKind::Away).flat_map(|group| group.hits);
    hits.map(|hit| format!("{} {} {}", hit.name, hit.about, hit.exact)).collect()
}

#[tokio::test]
async fn a_manager_finds_sandboxes_of_other_nodes_by_name_part_and_id() {
    let pair = spread().await;
    let a = pair.worker.sandbox("a").await.expect("a").id.to_string();
    for (text, found) in [("a", true), ("sandbox:A", false), (a.as_str(), true)] {
        assert_eq!(away(&pair.manager, text).await, [format!("a on node `machine1` {found}")], "{text}");
    }
    assert_eq!(away(&pair.manager, "net:a").await, Vec::<String>::new());
    // A worker knows its neighbours, and by name the nodes that they are on.
    pair.until(async |pair: &Pair| !away(&pair.worker, "b").await.is_empty()).await;
    assert_eq!(away(&pair.worker, "b").await, ["b on node `machine1` true"]);
    assert_eq!(away(&pair.worker, "d").await, Vec::<String>::new(), "on no network of the swarm");
    let manager = pair.manager.control.node_id().to_string();
    let found = pair.worker.control.search(pair.worker.may(Search(manager.clone()))).await.expect("an answer");
    let nodes: Vec<_> =
        found.groups.iter().filter(|group| group.kind == HitKind::Node).flat_map(|group| &group.hits).collect();
    assert!(matches!(nodes.as_slice(), [one] if one.exact && one.id.as_ref() == Some(&manager)), "{nodes:?}");
    let around = around(&pair.worker, &manager).await;
    assert_eq!(around.of.expect("a node").name, "machine1");
    assert!(around.nodes.iter().all(|node| node.hostname.is_some()), "{:?}", around.nodes);
}

#[tokio::test]
async fn a_worker_knows_its_neighbours_addresses_wherever_it_is_asked() {
    let pair = spread().await;
    pair.until(async |pair: &Pair| !away(&pair.worker, "b").await.is_empty()).await;
    let worker = &pair.worker;
    let b = pair.manager.sandbox("b").await.expect("b");
    let place = &b.status.endpoints["far"];
    let (address, mac) = (place.address.clone().expect("an address"), place.mac.expect("a MAC").to_string());
    let asked = GetAddress { address: address.parse().expect("one"), at: None };
    let report = worker.control.get_address(worker.may(asked)).await.expect("known").remove(0);
    assert_eq!(report.state, AddressState::Leased);
    let holder = report.endpoint.expect("of the manager");
    assert_eq!((holder.sandbox.as_str(), holder.mac.to_string()), ("b", mac.clone()));
    assert_eq!((holder.hostname.as_deref(), holder.state), (Some("machine1"), SwarmEndpointState::Running));
    let found = worker.control.search(worker.may(Search(address.clone()))).await.expect("an answer");
    let about = &found.groups[0].hits[0].about;
    assert!(about.starts_with("of sandbox `b` on node `machine1`, in pool"), "{about}");
    let by_mac = away(worker, &mac).await;
    assert_eq!(by_mac, [format!("b on node `machine1`, {mac}, {address} on `far` true")]);
    let block = format!("{address}/28").parse::<ipnet::IpNet>().expect("a block").trunc();
    let command = GetPoolMap { network: "far".into(), pool: None, block: Some(block) };
    let map = worker.control.pool_map(worker.may(command)).await.expect("a map");
    assert_eq!(map.away.iter().map(|one| one.sandbox.as_str()).collect::<Vec<_>>(), ["b"]);
    let on_far = ListEndpoints { network: Some("far".into()), ..ListEndpoints::default() };
    let listed = worker.control.endpoints_away(worker.may(on_far)).await.expect("a list").items;
    assert_eq!(listed.iter().map(|one| one.sandbox.as_str()).collect::<Vec<_>>(), ["b"]);
    let other = GetAddress { address: report_of_next(&address), at: None };
    let unknown = worker.control.get_address(worker.may(other)).await.expect("known").remove(0);
    assert!(unknown.endpoint.is_none());
    // A node that its own probes do not reach is silent to it, and what is there is as it was told last.
    let health = GetNetworkHealth { network: "far".into(), fresh: false };
    let nodes = worker.control.network_health(worker.may(health)).await.expect("health").nodes;
    let there = nodes.iter().find(|node| node.id == pair.manager.control.node_id()).expect("the manager's");
    let trouble = Some(Trouble { code: TroubleCode::NoAnswer, message: "nothing came back".into() });
    let to = there.address.parse().expect("an address");
    let lost = Sounding { to, usable_mtu: None, rtt_us: None, trouble };
    worker.control.report(Report::Sounded(vec![lost])).await.expect("taken");
    let asked = GetAddress { address: address.parse().expect("one"), at: None };
    let report = worker.control.get_address(worker.may(asked)).await.expect("known").remove(0);
    let holder = report.endpoint.expect("of the manager");
    assert!(holder.state == SwarmEndpointState::Unknown && holder.silent_since.is_some(), "{holder:?}");
    let found = worker.control.search(worker.may(Search(address.clone()))).await.expect("an answer");
    let about = &found.groups[0].hits[0].about;
    assert!(about.starts_with("of sandbox `b` on node `machine1`, which is silent, in pool"), "{about}");
    assert_eq!(away(worker, "b").await, ["b on node `machine1`, which is silent true"]);
    // What is around a sandbox of another node is asked for by its name, too.
    let a = pair.worker.sandbox("a").await.expect("a").id.to_string();
    assert_eq!(around(&pair.manager, "sandbox:a").await, around(&pair.manager, &a).await);
    // A name goes with the last that is known of its node.
    pair.manager.remove_sandbox("b").await.expect("removed");
    pair.until(async |pair: &Pair| away(&pair.worker, "b").await.is_empty()).await;
    let id = pair.manager.control.node_id().to_string();
    let found = worker.control.search(worker.may(Search(id))).await.expect("an answer");
    assert!(found.groups.iter().all(|group| group.kind != HitKind::Node), "{found:?}");
}

/// An address far above one.
fn report_of_next(address: &str) -> std::net::IpAddr {
    let address: std::net::Ipv4Addr = address.parse().expect("IPv4");
    std::net::Ipv4Addr::from(u32::from(address) + 100).into()
}

#[tokio::test]
async fn a_manager_shows_the_sandboxes_of_all_nodes_and_a_worker_its_own() {
    let pair = spread().await;
    let own = pair.manager.control.node_id();
    let all = topology(&pair.manager, GetTopology::default()).await.expect("an answer");
    assert_eq!(
        on_nodes(&all, own),
        ["a there", "b here", "b there", "d here"],
        "what is on no network of the swarm is its node's"
    );
    assert_eq!(all.networks.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["far", "wide"]);
    assert_eq!(all.nodes.len(), 2);
    assert!(all.nodes.iter().all(|node| node.hostname.as_deref() == Some("machine1")));
    assert_eq!(all.endpoints.len(), 5, "each place once: {:?}", words(&all));
    let there = pair.worker.sandbox("b").await.expect("b");
    let place = all.endpoints.iter().find(|one| one.sandbox == there.id && one.network == all.networks[0].id);
    let address = there.status.endpoints["far"].address.clone().expect("an address");
    assert_eq!(place.expect("its place").addresses[0].to_string(), address);

    let of_worker = topology(&pair.worker, GetTopology::default()).await.expect("an answer");
    assert_eq!(names(&of_worker).0, ["a", "alone", "b"]);
}

#[tokio::test]
async fn pages_of_all_nodes_go_on_where_they_ended() {
    let pair = spread().await;
    let own = pair.manager.control.node_id();
    for (network, wanted) in [
        (None, ["a there", "b here", "b there", "d here"].as_slice()),
        (Some("wide"), ["b here", "b there"].as_slice()),
    ] {
        let (mut walked, mut token) = (Vec::new(), None);
        loop {
            let page = PageRequest { limit: Some(1), token };
            let command = GetTopology { network: network.map(Into::into), page, ..GetTopology::default() };
            let part = topology(&pair.manager, command).await.expect("a page");
            assert_eq!(part.sandboxes.len(), 1);
            walked.extend(on_nodes(&part, own));
            token = part.next_page_token;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(walked, wanted);
    }
}

#[tokio::test]
async fn of_other_nodes_sandboxes_the_name_is_found_and_labels_are_not_known() {
    let pair = spread().await;
    let own = pair.manager.control.node_id();
    let by = async |command: GetTopology| on_nodes(&topology(&pair.manager, command).await.expect("an answer"), own);
    assert_eq!(by(GetTopology { q: Some("B".into()), ..GetTopology::default() }).await, ["b here", "b there"]);
    let labelled = GetTopology { labels: vec![("k".into(), None)], ..GetTopology::default() };
    assert_eq!(by(labelled).await, ["b here"]);
}

#[tokio::test]
async fn around_an_object_are_the_sandboxes_of_other_nodes_too() {
    let pair = spread().await;
    let own = pair.manager.control.node_id();
    let network = around(&pair.manager, "network:wide").await;
    assert_eq!(on_nodes(&network, own), ["b here", "b there"]);
    assert_eq!((names(&network).1, network.endpoints.len()), (vec!["far", "wide"], 4), "{network:?}");
    let there = pair.worker.sandbox("b").await.expect("b").id.to_string();
    let sandbox = around(&pair.manager, &there).await;
    assert_eq!((on_nodes(&sandbox, own), names(&sandbox).1), (vec!["b there".to_owned()], vec!["far", "wide"]));
    assert_eq!(sandbox.of.as_ref().map(|of| of.id.as_str()), Some(there.as_str()));
    let node = around(&pair.manager, &pair.worker.control.node_id().to_string()).await;
    assert_eq!(on_nodes(&node, own), ["a there", "b there"]);
    pair.worker.remove_sandbox("b").await.expect("removed");
    pair.heartbeat().await;
    let gone = topology(&pair.manager, GetTopology { of: Some(there), ..GetTopology::default() }).await;
    assert_eq!(gone.expect_err("it left").kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn what_is_on_other_nodes_is_not_left_out_of_this_ones() {
    let pair = Pair::new().await;
    pair.manager.create_network(json!({"name": "far", "driver": "overlay", "internal": true})).await.expect("far");
    pair.until(async |pair: &Pair| pair.worker.network("far").await.is_ok()).await;
    pair.manager.on("here", "far").await.expect("a sandbox");
    pair.worker.on("there", "far").await.expect("a sandbox");
    let topology = around(&pair.manager, "network:far").await;
    assert_eq!(names(&topology).0, ["here", "there"]);
    assert!(topology.left_out.is_empty(), "{topology:?}");
}
