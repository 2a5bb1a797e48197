//! Bad input: a 4xx with the field, never a 5xx, nothing stored.

use netloom_tests::host::macvlan;
use netloom_tests::{Client, Value, host, json};

fn raw(client: &Client, method: &str, path: &str, kind: &str, body: &[u8]) -> netloom_tests::Answer {
    client.send(method, path, Some((kind, body.to_vec()))).expect("an answer")
}

#[test]
fn documents_that_break_a_rule_name_the_field() {
    let host = host!();
    let client = host.start();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = macvlan("n", "10.100.0.0/24");
        change(&mut body);
        body
    };
    let cases: Vec<(Value, &str, &str)> = vec![
        (json!({}), "/name", "required"),
        (json!({"name": "n"}), "/driver", "required"),
        (with(&|b| b["name"] = json!("a b")), "/name", "format"),
        (with(&|b| b["name"] = json!("x".repeat(64))), "/name", "format"),
        (with(&|b| b["name"] = json!("net_aaaaaaaaaaaaaaaaaaaaaaaaaa")), "/name", "format"),
        (with(&|b| b["name"] = json!(7)), "/name", "wrong-type"),
        (with(&|b| b["driver"] = json!("token-ring")), "/driver", "format"),
        (with(&|b| b["colour"] = json!("red")), "/colour", "unknown-field"),
        (with(&|b| b["macvlan"]["parrent"] = json!("x")), "/macvlan/parrent", "unknown-field"),
        (with(&|b| b["mtu"] = json!(67)), "/mtu", "out-of-range"),
        (with(&|b| b["mtu"] = json!("1500")), "/mtu", "wrong-type"),
        (with(&|b| b["labels"] = json!({"a b": "c"})), "/labels/a b", "format"),
        (with(&|b| b["labels"] = json!({"a": 1})), "/labels/a", "wrong-type"),
        (with(&|b| b["description"] = json!("x".repeat(1025))), "/description", "too-long"),
        (with(&|b| b["pools"]["v4"]["subnet"] = json!("10.100.0.1/24")), "/pools/v4/subnet", "host-bits-set"),
        (with(&|b| b["pools"]["v4"]["subnet"] = json!("10.100.0.0")), "/pools/v4/subnet", "format"),
        (with(&|b| b["pools"]["v4"]["subnet"] = json!("10.100.0.0/33")), "/pools/v4/subnet", "format"),
        (with(&|b| b["pools"]["v4"]["subnet"] = json!("127.0.0.0/8")), "/pools/v4/subnet", "*"),
        (with(&|b| b["pools"]["v4"]["subnet"] = json!("224.0.0.0/24")), "/pools/v4/subnet", "*"),
        (with(&|b| b["pools"]["v4"]["gateway"] = json!("10.101.0.1")), "/pools/v4/gateway", "*"),
        (with(&|b| b["pools"]["v4"]["gateway"] = json!("fd00::1")), "/pools/v4/gateway", "wrong-family"),
        (with(&|b| b["pools"]["v4"]["gateway"] = json!("10.100.0.0")), "/pools/v4/gateway", "*"),
        (with(&|b| b["pools"]["v4"]["range"] = json!("10.100.0.9-10.100.0.3")), "/pools/v4/range", "out-of-range"),
        (with(&|b| b["pools"]["v4"]["range"] = json!("10.101.0.0/25")), "/pools/v4/range", "*"),
        (with(&|b| b["pools"]["v4"]["reserved"] = json!({"p": "10.101.0.3"})), "/pools/v4/reserved/p", "*"),
        (with(&|b| b["pools"]["v4"]["reserved"] = json!({"p": "x"})), "/pools/v4/reserved/p", "format"),
        (with(&|b| b["pools"]["v4"]["family"] = json!(6)), "/pools/v4/subnet", "wrong-family"),
        (with(&|b| b["pools"]["v4"]["family"] = json!(5)), "/pools/v4/family", "*"),
        (with(&|b| b["pools"]["v4"]["prefix_length"] = json!(24)), "/pools/v4/prefix_length", "*"),
        (with(&|b| b["pools"]["a b"] = json!({})), "/pools/a b", "*"),
        (with(&|b| drop(b["macvlan"].take())), "/macvlan", "required"),
        (with(&|b| b["macvlan"]["parent"] = json!("far/too/odd")), "/macvlan/parent", "*"),
        (with(&|b| b["macvlan"]["mode"] = json!("passthru")), "/macvlan/mode", "format"),
        (with(&|b| b["macvlan"]["vlan_id"] = json!(4095)), "/macvlan/vlan_id", "out-of-range"),
        (
            with(&|b| {
                b["macvlan"]["mode"] = json!("vepa");
                b["macvlan"]["host_access"] = json!(true);
            }),
            "/macvlan/host_access",
            "not-allowed-here",
        ),
    ];
    for (body, pointer, code) in cases {
        let problem = client.post("networks", &body).refused(422);
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors: {problem}"));
        let named = errors.iter().any(|e| e["pointer"] == pointer && (code == "*" || e["code"] == code));
        assert!(named, "{body}\nshould name {pointer} with {code}: {problem}");
        assert!(errors.iter().all(|e| e["message"].as_str().is_some_and(|m| !m.is_empty())), "{problem}");
    }
    assert_eq!(client.get("networks?driver=macvlan").is(200)["items"], json!([]), "nothing was stored");
    let hint =
        client.post("networks", &with(&|b| b["pools"]["v4"]["subnet"] = json!("10.100.0.1/24"))).json.to_string();
    assert!(hint.contains("10.100.0.0/24"), "the corrected subnet is offered: {hint}");
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let host = host!();
    let client = host.start();
    let body = json!({"name": "a b", "driver": "macvlan", "mtu": 1, "macvlan": {"parent": "parent0"}, "pools": {"v4": {"subnet": "10.0.0.1/24"}}});
    let problem = client.post("networks", &body).problem(422, "invalid-value");
    let pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    for pointer in ["/name", "/mtu", "/pools/v4/subnet"] {
        assert!(pointers.contains(&pointer), "{pointer} is missing in {pointers:?}");
    }
}

#[test]
fn bodies_that_are_no_documents_are_refused() {
    let host = host!();
    let client = host.start();
    for (body, status) in [
        (&b"{"[..], 400),
        (b"", 400),
        (b"\xff\xfe", 400),
        (b"{\"name\":\"n\",}", 400),
        (b"{} {}", 400),
        (b"[]", 422),
        (b"null", 422),
        (b"\"text\"", 422),
    ] {
        let answer = raw(&client, "POST", "networks", "application/json", body);
        answer.check_problem();
        assert_eq!(answer.status, status, "{:?}: {}", String::from_utf8_lossy(body), answer.text);
    }
    let deep = [b"{\"a\":".repeat(5000), b"1".to_vec(), b"}".repeat(5000)].concat();
    raw(&client, "POST", "networks", "application/json", &deep).refused(400);
    let duplicate = br#"{"name":"n","name":"m","driver":"macvlan","macvlan":{"parent":"parent0"}}"#;
    let answer = raw(&client, "POST", "networks?dry_run=true", "application/json", duplicate);
    assert!(answer.status < 500, "{}", answer.text);
}

#[test]
fn media_types_and_sizes_are_checked_first() {
    let host = host!();
    let client = host.start();
    let body = macvlan("n", "10.100.0.0/24").to_string().into_bytes();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml"] {
        let problem = raw(&client, "POST", "networks", kind, &body).problem(415, "unsupported-media-type");
        assert!(problem["hint"].as_str().unwrap().contains("`-H 'Content-Type: application/json'`"), "{problem}");
    }
    raw(&client, "POST", "networks", "application/json; charset=utf-8", &body).is(201);
    client.send("POST", "networks", None).expect("an answer").refused(415);
    let large = json!({"name": "big", "description": "x".repeat(2 << 20)}).to_string().into_bytes();
    raw(&client, "POST", "networks", "application/json", &large).problem(413, "payload-too-large");
    raw(&client, "PATCH", "networks/n", "application/json", b"{\"description\":\"d\"}").is(200);
}

#[test]
fn unknown_addresses_methods_and_parameters_are_told_apart() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.100.0.0/24");
    client.get("networks/missing").problem(404, "resource-not-found");
    client.get("networks/net_aaaaaaaaaaaaaaaaaaaaaaaaaa").problem(404, "resource-not-found");
    client.get("sandboxes/missing").problem(404, "resource-not-found");
    client.get("leases/lse_aaaaaaaaaaaaaaaaaaaaaaaaaa").problem(404, "resource-not-found");
    for path in ["nothing", "networks/n/nothing", "/nothing", "/api/v2/networks", "networks/"] {
        client.get(path).problem(404, "route-not-found");
    }
    for (method, path) in [("PUT", "networks"), ("POST", "networks/n"), ("DELETE", "events"), ("PATCH", "leases")] {
        let answer = client.send(method, path, None).expect("an answer");
        assert!(
            answer.header("allow").is_some_and(|allow| allow.contains("GET") || allow.contains("POST")),
            "{method} {path}: {:?}",
            answer.headers
        );
        answer.problem(405, "method-not-allowed");
    }
    for path in [
        "networks?colour=red",
        "networks?limit=0",
        "networks?limit=1001",
        "networks?limit=x",
        "networks?limit=1&limit=2",
        "networks?driver=x",
        "networks?contains_ip=x",
        "networks?page_token=x",
        "networks/n?x=1",
        "leases?mac=x",
        "leases?state=x",
        "leases?within=10.0.0.1/8",
        "sandboxes?running=x",
    ] {
        let problem = client.get(path).refused(400);
        let code = problem["code"].as_str().unwrap();
        assert!(matches!(code, "invalid-query" | "invalid-page-token"), "{path}: {problem}");
    }
    let outside = client.get("networks/n/map?block=10.9.0.0/24").problem(404, "resource-not-found");
    assert_eq!(outside["errors"][0]["pointer"], "?block", "{outside}");
    client.delete("networks/n?wait=soon").problem(400, "invalid-query");
    client.delete("networks/n?wait=301s").problem(400, "invalid-query");
    client.delete("networks/n?colour=red").problem(400, "invalid-query");
    client.get("networks/n").is(200);
}

#[test]
fn refusals_speak_of_the_api_and_not_of_its_source() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.100.0.0/24");
    host.sandbox("s", "n");
    let first = |answer: netloom_tests::Answer| answer.refused(422)["errors"][0].clone();
    let probe = |count: Value| {
        first(client.post("probes", &json!({"from": "s", "kind": "arp", "to": "10.100.0.1", "count": count})))
    };
    for count in [json!(10_000), json!(100), json!(-1)] {
        let error = probe(count);
        assert_eq!(error["code"], "out-of-range", "{error}");
        assert!(error["message"].as_str().unwrap().contains("1 to 20"), "{error}");
    }
    let error = first(client.post("networks", &json!({"name": "x", "driver": "weird"})));
    assert_eq!(
        (&error["value"], &error["message"]),
        (&json!("weird"), &json!("one of `bridge`, `macvlan`, `overlay` is needed"))
    );
    let error = first(client.post("networks", &json!({"name": "x", "driver": "macvlan", "foo": 1})));
    assert!(!error["hint"].as_str().unwrap().contains("did you mean"), "foo is no slip of anything: {error}");
    let problem = raw(&client, "PATCH", "networks/n", "application/json", b"[]").refused(422);
    assert_eq!(problem["detail"], "the body must be a JSON object");
    let twice = br#"{"name": "x", "driver": "macvlan", "macvlan": {"parent": "parent0", "parent": "other0"}}"#;
    let error = first(raw(&client, "POST", "networks", "application/json", twice));
    assert_eq!((&error["pointer"], &error["value"]), (&json!("/macvlan/parent"), &json!("parent")), "{error}");
}

#[test]
fn every_problem_has_a_help_page() {
    let host = host!();
    let client = host.start();
    let problem = client.get("networks/missing").problem(404, "resource-not-found");
    let page = client.get(problem["type"].as_str().unwrap());
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("resource-not-found"));
    let all = client.get("/problems").is(200)["items"].clone();
    let browser = client.header("accept", "text/html,application/xhtml+xml");
    for kind in all.as_array().unwrap() {
        let code = kind["code"].as_str().unwrap();
        let page = browser.get(&format!("/problems/{code}")).text;
        assert!(page.contains(kind["title"].as_str().unwrap()) && !page.contains('`'), "{page}");
        assert!(browser.get("/problems").text.contains(&format!("href=\"/problems/{code}\"")), "{code} is listed");
    }
    let page = browser.get("/problems");
    let sheet = page.text.split("rel=\"stylesheet\" href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert_eq!(host.tcp().get(sheet).status, 200, "the stylesheet is open as well");
    assert!(page.header("content-security-policy").unwrap().contains("style-src 'self'"), "and may be loaded");
    let answer = client.get("networks/missing");
    assert_eq!(answer.header("x-request-id"), answer.json["request_id"].as_str());
    let given = client.header("x-request-id", "mine-1").get("networks/missing");
    assert_eq!(given.json["request_id"], "mine-1");
}

#[test]
fn probes_that_make_no_sense_are_refused() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.100.0.0/24");
    host.sandbox("s", "n");
    for (body, pointer) in [
        (json!({"from": "s", "kind": "arp", "to": "x"}), "/to"),
        (json!({"from": "s", "kind": "smoke", "to": "10.100.0.1"}), "/kind"),
        (json!({"from": "s", "kind": "tcp", "to": "10.100.0.1"}), "/port"),
        (json!({"from": "s", "kind": "arp", "to": "10.100.0.1", "port": 1}), "/port"),
        (json!({"from": "s", "kind": "arp", "to": "10.100.0.1", "count": 0}), "/count"),
        (json!({"from": "s", "kind": "arp", "to": "10.100.0.1", "count": 21}), "/count"),
        (json!({"from": "s", "kind": "arp", "to": "10.100.0.1", "timeout_ms": 9}), "/timeout_ms"),
        (json!({"kind": "arp", "to": "10.100.0.1"}), "/from"),
    ] {
        let problem = client.post("probes", &body).refused(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    let answer = client.post("probes", &json!({"from": "missing", "kind": "arp", "to": "10.100.0.1"}));
    answer.check_problem();
    assert!(matches!(answer.status, 404 | 422), "{}", answer.text);
    client.patch("sandboxes/s", &json!({"desired_state": "stopped"})).is(200);
    client.post("probes", &json!({"from": "s", "kind": "arp", "to": "10.100.0.1"})).problem(409, "sandbox-stopped");
}

#[test]
fn a_body_that_is_missing_is_asked_for() {
    let host = host!();
    let client = host.start();
    let empty = |body| client.send("POST", "networks", body).expect("an answer");
    for problem in [
        empty(None).problem(415, "unsupported-media-type"),
        empty(Some(("application/json", Vec::new()))).problem(400, "malformed-json"),
    ] {
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("a body is needed")), "{problem}");
    }
}
