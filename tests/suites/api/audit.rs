//! The audit over HTTP: every way of asking leaves the entry that it should, and no other.

use netloom_tests::{Client, Host, Value, host, json};

fn role(host: &Host, name: &str, role: &str) -> Client {
    let made = host.client().post("tokens", &json!({"name": name, "role": role})).is(201);
    host.tcp().header("authorization", &format!("Bearer {}", made["secret"].as_str().unwrap()))
}

fn words(client: &Client, query: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let word = |entry: &Value| {
        let object = entry["object"].get("name").or(entry["object"].get("id")).unwrap_or(&Value::Null);
        format!(
            "{} {} {} {} {}",
            text(&entry["actor"]),
            text(&entry["action"]),
            text(&entry["decision"]),
            text(object),
            text(&entry["code"])
        )
    };
    client.all(&format!("audit?{query}")).iter().map(word).collect()
}

#[test]
fn whoever_asks_for_a_change_is_told_with_what_it_changed() {
    let host = host!();
    let client = host.start();
    let ci = role(&host, "ci", "operator");
    host.macvlan("n", "10.120.0.0/24");
    ci.header("x-request-id", "pipeline-7")
        .post("networks/n/leases", &json!({"key": "printer", "description": "old"}))
        .is(201);
    ci.patch("networks/n/leases/printer", &json!({"description": "new"})).is(200);
    ci.put("networks/n/leases/printer", &json!({"description": "new"})).is(200);
    ci.delete("networks/n/leases/printer").is(204);
    let wanted = [
        "ci lease.release allowed printer -",
        "ci lease.update allowed printer -",
        "ci lease.reserve allowed printer -",
        "socket:root network.create allowed n -",
        "socket:root token.create allowed ci -",
        "netloom login_link.create allowed - -",
        "netloom token.create allowed admin -",
    ];
    assert_eq!(words(&client, ""), wanted, "a PUT that changes nothing is none");
    let token = client.get("tokens/ci").is(200)["id"].clone();
    let entries = client.all("audit?object=printer");
    let entry = &entries[1];
    assert_eq!((&entry["before"], &entry["after"]), (&json!({"description": "old"}), &json!({"description": "new"})));
    assert_eq!(
        (&entry["source"], &entry["role"], &entry["token_id"]),
        (&json!("127.0.0.1"), &json!("operator"), &token)
    );
    assert_eq!((&entry["method"], &entry["path"]), (&json!("PATCH"), &json!("/api/v1/networks/n/leases/printer")));
    assert_eq!(entries[2]["request_id"], "pipeline-7");
    let event = client.get("events?kinds=lease.updated").is(200)["items"][0]["seq"].clone();
    assert_eq!(entry["event"], event, "the event of the same commit");
    let by_root = client.all("audit?actor=socket:root&action=network");
    assert_eq!((by_root.len(), &by_root[0]["source"]), (1, &json!("uid:0")));
    assert_eq!(client.all(&format!("audit?actor={}", token.as_str().unwrap())).len(), 3);
    let time = entry["time"].as_str().unwrap();
    assert_eq!(words(&client, &format!("object=printer&since={time}")).len(), 2);
    assert_eq!(words(&client, &format!("object=printer&until={time}")).len(), 1);
    let page = client.get("audit?limit=2").is(200);
    assert!(page["next_page_token"].is_string());
    assert_eq!(words(&client, "limit=2"), wanted, "page after page");
    let refused = client.post("networks", &json!({"name": "m", "driver": "macvlan"})).refused(422);
    let failed = &client.get("audit?decision=failed&limit=1").is(200)["items"][0].clone();
    let told = (&failed["code"], &failed["detail"], &failed["pointer"]);
    assert_eq!(
        told,
        (&refused["code"], &refused["detail"], &refused["errors"][0]["pointer"]),
        "in the problem's words"
    );
    client.get("audit?decision=maybe").problem(400, "invalid-query");
    client.get("audit?since=yesterday").problem(400, "invalid-query");
}

#[test]
fn what_is_denied_or_fails_is_told_and_what_only_reads_is_not() {
    let host = host!();
    let client = host.start();
    let (viewer, operator) = (role(&host, "v", "viewer"), role(&host, "o", "operator"));
    host.macvlan("n", "10.120.0.0/24");
    let before = words(&client, "").len();
    viewer.get("networks/n").is(200);
    viewer.get("networks/missing").problem(404, "resource-not-found");
    viewer.get("networks?nonsense=1").problem(400, "invalid-query");
    operator.delete("networks/missing?dry_run=true").problem(404, "resource-not-found");
    operator
        .send("POST", "networks", Some(("application/json", b"{".to_vec())))
        .unwrap()
        .problem(400, "malformed-json");
    assert_eq!(words(&client, "").len(), before, "{:?}", words(&client, ""));
    viewer.delete("networks/missing").problem(403, "forbidden");
    viewer.post("prune?dry_run=true", &json!({})).problem(403, "forbidden");
    viewer.get("audit").problem(403, "forbidden");
    operator.get("tokens/ci").problem(403, "forbidden");
    operator.delete("networks/missing").problem(404, "resource-not-found");
    operator.put("networks/n", &json!({"driver": "macvlan", "macvlan": {"parent": "none0"}})).refused(422);
    let mut told = words(&client, "");
    told.truncate(6);
    told.reverse();
    let wanted = [
        "v network.remove denied missing forbidden",
        "v prune denied - forbidden",
        "v audit.list denied - forbidden",
        "o token.get denied ci forbidden",
        "o network.remove failed missing resource-not-found",
        "o network.put failed n immutable-field",
    ];
    assert_eq!(told[..5], wanted[..5]);
    assert!(told[5].starts_with("o network.put failed n "), "{told:?}");
    assert_eq!(words(&client, "decision=denied").len(), 4);
    // The dashboard's pages, too.
    assert_eq!(viewer.get("/ui/activity?show=audit").status, 403);
    assert_eq!(words(&client, "decision=denied&limit=1")[0], "v audit.list denied - forbidden");
    let entry = &client.get("audit?limit=1").is(200)["items"][0].clone();
    assert_eq!(entry["path"], "/ui/activity");
    assert_eq!(viewer.get("/ui/tokens").status, 403);
    assert_eq!(words(&client, "decision=denied&limit=1")[0], "v token.list denied - forbidden");
    // The same over and over is left out; what is not the same is not.
    for _ in 0..30 {
        viewer.delete("networks/again").problem(403, "forbidden");
    }
    viewer.delete("sandboxes/other").problem(403, "forbidden");
    let told = words(&client, "decision=denied&limit=100");
    assert_eq!(told[0], "v sandbox.remove denied other forbidden");
    assert_eq!(told.iter().filter(|word| word.starts_with("v network.remove denied")).count(), 10, "{told:?}");
}

#[test]
fn a_backup_and_a_restart_keep_the_audit_and_no_secret_is_in_it() {
    let host = host!();
    let client = host.start();
    let made = client.post("tokens", &json!({"name": "ci", "role": "admin"})).is(201);
    let secret = made["secret"].as_str().unwrap().rsplit('_').next().unwrap().to_owned();
    let tcp = host.tcp().header("authorization", &format!("Bearer {}", made["secret"].as_str().unwrap()));
    let link = tcp.send("POST", "login-links", None).unwrap().is(200)["path"].as_str().unwrap().to_owned();
    assert_eq!(tcp.send("POST", "backups", None).unwrap().status, 200);
    let opened = host.tcp().send(
        "POST",
        "/ui/login",
        Some(("application/x-www-form-urlencoded", link.replace("/ui/login?", "").into_bytes())),
    );
    assert_eq!(opened.unwrap().status, 303);
    let told = words(&client, "");
    assert_eq!(
        told[..4],
        [
            "login-link session.open allowed - -",
            "ci backup.create allowed - -",
            "ci login_link.create allowed - -",
            "socket:root token.create allowed ci -"
        ]
    );
    let text = client.get("audit").text;
    for secret in [secret.as_str(), link.rsplit('=').next().unwrap()] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    host.stop();
    let client = host.start();
    assert_eq!(words(&client, ""), told);
}

#[test]
fn what_came_of_one_request_is_found_by_its_id() {
    let host = host!();
    let client = host.start();
    let made = client.post("networks", &json!({"name": "web", "driver": "bridge"}));
    let id = made.header("x-request-id").expect("each answer has one").to_owned();
    let refused = client.post("networks", &json!({"name": "web", "driver": "bridge"})).problem(409, "name-taken");
    let other = refused["request_id"].as_str().unwrap();
    assert_eq!(words(&client, &format!("request_id={id}")), ["socket:root network.create allowed web -"]);
    assert_eq!(words(&client, &format!("request_id={other}")), ["socket:root network.create failed web name-taken"]);
    let events = client.get(&format!("events?request_id={id}")).is(200);
    assert_eq!(events["items"][0]["kind"], "network.created");
    assert!(events["items"].as_array().unwrap().iter().all(|event| event["request_id"] == id.as_str()), "{events}");
    assert!(client.get(&format!("events?request_id={other}")).is(200)["items"].as_array().unwrap().is_empty());
    let found = client.get(&format!("search?q={other}")).is(200);
    assert_eq!(found["groups"][0]["kind"], "request", "{found}");
    let stream = host.client().header("accept", "application/x-ndjson").get(&format!("events?request_id={id}"));
    stream.problem(400, "invalid-query");
}
