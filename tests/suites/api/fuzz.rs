//! Mutated requests, 1,000 of them, or `LOOPS` times as many: each is answered 2xx, or 4xx as a problem that leaves nothing behind.

use netloom_tests::{Client, Snapshot, Value, host, json, loops, number};

/// xorshift64*: the same cases on every run of one seed, which a failure prints.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % sides
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

/// Values that somebody might send. No number here is a process that could be adopted.
fn odd_values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(4_294_967_296_u64),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(""),
        json!(" "),
        json!("x"),
        json!("\u{0}"),
        json!("é\u{202e}"),
        json!("../../etc/passwd"),
        json!("'; DROP TABLE network; --"),
        json!("{{7*7}}<script>"),
        json!("0.0.0.0"),
        json!("0.0.0.0/0"),
        json!("::/0"),
        json!("255.255.255.255"),
        json!("10.0.0.0/31"),
        json!("10.0.0.0/32"),
        json!("fd00::/127"),
        json!("fd00::/128"),
        json!("fd00::1"),
        json!("::ffff:10.0.0.1"),
        json!("10.0.0.5-10.0.0.1"),
        json!("10.0.0.1-fd00::1"),
        json!("ff:ff:ff:ff:ff:ff"),
        json!("00:00:00:00:00:00"),
        json!("/proc/1/ns/net"),
        json!("/proc/self/ns/net"),
        json!("/dev/null"),
        json!("/nonexistent"),
        json!("relative/path"),
        json!("stopped"),
        json!("A".repeat(5000)),
        json!([]),
        json!({}),
        json!([[[]]]),
        json!([1, 2, 3]),
        json!({"": ""}),
        json!({"a": {"b": {"c": {}}}}),
    ]
}

const KEYS: &[&str] = &[
    "",
    "name",
    "driver",
    "pools",
    "macvlan",
    "labels",
    "mtu",
    "networks",
    "address4",
    "address6",
    "mac",
    "interface",
    "netns",
    "pid",
    "desired_state",
    "status",
    "id",
    "__proto__",
    "a/b~c",
    "\u{1F980}",
    "range",
    "gateway",
    "reserved",
    "key",
    "pool",
    "kind",
    "to",
    "count",
];

/// Changes one place of a document.
fn mutate(dice: &mut Dice, value: &mut Value, odd: &[Value]) {
    match value {
        Value::Object(members) if !members.is_empty() && dice.roll(4) > 0 => {
            let keys: Vec<String> = members.keys().cloned().collect();
            let key = dice.pick(&keys).clone();
            match dice.roll(6) {
                0 => drop(members.remove(&key)),
                1 => drop(members.insert((*dice.pick(KEYS)).to_owned(), dice.pick(odd).clone())),
                _ => mutate(dice, members.get_mut(&key).expect("the key is there"), odd),
            }
        }
        other => *other = dice.pick(odd).clone(),
    }
}

/// Requests that are right before they are mutated.
fn seeds() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        (
            "POST",
            "networks",
            json!({
                "name": "fuzz", "driver": "macvlan", "description": "d", "labels": {"a": "b"}, "mtu": 1400, "internal": false,
                "pools": {"v4": {"subnet": "10.200.0.0/24", "gateway": "10.200.0.1", "range": "10.200.0.128/25", "reserved": {"p": "10.200.0.9"}}, "v6": {"family": 6}},
                "macvlan": {"parent": "parent0", "mode": "bridge", "probe": false}
            }),
        ),
        (
            "PATCH",
            "networks/base",
            json!({"description": "x", "labels": {"k": "v"}, "pools": {"v4": {"reserved": {"q": "10.210.0.77"}}}}),
        ),
        (
            "POST",
            "sandboxes",
            json!({
                "name": "fuzz", "labels": {"a": "b"}, "desired_state": "running",
                "networks": {"base": {"address4": "10.210.0.50", "mac": "02:00:00:00:00:50", "interface": "eth0", "aliases": ["x"], "gateway_priority": 1}}
            }),
        ),
        (
            "PATCH",
            "sandboxes/base",
            json!({"description": "y", "networks": {"base": {"gateway_priority": 2}}, "desired_state": "running"}),
        ),
        (
            "POST",
            "networks/base/leases",
            json!({"key": "fuzz", "address": "10.210.0.60", "mac": "02:00:00:00:00:60", "pool": "v4", "description": "z"}),
        ),
        ("POST", "probes", json!({"from": "base", "kind": "arp", "to": "10.210.0.2", "count": 1, "timeout_ms": 10})),
        ("POST", "prune?dry_run=true", json!({})),
        ("DELETE", "sandboxes/missing", Value::Null),
        ("GET", "leases?address=10.210.0.2&limit=3", Value::Null),
        ("GET", "events?since=1&kinds=network&limit=5", Value::Null),
        ("GET", "addresses/10.210.0.2?at=2026-01-01T00:00:00Z", Value::Null),
    ]
}

/// One request: a seed with its document, its text or its path mutated.
fn request(dice: &mut Dice, seeds: &[(&str, &str, Value)], odd: &[Value]) -> (String, String, Vec<u8>) {
    let (method, path, document) = dice.pick(seeds);
    let (mut path, mut document) = ((*path).to_owned(), document.clone());
    for _ in 0..=dice.roll(3) {
        mutate(dice, &mut document, odd);
    }
    let mut body = if document.is_null() { Vec::new() } else { document.to_string().into_bytes() };
    match dice.roll(10) {
        0 if !body.is_empty() => body.truncate(dice.roll(body.len())),
        1 if !body.is_empty() => {
            let at = dice.roll(body.len());
            // Not to a digit: no text may turn into the number of a process.
            body[at] = *dice.pick(&[b'"', b'{', b'}', b',', 0, 0xff, b'\\', b' ']);
        }
        2 => {
            let odd = *dice.pick(&[
                "%00",
                "%ff",
                "?x=1",
                "&limit=-1",
                "?limit=99999999999999999999",
                "/x",
                "%2f",
                "?page_token=AAAA",
                "?wait=0",
                "?dry_run=yes",
            ]);
            path.push_str(odd);
        }
        _ => {}
    }
    ((*method).to_owned(), path, body)
}

fn seq(client: &Client) -> u64 {
    client.get("networks?limit=1").is(200)["seq"].as_u64().expect("a page has its number")
}

/// Removes what a mutated request made, so that the next one meets the same state.
fn undo(client: &Client) {
    for list in ["sandboxes", "networks"] {
        for item in client.all(&format!("{list}?limit=1000")) {
            if item["name"] != "base" && item["status"]["predefined"] != true {
                if item["deletion_protection"] == true {
                    client
                        .patch(
                            &format!("networks/{}", item["id"].as_str().unwrap()),
                            &json!({"deletion_protection": null}),
                        )
                        .is(200);
                }
                client.delete(&format!("{list}/{}", item["id"].as_str().unwrap())).is(204);
            }
        }
    }
    for lease in client.all("leases?kind=reserved&network=base") {
        if lease["key"].is_string() {
            client.delete(&format!("networks/base/leases/{}", lease["id"].as_str().unwrap())).is(204);
        }
    }
}

#[test]
fn mutated_requests_never_break_anything() {
    let cases = loops(1000);
    let seed = u64::from(number("FUZZ_SEED", 20_261_124));
    let host = host!();
    let client = host.start();
    host.macvlan("base", "10.210.0.0/24");
    host.sandbox("base", "base");
    let before = Snapshot::of(&host);
    let (seeds, odd, mut dice) = (seeds(), odd_values(), Dice(seed));
    let (mut taken, mut refused) = (0, 0);
    for case in 0..cases {
        let (method, path, body) = request(&mut dice, &seeds, &odd);
        let shown = format!("case {case} of seed {seed}: {method} {path} {}", String::from_utf8_lossy(&body));
        let seq_before = seq(&client);
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let body = (method != "GET" && method != "DELETE").then_some((kind, body));
        let answer = client.send(&method, &path, body).unwrap_or_else(|error| panic!("{shown}: no answer: {error}"));
        assert!(answer.status < 500, "{shown}: {} {}", answer.status, answer.text);
        if answer.status >= 400 {
            refused += 1;
            answer.check_problem();
            if answer.status == 422 {
                let errors = answer.json["errors"].as_array().unwrap_or_else(|| panic!("{shown}: {}", answer.text));
                assert!(errors.iter().all(|e| e["pointer"].is_string()), "{shown}: {}", answer.text);
            }
            let kernel_asked =
                matches!(answer.json["code"].as_str(), Some("kernel-refused" | "name-conflict" | "namespace-gone"));
            assert!(
                kernel_asked || seq(&client) == seq_before,
                "{shown}: refused, and yet something was stored: {}",
                answer.text
            );
        } else if method != "GET" {
            taken += 1;
            undo(&client);
        }
    }
    assert!(refused > cases / 4 && taken > 0, "the mutations are of both sorts: {taken} taken, {refused} refused");
    client.patch("sandboxes/base", &json!({"networks": {"base": {}}})).is(200);
    undo(&client);
    Snapshot::of(&host).same_as(&before);
    assert_eq!(client.get("drift").is(200)["items"], json!([]));
}
