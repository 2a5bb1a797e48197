//! Networks: made, overlapping, changed, removed.

use netloom_control::ErrorKind;
use netloom_control::command::*;
use netloom_model::invalid::Code;
use netloom_model::network::NetworkState;
use serde_json::json;

use crate::kit::{Act, Kit, macvlan, made};

#[tokio::test]
async fn the_exercise_network_reserves_what_the_host_has() {
    let kit = Kit::new().await;
    let network = kit.exercise_network().await;
    assert_eq!(network.status.state, NetworkState::Ready);
    let pool = &network.status.pools["v4"];
    assert_eq!(
        (pool.gateway.as_deref(), pool.range.as_str()),
        (Some("192.168.122.1"), "192.168.122.1-192.168.122.254")
    );
    assert_eq!((pool.capacity.total.as_str(), pool.capacity.free.as_deref()), ("254", Some("252")));
    assert_eq!(
        kit.lease_words().await,
        ["192.168.122.1 gateway bound macvlan-net1", "192.168.122.185 host bound parent0"]
    );
    kit.check_store().await;
}

#[tokio::test]
async fn predefined_networks_are_there_and_stay() {
    let kit = Kit::new().await;
    let page = kit.control.list_networks(kit.may(ListNetworks::default())).await.expect("a list");
    let names: Vec<&str> = page.items.iter().map(|network| network.spec.name.as_str()).collect();
    assert_eq!(names, ["bridge", "host", "none"]);
    assert!(page.items.iter().all(|network| network.status.predefined && network.status.state == NetworkState::Ready));
    for name in names {
        assert_eq!(kit.remove_network(name, false).await.expect_err("stays").code, "predefined");
        let error = kit.patch_network(name, json!({"labels": {"a": "b"}})).await.expect_err("stays");
        assert_eq!(error.code, "predefined");
    }
    assert_eq!(kit.create_network(macvlan("host", json!({}))).await.expect_err("taken").code, "name-taken");
}

#[tokio::test]
async fn overlaps_name_what_is_in_the_way_and_the_next_free_subnet() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let error =
        kit.create_network(macvlan("n2", json!({"v4": {"subnet": "192.168.122.128/25"}}))).await.expect_err("taken");
    assert_eq!((error.kind, error.code), (ErrorKind::Conflict, "subnet-overlap"));
    assert!(error.detail.contains("macvlan-net1"), "{}", error.detail);
    assert_eq!(error.facts["next_free_subnet"], "192.168.123.0/25");
    let error = kit.create_network(macvlan("n2", json!({"v4": {"subnet": "10.70.0.0/16"}}))).await.expect_err("routed");
    assert!(error.detail.contains("10.64.0.0/10 via tun0"), "{}", error.detail);
    assert_eq!(error.facts["next_free_subnet"], "10.128.0.0/16");
    let error = kit.create_network(macvlan("n2", json!({"v4": {"subnet": "10.0.0.0/8"}}))).await.expect_err("routed");
    assert!(!error.facts.contains_key("next_free_subnet"));
    let hint = error.hint.expect("a hint, also when there is none");
    assert!(hint.contains("no private subnet of this size is free"), "{hint}");
    // On another parent, the first parent's own subnet is a route like any other.
    let other = json!({"name": "n3", "driver": "macvlan", "macvlan": {"parent": "parent1"},
        "pools": {"v4": {"subnet": "192.168.122.0/24"}}});
    assert_eq!(kit.create_network(other).await.expect_err("taken").code, "subnet-overlap");
    assert!(kit.create_network(macvlan("n4", json!({"v4": {"subnet": "10.1.0.0/16"}}))).await.is_ok());
}

#[tokio::test]
async fn automatic_pools_are_cut_from_the_default_pools() {
    let kit = Kit::new().await;
    let first = kit.create_network(macvlan("a", json!({}))).await.expect("a network");
    let second = kit
        .create_network(macvlan("b", json!({"x": {"prefix_length": 26}, "y": {"family": 6}})))
        .await
        .expect("a network");
    assert_eq!(first.status.pools["v4"].subnet, "10.200.0.0/24");
    assert!(first.status.pools["v4"].automatic);
    assert_eq!(first.spec.pools, Some([].into()), "the spec is echoed as written");
    assert_eq!(second.status.pools["x"].subnet, "10.200.1.0/26");
    assert_eq!(second.status.pools["y"].subnet, "fd6e:6574:6c6f::/64");
}

#[tokio::test]
async fn the_reserved_map_changes_in_place() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    let printer = json!({"pools": {"v4": {"reserved": {"printer": "192.168.122.9", "block": "192.168.122.16/30"}}}});
    let network = kit.patch_network("macvlan-net1", printer).await.expect("a change");
    assert_eq!(network.status.pools["v4"].capacity.reserved, 5);
    let error = kit
        .patch_network("macvlan-net1", json!({"pools": {"v4": {"reserved": {"x": "192.168.122.2"}}}}))
        .await
        .expect_err("held");
    assert_eq!((error.code, error.facts["holder"].as_str()), ("address-taken", "s"));
    let network = kit
        .patch_network("macvlan-net1", json!({"pools": {"v4": {"reserved": {"block": null}}}}))
        .await
        .expect("a change");
    assert_eq!(network.status.pools["v4"].capacity.reserved, 1);
    kit.check_store().await;
}

#[tokio::test]
async fn a_range_widens_a_pool_is_added_and_nothing_else_moves() {
    let kit = Kit::new().await;
    let range = json!({"v4": {"subnet": "192.168.122.0/24", "range": "192.168.122.64/26"}});
    kit.create_network(macvlan("n", range)).await.expect("a network");
    let first = kit.on("s1", "n").await.expect("a sandbox");
    assert_eq!(first.status.endpoints["n"].address.as_deref(), Some("192.168.122.64"));
    let wider = json!({"pools": {"v4": {"range": "192.168.122.32-192.168.122.200"}}});
    kit.patch_network("n", wider).await.expect("wider");
    let second = kit.on("s2", "n").await.expect("a sandbox");
    assert_eq!(second.status.endpoints["n"].address.as_deref(), Some("192.168.122.32"));
    let narrower = json!({"pools": {"v4": {"range": "192.168.122.32-192.168.122.100"}}});
    assert_eq!(kit.patch_network("n", narrower).await.expect_err("narrower").code, "immutable-field");
    let added = kit.patch_network("n", json!({"pools": {"v6": {"subnet": "fd00:1::/64"}}})).await.expect("added");
    assert_eq!(added.status.pools["v6"].gateway.as_deref(), Some("fd00:1::1"));
    let third = kit.on("s3", "n").await.expect("a sandbox");
    assert_eq!(third.status.endpoints["n"].address6.as_deref(), Some("fd00:1::2"));
    let error = kit.patch_network("n", json!({"macvlan": {"mode": "vepa"}, "name": "m"})).await.expect_err("fixed");
    let pointers: Vec<&str> = error.errors.iter().map(|e| e.pointer.as_str()).collect();
    assert_eq!(pointers, ["/name", "/macvlan/mode"]);
    let error = kit.patch_network("n", json!({"labells": {}})).await.expect_err("unknown");
    assert_eq!(error.errors[0].pointer, "/labells");
    kit.check_store().await;
}

#[tokio::test]
async fn a_network_in_use_names_its_sandboxes_and_cascade_detaches() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("s1", "macvlan-net1").await.expect("a sandbox");
    kit.on("s2", "macvlan-net1").await.expect("a sandbox");
    let error = kit.remove_network("macvlan-net1", false).await.expect_err("in use");
    let names: Vec<&str> = error.blockers.iter().map(|blocker| blocker.name.as_str()).collect();
    assert_eq!((error.code, names), ("in-use", vec!["s1", "s2"]));
    let before = kit.seq().await;
    kit.remove_network("macvlan-net1", true).await.expect("removed");
    assert_eq!(kit.network("macvlan-net1").await.expect_err("gone").code, "resource-not-found");
    let sandbox = kit.sandbox("s1").await.expect("stays");
    assert!(sandbox.status.endpoints.is_empty() && sandbox.spec.networks == Some([].into()));
    assert_eq!(kit.lease_words().await, Vec::<String>::new());
    assert_eq!(
        kit.events_since(before).await,
        ["network.deleting", "sandbox.detached", "sandbox.detached", "network.deleted"]
    );
    kit.check_store().await;
}

#[tokio::test]
async fn protection_holds_until_it_is_lifted() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.patch_network("macvlan-net1", json!({"deletion_protection": true})).await.expect("protected");
    assert_eq!(kit.remove_network("macvlan-net1", true).await.expect_err("protected").code, "deletion-protection");
    kit.patch_network("macvlan-net1", json!({"deletion_protection": null})).await.expect("lifted");
    kit.remove_network("macvlan-net1", false).await.expect("removed");
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_names_the_subnet() {
    let kit = Kit::new().await;
    let before = kit.seq().await;
    let spec = netloom_model::document::parse(macvlan("n", json!({}))).expect("a spec");
    let options = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let Written::Planned(network, _) =
        made(kit.control.create_network(kit.may(CreateNetwork(spec)), options).await).expect("planned")
    else {
        panic!("planned")
    };
    assert_eq!(network.status.pools["v4"].subnet, "10.200.0.0/24");
    assert_eq!(kit.seq().await, before);
    assert!(kit.network("n").await.is_err());
}

#[tokio::test]
async fn a_label_changes_although_the_node_is_in_trouble() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.node.next(Act::Refuse("parent-down"));
    let network = kit.patch_network("macvlan-net1", json!({"labels": {"a": "b"}})).await.expect("a label");
    assert_eq!(network.status.state, NetworkState::Failed);
    assert_eq!(network.status.conditions[0].kind, "ParentMissing");
    assert_eq!(network.spec.labels.expect("labels")["a"], "b");
}

#[tokio::test]
async fn a_link_of_netlooms_own_is_no_parent() {
    let kit = Kit::new().await;
    for (parent, code, said) in [
        ("nl-aebagbaf", Code::NotAvailable, "`nl-aebagbaf` is the name of a link of Netloom's own"),
        ("seg0", Code::NotFound, "there is no link `seg0` on this host, or it is Netloom's own"),
    ] {
        let spec = json!({"name": "n", "driver": "macvlan", "macvlan": {"parent": parent}});
        let error = kit.create_network(spec).await.expect_err("no parent");
        let refused = &error.errors[0];
        assert_eq!((refused.pointer.as_str(), refused.code), ("/macvlan/parent", code));
        assert!(refused.message.contains(said), "{refused}");
        assert!(refused.hint.as_deref().is_some_and(|hint| hint.contains("parent0")), "{refused:?}");
    }
}
