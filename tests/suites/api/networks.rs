//! Networks: what is echoed, what is decided, what is refused, what is listed.

use netloom_tests::host::macvlan;
use netloom_tests::{Value, host, json};

#[test]
fn predefined_networks_can_not_be_removed_or_made_again() {
    let host = host!();
    let client = host.start();
    for name in ["bridge", "host", "none"] {
        assert_eq!(client.get(&format!("networks/{name}")).is(200)["status"]["predefined"], true);
        let problem = client.delete(&format!("networks/{name}")).refused(409);
        assert!(problem["detail"].as_str().unwrap().contains(name), "{problem}");
    }
    client.post("networks", &macvlan("none", "10.1.0.0/24")).problem(409, "name-taken");
}

#[test]
fn every_writable_field_comes_back_to_the_letter() {
    let host = host!();
    let client = host.start();
    let body = json!({
        "name": "Echo.1", "driver": "macvlan", "description": "two words\nand a line",
        "labels": {"team": "net", "empty": ""}, "annotations": {"note": "x=y"}, "managed_by": "terraform: repo x",
        "deletion_protection": false, "internal": false, "mtu": 1400,
        "pools": {
            "four": {"family": 4, "subnet": "10.8.0.0/24", "range": "10.8.0.128/25", "gateway": "10.8.0.254", "reserved": {"printer": "10.8.0.9", "block": "10.8.0.16-10.8.0.20"}},
            "six": {"subnet": "FD00:0008::/64", "gateway": "FD00:8::0001"}
        },
        "macvlan": {"parent": "parent0", "mode": "private", "probe": false, "host_access": false}
    });
    let created = client.post("networks", &body).is(201);
    for (key, written) in body.as_object().unwrap() {
        assert_eq!(&created[key], written, "{key} is not what was written");
    }
    let read = client.get("networks/Echo.1").is(200);
    assert_eq!(read, client.get(&format!("networks/{}", created["id"].as_str().unwrap())).is(200), "by name and by ID");
    let six = &read["status"]["pools"]["six"];
    assert_eq!(
        (&six["subnet"], &six["gateway"]),
        (&json!("fd00:8::/64"), &json!("fd00:8::1")),
        "canonical in the status"
    );
    assert_eq!(read["status"]["pools"]["four"]["range"], "10.8.0.128-10.8.0.254");
    assert!(!has_null(&read), "an absent value is left out, never null: {read}");
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(members) => members.values().any(has_null),
        _ => false,
    }
}

#[test]
fn the_gateway_is_the_first_address_unless_said() {
    let host = host!();
    let client = host.start();
    let network = client.post("networks", &macvlan("n", "10.9.0.0/24")).is(201);
    let pool = &network["status"]["pools"]["v4"];
    assert_eq!(pool["gateway"], "10.9.0.1");
    assert!(network["pools"]["v4"].get("gateway").is_none(), "what was not written is not echoed");
    let capacity = &pool["capacity"];
    assert_eq!(
        (&capacity["total"], &capacity["free"], &capacity["gateway"]),
        (&json!("254"), &json!("253"), &json!(1))
    );
}

#[test]
fn an_internal_network_has_no_gateway() {
    let host = host!();
    let client = host.start();
    let mut body = macvlan("inside", "10.9.0.0/24");
    body["internal"] = json!(true);
    let network = client.post("networks", &body).is(201);
    assert!(network["status"]["pools"]["v4"].get("gateway").is_none(), "{network}");
    host.sandbox("a", "inside");
    assert_eq!(host.json_in_sandbox("a", "ip -j route show default"), json!([]));
    body["name"] = json!("other");
    body["pools"] = json!({"v4": {"subnet": "10.10.0.0/24", "gateway": "10.10.0.1"}});
    let problem = client.post("networks", &body).refused(422);
    assert_eq!(problem["errors"][0]["pointer"], "/pools/v4/gateway", "{problem}");
}

#[test]
fn an_automatic_pool_keeps_clear_of_the_host_s_routes() {
    let host = host!();
    host.net.run("ip addr add 10.0.0.5/9 dev parent0");
    let client = host.start();
    let mut taken = Vec::new();
    for name in ["auto1", "auto2"] {
        let body = json!({"name": name, "driver": "macvlan", "macvlan": {"parent": "parent0"}});
        let network = client.post("networks", &body).is(201);
        let pools = network["status"]["pools"].as_object().unwrap();
        assert_eq!(pools.len(), 1);
        let pool = pools.values().next().unwrap();
        assert_eq!(pool["automatic"], true);
        let subnet = pool["subnet"].as_str().unwrap().to_owned();
        let second: u8 = subnet.split('.').nth(1).unwrap().parse().unwrap();
        assert!(!(subnet.starts_with("10.") && second < 128), "{subnet} lies in the host's 10.0.0.0/9");
        taken.push(subnet);
    }
    assert_ne!(taken[0], taken[1]);
    let six =
        json!({"name": "six", "driver": "macvlan", "pools": {"six": {"family": 6}}, "macvlan": {"parent": "parent0"}});
    let subnet = client.post("networks", &six).is(201)["status"]["pools"]["six"]["subnet"].as_str().unwrap().to_owned();
    assert!(subnet.starts_with("fd") && subnet.ends_with("/64"), "{subnet} is a unique local /64");
}

#[test]
fn an_overlap_is_refused_with_the_other_network_and_the_next_free_subnet() {
    let host = host!();
    let client = host.start();
    client.post("networks", &macvlan("first", "10.20.0.0/16")).is(201);
    for subnet in ["10.20.0.0/16", "10.20.30.0/24", "10.0.0.0/8"] {
        let problem = client.post("networks", &macvlan("second", subnet)).problem(409, "subnet-overlap");
        let text = problem.to_string();
        assert!(text.contains("first") && text.contains("10.20.0.0/16"), "it names what it overlaps with: {text}");
        let length = subnet.split('/').nth(1).unwrap();
        assert!(text.contains(&format!("/{length}")), "it offers a free subnet of that size: {text}");
    }
    client.post("networks", &macvlan("second", "10.21.0.0/16")).is(201);
    let mut other = macvlan("third", "10.20.4.0/24");
    host.add_parent("parent1", "wire1");
    other["macvlan"]["parent"] = json!("parent1");
    client.post("networks", &other).problem(409, "subnet-overlap");
}

#[test]
fn two_pools_of_one_network_may_not_overlap() {
    let host = host!();
    let client = host.start();
    let mut body = macvlan("n", "10.20.0.0/16");
    body["pools"]["more"] = json!({"subnet": "10.20.1.0/24"});
    let problem = client.post("networks", &body).json;
    assert!(matches!(problem["status"].as_u64(), Some(409 | 422)), "{problem}");
    assert_eq!(client.get("networks?driver=macvlan").is(200)["items"], json!([]), "nothing was stored");
}

#[test]
fn a_missing_parent_is_refused_with_the_candidates() {
    let host = host!();
    host.add_parent("uplink7", "wire7");
    let client = host.start();
    let mut body = macvlan("n", "10.20.0.0/24");
    body["macvlan"]["parent"] = json!("nowhere0");
    let answer = client.post("networks", &body);
    answer.check_problem();
    assert!(matches!(answer.status, 409 | 422), "{}", answer.text);
    for fact in ["nowhere0", "parent0", "uplink7"] {
        assert!(answer.text.contains(fact), "`{fact}` is missing: {}", answer.text);
    }
    host.net.run("ip link set uplink7 down");
    body["macvlan"]["parent"] = json!("uplink7");
    let answer = client.post("networks", &body);
    answer.check_problem();
    assert!(matches!(answer.status, 409 | 422) && answer.text.contains("down"), "{}", answer.text);
}

#[test]
fn a_network_in_use_is_not_removed_unless_asked_to_detach() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.20.0.0/24");
    host.sandbox("a", "n");
    let problem = client.delete("networks/n").problem(409, "in-use");
    assert!(problem["blockers"].to_string().contains("\"a\""), "{problem}");
    client.delete("networks/n?cascade=endpoints").is(204);
    let sandbox = client.get("sandboxes/a").is(200);
    assert_eq!(sandbox["status"]["endpoints"], json!({}), "{sandbox}");
    assert_eq!(host.json_in_sandbox("a", "ip -j link").as_array().unwrap().len(), 1, "only loopback is left");
    assert_eq!(client.get("leases?within=10.20.0.0/24").is(200)["items"], json!([]));
}

#[test]
fn a_protected_network_is_not_removed() {
    let host = host!();
    let client = host.start();
    let mut body = macvlan("n", "10.20.0.0/24");
    body["deletion_protection"] = json!(true);
    client.post("networks", &body).is(201);
    client.delete("networks/n").refused(409);
    let pruned = client.post("prune", &json!({})).is(200);
    assert_eq!(pruned["networks"], json!([]));
    client.patch("networks/n", &json!({"deletion_protection": null})).is(200);
    client.delete("networks/n").is(204);
}

#[test]
fn lists_are_filtered_and_paged() {
    let host = host!();
    let client = host.start();
    for i in 0..7 {
        let mut body = macvlan(&format!("n{i}"), &format!("10.{}.0.0/16", 30 + i));
        body["labels"] = json!({"parity": if i % 2 == 0 { "even" } else { "odd" }});
        client.post("networks", &body).is(201);
    }
    let names = |path: &str| -> Vec<String> {
        client.all(path).iter().map(|n| n["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("networks?driver=macvlan&limit=2"), ["n0", "n1", "n2", "n3", "n4", "n5", "n6"]);
    assert_eq!(names("networks?label=parity=odd&limit=1"), ["n1", "n3", "n5"]);
    assert_eq!(names("networks?label=parity"), ["n0", "n1", "n2", "n3", "n4", "n5", "n6"]);
    assert_eq!(names("networks?contains_ip=10.33.7.7"), ["n3"]);
    assert_eq!(names("networks?q=n5"), ["n5"]);
    let page = client.get("networks?driver=macvlan&limit=2").is(200);
    assert!(page["seq"].as_u64().unwrap() > 0);
    let token = page["next_page_token"].as_str().unwrap();
    client.get(&format!("networks?limit=2&page_token={token}")).refused(400);
}

#[test]
fn a_driver_that_comes_later_says_so() {
    let host = host!();
    let client = host.start();
    let answer = client.post("networks", &json!({"name": "n", "driver": "ipvlan"}));
    answer.check_problem();
    assert!(answer.status == 422 && answer.text.contains("ipvlan"), "{}", answer.text);
    let answer = client.post("networks", &json!({"name": "n", "driver": "overlay"}));
    answer.check_problem();
    assert!(answer.status == 409 && answer.text.contains("netloom swarm init"), "{}", answer.text);
}

#[test]
fn networks_removed_at_once_with_their_endpoints_are_all_gone_with_the_answer() {
    let host = host!();
    let client = host.start();
    for number in 0..8 {
        host.macvlan(&format!("n{number}"), &format!("10.50.{number}.0/24"));
        host.sandbox(&format!("s{number}"), &format!("n{number}"));
    }
    std::thread::scope(|scope| {
        for number in 0..8 {
            let client = host.client();
            scope.spawn(move || client.delete(&format!("networks/n{number}?cascade=endpoints")).is(204));
        }
    });
    assert_eq!(client.get("networks?driver=macvlan").is(200)["items"], json!([]));
}

#[test]
fn a_pool_is_mapped_block_by_block() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.161.0.0/16");
    host.sandbox("a", "n");
    client.post("networks/n/leases", &json!({"key": "far", "address": "10.161.9.7"})).is(201);
    let whole = client.get("networks/n/map").is(200);
    let cells = json!([{"block": "10.161.0.0/24", "size": "256", "leased": 2}, {"block": "10.161.9.0/24", "size": "256", "leased": 1}]);
    assert_eq!((&whole["cells"], &whole["leases"], &whole["cell_prefix_length"]), (&cells, &json!([]), &json!(24)));
    let block = client.get("networks/n/map?pool=v4&block=10.161.9.0/24").is(200);
    assert_eq!((&block["leases"][0]["key"], &block["above"]), (&json!("far"), &json!(["10.161.0.0/16"])));
    assert_eq!(block["free"][0], json!({"block": "10.161.9.0-10.161.9.6", "size": "7"}));
    client.get("networks/n/map?block=10.162.0.0/24&pool=v4").problem(400, "invalid-query");
    client.get("networks/n/map?block=x").problem(400, "invalid-query");
    client.get("networks/n/map?pool=v6").problem(404, "resource-not-found");
    client.get("networks/none/map").problem(404, "resource-not-found");
}

#[test]
fn a_network_has_a_history_and_a_place_in_the_topology() {
    let host = host!();
    let client = host.start();
    let network = host.macvlan("n", "10.163.0.0/24");
    host.sandbox("a", "n");
    client.patch("networks/n", &json!({"description": "x"})).is(200);
    let history = client.get("networks/n/history?limit=1").is(200);
    let latest = &history["items"][0];
    assert_eq!((&latest["action"], &latest["after"]), (&json!("network.update"), &json!({"description": "x"})));
    let token = history["next_page_token"].as_str().unwrap();
    let next = client.get(&format!("networks/n/history?page_token={token}")).is(200);
    assert_eq!((&next["items"][0]["kind"], next["items"].as_array().unwrap().len()), (&json!("network.created"), 1));
    let viewer = client.post("tokens", &json!({"name": "v", "role": "viewer"})).is(201);
    let viewer = host.tcp().header("authorization", &format!("Bearer {}", viewer["secret"].as_str().unwrap()));
    let seen = viewer.get("networks/n/history").is(200);
    assert_eq!((&seen["items"][0]["kind"], seen["items"][0].get("after")), (&json!("network.updated"), None));

    let topology = client.get("topology?of=network:n").is(200);
    assert_eq!(
        (&topology["sandboxes"][0]["name"], &topology["endpoints"][0]["addresses"]),
        (&json!("a"), &json!(["10.163.0.2"]))
    );
    assert_eq!(client.get("topology").is(200)["endpoints"], topology["endpoints"]);
    client.get("topology?of=n").problem(400, "invalid-query");
    client.delete("sandboxes/a").is(204);
    client.delete("networks/n").is(204);
    let id = network["id"].as_str().unwrap();
    assert_eq!(client.get(&format!("networks/{id}/history")).is(200)["items"][0]["kind"], "network.deleted");
    client.get("networks/n/history").problem(404, "resource-not-found");
}
