//! Events: numbered without gaps, one per commit, followed over SSE, resumed across a restart.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use netloom_tests::stream::Stream;
use netloom_tests::{Value, host, json, until};

const SOON: Duration = Duration::from_secs(5);

#[test]
fn events_are_numbered_without_gaps_and_name_who_did_what() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.80.0.0/24");
    host.sandbox("s", "n");
    client.patch("sandboxes/s", &json!({"labels": {"a": "b"}})).is(200);
    client.delete("sandboxes/s").is(204);
    client.delete("networks/n").is(204);
    let page = client.get("events?limit=1000").is(200);
    let events = page["items"].as_array().unwrap();
    for (index, event) in events.iter().enumerate() {
        let seq = event["seq"].as_u64().unwrap();
        assert_eq!(seq, index as u64 + 1, "no gap, from 1");
        let (store, number) = event["id"].as_str().unwrap().split_once(':').unwrap();
        assert!(store.starts_with("sto_") && number == seq.to_string(), "{event}");
        for field in ["time", "kind", "message", "actor"] {
            assert!(!event[field].as_str().unwrap().is_empty(), "{event}");
        }
    }
    let kinds: Vec<&str> = events.iter().map(|e| e["kind"].as_str().unwrap()).collect();
    for kind in [
        "network.created",
        "sandbox.created",
        "sandbox.updated",
        "sandbox.deleting",
        "sandbox.deleted",
        "network.deleted",
    ] {
        assert!(kinds.contains(&kind), "{kind} is missing in {kinds:?}");
    }
    let created = events.iter().find(|e| e["kind"] == "sandbox.created").unwrap();
    assert_eq!((&created["object"]["name"], &created["actor"]), (&json!("s"), &json!("socket:root")));
    assert!(created["request_id"].is_string());
    let some = client.get("events?kinds=network&limit=1000").is(200);
    assert!(some["items"].as_array().unwrap().iter().all(|e| e["kind"].as_str().unwrap().starts_with("network.")));
    let of = client.get("events?object=s&limit=1000").is(200);
    assert!(of["items"].as_array().unwrap().iter().all(|e| e["object"]["name"] == "s"), "{of}");
}

#[test]
fn a_stream_resumes_across_a_restart_without_gap_or_repeat() {
    let host = host!();
    host.start();
    let stream = Stream::open(&host.endless(), "events", None);
    host.macvlan("n", "10.80.0.0/24");
    let last = stream.wait_for("network.created", SOON);
    host.sandbox("while-nobody-reads", "n");
    host.stop();
    host.start();
    host.sandbox("after", "n");
    let stream = Stream::open(&host.endless(), "events", Some(&last.id));
    let mut expected = last.data["seq"].as_u64().unwrap();
    let mut seen = Vec::new();
    while !seen.contains(&"after".to_owned()) {
        let sent = stream.next(SOON).expect("the events since are sent");
        expected += 1;
        assert_eq!(sent.data["seq"].as_u64(), Some(expected), "no gap, no repeat");
        assert_eq!(sent.id, sent.data["id"].as_str().unwrap(), "the SSE id is where to resume");
        seen.push(sent.data["object"]["name"].as_str().unwrap().to_owned());
    }
    assert!(seen.contains(&"while-nobody-reads".to_owned()), "{seen:?}");
}

#[test]
fn a_list_gives_the_number_to_watch_from() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.80.0.0/24");
    let seq = client.get("networks").is(200)["seq"].as_u64().unwrap();
    host.sandbox("s", "n");
    let stream = Stream::open(&host.endless(), &format!("events?since={seq}"), None);
    assert_eq!(stream.next(SOON).expect("an event").data["seq"].as_u64(), Some(seq + 1));
    let filtered = Stream::open(&host.endless(), &format!("events?since={seq}&kinds=sandbox.deleted"), None);
    client.delete("sandboxes/s").is(204);
    assert_eq!(filtered.next(SOON).expect("an event").data["kind"], "sandbox.deleted");
}

#[test]
fn a_cursor_of_another_store_is_refused() {
    let host = host!();
    let client = host.start();
    let foreign = "sto_aaaaaaaaaaaaaaaaaaaaaaaaaa:1";
    let answer = client.get(&format!("events?since={foreign}"));
    answer.check_problem();
    assert!(matches!(answer.status, 400 | 410), "{}", answer.text);
    client.get("events?since=garbage").refused(400);
    let future = client.get("events?since=999999");
    future.problem(410, "cursor-expired");
}

#[test]
fn events_are_paged_as_every_list_is() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.30.0.0/24");
    host.sandbox("s", "n");
    let all = client.get("events?limit=1000").is(200);
    assert_eq!(client.all("events?limit=2"), *all["items"].as_array().unwrap());
    let first = client.get("events?limit=1").is(200);
    let token = first["next_page_token"].as_str().unwrap();
    assert_eq!(
        client.get(&format!("events?limit=1&since={token}")).is(200)["items"][0]["seq"],
        2,
        "an event's ID does as well"
    );
}

#[test]
fn a_kind_that_no_event_has_is_refused_rather_than_silent() {
    let host = host!();
    let client = host.start();
    for (asked, near) in
        [("sandboxes", "sandbox"), ("network.create", "network.created"), ("sandbox,lease.leased", "lease")]
    {
        let refused = client.get(&format!("events?kinds={asked}")).problem(400, "invalid-query");
        assert_eq!(refused["errors"][0]["pointer"], "?kinds", "{asked}");
        let hint = refused["errors"][0]["hint"].as_str().unwrap();
        assert!(hint.contains(&format!("`{near}`")), "{asked}: {hint}");
        let stream = client.header("Accept", "application/x-ndjson").get(&format!("events?kinds={asked}"));
        stream.problem(400, "invalid-query");
    }
    for known in ["sandbox", "drift.repaired", "condition", "lease,network.created"] {
        client.get(&format!("events?kinds={known}")).is(200);
    }
}

#[test]
fn a_reader_that_reads_nothing_stands_in_nobodys_way_and_misses_nothing() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.97.0.0/16");
    let mut reader = UnixStream::connect(host.socket()).unwrap();
    reader.set_read_timeout(Some(SOON)).unwrap();
    let asked = "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\r\n";
    reader.write_all(asked.as_bytes()).unwrap();
    let mut lines = BufReader::new(reader).lines().map_while(Result::ok);
    let head = lines.find(|line| line.is_empty());
    assert!(head.is_some(), "the stream is open");

    // What is written meanwhile is more than the socket's buffers take: half a kilobyte each.
    let seq = || client.get("events?limit=1").is(200)["seq"].as_u64().unwrap();
    let (before, writes) = (seq(), 1500);
    for number in 0..writes {
        let key = format!("k{number}");
        client.post("networks/n/leases?wait=0s", &json!({"key": key, "description": "x".repeat(200)})).is(201);
    }
    assert_eq!(seq(), before + writes);
    // Chunks of the transfer stand between the lines.
    let told =
        lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok()).filter_map(|event| event["seq"].as_u64());
    let told: Vec<u64> = told.take(usize::try_from(writes).unwrap()).collect();
    assert_eq!(told, (before + 1..=before + writes).collect::<Vec<_>>());
}

#[test]
fn one_token_takes_no_more_than_its_part_of_the_connections() {
    let host = host!();
    host.start();
    let with_token = |name: &str| {
        let made = host.client().post("tokens", &json!({"name": name, "role": "viewer"})).is(201);
        let secret = made["secret"].as_str().unwrap().to_owned();
        host.tcp().header("authorization", &format!("Bearer {secret}")).header("accept", "text/event-stream")
    };
    let (one, other) = (with_token("one"), with_token("other"));
    let mut open: Vec<_> = (0..128).map(|_| one.open("GET", "events", None).expect("an answer")).collect();
    assert!(open.iter().all(|stream| stream.status() == 200));
    let refused = one.get("events").problem(429, "too-many-streams");
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("128")), "{refused}");
    assert_eq!(other.open("GET", "events", None).expect("an answer").status(), 200, "another has its own");
    drop(open.pop());
    // A reader that is gone is noticed when something was written to it twice, which takes two heartbeats of 15 s where nothing happens.
    until("there is room again", Duration::from_secs(70), || {
        (one.open("GET", "events", None).expect("an answer").status() == 200).then_some(())
    });
}
