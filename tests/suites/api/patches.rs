//! What can be edited in place, and what says that it can't.

use netloom_tests::host::macvlan;
use netloom_tests::{host, json};

#[test]
fn labels_description_reserved_addresses_pools_and_ranges_are_edited_live() {
    let host = host!();
    let client = host.start();
    let mut body = macvlan("n", "10.40.0.0/24");
    body["pools"]["v4"]["range"] = json!("10.40.0.64/26");
    body["labels"] = json!({"a": "1", "b": "2"});
    let created = client.post("networks", &body).is(201);
    host.sandbox("s", "n");
    let before = host.json_in_sandbox("s", "ip -j addr show eth0");

    let patched = client.patch("networks/n", &json!({"description": "new", "labels": {"a": null, "c": "3"}})).is(200);
    assert_eq!((&patched["description"], &patched["labels"]), (&json!("new"), &json!({"b": "2", "c": "3"})));
    assert!(patched["revision"].as_u64() > created["revision"].as_u64());

    client.patch("networks/n", &json!({"pools": {"v4": {"reserved": {"printer": "10.40.0.70"}}}})).is(200);
    assert_eq!(client.get("leases?address=10.40.0.70").is(200)["items"][0]["status"]["kind"], "reserved");
    client.patch("networks/n", &json!({"pools": {"v4": {"reserved": {"printer": null}}}})).is(200);
    assert_eq!(client.get("leases?address=10.40.0.70").is(200)["items"], json!([]));

    let wider = client.patch("networks/n", &json!({"pools": {"v4": {"range": "10.40.0.0/25"}}})).is(200);
    assert_eq!(wider["status"]["pools"]["v4"]["range"], "10.40.0.1-10.40.0.127");
    let added = client.patch("networks/n", &json!({"pools": {"six": {"subnet": "fd00:40::/64"}}})).is(200);
    assert_eq!(added["status"]["pools"]["six"]["gateway"], "fd00:40::1");
    assert_eq!(host.json_in_sandbox("s", "ip -j addr show eth0"), before, "who was there is left alone");
}

#[test]
fn a_patch_that_changes_nothing_moves_nothing() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.40.0.0/24");
    client.patch("networks/n", &json!({"labels": {"x": "1"}})).is(200);
    let before = client.get("networks/n").is(200);
    let events = client.get("events?limit=1000").is(200)["items"].as_array().unwrap().len();
    assert_eq!(client.patch("networks/n", &json!({"labels": {"x": "1"}})).is(200), before);
    assert_eq!(client.patch("networks/n", &json!({})).is(200), before);
    assert_eq!(
        client.get("events?limit=1000").is(200)["items"].as_array().unwrap().len(),
        events,
        "and makes no event"
    );
}

#[test]
fn an_immutable_field_names_itself() {
    let host = host!();
    host.add_parent("parent1", "wire1");
    let client = host.start();
    host.macvlan("n", "10.40.0.0/24");
    let cases = [
        (json!({"name": "m"}), "/name"),
        (json!({"driver": "none"}), "/driver"),
        (json!({"internal": true}), "/internal"),
        (json!({"mtu": 1400}), "/mtu"),
        (json!({"macvlan": {"parent": "parent1"}}), "/macvlan/parent"),
        (json!({"macvlan": {"mode": "vepa"}}), "/macvlan/mode"),
        (json!({"macvlan": {"vlan_id": 7}}), "/macvlan/vlan_id"),
        (json!({"pools": {"v4": {"subnet": "10.41.0.0/24"}}}), "/pools/v4/subnet"),
        (json!({"pools": {"v4": {"gateway": "10.40.0.9"}}}), "/pools/v4/gateway"),
    ];
    let before = client.get("networks/n").is(200);
    for (patch, pointer) in cases {
        let problem = client.patch("networks/n", &patch).refused(422);
        let errors = problem["errors"].as_array().unwrap();
        assert!(
            errors.iter().any(|e| e["pointer"] == pointer && e["code"] == "immutable-field"),
            "{patch} names {pointer}: {problem}"
        );
    }
    assert_eq!(client.get("networks/n").is(200), before);
}

#[test]
fn a_range_gets_wider_never_narrower_and_a_pool_in_use_stays() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.40.0.0/24");
    host.sandbox("s", "n");
    let problem = client.patch("networks/n", &json!({"pools": {"v4": {"range": "10.40.0.128/25"}}})).refused(422);
    assert_eq!(problem["errors"][0]["pointer"], "/pools/v4/range", "{problem}");
    let answer = client.patch("networks/n", &json!({"pools": {"v4": null}}));
    answer.check_problem();
    assert!(matches!(answer.status, 409 | 422), "{}", answer.text);
}

#[test]
fn reserving_an_address_that_is_taken_is_refused() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.40.0.0/24");
    host.sandbox("s", "n");
    let patch = json!({"pools": {"v4": {"reserved": {"mine": "10.40.0.2"}}}});
    let problem = client.patch("networks/n", &patch).problem(409, "address-taken");
    assert!(problem.to_string().contains("10.40.0.2"), "{problem}");
}

#[test]
fn a_sandbox_s_immutable_fields_name_themselves() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.40.0.0/24");
    host.sandbox("s", "n");
    for (patch, pointer) in
        [(json!({"name": "t"}), "/name"), (json!({"netns": "/run/netns/x"}), "/netns"), (json!({"pid": 1}), "/pid")]
    {
        let problem = client.patch("sandboxes/s", &patch).problem(422, "immutable-field");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}

#[test]
fn what_is_not_verified_is_not_answered_with_200() {
    let host = host!();
    let client = host.start();
    // Asking for an address on the wire needs a parent that is up.
    let mut network = macvlan("n", "10.40.0.0/24");
    network["macvlan"]["probe"] = json!(true);
    client.post("networks", &network).is(201);
    client.post("sandboxes", &json!({"name": "s"})).is(201);
    host.net.run("ip link set parent0 down");
    let attach = json!({"networks": {"n": {}}});
    client.patch("sandboxes/s?wait=0s", &attach).is(202);
    client.patch("sandboxes/s?wait=10s", &attach).problem(409, "parent-down");
    let label = client.patch("sandboxes/s?wait=10s", &json!({"labels": {"a": "b"}})).is(202);
    assert_eq!((&label["status"]["reconciling"], &label["labels"]), (&json!(true), &json!({"a": "b"})));
    host.net.run("ip link set parent0 up");
    let verified = client.patch("sandboxes/s?wait=30s", &attach).is(200);
    assert_eq!((&verified["status"]["state"], &verified["status"]["reconciling"]), (&json!("running"), &json!(false)));
    client.patch("sandboxes/s?wait=0s", &json!({"labels": {"a": "c"}})).is(200);
}

#[test]
fn a_refused_update_leaves_address_and_mac_as_they_were() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.40.0.0/24");
    host.macvlan("m", "10.41.0.0/24");
    host.sandbox("lower", "n");
    let before = host.sandbox("q", "n")["status"]["endpoints"]["n"].clone();
    let inside = host.json_in_sandbox("q", "ip -j addr show eth0")[0].clone();
    client.delete("sandboxes/lower").is(204);
    let netns = host.netns("q");
    host.net.run_in(&netns, "ip link add foo1 type veth peer name foo2");
    client.patch("sandboxes/q", &json!({"networks": {"n": null, "m": {"interface": "foo1"}}})).refused(409);
    let after = client.get("sandboxes/q").is(200)["status"]["endpoints"].clone();
    assert_eq!(after["n"], before, "{after}");
    let now = host.json_in_sandbox("q", "ip -j addr show eth0")[0].clone();
    assert_eq!(
        (&now["address"], &now["addr_info"][0]["local"]),
        (&inside["address"], &inside["addr_info"][0]["local"])
    );
}

#[test]
fn one_member_of_a_port_is_patched_and_the_others_stay() {
    let host = host!();
    let client = host.start();
    host.bridge("web", "10.41.0.0/24");
    let ports = json!({"p": {"target": 80, "published": 8088, "count": 2}});
    client.put("sandboxes/s", &json!({"networks": {"web": {"ports": ports}}})).is(201);
    let patch = json!({"networks": {"web": {"ports": {"p": {"published": 8090, "count": null}}}}});
    let patched = client.patch("sandboxes/s", &patch).is(200);
    assert_eq!(patched["networks"]["web"]["ports"]["p"], json!({"target": 80, "published": 8090}));
    // The document says the same of a patch: nothing is required in it, and null removes.
    let document = client.get("/openapi.json").is(200);
    let entry = &document["components"]["schemas"]["AttachmentPatch"]["properties"]["ports"]["additionalProperties"];
    assert_eq!(entry["anyOf"][0]["$ref"], "#/components/schemas/PortPatch");
    assert_eq!(document["components"]["schemas"]["PortPatch"].get("required"), None);
}
