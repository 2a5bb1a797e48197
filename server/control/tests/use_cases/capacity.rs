//! A pool run dry by many at once: no address twice, none lost, a clear no for the rest, all free again afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use netloom_control::command::*;
use serde_json::json;

use crate::kit::{Kit, macvlan};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_clients_take_a_24_dry() {
    let kit = Arc::new(Kit::new().await);
    kit.create_network(macvlan("n", json!({"v4": {"subnet": "10.1.0.0/24"}}))).await.expect("a network");
    let clients = (0..64).map(|client| {
        let kit = kit.clone();
        tokio::spawn(async move {
            let (mut got, mut refused) = (Vec::new(), 0);
            for n in 0..5 {
                match kit.on(&format!("s{client}-{n}"), "n").await {
                    Ok(sandbox) => got.push(sandbox.status.endpoints["n"].address.clone().expect("an address")),
                    Err(error) => {
                        assert_eq!(error.code, "pool-exhausted", "{}", error.detail);
                        assert_eq!(error.facts["gateway"], "1");
                        refused += 1;
                    }
                }
            }
            (got, refused)
        })
    });
    let (mut addresses, mut refused) = (Vec::new(), 0);
    for client in clients.collect::<Vec<_>>() {
        let (got, no) = client.await.expect("no panic");
        addresses.extend(got);
        refused += no;
    }
    let unique: BTreeSet<&String> = addresses.iter().collect();
    assert_eq!((addresses.len(), unique.len(), refused), (253, 253, 64 * 5 - 253));
    let network = kit.network("n").await.expect("a network");
    assert_eq!(network.status.pools["v4"].capacity.free.as_deref(), Some("0"));
    assert_eq!(network.status.conditions[0].kind, "PoolNearlyFull");
    kit.check_store().await;
    let page = ListSandboxes { page: PageRequest { limit: Some(1000), token: None }, ..ListSandboxes::default() };
    let all = kit.control.list_sandboxes(kit.may(page)).await.expect("a list");
    let removals = all.items.into_iter().map(|sandbox| {
        let kit = kit.clone();
        tokio::spawn(async move { kit.remove_sandbox(&sandbox.spec.name).await.expect("removed") })
    });
    for removal in removals.collect::<Vec<_>>() {
        removal.await.expect("no panic");
    }
    let network = kit.network("n").await.expect("a network");
    assert_eq!(network.status.pools["v4"].capacity.free.as_deref(), Some("253"));
    assert_eq!(kit.lease_words().await, ["10.1.0.1 gateway bound n"]);
    kit.check_store().await;
}

#[tokio::test]
async fn pools_are_taken_in_order_and_both_families_are_given() {
    let kit = Kit::new().await;
    let pools =
        json!({"a": {"subnet": "10.1.0.0/30"}, "b": {"subnet": "10.2.0.0/30"}, "six": {"subnet": "fd00:1::/64"}});
    kit.create_network(macvlan("n", pools)).await.expect("a network");
    let mut got = Vec::new();
    for name in ["s1", "s2"] {
        let sandbox = kit.on(name, "n").await.expect("a sandbox");
        let endpoint = &sandbox.status.endpoints["n"];
        got.push((endpoint.address.clone().expect("IPv4"), endpoint.address6.clone().expect("IPv6")));
    }
    let wanted = [("10.1.0.2", "fd00:1::2"), ("10.2.0.2", "fd00:1::3")];
    assert_eq!(got, wanted.map(|(four, six)| (four.to_owned(), six.to_owned())));
    let error = kit.on("s3", "n").await.expect_err("full");
    assert_eq!((error.code, error.facts["total"].as_str()), ("pool-exhausted", "4"));
    kit.check_store().await;
}

#[tokio::test]
async fn an_internal_network_has_no_gateway() {
    let kit = Kit::new().await;
    let mut spec = macvlan("n", json!({"v4": {"subnet": "10.1.0.0/24"}}));
    spec["internal"] = json!(true);
    kit.create_network(spec).await.expect("a network");
    let sandbox = kit.on("s", "n").await.expect("a sandbox");
    let endpoint = &sandbox.status.endpoints["n"];
    assert_eq!((endpoint.address.as_deref(), endpoint.gateway.as_deref()), (Some("10.1.0.1"), None));
}

#[tokio::test]
async fn full_pools_need_attention_the_fullest_first() {
    let kit = Kit::new().await;
    for (name, subnet) in [("half", "10.1.0.0/24"), ("nearly", "10.2.0.0/28"), ("full", "10.3.0.0/30")] {
        kit.create_network(macvlan(name, json!({"v4": {"subnet": subnet}}))).await.expect("a network");
    }
    kit.on("a", "half").await.expect("a sandbox");
    kit.on("b", "full").await.expect("a sandbox");
    for n in 0..12 {
        kit.on(&format!("n{n}"), "nearly").await.expect("a sandbox");
    }
    let overview = kit.control.overview(kit.may(GetOverview)).await.expect("an overview");
    let lines = overview.attention.iter().map(|(object, sentence)| (object.name.as_str(), sentence.as_str()));
    let wanted = [
        ("full", "pool `v4` (10.3.0.0/30) is full: 0 of the 2 addresses of its range left; add a pool"),
        ("nearly", "pool `v4` (10.2.0.0/28) is 93 % full: 1 of the 14 addresses of its range left; add a pool"),
    ];
    assert_eq!(lines.collect::<Vec<_>>(), wanted);
    // A full pool is no trouble beside one with room; one of another version of IP is no room.
    let more = json!({"pools": {"more": {"subnet": "10.4.0.0/24"}}});
    let full = kit.patch_network("full", more).await.expect("a pool more");
    assert_eq!(full.status.conditions, []);
    let six = json!({"pools": {"six": {"family": 6, "subnet": "fd00:9::/64"}}});
    let nearly = kit.patch_network("nearly", six).await.expect("a pool more");
    assert_eq!(nearly.status.conditions[0].kind, "PoolNearlyFull");
    let overview = kit.control.overview(kit.may(GetOverview)).await.expect("an overview");
    assert_eq!(overview.attention.iter().map(|(object, _)| object.name.as_str()).collect::<Vec<_>>(), ["nearly"]);
}

#[tokio::test]
async fn what_is_there_is_told_from_what_was() {
    let kit = Kit::new().await;
    let network = kit.create_network(macvlan("n", json!({"v4": {"subnet": "10.1.0.0/24"}}))).await.expect("a network");
    let (stays, goes) = (kit.on("stays", "n").await.expect("one"), kit.on("goes", "n").await.expect("another"));
    kit.remove_sandbox("goes").await.expect("removed");
    let ids = [network.id.to_string(), stays.id.to_string(), goes.id.to_string(), "nonsense".to_owned()];
    let there = kit.control.existing(kit.may(GetOverview), ids.to_vec()).await.expect("an answer");
    assert_eq!(there.into_iter().collect::<std::collections::BTreeSet<_>>(), ids[..2].iter().cloned().collect());
}
