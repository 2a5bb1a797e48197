//! Networks of the swarm on the node that manages it: whose they are, their numbers and subnets, the way out, and who is on them from where.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use netloom_control::command::{CreateSandbox, ListEndpoints, PutSwarm, WriteOptions};
use netloom_control::{ErrorKind, Precondition};
use netloom_model::assignment::Key;
use netloom_model::member::{AttachRequest, Peer};
use netloom_model::network::Scope;
use netloom_model::report::Report;
use netloom_model::sandbox::{AttachmentSpec, SandboxSpec};
use netloom_model::swarm::{NodeSpec, SwarmRole, SwarmSpec};
use netloom_model::{EndpointId, NodeId, SandboxId, Timestamp, host_link};
use netloom_store::{NodeRow, nodes};
use serde_json::{Value, json};

use crate::kit::Kit;

const OTHER: NodeId = NodeId::from_random([7; 16]);

/// When certificates end here.
const NEVER: Timestamp = Timestamp::from_millis(4_000_000_000_000);

fn overlay(name: &str, more: Value) -> Value {
    let mut spec = json!({"name": name, "driver": "overlay"});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

fn node(id: NodeId, role: SwarmRole, address: &str) -> NodeRow {
    let at = Timestamp::from_millis(1_000);
    NodeRow {
        id,
        role,
        spec: NodeSpec::default(),
        hostname: "machine".into(),
        address: address.parse().unwrap(),
        version: "0.1.0".into(),
        fingerprint: id.to_string(),
        former_fingerprint: None,
        used: true,
        issued_at: at,
        expires_at: NEVER,
        readmission_asked_at: None,
        readmission_until: None,
        last_seen: None,
        down_at: None,
        overlay_mtu: None,
        revision: 1,
        spec_revision: 1,
        created_at: at,
        updated_at: at,
        joined_by: None,
        segment_fence: 60,
    }
}

/// The manager of a swarm of two.
async fn manager(spec: Value) -> Kit {
    let kit = Kit::new().await;
    let spec = serde_json::from_value::<SwarmSpec>(spec).unwrap();
    kit.control.put_swarm(kit.may(PutSwarm(spec)), Precondition::None).await.expect("a swarm");
    let made = kit
        .store
        .write(|tx| Box::pin(async move { nodes::set(tx, &node(OTHER, SwarmRole::Worker, "192.168.122.186")).await }));
    made.await.expect("a node");
    kit
}

fn peer(kit: &Kit) -> Peer {
    Peer {
        node: OTHER,
        role: SwarmRole::Worker,
        swarm: kit.control.membership().borrow().as_ref().expect("a swarm").swarm,
        fingerprint: OTHER.to_string(),
        begins_at: Timestamp::from_millis(1_000),
        expires_at: NEVER,
    }
}

fn asks(network: &netloom_model::network::Network, sandbox: u8, wanted: Value) -> AttachRequest {
    AttachRequest {
        sandbox: SandboxId::from_random([sandbox; 16]),
        sandbox_name: format!("far{sandbox}"),
        running: true,
        network: network.id,
        endpoint: EndpointId::from_random([sandbox; 16]),
        wanted: serde_json::from_value::<AttachmentSpec>(wanted).unwrap(),
        dry_run: false,
        instead_of: None,
    }
}

#[tokio::test]
async fn an_overlay_network_needs_a_swarm() {
    let kit = Kit::new().await;
    let error = kit.create_network(overlay("far", json!({}))).await.expect_err("no swarm");
    assert_eq!((error.kind, error.code), (ErrorKind::Conflict, "swarm-needed"));
    assert!(error.hint.is_some_and(|hint| hint.contains("netloom swarm init")));
}

#[tokio::test]
async fn it_is_the_swarms_and_gets_a_number_and_a_subnet_of_the_swarms_pools() {
    let kit = manager(json!({"default_address_pools": ["10.32.0.0/16", "fd00:32::/48"], "subnet_size": 26})).await;
    let first = kit.create_network(overlay("first", json!({}))).await.expect("a network");
    assert_eq!((first.status.scope, first.status.vni), (Scope::Swarm, Some(4097)));
    let ingress = kit.network("ingress").await.expect("from the swarm's start");
    assert_eq!((ingress.status.pools["v4"].subnet.as_str(), ingress.status.vni), ("10.32.0.0/26", Some(4096)));
    assert_eq!(first.status.pools["v4"].subnet, "10.32.0.64/26");
    assert_eq!(first.status.pools["v4"].gateway.as_deref(), Some("10.32.0.65"));
    let both = json!({"pools": {"v4": {"prefix_length": 24}, "v6": {"family": 6}}});
    let second = kit.create_network(overlay("second", both)).await.expect("a network");
    assert_eq!(second.status.vni, Some(4098));
    assert_eq!(second.status.pools["v4"].subnet, "10.32.1.0/24");
    assert_eq!(second.status.pools["v6"].subnet, "fd00:32::/64");
    kit.remove_network("first", false).await.expect("removed");
    let third = kit.create_network(overlay("third", json!({}))).await.expect("a network");
    assert_eq!(third.status.vni, Some(4097), "the lowest free number");
    kit.check_store().await;
}

#[tokio::test]
async fn a_number_is_had_once() {
    let kit = manager(json!({})).await;
    kit.create_network(overlay("first", json!({"overlay": {"vni": 4242}}))).await.expect("a network");
    let error = kit.create_network(overlay("second", json!({"overlay": {"vni": 4242}}))).await.expect_err("taken");
    assert_eq!((error.code, error.blockers[0].name.as_str()), ("vni-taken", "first"));
    assert_eq!(error.errors[0].pointer, "/overlay/vni");
    let error = kit.create_network(overlay("third", json!({"overlay": {"vni": 7}}))).await.expect_err("too small");
    assert_eq!((error.kind, error.errors[0].pointer.as_str()), (ErrorKind::Invalid, "/overlay/vni"));
    let error = kit.create_network(overlay("e", json!({"overlay": {"encrypted": true}}))).await.expect_err("no ESP");
    assert_eq!(error.errors[0].pointer, "/overlay/encrypted");
}

#[tokio::test]
async fn the_exercises_subnet_is_taken_and_one_that_a_route_leads_to_is_not() {
    let kit = manager(json!({})).await;
    let pools = json!({"pools": {"v4": {"subnet": "172.45.0.0/16", "gateway": "172.45.0.1"}}});
    let network = kit.create_network(overlay("overlaynet1", pools.clone())).await.expect("a network");
    assert_eq!(network.status.pools["v4"].gateway.as_deref(), Some("172.45.0.1"));
    let error = kit.create_network(overlay("again", pools)).await.expect_err("overlaps");
    assert_eq!((error.code, error.blockers[0].name.as_str()), ("subnet-overlap", "overlaynet1"));
    let routed = json!({"pools": {"v4": {"subnet": "10.65.0.0/24"}}});
    let error = kit.create_network(overlay("routed", routed)).await.expect_err("a route");
    assert!(error.code == "subnet-overlap" && error.detail.contains("tun0"), "{}", error.detail);
}

#[tokio::test]
async fn a_sandbox_has_a_way_out_while_it_is_on_one_that_leads_out() {
    let kit = manager(json!({})).await;
    for (name, more) in [("out", json!({})), ("in", json!({"internal": true}))] {
        kit.create_network(overlay(name, more)).await.expect("a network");
    }
    kit.create_network(json!({"name": "web", "driver": "bridge"})).await.expect("a network");
    let networks = |sandbox: &netloom_model::sandbox::Sandbox| -> Vec<String> {
        sandbox.status.endpoints.keys().cloned().collect()
    };
    let inside = kit.on("inside", "in").await.expect("a sandbox");
    assert_eq!(networks(&inside), ["in"]);
    let sandbox = kit.on("a", "out").await.expect("a sandbox");
    assert_eq!(networks(&sandbox), ["docker_gwbridge", "out"]);
    let (own, way) = (&sandbox.status.endpoints["out"], &sandbox.status.endpoints["docker_gwbridge"]);
    assert_eq!((own.interface.as_deref(), own.gateway.as_deref()), (Some("eth0"), None));
    assert_eq!((way.interface.as_deref(), way.gateway.is_some()), (Some("eth1"), true));
    let gateway = kit.network("docker_gwbridge").await.expect("it was made");
    assert_eq!(gateway.spec.bridge.as_ref().and_then(|bridge| bridge.inter_sandbox), Some(false));
    let sandbox = kit.patch_sandbox("a", json!({"networks": {"web": {}}})).await.expect("attached");
    assert_eq!(networks(&sandbox), ["out", "web"], "a bridge network leads out as well");
    let sandbox = kit.patch_sandbox("a", json!({"networks": {"web": null}})).await.expect("detached");
    assert_eq!(networks(&sandbox), ["docker_gwbridge", "out"]);
    let sandbox = kit.patch_sandbox("a", json!({"networks": {"out": null}})).await.expect("detached");
    assert_eq!(networks(&sandbox), Vec::<String>::new());
    kit.on("c", "out").await.expect("a sandbox");
    kit.remove_network("out", true).await.expect("removed");
    assert_eq!(networks(&kit.sandbox("c").await.expect("there")), Vec::<String>::new(), "the way out goes with it");
    let error = kit.on("b", "docker_gwbridge").await.expect_err("nobody asks for it");
    assert_eq!(error.errors[0].pointer, "/networks/docker_gwbridge");
    kit.check_store().await;
}

#[tokio::test]
async fn what_is_for_tasks_alone_is_not_attached_to() {
    let kit = manager(json!({})).await;
    kit.create_network(overlay("tasks", json!({"attachable": false}))).await.expect("a network");
    assert_eq!(kit.on("a", "tasks").await.expect_err("not attachable").code, "not-attachable");
    kit.patch_network("tasks", json!({"attachable": true})).await.expect("changed");
    kit.on("a", "tasks").await.expect("attached");
}

#[tokio::test]
async fn another_nodes_sandbox_is_attached_once_and_is_a_peer_here() {
    let kit = manager(json!({})).await;
    let network = kit.create_network(overlay("out", json!({"internal": true}))).await.expect("a network");
    let here = kit.on("here", "out").await.expect("a sandbox");
    let request = asks(&network, 1, json!({"aliases": ["db"]}));
    let given = kit.control.attach_for(&peer(&kit), request.clone()).await.expect("attached");
    assert_eq!(kit.control.attach_for(&peer(&kit), request.clone()).await.expect("the same"), given);
    let anew = AttachRequest { endpoint: EndpointId::from_random([99; 16]), ..request };
    let former = given;
    let given = kit.control.attach_for(&peer(&kit), anew).await.expect("in the place of the former");
    assert_eq!((given.leases[0].address, given.mac), (former.leases[0].address, former.mac), "the lowest free again");
    assert_ne!(given.endpoint, former.endpoint);
    let own: IpAddr = here.status.endpoints["out"].address.as_deref().unwrap().parse().unwrap();
    assert_ne!(given.leases[0].address, own);
    let assignment = kit.control.assignment(None).await.expect("an assignment");
    let known = &assignment.peers[&given.endpoint];
    assert_eq!((known.mac, known.vtep.to_string()), (given.mac, "192.168.122.186".to_owned()));
    let settings = assignment.networks[&network.id].overlay.clone().expect("settings");
    assert_eq!(
        (settings.vni, settings.data_path_port, settings.vtep.to_string()),
        (4097, 4789, "192.168.122.185".into())
    );
    assert_eq!(settings.vteps, BTreeSet::from([known.vtep]));
    let one = kit.control.assignment(Some(&[Key::Peer(given.endpoint)])).await.expect("an assignment");
    assert_eq!((one.peers.len(), one.networks.len()), (1, 1));
    let words = kit.lease_words().await;
    assert!(words.contains(&format!("{} dynamic bound far1", given.leases[0].address)), "{words:?}");
    kit.remove_sandbox("here").await.expect("removed");
    let one = kit.control.assignment(Some(&[Key::Peer(given.endpoint)])).await.expect("an assignment");
    assert!(one.peers.is_empty(), "nothing here is on its network any more");
    assert_eq!(kit.network("out").await.expect("there").status.endpoints, 1, "another node's counts");
    for cascade in [false, true] {
        let error = kit.remove_network("out", cascade).await.expect_err("in use");
        assert_eq!((error.code, error.blockers[0].name.as_str()), ("in-use", "far1"));
    }
    kit.control.hear_attachments(OTHER, None, &[given.endpoint]).await.expect("released");
    assert!(kit.control.assignment(None).await.expect("an assignment").peers.is_empty());
    assert_eq!(kit.lease_words().await.len(), words.len() - 2);
    kit.remove_network("out", false).await.expect("removed");
    kit.check_store().await;
}

#[tokio::test]
async fn a_node_asks_for_what_is_its_own_and_what_is_free() {
    let kit = manager(json!({})).await;
    let network = kit.create_network(overlay("out", json!({"internal": true}))).await.expect("a network");
    let here = kit.on("here", "out").await.expect("a sandbox");
    let (own, mac) = (&here.status.endpoints["out"], here.status.endpoints["out"].mac.unwrap().to_string());
    for (wanted, code) in [(json!({"address4": own.address}), "address-taken"), (json!({"mac": mac}), "mac-taken")] {
        let error = kit.control.attach_for(&peer(&kit), asks(&network, 2, wanted)).await.expect_err(code);
        assert_eq!(error.code, code);
    }
    // Those of the network's own links would lead what is for them astray, on every node.
    for link in [host_link::tunnel_mac(network.id), host_link::network_mac(network.id)] {
        let wanted = json!({"mac": link.to_string()});
        let there = kit.control.attach_for(&peer(&kit), asks(&network, 2, wanted.clone())).await.expect_err("a link's");
        let here =
            kit.create_sandbox(json!({"name": "links", "networks": {"out": wanted}})).await.expect_err("a link's");
        for error in [there, here] {
            let wrong = error.errors.first().expect("a field");
            assert!(wrong.pointer.ends_with("/mac") && wrong.value.as_deref() == Some(&link.to_string()), "{error:?}");
            assert!(wrong.message.contains("network `out`'s own "), "{}", wrong.message);
        }
    }
    let web = kit.create_network(json!({"name": "web", "driver": "bridge"})).await.expect("a network");
    let error =
        kit.control.attach_for(&peer(&kit), asks(&web, 2, json!({}))).await.expect_err("it is the manager's own");
    assert_eq!(error.kind, ErrorKind::NotFound);
    kit.control.hear_attachments(OTHER, None, &[own.endpoint_id]).await.expect("passed over");
    assert_eq!(kit.sandbox("here").await.expect("there").status.endpoints["out"].address, own.address);
    kit.check_store().await;
}

#[tokio::test]
async fn an_endpoint_whose_namespace_is_gone_is_told_as_orphaned() {
    let kit = manager(json!({})).await;
    kit.create_network(overlay("out", json!({"internal": true}))).await.expect("a network");
    kit.on("here", "out").await.expect("a sandbox");
    let adopted = json!({"name": "adopted", "netns": "/run/netns/adopted", "networks": {"out": {}}});
    let adopted = kit.create_sandbox(adopted).await.expect("adopted").id;
    let told = async || {
        let page = kit.control.list_endpoints(kit.may(ListEndpoints::default())).await.expect("endpoints");
        page.items.into_iter().map(|one| (one.sandbox, one.state.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(told().await, [("adopted".to_owned(), "running"), ("here".to_owned(), "running")]);
    let gone = Report::Orphaned { sandbox: adopted, reason: "the path is gone".to_owned() };
    kit.control.report(gone).await.expect("taken in");
    assert_eq!(told().await, [("adopted".to_owned(), "orphaned"), ("here".to_owned(), "running")]);
}

#[tokio::test]
async fn peers_are_made_known_when_their_network_comes_into_use_and_not_again() {
    let kit = manager(json!({})).await;
    let mut far = Vec::new();
    for (sandbox, name) in [(1, "one"), (2, "two")] {
        let network = kit.create_network(overlay(name, json!({"internal": true}))).await.expect("a network");
        far.push(kit.control.attach_for(&peer(&kit), asks(&network, sandbox, json!({}))).await.expect("attached"));
    }
    let asked = |kit: &Kit| {
        let keys = kit.node.asked.lock().unwrap().clone();
        keys.into_iter().filter(|key| matches!(key, Key::Peer(_))).collect::<Vec<_>>()
    };
    let [one, two] = [0, 1].map(|at: usize| vec![Key::Peer(far[at].endpoint)]);
    kit.on("a", "one").await.expect("a sandbox");
    assert_eq!(asked(&kit), one);
    kit.on("b", "one").await.expect("a second one");
    assert_eq!(asked(&kit), [], "the network is in use");
    kit.patch_sandbox("a", json!({"networks": {"two": {}}})).await.expect("attached");
    assert_eq!(asked(&kit), two, "of the new one only");
    kit.remove_sandbox("b").await.expect("removed");
    kit.patch_sandbox("a", json!({"desired_state": "stopped"})).await.expect("stopped");
    kit.patch_sandbox("a", json!({"desired_state": "running"})).await.expect("started");
    assert_eq!(asked(&kit).len(), 2, "both were out of use");
    // Whoever comes while they are still being made known waits for them, too.
    kit.patch_sandbox("a", json!({"desired_state": "stopped"})).await.expect("stopped");
    let spec: SandboxSpec = serde_json::from_value(json!({"name": "c", "networks": {"one": {}}})).unwrap();
    let at_once = WriteOptions { wait: Duration::ZERO, ..WriteOptions::default() };
    kit.control.create_sandbox(kit.may(CreateSandbox(spec)), at_once).await.expect("answered at the commit");
    kit.on("d", "one").await.expect("a second one");
    assert_eq!(asked(&kit), one);
    kit.on("e", "one").await.expect("a third one");
    assert_eq!(asked(&kit), [], "the second one has seen to it");
    kit.check_store().await;
}
