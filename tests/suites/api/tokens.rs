//! Tokens over HTTP: made, shown once, used, revoked, and what ends with them.

use std::time::Duration;

use netloom_tests::stream::Stream;
use netloom_tests::{Answer, Client, Host, Value, host, json};

const SOON: Duration = Duration::from_secs(5);

/// Makes a token as root; its secret.
fn token(host: &Host, spec: &Value) -> String {
    host.client().post("tokens", spec).is(201)["secret"].as_str().unwrap().to_owned()
}

fn bearer(client: &Client, secret: &str) -> Client {
    client.header("authorization", &format!("Bearer {secret}"))
}

#[test]
fn a_token_is_shown_once_works_and_is_revoked_at_once() {
    let host = host!();
    let client = host.start();
    let spec = json!({"name": "ci", "role": "operator", "expires_at": "2099-01-31T12:00:00+02:00"});
    let answer = client.post("tokens", &spec);
    let id = answer.json["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), Some(format!("/api/v1/tokens/{id}").as_str()));
    assert_eq!(answer.header("netloom-seq"), Some(answer.json["revision"].to_string().as_str()));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let made = answer.is(201);
    let secret = made["secret"].as_str().unwrap();
    for reference in ["ci", &id] {
        let shown = client.get(&format!("tokens/{reference}")).is(200);
        for field in ["name", "role", "expires_at"] {
            assert_eq!(shown[field], spec[field], "echoed to the letter");
        }
        assert_eq!((&shown["created_by"], &shown["status"]["state"]), (&json!("socket:root"), &json!("active")));
        assert!(shown.get("secret").is_none() && shown["status"].get("last_used_at").is_none());
    }
    let tcp = bearer(&host.tcp(), secret);
    let me = tcp.get("whoami").is(200);
    let wanted = json!({"name": "ci", "role": "operator", "token_id": id, "expires_at": "2099-01-31T10:00:00.000Z", "permissions": ["read", "write"]});
    assert_eq!(me, wanted);
    host.macvlan("n", "10.110.0.0/24");
    tcp.post("networks/n/leases", &json!({"key": "printer"})).is(201);
    let event = client.get("events?kinds=lease.reserved").is(200)["items"][0].clone();
    assert_eq!(event["actor"], "ci");
    assert!(client.get("tokens/ci").is(200)["status"]["last_used_at"].is_string());
    let all = client.get("tokens");
    assert!(!all.text.contains(secret.rsplit('_').next().unwrap()), "no list shows a secret");
    let names: Vec<&Value> = all.json["items"].as_array().unwrap().iter().map(|token| &token["name"]).collect();
    assert_eq!(names, ["admin", "ci"]);
    assert_eq!(client.get("tokens?role=viewer").is(200)["items"], json!([]));
    client.delete("tokens/ci").is(204);
    tcp.get("networks").problem(401, "unauthenticated");
    let unknown = client.get("tokens/ci").problem(404, "resource-not-found");
    assert!(unknown["hint"].as_str().unwrap().contains("netloom token list"), "{unknown}");
    client.delete(&format!("tokens/{id}")).problem(404, "resource-not-found");
    let kinds: Vec<Value> = client.all("events?kinds=token").iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["token.created", "token.created", "token.revoked"]);
}

#[test]
fn a_mistyped_token_is_told_from_an_unknown_one_without_more_than_that() {
    let host = host!();
    let client = host.start();
    let secret = token(&host, &json!({"name": "ci", "role": "viewer"}));
    let cut = &secret[..secret.len() - 3];
    let swapped = format!("{}{}", &secret[..40], secret[40..].chars().rev().collect::<String>());
    client.delete("tokens/ci").is(204);
    for (sent, said) in
        [(cut, "is no token"), (&swapped, "do not fit the rest"), (&secret, "unknown, expired or revoked")]
    {
        let answer = bearer(&host.tcp(), sent).get("networks");
        assert!(answer.header("www-authenticate").is_some());
        let problem = answer.problem(401, "unauthenticated");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{problem}");
        assert!(problem["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{problem}");
    }
}

#[test]
fn what_a_token_may_be_is_said_with_the_field() {
    let host = host!();
    let client = host.start();
    for (spec, pointer) in [
        (json!({"name": "a b", "role": "viewer"}), "/name"),
        (json!({"name": "admin", "role": "viewer"}), "/name"),
        (json!({"name": "ci", "role": "root"}), "/role"),
        (json!({"name": "ci"}), "/role"),
        (json!({"name": "ci", "role": "viewer", "expires_at": "2001-01-01T00:00:00Z"}), "/expires_at"),
        (json!({"name": "ci", "role": "viewer", "expires": "1d"}), "/expires"),
    ] {
        let problem = client.post("tokens", &spec).refused(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    token(&host, &json!({"name": "ci", "role": "viewer"}));
    client.post("tokens", &json!({"name": "ci", "role": "viewer"})).problem(409, "name-taken");
    client.post("tokens?dry_run=true", &json!({"name": "x", "role": "viewer"})).problem(400, "invalid-query");
}

#[test]
fn a_stream_ends_when_its_token_is_revoked_or_its_end_has_come() {
    let host = host!();
    let client = host.start();
    let (kept, gone) = (
        token(&host, &json!({"name": "kept", "role": "viewer"})),
        token(&host, &json!({"name": "gone", "role": "viewer"})),
    );
    let open = |secret: &str| Stream::open(&bearer(&host.endless(), secret), "events", None);
    let (stays, ends) = (open(&kept), open(&gone));
    client.delete("tokens/gone").is(204);
    let begin = std::time::Instant::now();
    let last = loop {
        let sent = ends.next(SOON).expect("a stream says why it ends");
        if sent.event == "problem" {
            break sent;
        }
    };
    assert_eq!((&last.data["status"], &last.data["code"]), (&json!(401), &json!("unauthenticated")));
    assert!(begin.elapsed() < Duration::from_secs(2), "at once: {:?}", begin.elapsed());
    assert!(ends.next(Duration::from_millis(200)).is_none(), "and nothing comes after it");
    stays.wait_for("token.revoked", SOON);
    host.macvlan("n", "10.110.0.0/24");
    stays.wait_for("network.created", SOON);

    let end = client.get("whoami").header("date").map(str::to_owned);
    let soon = host.net.run("date -u -d +2seconds +%Y-%m-%dT%H:%M:%SZ");
    let short = token(&host, &json!({"name": "short", "role": "viewer", "expires_at": soon.trim()}));
    let expires = open(&short);
    let sent = std::iter::from_fn(|| expires.next(SOON)).find(|sent| sent.event == "problem");
    assert_eq!(sent.unwrap_or_else(|| panic!("it ends by {soon}, begun at {end:?}")).data["status"], 401);
    bearer(&host.tcp(), &short).get("networks").problem(401, "unauthenticated");
    assert_eq!(client.get("tokens/short").is(200)["status"]["state"], "expired");
}

#[test]
fn the_last_way_in_over_the_network_is_not_lost_by_accident() {
    let host = host!();
    let client = host.start();
    let first = host.token();
    let tcp = bearer(&host.tcp(), &first);
    let problem = tcp.delete("tokens/admin").problem(409, "last-admin-token");
    assert!(problem["hint"].as_str().unwrap().contains("netloom token revoke"), "{problem}");
    client.delete("tokens/admin").is(204);
    tcp.get("networks").problem(401, "unauthenticated");
    // A link still lets root's browser in.
    let link = client.send("POST", "login-links", None).unwrap().is(200)["path"].as_str().unwrap().to_owned();
    assert!(link.starts_with("/ui/login?link="));
    host.stop();
    host.start();
    let second = host.token();
    assert_ne!(first, second, "the start wrote another");
    bearer(&host.tcp(), &second).get("tokens").is(200);
}

#[test]
fn when_a_token_was_used_outlives_the_service() {
    let host = host!();
    let client = host.start();
    let secret = token(&host, &json!({"name": "ci", "role": "viewer"}));
    bearer(&host.tcp(), &secret).get("networks").is(200);
    let used = client.get("tokens/ci").is(200)["status"]["last_used_at"].clone();
    assert!(used.is_string());
    host.stop();
    let client = host.start();
    assert_eq!(client.get("tokens/ci").is(200)["status"]["last_used_at"], used);
}

/// A form of the login page, sent.
fn log_in(host: &Host, form: &str) -> Answer {
    let form = Some(("application/x-www-form-urlencoded", form.as_bytes().to_vec()));
    host.tcp().send("POST", "/ui/login", form).expect("an answer")
}

#[test]
fn revoking_a_token_ends_the_links_and_sessions_that_came_of_it() {
    let host = host!();
    let client = host.start();
    let ops = bearer(&host.tcp(), &token(&host, &json!({"name": "ops", "role": "admin"})));
    let link = || {
        let path = ops.send("POST", "login-links", None).unwrap().is(200)["path"].as_str().unwrap().to_owned();
        path.replace("/ui/login?", "")
    };
    let (used, unused) = (link(), link());
    let opened = log_in(&host, &used);
    assert_eq!(opened.status, 303);
    let cookie = opened.header("set-cookie").expect("a cookie").split(';').next().unwrap().to_owned();
    let session = host.tcp().header("cookie", &cookie);
    let who = session.get("whoami").is(200);
    assert_eq!(
        (&who["name"], &who["role"], &who["token_id"]),
        (&json!("login-link"), &json!("admin"), &client.get("tokens/ops").is(200)["id"])
    );
    client.delete("tokens/ops").is(204);
    session.get("networks").problem(401, "unauthenticated");
    assert_eq!(session.get("/ui/tokens").status, 303, "to the login page");
    assert_eq!(log_in(&host, &unused).status, 401);
}

#[test]
fn whoever_logs_in_again_and_again_has_to_wait() {
    let host = host!();
    let client = host.start();
    let form = format!("token={}", token(&host, &json!({"name": "v", "role": "viewer"})));
    for _ in 0..20 {
        assert_eq!(log_in(&host, &form).status, 303);
    }
    let refused = log_in(&host, &form);
    assert!(refused.status == 429 && refused.text.contains("too-many-logins"), "{}", refused.text);
    let wait: u64 = refused.header("retry-after").expect("when to come again").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(host.tcp().get("/problems/too-many-logins").status, 200);
    let opened = client.get("audit?action=session.open&limit=100").is(200)["items"].as_array().unwrap().len();
    assert_eq!(opened, 20);
}
