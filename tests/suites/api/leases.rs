//! Leases: searched over all networks, reserved without a sandbox, counted when a pool is full.

use netloom_tests::host::macvlan;
use netloom_tests::{Value, host, json};

fn addresses(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|l| l["status"]["address"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn leases_are_found_by_address_mac_owner_state_kind_and_subnet() {
    let host = host!();
    let client = host.start();
    host.macvlan("one", "10.60.0.0/24");
    host.macvlan("two", "10.61.0.0/24");
    host.sandbox("a", "one");
    host.sandbox("b", "two");
    client.post("sandboxes", &json!({"name": "c", "desired_state": "stopped", "networks": {"one": {}}})).is(201);
    let found = |query: &str| addresses(&client.get(&format!("leases?{query}")).is(200));
    assert_eq!(
        found(""),
        ["10.60.0.1", "10.60.0.2", "10.60.0.3", "10.61.0.1", "10.61.0.2"],
        "by address, over all networks"
    );
    for spelling in ["02:42:0a:3c:00:02", "02-42-0A-3C-00-02", "0242.0a3c.0002", "02420a3c0002"] {
        assert_eq!(found(&format!("mac={spelling}")), ["10.60.0.2"], "{spelling}");
    }
    assert_eq!(found("owner=b"), ["10.61.0.2"]);
    let node = client.get("sandboxes/b").is(200)["status"]["node"].as_str().unwrap().to_owned();
    assert_eq!(found(&format!("node={node}&network=two")), ["10.61.0.1", "10.61.0.2"]);
    assert!(found("node=nod_aaaaaaaaaaaaaaaaaaaaaaaaaa").is_empty(), "nobody's");
    let unknown = client.get("leases?node=nowhere&network=two").refused(404);
    assert_eq!(unknown["errors"][0]["pointer"], "?node", "{unknown}");
    let id = client.get("sandboxes/b").is(200)["id"].as_str().unwrap().to_owned();
    assert_eq!(found(&format!("owner={id}")), ["10.61.0.2"]);
    assert_eq!(found("state=held"), ["10.60.0.3"]);
    assert_eq!(found("kind=gateway"), ["10.60.0.1", "10.61.0.1"]);
    assert_eq!(found("network=two"), ["10.61.0.1", "10.61.0.2"]);
    assert_eq!(found("within=10.60.0.2/31"), ["10.60.0.2", "10.60.0.3"]);
    assert_eq!(found("address=10.60.0.200"), [""; 0]);
    let all: Vec<String> =
        client.all("leases?limit=2").iter().map(|l| l["status"]["address"].as_str().unwrap().to_owned()).collect();
    assert_eq!(all.len(), 5, "{all:?}");
    let lease = client.get("leases?address=10.60.0.2").is(200)["items"][0].clone();
    let id = lease["id"].as_str().unwrap();
    assert!(id.starts_with("lse_"));
    assert_eq!(client.get(&format!("leases/{id}")).is(200), lease);
}

#[test]
fn an_address_is_reserved_without_a_sandbox() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.60.0.0/24");
    let body =
        json!({"key": "printer", "address": "10.60.0.9", "mac": "00:11:22:33:44:55", "description": "third floor"});
    let lease = client.post("networks/n/leases", &body).is(201);
    for (key, written) in body.as_object().unwrap() {
        assert_eq!(&lease[key], written, "{key}");
    }
    assert_eq!(
        (&lease["status"]["kind"], &lease["status"]["owner"]["kind"]),
        (&json!("reserved"), &json!("reservation"))
    );
    assert_eq!(client.get("networks/n/leases/printer").is(200), lease);
    let next = client.post("networks/n/leases", &json!({"key": "next"})).is(201);
    assert_eq!(next["status"]["address"], "10.60.0.2", "the lowest free one");
    client.post("networks/n/leases", &json!({"key": "printer"})).problem(409, "name-taken");
    client.post("networks/n/leases", &json!({"key": "other", "address": "10.60.0.9"})).problem(409, "address-taken");
    let sandbox = json!({"name": "s", "networks": {"n": {"address4": "10.60.0.9"}}});
    client.post("sandboxes", &sandbox).problem(409, "address-taken");
    client.delete("networks/n/leases/printer").is(204);
    client.get("networks/n/leases/printer").problem(404, "resource-not-found");
    client.post("sandboxes", &sandbox).is(201);
    let gateway = client.get("leases?address=10.60.0.1").is(200)["items"][0]["id"].as_str().unwrap().to_owned();
    client.delete(&format!("networks/n/leases/{gateway}")).problem(409, "lease-in-use");
}

#[test]
fn a_full_pool_counts_who_uses_what() {
    let host = host!();
    let client = host.start();
    client
        .post(
            "networks",
            &json!({
                "name": "n", "driver": "macvlan", "macvlan": {"parent": "parent0", "probe": false},
                "pools": {"v4": {"subnet": "10.60.0.0/29", "reserved": {"printer": "10.60.0.6"}}},
            }),
        )
        .is(201);
    for name in ["a", "b", "c"] {
        host.sandbox(name, "n");
    }
    client.patch("sandboxes/c", &json!({"desired_state": "stopped"})).is(200);
    client.post("networks/n/leases", &json!({"key": "k"})).is(201);
    let problem = client.post("sandboxes", &json!({"name": "d", "networks": {"n": {}}})).problem(409, "pool-exhausted");
    let facts = &problem["facts"];
    for (what, count) in [("dynamic", "2"), ("held", "1"), ("reserved", "2"), ("gateway", "1")] {
        assert_eq!(facts[what], count, "{problem}");
    }
    let capacity = client.get("networks/n").is(200)["status"]["pools"]["v4"]["capacity"].clone();
    assert_eq!((&capacity["total"], &capacity["free"]), (&json!("6"), &json!("0")), "{capacity}");
    client.delete("sandboxes/a").is(204);
    assert_eq!(host.sandbox("d", "n")["status"]["endpoints"]["n"]["address"], "10.60.0.2", "the address is free again");
}

#[test]
fn dynamic_addresses_come_from_the_range_and_requested_ones_from_the_subnet() {
    let host = host!();
    let client = host.start();
    let mut body = macvlan("n", "10.60.0.0/24");
    body["pools"]["v4"]["range"] = json!("10.60.0.200-10.60.0.201");
    client.post("networks", &body).is(201);
    assert_eq!(host.sandbox("a", "n")["status"]["endpoints"]["n"]["address"], "10.60.0.200");
    host.sandbox("b", "n");
    client.post("sandboxes", &json!({"name": "c", "networks": {"n": {}}})).problem(409, "pool-exhausted");
    client.post("sandboxes", &json!({"name": "c", "networks": {"n": {"address4": "10.60.0.7"}}})).is(201);
}

#[test]
fn when_the_first_pool_is_full_the_next_one_serves() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.60.0.0/30");
    host.sandbox("a", "n");
    client.patch("networks/n", &json!({"pools": {"more": {"subnet": "10.61.0.0/24"}}})).is(200);
    let b = host.sandbox("b", "n");
    let endpoint = &b["status"]["endpoints"]["n"];
    assert_eq!((&endpoint["address"], &endpoint["gateway"]), (&json!("10.61.0.2"), &json!("10.61.0.1")), "{endpoint}");
}

#[test]
fn removed_addresses_are_given_out_again_lowest_first() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.60.0.0/24");
    for name in ["a", "b", "c"] {
        host.sandbox(name, "n");
    }
    client.delete("sandboxes/b").is(204);
    client.delete("sandboxes/a").is(204);
    assert_eq!(host.sandbox("d", "n")["status"]["endpoints"]["n"]["address"], "10.60.0.2");
    assert_eq!(host.sandbox("e", "n")["status"]["endpoints"]["n"]["address"], "10.60.0.3");
    assert_eq!(host.sandbox("f", "n")["status"]["endpoints"]["n"]["address"], "10.60.0.5");
}
