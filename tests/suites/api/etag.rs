//! Entity tags: what they are on, what moves which part of them, and what the four kinds of precondition do.

use netloom_tests::host::macvlan;
use netloom_tests::{Answer, Client, host, json};

use crate::ipam::orphan;

/// The tag of an answer.
#[track_caller]
fn tag(answer: &Answer) -> String {
    let tag = answer.header("etag").unwrap_or_else(|| panic!("{} has no ETag: {}", answer.request, answer.text));
    let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).expect("a strong tag");
    let (number, hash) = inner.split_once('.').expect("two parts");
    assert!(number.parse::<u64>().is_ok() && hash.len() == 16, "{tag}");
    assert_eq!(number, answer.json["spec_revision"].to_string(), "{}", answer.request);
    tag.to_owned()
}

/// The part before the dot.
fn config(tag: &str) -> &str {
    tag.split('.').next().unwrap()
}

#[track_caller]
fn tag_of(client: &Client, path: &str) -> String {
    tag(&client.get(path))
}

#[test]
fn every_answer_with_one_object_has_a_tag() {
    let host = host!();
    let client = host.start();
    let made = [
        tag(&client.post("networks", &macvlan("n", "10.75.0.0/24"))),
        // Stopped: of a running one the counters of its interfaces are in the answer, and in the tag.
        tag(&client.post("sandboxes", &json!({"name": "s", "desired_state": "stopped", "networks": {"n": {}}}))),
        tag(&client.post("networks/n/leases", &json!({"key": "k"}))),
    ];
    let paths = ["networks/n", "sandboxes/s", "networks/n/leases/k"];
    for (made, path) in made.iter().zip(paths) {
        let first = tag_of(&client, path);
        assert_eq!(config(&first), config(made), "{path}");
        assert_eq!(tag_of(&client, path), first, "{path}: nothing happened meanwhile");
        let same = tag(&client.patch(path, &json!({})));
        assert_eq!(config(&same), config(made), "{path}");
        let changed = tag(&client.patch(path, &json!({"description": "d"})));
        assert_ne!(config(&changed), config(made), "{path}");
        assert_eq!(tag_of(&client, path), changed, "{path}");
    }
    let id = client.get("networks/n/leases/k").is(200)["id"].as_str().unwrap().to_owned();
    assert_eq!(tag_of(&client, &format!("leases/{id}")), tag_of(&client, "networks/n/leases/k"));
    tag(&client.put("sandboxes/t?wait=0s", &json!({"networks": {"n": {}}})));
    let leaving = client.delete("sandboxes/t?wait=0s");
    tag(&leaving);
    leaving.is(202);
    for without in ["networks", "sandboxes", "leases", "events"] {
        assert_eq!(client.get(without).header("etag"), None, "{without}");
    }
}

#[test]
fn a_get_of_what_is_known_has_no_body() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.75.0.0/24");
    client.put("sandboxes/s", &json!({"desired_state": "stopped", "networks": {"n": {}}})).is(201);
    client.put("networks/n/leases/k", &json!({})).is(201);
    for path in ["networks/n", "sandboxes/s", "networks/n/leases/k"] {
        let known = tag_of(&client, path);
        for text in [known.clone(), format!("\"1.0123456789abcdef\", {known}"), "*".to_owned()] {
            let answer = client.header("if-none-match", &text).get(path);
            assert_eq!((answer.status, answer.text.as_str()), (304, ""), "{path} {text}");
            assert_eq!(answer.header("etag"), Some(known.as_str()), "{path} {text}");
        }
        // The same spec in another state is another answer.
        let other = format!("{}.0123456789abcdef\"", config(&known));
        client.header("if-none-match", &other).get(path).is(200);
        client.header("if-none-match", &format!("W/{known}")).get(path).problem(400, "invalid-precondition");
    }
    client.header("if-none-match", "*").get("sandboxes/none").problem(404, "resource-not-found");
}

#[test]
fn a_concurrent_edit_always_and_the_state_never_stands_in_the_way() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.75.0.0/24");
    orphan(&host, &client, "s", "n");
    client.put("networks/n/leases/k", &json!({})).is(201);
    let paths = ["networks/n", "sandboxes/s", "networks/n/leases/k"];
    let read: Vec<String> = paths.iter().map(|path| tag_of(&client, path)).collect();

    // Neighbours come, stop, start and go; a link is deleted by hand and put back.
    host.sandbox("t", "n");
    client.patch("sandboxes/t", &json!({"desired_state": "stopped"})).is(200);
    client.patch("sandboxes/t", &json!({"desired_state": "running"})).is(200);
    client.delete("sandboxes/t").is(204);
    for (path, read) in paths.iter().zip(&read) {
        let now = tag_of(&client, path);
        assert_eq!(config(&now), config(read), "{path}");
        let changed = client.header("if-match", read).patch(path, &json!({"description": "mine"}));
        tag(&changed);
        // An orphan's answer says that it is not verified; it is changed all the same.
        changed.is(if *path == "sandboxes/s" { 202 } else { 200 });
    }
    // What was read before that is from before an edit now.
    let events = client.all("events?limit=1000").len();
    for (path, read) in paths.iter().zip(&read) {
        let present = tag_of(&client, path);
        let guarded = client.header("if-match", read);
        let body = match *path {
            "networks/n" => macvlan("n", "10.75.0.0/24"),
            _ => json!({}),
        };
        for dry in ["", "?dry_run=true"] {
            let at = format!("{path}{dry}");
            let answers = [
                guarded.patch(&at, &json!({"description": "theirs"})),
                guarded.patch(&at, &json!({})),
                guarded.put(&at, &body),
                guarded.delete(&at),
                client.header("if-none-match", "*").put(&at, &body),
            ];
            for answer in answers {
                assert_eq!(answer.header("etag"), Some(present.as_str()), "{}", answer.request);
                let problem = answer.problem(412, "precondition-failed");
                assert_eq!(problem["facts"]["etag"], json!(present), "{problem}");
                assert!(problem["hint"].is_string() && problem["retryable"] == false, "{problem}");
            }
        }
        assert_eq!(tag_of(&client, path), present);
    }
    assert_eq!(client.all("events?limit=1000").len(), events, "nothing was changed");
    for path in paths.iter().rev() {
        let several = format!("\"1.0123456789abcdef\", {}", tag_of(&client, path));
        client.header("if-match", &several).delete(path).is(204);
    }
}

#[test]
fn a_network_that_takes_its_endpoints_along_is_an_edit_of_their_sandboxes() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.75.0.0/24");
    host.sandbox("s", "n");
    let read = tag_of(&client, "sandboxes/s");
    client.delete("networks/n?cascade=endpoints").is(204);
    client
        .header("if-match", &read)
        .patch("sandboxes/s", &json!({"description": "x"}))
        .problem(412, "precondition-failed");
}

#[test]
fn of_eight_who_read_the_same_one_writes() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.75.0.0/24");
    for path in ["networks/n", "sandboxes/s", "networks/n/leases/k"] {
        if !path.ends_with("/n") {
            client.put(path, &json!({})).is(201);
        }
        let read = tag_of(&client, path);
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let write = |n: usize| {
                let guarded = host.client().header("if-match", &read);
                guarded.patch(path, &json!({"description": n.to_string()})).status
            };
            let all: Vec<_> = (0..8).map(|n| scope.spawn(move || write(n))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{path} {statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 7, "{path} {statuses:?}");
    }
}

#[test]
fn to_make_only_and_to_change_only() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.75.0.0/24");
    for path in ["sandboxes/s", "networks/n/leases/k"] {
        let (make, change) = (client.header("if-none-match", "*"), client.header("if-match", "*"));
        let problem = change.put(path, &json!({})).problem(412, "precondition-failed");
        assert_eq!(problem.get("facts"), None, "{problem}");
        client.header("if-match", "\"1.0123456789abcdef\"").put(path, &json!({})).problem(412, "precondition-failed");
        change.patch(path, &json!({})).problem(404, "resource-not-found");
        change.delete(path).problem(404, "resource-not-found");
        make.put(&format!("{path}?dry_run=true"), &json!({})).is(200);
        make.put(path, &json!({})).is(201);
        make.put(path, &json!({})).problem(412, "precondition-failed");
        change.put(path, &json!({"description": "x"})).is(200);
        change.delete(path).is(204);
    }
}

#[test]
fn a_precondition_that_cant_be_taken_is_refused() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.75.0.0/24");
    host.sandbox("s", "n");
    let known = tag_of(&client, "sandboxes/s");
    let refused = |answer: Answer, header: &str| {
        let problem = answer.problem(400, "invalid-precondition");
        assert_eq!(problem["errors"][0]["pointer"], header, "{problem}");
        assert!(problem["errors"][0]["hint"].is_string(), "{problem}");
    };
    for garbled in
        ["", "x", "\"7\"", "7.0123456789abcdef", "\"7.0123456789abcdef", "W/\"7.0123456789abcdef\"", "\"7.x\"", "*, *"]
    {
        let guarded = client.header("if-match", garbled);
        refused(guarded.patch("sandboxes/s", &json!({})), "If-Match");
        refused(guarded.put("sandboxes/s", &json!({})), "If-Match");
        refused(guarded.delete("sandboxes/s"), "If-Match");
        refused(guarded.delete("networks/n?cascade=endpoints"), "If-Match");
        refused(client.header("if-none-match", garbled).get("sandboxes/s"), "If-None-Match");
    }
    let (changes, makes) = (client.header("if-match", &known), client.header("if-none-match", "*"));
    refused(changes.get("sandboxes/s"), "If-Match");
    refused(changes.get("sandboxes"), "If-Match");
    refused(changes.post("sandboxes", &json!({"name": "t"})), "If-Match");
    refused(changes.post("prune", &json!({})), "If-Match");
    refused(makes.post("sandboxes", &json!({"name": "t"})), "If-None-Match");
    refused(makes.patch("sandboxes/s", &json!({})), "If-None-Match");
    refused(makes.delete("sandboxes/s"), "If-None-Match");
    refused(makes.get("sandboxes"), "If-None-Match");
    refused(makes.get("sandboxes/s/resolv.conf"), "If-None-Match");
    refused(client.header("if-none-match", &known).put("sandboxes/s", &json!({})), "If-None-Match");
    refused(changes.header("if-none-match", "*").put("sandboxes/s", &json!({})), "If-None-Match");
    let since = client.header("if-unmodified-since", "Sat, 29 Oct 1994 19:43:31 GMT");
    refused(since.patch("sandboxes/s", &json!({})), "If-Unmodified-Since");
    makes.get("nowhere").problem(404, "route-not-found");
    makes.put("sandboxes", &json!({})).problem(405, "method-not-allowed");
    assert_eq!(config(&tag_of(&client, "sandboxes/s")), config(&known));
    client.get("sandboxes/t").problem(404, "resource-not-found");
}

#[test]
fn what_never_changes_has_a_tag_for_whoever_reads_it_again() {
    let host = host!();
    let client = host.start();
    client.post("tokens", &json!({"name": "ci", "role": "viewer"})).is(201);
    let planned = client.post("networks?dry_run=true", &macvlan("n", "10.75.0.0/24")).is(200);
    let plan = format!("plans/{}", planned["plan"]["id"].as_str().unwrap());
    for path in ["tokens/ci", plan.as_str()] {
        let tag = client.get(path).header("etag").unwrap_or_else(|| panic!("{path} has no ETag")).to_owned();
        let again = client.header("If-None-Match", &tag).get(path);
        assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", Some(tag.as_str())), "{path}");
        client.header("If-None-Match", "\"0.0123456789abcdef\"").get(path).is(200);
        client.header("If-Match", &tag).delete(path).problem(400, "invalid-precondition");
        client.delete(path).is(204);
    }
}
