//! A provider of Terraform's kind walks every resource through its life, over TCP and with a token. What it knows of resources it has
//! from the OpenAPI document; docs/automation/terraform.md says the same in words.

#[path = "provider/cases.rs"]
mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};

use cases::{Case, Means};
use netloom_tests::announced::Announced;
use netloom_tests::provider::{COMPUTED, Config, Diagnostic, Step, named, no_nulls, schema};
use netloom_tests::{Client, Host, Namespace, Provider, Value, host, json};

/// A client over TCP, as a provider has one.
fn client(host: &Host) -> Client {
    host.tcp().header("authorization", &format!("Bearer {}", host.token()))
}

fn provider(host: &Host) -> Provider {
    Provider::new(client(host), host.dir().join("provider.state.json"))
}

fn config<const N: usize>(objects: [(&str, Value); N]) -> Config {
    objects.map(|(address, wanted)| (address.to_owned(), wanted)).into()
}

fn steps<const N: usize>(steps: [(&str, Step); N]) -> BTreeMap<String, Step> {
    steps.map(|(address, step)| (address.to_owned(), step)).into()
}

/// Number of the last event.
fn seq(client: &Client) -> u64 {
    client.get("networks?limit=1").is(200)["seq"].as_u64().unwrap()
}

/// Puts what the document says can't be put in place, which must be refused at the property, and change nothing.
fn refused_in_place(client: &Client, provider: &Provider, case: &Case) {
    let before = seq(client);
    let put = client.put(&provider.path(case.address), &named(case.address, &case.then)).refused(422);
    let errors = put["errors"].as_array().unwrap();
    let here = |error: &&Value| {
        let pointer = error["pointer"].as_str().unwrap();
        error["code"] == "immutable-field" && (pointer.starts_with(case.at) || case.at.starts_with(pointer))
    };
    // Inside a block, or at the map that the entry is missing from.
    let inside = |error: &&Value| error["code"] == "immutable-field" && case.property == "NetworkWrite.bridge";
    assert!(errors.iter().any(|error| here(&error) || inside(&error)), "{} at {}: {put}", case.property, case.at);
    assert_eq!(seq(client), before, "{}", case.property);
}

fn walk(client: &Client, provider: &Provider, case: &Case) {
    let (Case { property, address, .. }, name) = (case, format!("{} at {}", case.property, case.at));
    let [first, then] = [&case.first, &case.then].map(|spec| config([(address, spec.clone())]));
    assert_eq!(provider.converge(&first), steps([(address, Step::Create)]), "{name}");
    let (id, path) = (provider.id(address), provider.path(address));
    let word = provider.schema().mutability(property);
    let in_place = case.means == Means::Word && word != "immutable";
    if !in_place {
        refused_in_place(client, provider, case);
    }
    if case.means == Means::Never {
        let told = provider.apply(&then).expect_err("the other value can't be had");
        assert!(told.iter().all(|told| told.address == *address && !told.attribute.is_empty()), "{name}: {told:?}");
        provider.converge(&first);
    } else {
        let step = provider.converge(&then).remove(*address).unwrap();
        let expected = match (in_place, property.split_once('.')) {
            (true, _) => step == Step::Update,
            (_, Some(("AttachmentWrite", _))) => step == Step::Reattach(vec!["/networks/web".to_owned()]),
            _ => step == Step::Replace,
        };
        assert!(expected, "{name} is {word}, and gives {step:?}");
        assert_eq!(provider.id(address) == id, step != Step::Replace, "{name}: {step:?}");
        if step == Step::Replace {
            client.get(&path).problem(404, "resource-not-found");
        }
    }
    let path = provider.path(address);
    provider.delete(address).unwrap();
    client.delete(&path).problem(404, "resource-not-found");
}

/// Two network namespaces of somebody else's, mounted at paths in the host, and two of processes.
fn to_adopt(host: &Host) -> ([Namespace; 2], [String; 2], [Child; 2]) {
    let namespaces = [Namespace::new(), Namespace::new()];
    let paths = ["blue", "green"].map(|name| format!("{}/{name}", host.dir().display()));
    for (namespace, path) in namespaces.iter().zip(&paths) {
        host.net.run(&format!("touch {path}"));
        host.net.run(&format!("mount --bind /proc/{}/ns/net {path}", namespace.pid()));
    }
    let own = std::fs::read_link(host.net.path()).unwrap();
    let sleeper = || {
        let child = host.net.command("unshare").args(["--net", "sleep", "600"]).stdin(Stdio::null()).spawn().unwrap();
        netloom_tests::until("the process is in its namespace", std::time::Duration::from_secs(5), || {
            let seen = std::fs::read_link(format!("/proc/{}/ns/net", child.id())).ok()?;
            let asleep = std::fs::read_to_string(format!("/proc/{}/comm", child.id())).ok()?;
            (seen != own && asleep.trim() == "sleep").then_some(())
        });
        child
    };
    (namespaces, paths, [sleeper(), sleeper()])
}

#[test]
fn every_property_is_made_read_changed_as_the_document_says_and_removed() {
    let host = host!();
    host.start();
    let (client, provider) = (client(&host), provider(&host));
    cases::fixtures(&host);
    let (_namespaces, paths, mut processes) = to_adopt(&host);
    let cases = cases::all([processes[0].id(), processes[1].id()], [&paths[0], &paths[1]]);
    let cased: BTreeSet<&str> = cases.iter().map(|case| case.property).collect();
    for property in provider.schema().writable() {
        assert!(cased.contains(property.as_str()), "{property} can be written, and has no case");
    }
    for case in &cases {
        walk(&client, &provider, case);
    }
    for process in &mut processes {
        let _ = process.kill();
        let _ = process.wait();
    }
}

#[test]
fn the_document_says_of_each_property_whether_it_changes_and_keeps_the_computed_apart() {
    let host = host!();
    host.start();
    let provider = provider(&host);
    for property in provider.schema().writable() {
        let word = provider.schema().mutability(&property);
        assert!(["mutable", "immutable", "add-only", "restricted"].contains(&word), "{property} is {word}");
        let (of, name) = property.split_once('.').unwrap();
        let text = provider.schema().properties(of)[name]["description"].as_str().unwrap_or_default();
        assert_eq!(text.contains("Immutable"), word == "immutable", "{property} is {word}, and described so: {text}");
    }
    for resource in schema::RESOURCES {
        let written = provider.schema().properties(resource);
        let answered = provider.schema().properties(resource.trim_end_matches("Write"));
        for computed in COMPUTED {
            assert!(!written.contains_key(computed), "{resource} has {computed}, which the system writes");
            assert_eq!(answered[computed]["readOnly"], true, "{resource} {computed}");
        }
        let beyond: Vec<&String> = answered.keys().filter(|key| !written.contains_key(*key)).collect();
        assert!(
            beyond.iter().all(|key| COMPUTED.contains(&key.as_str())),
            "{resource}: neither written nor computed: {beyond:?}"
        );
    }
}

/// Networks of each kind, reservations, and sandboxes on them.
fn everything() -> Config {
    let notes = |mut spec: Value| {
        spec["labels"] = json!({"keeper": "tests"});
        spec["annotations"] = json!({"x/y": "{\"a\": null}"});
        spec["description"] = json!(" as  it is written ");
        spec["managed_by"] = json!("terraform: tests");
        spec
    };
    let lan = json!({"driver": "macvlan", "mtu": 1400, "deletion_protection": false, "macvlan": {"parent": "parent0", "mode": "bridge", "probe": false}, "pools": {
        "v4": {"subnet": "10.80.0.0/24", "gateway": "10.80.0.1", "range": "10.80.0.64/26", "family": 4, "reserved": {"printer": "10.80.0.9"}},
        "v6": {"subnet": "FD00:80::/64"}, "auto": {"family": 4, "prefix_length": 28}}});
    let app = json!({"driver": "bridge", "internal": false, "pools": {"v4": {"subnet": "10.82.0.0/24"}, "v6": {"family": 6}}, "bridge": {
        "interface_name": "br82", "managed": true, "inter_sandbox": true, "isolation": true, "masquerade": false, "gateway_mode4": "nat",
        "gateway_mode6": "routed"}});
    let ports =
        json!({"web": {"target": 80, "published": 8088, "protocol": "tcp", "host_address": "127.0.0.1", "count": 2}});
    let on_lan = json!({"address4": "10.80.0.70", "address6": "FD00:80:0::70", "mac": "02-00-00-00-00-70", "aliases": ["db"],
        "interface": "lan0", "gateway_priority": 5});
    config([
        ("networks/lan", notes(lan)),
        ("networks/app", notes(app)),
        ("networks/quiet", notes(json!({"driver": "bridge", "internal": true}))),
        ("networks/app/leases/printer", json!({"address": "10.82.0.9", "description": "third floor"})),
        ("networks/lan/leases/any", json!({})),
        ("sandboxes/front", notes(json!({"networks": {"app": {"ports": ports}, "lan": on_lan}}))),
        ("sandboxes/back", notes(json!({"networks": {"app": {"address4": "10.82.0.20", "aliases": ["db"]}}}))),
        ("sandboxes/idle", json!({"desired_state": "stopped", "networks": {"app": {}}})),
        ("sandboxes/inside", json!({"networks": {"quiet": {}}})),
        ("sandboxes/alone", json!({"networks": {"none": {}}})),
        ("sandboxes/shared", json!({"networks": {"host": {}}})),
    ])
}

#[test]
fn what_is_applied_once_more_is_no_event_and_not_a_word_to_the_kernel() {
    let host = host!();
    host.start();
    let (client, provider, wanted) = (client(&host), provider(&host), everything());
    assert!(provider.converge(&wanted).values().all(|step| *step == Step::Create));
    let (before, ears) = (seq(&client), Announced::on(&host));
    for (address, spec) in &wanted {
        let read = client.get(address).is(200);
        for path in [address.clone(), provider.path(address)] {
            let again = client.put(&path, &named(address, spec)).is(200);
            assert_eq!((&again["revision"], &again["updated_at"]), (&read["revision"], &read["updated_at"]), "{path}");
        }
    }
    assert_eq!(ears.until_now(), [""; 0]);
    assert_eq!(seq(&client), before);
    // What would have been heard.
    client.put("sandboxes/idle", &json!({"networks": {"app": {}}})).is(200);
    client.patch("networks/app", &json!({"bridge": {"masquerade": true}})).is(200);
    let heard = ears.until_now().join("\n");
    assert!(heard.contains("master br82") && heard.contains("inet netloom"), "{heard}");
}

#[test]
fn no_answer_has_a_null() {
    let host = host!();
    host.start();
    let (client, provider, wanted) = (client(&host), provider(&host), everything());
    provider.converge(&wanted);
    host.net.run("ip addr add 192.0.2.1/24 dev parent0");
    client.put("swarm", &json!({"advertise_address": "192.0.2.1"})).is(201);
    let document = client.get("/openapi.json").is(200);
    let mut looked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        if item.get("get").is_some() && path.starts_with("/api/v1/") && !path.contains('{') {
            no_nulls(&client.get(path).is(200), path);
            looked += 1;
        }
    }
    assert!(looked > 8, "{looked}");
    for (address, spec) in &wanted {
        let dry = format!("{address}?dry_run=true");
        no_nulls(&client.put(&dry, &named(address, spec)).is(200), &dry);
        let removed = client.delete(&dry);
        no_nulls(&removed.json, &removed.request);
        no_nulls(&client.put(address, &json!({"nmae": null, "name": 7})).refused(422), address);
    }
    let address = client.get("addresses/10.82.0.9").is(200);
    no_nulls(&address, "an address");
}

#[test]
fn a_state_is_lost_imported_and_destroyed() {
    let host = host!();
    host.start();
    let (client, provider, mut wanted) = (client(&host), provider(&host), everything());
    provider.converge(&wanted);
    std::fs::remove_file(host.dir().join("provider.state.json")).unwrap();
    // Made by somebody, as far as this provider knows: it takes none of it without being told.
    let told = provider.apply(&wanted).expect_err("it is there already");
    assert_eq!(told[0].summary, "precondition-failed");
    let before = seq(&client);
    for address in wanted.keys() {
        provider.import(address).unwrap();
    }
    assert_eq!(provider.plan(&wanted).unwrap(), BTreeMap::new(), "what was imported is as wanted");
    assert_eq!(seq(&client), before);
    let told = provider.import("sandboxes/nobody").expect_err("there is none");
    assert_eq!((told[0].summary.as_str(), told[0].attribute.len()), ("resource-not-found", 0));
    // A part of it goes, then the rest; twice.
    wanted.remove("sandboxes/front");
    assert_eq!(provider.converge(&wanted), steps([("sandboxes/front", Step::Delete)]));
    assert!(provider.converge(&Config::new()).values().all(|step| *step == Step::Delete));
    assert_eq!(provider.converge(&Config::new()), BTreeMap::new());
    assert_eq!(client.all("sandboxes"), [json!(null); 0]);
}

#[test]
fn what_others_do_is_seen_and_put_right() {
    let host = host!();
    host.start();
    let (client, provider, wanted) = (client(&host), provider(&host), everything());
    provider.converge(&wanted);
    // A hand on the kernel is the service's to put right: no plan.
    host.net.run("ip link set parent0 down");
    host.net.run("ip link set parent0 up");
    host.in_sandbox("back", "ip link del eth0");
    assert_eq!(provider.plan(&wanted).unwrap(), BTreeMap::new());
    // A hand on the spec is seen at its attribute, and put right in place.
    client.patch("networks/app", &json!({"bridge": {"inter_sandbox": false}, "labels": {"keeper": null}})).is(200);
    client.patch("networks/app/leases/printer", &json!({"mac": "00:11:22:33:44:55"})).is(200);
    client.patch("sandboxes/back", &json!({"networks": {"lan": {}}})).is(200);
    let updates = ["networks/app", "networks/app/leases/printer", "sandboxes/back"].map(|at| (at, Step::Update));
    assert_eq!(provider.converge(&wanted), steps(updates));
    // What was removed is made again; what was made anew under its name is somebody's, until it is imported.
    client.delete("sandboxes/back").is(204);
    client.delete("sandboxes/idle").is(204);
    client.put("sandboxes/idle", &json!({"description": "somebody's"})).is(201);
    let told = provider.apply(&wanted).expect_err("the name is taken");
    assert_eq!((told[0].address.as_str(), told[0].summary.as_str()), ("sandboxes/idle", "precondition-failed"));
    provider.import("sandboxes/idle").unwrap();
    assert_eq!(provider.converge(&wanted), steps([("sandboxes/idle", Step::Update)]));
}

#[test]
fn an_edit_between_plan_and_application_is_not_written_over() {
    let host = host!();
    host.start();
    let (client, provider) = (client(&host), provider(&host));
    let wanted = |text: &str| config([("sandboxes/s", json!({"description": text}))]);
    provider.converge(&wanted("mine"));
    let stale = client.get("sandboxes/s").header("etag").unwrap().to_owned();
    client.patch("sandboxes/s", &json!({"description": "theirs"})).is(200);
    let late = client.header("if-match", &stale).put(&provider.path("sandboxes/s"), &json!({"description": "late"}));
    late.problem(412, "precondition-failed");
    assert_eq!(client.get("sandboxes/s").is(200)["description"], "theirs");
    provider.converge(&wanted("mine again"));
}

#[test]
fn problems_become_diagnostics_at_attributes() {
    let host = host!();
    host.start();
    let (client, provider) = (client(&host), provider(&host));
    let bad = json!({"driver": "bridge", "mtu": 5, "pools": {"v4": {"subnet": "10.0.4.1/24"}}, "labels": {"a b": ""}});
    let told = provider.apply(&config([("networks/bad", bad)])).expect_err("three values are wrong");
    let at = |told: &Diagnostic| (told.attribute.join("."), told.summary.clone());
    let told: BTreeMap<String, String> = told.iter().map(at).collect();
    assert_eq!(told["pools.v4.subnet"], "host-bits-set", "{told:?}");
    assert_eq!(told["mtu"], "out-of-range", "{told:?}");
    assert!(told.contains_key("labels.a b"), "{told:?}");
    client.get("networks/bad").problem(404, "resource-not-found");

    // What stands in the way of a removal is named, and the state keeps the object.
    provider.converge(&config([("networks/n", json!({"driver": "bridge"}))]));
    client.put("sandboxes/other", &json!({"networks": {"n": {}}})).is(201);
    let told = provider.apply(&Config::new()).expect_err("it is in use");
    assert_eq!(told[0].summary, "in-use");
    assert!(told[0].detail.contains("sandbox other"), "{}", told[0]);
    assert!(provider.stored("networks/n").is_some());
    client.delete("sandboxes/other").is(204);
    provider.converge(&Config::new());
}
