//! Bridge networks: made, attached to, full, changed in use; and the predefined one, which gets its pool at its first use.

use netloom_control::command::*;
use netloom_control::{Config, ErrorKind};
use netloom_model::assignment::{AssignedBridge, AssignedGateway, AssignedPool, Key, Source};
use netloom_model::facts::HostRoute;
use netloom_model::network::{BRIDGE_PORTS_MAX, NetworkState};
use netloom_model::sandbox::{EndpointState, SandboxState};
use netloom_model::{EndpointId, SandboxId};
use netloom_store::{EndpointRow, Error as StoreError, endpoints, networks, sandboxes};
use serde_json::{Value, json};

use crate::kit::{Act, Kit, host, macvlan, place};

fn bridge(name: &str, more: Value) -> Value {
    let mut spec = json!({"name": name, "driver": "bridge"});
    netloom_model::document::merge(&mut spec, more);
    spec
}

/// What the node is told of a bridge network.
async fn assigned(kit: &Kit, name: &str) -> (AssignedBridge, Vec<AssignedPool>) {
    let id = kit.network(name).await.expect("a network").id;
    let assignment = kit.control.assignment(Some(&[Key::Network(id)])).await.expect("an assignment");
    let network = assignment.networks[&id].clone();
    (network.bridge.expect("a bridge's settings"), network.pools)
}

/// The host with one route more.
fn with_route(destination: &str) -> netloom_model::facts::Facts {
    let mut facts = host();
    facts.routes.push(HostRoute {
        destination: destination.parse().unwrap(),
        gateway: None,
        interface: Some("tun1".into()),
        table: 254,
    });
    facts
}

fn dry() -> WriteOptions {
    WriteOptions { dry_run: true, ..WriteOptions::default() }
}

#[tokio::test]
async fn a_bridge_network_has_a_gateway_and_its_sandboxes_have_addresses() {
    let kit = Kit::new().await;
    let pools = json!({"pools": {"v4": {}, "v6": {"family": 6}}});
    let network = kit.create_network(bridge("web", pools)).await.expect("a network");
    assert_eq!(network.status.state, NetworkState::Ready);
    assert_eq!(network.status.pools["v4"].gateway.as_deref(), Some("10.200.0.1"));
    assert_eq!(network.status.pools["v6"].subnet, "fd6e:6574:6c6f::/64");
    let sandbox = kit.on("s", "web").await.expect("a sandbox");
    assert_eq!(place(&sandbox, "web"), "10.200.0.2 02:42:0a:c8:00:02 eth0");
    let endpoint = &sandbox.status.endpoints["web"];
    assert_eq!(endpoint.address6.as_deref(), Some("fd6e:6574:6c6f::2"));
    assert_eq!((endpoint.gateway.as_deref(), endpoint.state), (Some("10.200.0.1"), EndpointState::Attached));
    let (settings, pools) = assigned(&kit, "web").await;
    assert_eq!((settings, pools.len()), (AssignedBridge::default(), 2));
    assert_eq!(pools[0].gateway, "10.200.0.1".parse().ok());
    kit.remove_sandbox("s").await.expect("removed");
    kit.remove_network("web", false).await.expect("removed");
    kit.check_store().await;
}

#[tokio::test]
async fn a_bridges_subnet_is_clear_of_every_route_of_the_host() {
    let kit = Kit::new().await;
    for subnet in ["192.168.122.0/24", "10.64.7.0/24"] {
        let error = kit
            .create_network(bridge("web", json!({"pools": {"v4": {"subnet": subnet}}})))
            .await
            .expect_err("the host has a route there");
        assert_eq!((error.kind, error.code), (ErrorKind::Conflict, "subnet-overlap"), "{subnet}");
    }
    kit.node.set_facts(with_route("10.200.0.0/23"));
    let network = kit.create_network(bridge("web", json!({}))).await.expect("a network");
    assert_eq!(network.status.pools["v4"].subnet, "10.200.2.0/24");
}

#[tokio::test]
async fn a_bridges_name_is_had_by_nothing_else() {
    let kit = Kit::new().await;
    let named = |network: &str, name: &str| bridge(network, json!({"bridge": {"interface_name": name}}));
    kit.create_network(named("web", "br-web")).await.expect("a network");
    let error = kit.create_network(named("other", "br-web")).await.expect_err("the name is had");
    assert_eq!((error.kind, error.code, error.retryable), (ErrorKind::Conflict, "interface-taken", false));
    assert_eq!(error.blockers[0].name, "web");
    let refused = &error.errors[0];
    assert_eq!((refused.pointer.as_str(), refused.value.as_deref()), ("/bridge/interface_name", Some("br-web")));
    assert!(refused.hint.is_some() && kit.network("other").await.is_err());
    let error = kit.create_network(named("other", "parent0")).await.expect_err("the host's");
    assert_eq!((error.kind, error.errors[0].pointer.as_str()), (ErrorKind::Invalid, "/bridge/interface_name"));
    // A parent that is away for the moment keeps its name.
    kit.create_network(macvlan("m", json!({"v4": {"subnet": "10.1.0.0/24"}}))).await.expect("a network");
    let mut without = host();
    without.links.retain(|link| link.name != "parent0");
    kit.node.set_facts(without);
    let error = kit.create_network(named("other", "parent0")).await.expect_err("it will come back");
    assert_eq!((error.code, error.blockers[0].name.as_str()), ("interface-taken", "m"));
    kit.remove_network("web", false).await.expect("removed");
    kit.create_network(named("other", "br-web")).await.expect("the name is free again");
}

/// Puts endpoints of a stopped sandbox each on a network, past the use case.
async fn fill(kit: &Kit, network: &str, count: u64) {
    let like = kit.create_sandbox(json!({"name": "like", "desired_state": "stopped"})).await.expect("a sandbox").id;
    let (name, count) = (network.to_owned(), u16::try_from(count).unwrap());
    let filled: Result<(), StoreError> = kit
        .store
        .write(move |tx| {
            let name = name.clone();
            Box::pin(async move {
                let network = networks::by_name(tx, &name).await?.expect("the network");
                let model = sandboxes::by_id(tx, like).await?.expect("the sandbox");
                for number in 0..count {
                    let [high, low] = number.to_be_bytes();
                    let mut id = [0xf1; 16];
                    (id[0], id[1]) = (high, low);
                    let name = format!("filler{number}");
                    let row = netloom_store::SandboxRow { id: SandboxId::from_random(id), name, ..model.clone() };
                    sandboxes::insert(tx, &row).await?;
                    let endpoint = EndpointRow {
                        ports: std::collections::BTreeMap::new(),
                        id: EndpointId::from_random(id),
                        sandbox_id: row.id,
                        network_id: network.id,
                        position: 0,
                        interface: Some("eth0".into()),
                        mac: None,
                        spec: Default::default(),
                        deleting: false,
                        network_name: network.name.clone(),
                        driver: network.driver,
                        scope: network.scope,
                        sandbox_name: row.name.clone(),
                    };
                    endpoints::insert(tx, &endpoint).await?;
                }
                Ok(())
            })
        })
        .await;
    filled.expect("filled");
}

#[tokio::test]
async fn a_bridge_takes_as_many_endpoints_as_it_has_ports() {
    let kit = Kit::new().await;
    let wide = json!({"pools": {"v4": {"prefix_length": 20}}});
    kit.create_network(bridge("web", wide)).await.expect("a network");
    fill(&kit, "web", BRIDGE_PORTS_MAX - 1).await;
    kit.on("last", "web").await.expect("the last port");
    let before = (kit.lease_words().await, kit.seq().await);
    let error = kit.on("over", "web").await.expect_err("no port is left");
    assert_eq!((error.kind, error.code, error.retryable), (ErrorKind::Conflict, "bridge-full", false));
    assert!(error.detail.contains("1023") && error.detail.contains("`web`"), "{}", error.detail);
    assert!(error.hint.is_some_and(|hint| hint.contains("second bridge network")));
    kit.create_sandbox(json!({"name": "idle"})).await.expect("a sandbox");
    let error = kit.patch_sandbox("idle", json!({"networks": {"web": {}}})).await.expect_err("no port is left");
    assert_eq!((error.code, error.facts["limit"].as_str()), ("bridge-full", "1023"));
    assert_eq!(kit.lease_words().await, before.0);
    kit.remove_sandbox("last").await.expect("removed");
    kit.patch_sandbox("idle", json!({"networks": {"web": {}}})).await.expect("a port is free again");
}

#[tokio::test]
async fn the_predefined_bridge_gets_its_pool_when_it_is_first_used() {
    let kit = Kit::new().await;
    let before = kit.network("bridge").await.expect("from the start");
    assert!(before.status.pools.is_empty());
    assert!(!before.spec.description.as_ref().expect("a description").contains("later"));
    kit.node.set_facts(with_route("10.200.0.0/24"));
    let (leases, seq) = (kit.lease_words().await, kit.seq().await);

    let spec = json!({"name": "s", "networks": {"bridge": {}}});
    let Written::Planned(planned, plan) = kit.try_sandbox(spec, dry()).await.expect("planned") else {
        panic!("planned")
    };
    assert_eq!(place(&planned, "bridge"), "10.200.1.2 02:42:0a:c8:01:02 eth0");
    assert_eq!(plan.operations.len(), 1);
    assert!(kit.network("bridge").await.expect("there").status.pools.is_empty(), "a dry run leaves no pool");
    assert_eq!((kit.lease_words().await, kit.seq().await), (leases, seq));

    let sandbox = kit.on("s", "bridge").await.expect("a sandbox");
    assert_eq!(place(&sandbox, "bridge"), place(&planned, "bridge"));
    let network = kit.network("bridge").await.expect("there");
    assert_eq!((network.status.state, network.status.endpoints), (NetworkState::Ready, 1));
    assert_eq!((network.spec, network.revision), (before.spec, before.revision), "nothing that anybody wrote");
    let pool = &network.status.pools["v4"];
    assert_eq!(
        (pool.subnet.as_str(), pool.gateway.as_deref(), pool.automatic),
        ("10.200.1.0/24", Some("10.200.1.1"), true)
    );
    assert_eq!(kit.lease_words().await, ["10.200.1.1 gateway bound bridge", "10.200.1.2 dynamic bound s"]);
    assert_eq!(kit.events_since(seq).await, ["sandbox.created"]);
    assert_eq!(assigned(&kit, "bridge").await.1[0].gateway, "10.200.1.1".parse().ok());

    kit.remove_sandbox("s").await.expect("removed");
    kit.node.set_facts(host());
    let again = kit.on("t", "bridge").await.expect("a sandbox");
    assert_eq!(place(&again, "bridge"), "10.200.1.2 02:42:0a:c8:01:02 eth0", "the pool stays");
    kit.check_store().await;
}

#[tokio::test]
async fn the_first_use_of_the_predefined_bridge_may_be_a_patch() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    let patch = json!({"networks": {"bridge": {}}});
    let command = UpdateSandbox { sandbox: "s".into(), patch: patch.clone() };
    let Written::Planned(planned, _) = kit.control.update_sandbox(kit.may(command), dry()).await.expect("planned")
    else {
        panic!("planned")
    };
    assert!(kit.network("bridge").await.expect("there").status.pools.is_empty());
    let sandbox = kit.patch_sandbox("s", patch).await.expect("attached");
    assert_eq!(place(&sandbox, "bridge"), "10.200.0.2 02:42:0a:c8:00:02 eth1");
    assert_eq!(place(&sandbox, "bridge"), place(&planned, "bridge"));
    kit.check_store().await;
}

#[tokio::test]
async fn a_first_use_that_is_refused_leaves_no_sandbox_and_may_be_repeated() {
    let kit = Kit::new().await;
    kit.node.next(Act::Refuse("kernel-refused"));
    assert_eq!(kit.on("s", "bridge").await.expect_err("refused").code, "kernel-refused");
    assert!(kit.sandbox("s").await.is_err());
    kit.on("s", "bridge").await.expect("a sandbox");
    let twice = futures_util::future::join(kit.on("t", "bridge"), kit.on("u", "bridge")).await;
    assert!(twice.0.is_ok() && twice.1.is_ok());
    assert_eq!(kit.network("bridge").await.expect("there").status.pools.len(), 1);
    kit.check_store().await;
}

#[tokio::test]
async fn two_first_uses_at_once_make_one_pool() {
    let kit = Kit::new().await;
    let (one, two) = futures_util::future::join(kit.on("s", "bridge"), kit.on("t", "bridge")).await;
    let mut addresses = [one, two].map(|made| made.expect("a sandbox").status.endpoints["bridge"].address.clone());
    addresses.sort();
    assert_eq!(addresses, [Some("10.200.0.2".to_owned()), Some("10.200.0.3".to_owned())]);
    kit.check_store().await;
}

#[tokio::test]
async fn without_a_subnet_left_the_predefined_bridge_says_what_helps() {
    let kit = Kit::with(Config { default_pools4: vec!["10.200.0.0/24".parse().unwrap()], ..Config::default() }).await;
    kit.create_network(bridge("web", json!({}))).await.expect("the only subnet");
    let error = kit.on("s", "bridge").await.expect_err("nothing left");
    let refused = &error.errors[0];
    assert_eq!((error.kind, refused.pointer.as_str()), (ErrorKind::Invalid, "/networks/bridge"));
    assert!(refused.message.contains("10.200.0.0/24") && refused.hint.is_some(), "{}", refused.message);
    assert!(kit.sandbox("s").await.is_err());
}

#[tokio::test]
async fn a_bridges_switches_are_verified_like_everything_else() {
    let kit = Kit::new().await;
    let network =
        kit.create_network(bridge("web", json!({"bridge": {"interface_name": "br-web"}}))).await.expect("made");
    let off = json!({"bridge": {"inter_sandbox": false, "masquerade": false, "isolation": false}});
    let changed = kit.patch_network("web", off.clone()).await.expect("changed");
    assert_eq!(changed.status.state, NetworkState::Ready);
    let none = AssignedBridge {
        interface_name: Some("br-web".into()),
        inter_sandbox: false,
        isolation: false,
        gateway4: AssignedGateway::Nat(Source::Sandbox),
        gateway6: AssignedGateway::Nat(Source::Sandbox),
        ..AssignedBridge::default()
    };
    assert_eq!(assigned(&kit, "web").await.0, none);
    let error = kit.patch_network("web", json!({"bridge": {"interface_name": "br-new"}})).await.expect_err("fixed");
    assert_eq!((error.code, error.errors[0].pointer.as_str()), ("immutable-field", "/bridge/interface_name"));

    // The node's word on a switch counts, and what it refuses is taken back.
    let seq = kit.seq().await;
    kit.node.next(Act::Refuse("kernel-refused"));
    let on = json!({"bridge": {"masquerade": true}, "description": "open"});
    assert_eq!(kit.patch_network("web", on.clone()).await.expect_err("refused").code, "kernel-refused");
    let now = kit.network("web").await.expect("stays");
    assert_eq!((&now.spec, now.status.state), (&changed.spec, NetworkState::Ready));
    assert_eq!(kit.events_since(seq).await, ["network.updated", "network.update_failed"]);
    assert_eq!(assigned(&kit, "web").await.0, none);

    // Kept on failure, it stays as failed.
    kit.node.next(Act::Refuse("kernel-refused"));
    let options = WriteOptions { keep_on_failure: true, ..WriteOptions::default() };
    let command = UpdateNetwork { network: "web".into(), patch: on };
    let Written::Pending(kept) = kit.control.update_network(kit.may(command), options).await.expect("kept") else {
        panic!("pending")
    };
    assert_eq!((kept.status.state, kept.id), (NetworkState::Failed, network.id));
    assert_eq!(assigned(&kit, "web").await.0.gateway4, AssignedGateway::Nat(Source::Host));

    // What only people read does not wait for a node in trouble.
    kit.patch_network("web", off).await.expect("changed");
    kit.node.next(Act::Refuse("kernel-refused"));
    let said = kit.patch_network("web", json!({"bridge": {"inter_sandbox": false}, "labels": {"a": "b"}})).await;
    assert_eq!(said.expect("a label").status.state, NetworkState::Failed);
}

#[tokio::test]
async fn a_pool_that_is_added_to_a_bridge_is_verified_and_stays() {
    let kit = Kit::new().await;
    kit.create_network(bridge("web", json!({}))).await.expect("a network");
    let add = |key: &str, subnet: &str| UpdateNetwork {
        network: "web".into(),
        patch: json!({"pools": {key: {"subnet": subnet}}}),
    };
    let update = |command| kit.control.update_network(kit.may(command), WriteOptions::default());
    let Written::Done(network) = update(add("second", "10.1.0.0/24")).await.expect("added") else { panic!("done") };
    assert_eq!(network.status.pools.len(), 2);
    kit.node.next(Act::Refuse("kernel-refused"));
    let Written::Pending(network) = update(add("third", "10.2.0.0/24")).await.expect("added") else {
        panic!("pending")
    };
    assert_eq!((network.status.state, network.status.pools.len()), (NetworkState::Failed, 3));
    kit.check_store().await;
}

#[tokio::test]
async fn a_refusal_shows_on_the_predefined_bridge() {
    let kit = Kit::new().await;
    let sandbox = kit.on("s", "bridge").await.expect("a sandbox");
    assert_eq!(sandbox.status.state, SandboxState::Running);
    let id = kit.network("bridge").await.expect("there").id;
    kit.node.next(Act::Refuse("name-conflict"));
    netloom_control::Node::converge(&*kit.node, vec![Key::Network(id)], 0, std::time::Duration::ZERO).await;
    let network = kit.network("bridge").await.expect("there");
    assert_eq!((network.status.state, network.status.reconciling), (NetworkState::Failed, true));
    assert_eq!(network.status.conditions[0].kind, "ApplyFailed");
}

#[tokio::test]
async fn a_former_versions_description_is_brought_up_to_date() {
    let kit = Kit::new().await;
    let current = kit.network("bridge").await.expect("there");
    let store = kit.store.clone();
    let written: Result<(), StoreError> = store
        .write(|tx| {
            Box::pin(async move {
                let mut row = networks::by_name(tx, "bridge").await?.expect("there");
                let former = "The default bridge network. Attaching to it comes with a later version.";
                row.spec.description = Some(former.to_owned());
                networks::update(tx, &row).await
            })
        })
        .await;
    written.expect("written");
    let seq = kit.seq().await;
    let again =
        netloom_control::Control::new(store.clone(), kit.node.clone(), kit.wire.clone(), Config::default()).await;
    again.expect("a control");
    let now = kit.network("bridge").await.expect("there");
    assert_eq!((now.spec.description, now.id), (current.spec.description, current.id));
    assert_eq!(kit.events_since(seq).await, ["network.updated"]);
    let seq = kit.seq().await;
    netloom_control::Control::new(store, kit.node.clone(), kit.wire.clone(), Config::default())
        .await
        .expect("a control");
    assert_eq!(kit.seq().await, seq, "once");
}
