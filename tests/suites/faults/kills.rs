//! SIGKILL at every fault point, on every kind of write: what was in flight is completed or never was, and doing it again works.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use netloom_tests::firewalls::docker_chains;
use netloom_tests::host::macvlan;
use netloom_tests::{Client, Host, Snapshot, Start, Value, host, json, loops, until};

use crate::agreement::{agree, one_answers};

/// A kind of write: how to get ready for it, and the request.
struct Case {
    name: &'static str,
    prepare: fn(&Client),
    write: fn() -> (&'static str, &'static str, Value),
    /// Statuses that the request may have once the former try was completed or undone.
    again: &'static [u16],
}

fn remove_if_there(client: &Client, path: &str) {
    let answer = client.delete(path);
    assert!(matches!(answer.status, 204 | 404), "{path}: {}", answer.text);
}

fn stopped(client: &Client, stopped: bool) {
    let state = if stopped { "stopped" } else { "running" };
    client.patch("sandboxes/s", &json!({"desired_state": state})).is(200);
}

fn with_sandbox(client: &Client) {
    if client.get("sandboxes/s").status == 404 {
        client.post("sandboxes", &json!({"name": "s", "networks": {"n": {}}})).is(201);
    }
    client.patch("sandboxes/s", &json!({"desired_state": "running", "networks": {"n": {}, "m": null}})).is(200);
}

const CASES: &[Case] = &[
    Case {
        name: "create",
        prepare: |client| remove_if_there(client, "sandboxes/s"),
        write: || {
            let port = json!({"target": 80, "published": 18_888, "host_address": "0.0.0.0"});
            ("POST", "sandboxes", json!({"name": "s", "networks": {"n": {}, "m": {"ports": {"web": port}}}}))
        },
        again: &[201, 409],
    },
    Case {
        name: "attach",
        prepare: with_sandbox,
        write: || ("PATCH", "sandboxes/s", json!({"networks": {"m": {"ports": {"any": {"target": 80, "count": 3}}}}})),
        again: &[200],
    },
    Case {
        name: "detach",
        prepare: |client| {
            with_sandbox(client);
            client.patch("sandboxes/s", &json!({"networks": {"m": {"ports": {"any": {"target": 80}}}}})).is(200);
        },
        write: || ("PATCH", "sandboxes/s", json!({"networks": {"m": null}})),
        again: &[200],
    },
    Case {
        name: "stop",
        prepare: with_sandbox,
        write: || ("PATCH", "sandboxes/s", json!({"desired_state": "stopped"})),
        again: &[200],
    },
    Case {
        name: "start",
        prepare: |client| {
            with_sandbox(client);
            stopped(client, true);
        },
        write: || ("PATCH", "sandboxes/s", json!({"desired_state": "running"})),
        again: &[200],
    },
    Case {
        name: "remove",
        prepare: with_sandbox,
        write: || ("DELETE", "sandboxes/s", Value::Null),
        again: &[204, 404],
    },
];

fn send(client: &Client, write: &(&str, &str, Value)) -> Option<u16> {
    let (method, path, body) = write;
    let body = (!body.is_null()).then(|| ("application/json", body.to_string().into_bytes()));
    client.send(method, path, body).ok().map(|answer| answer.status)
}

/// Points passed by any case, over the tests of this file.
static PASSED: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// Kills the daemon at each passing of one point during a write. Returns how often it was killed.
fn kill_at(host: &Host, case: &Case, point: &'static str, most: u64) -> u64 {
    let mut killed = 0;
    for nth in 1..=most {
        host.start();
        (case.prepare)(&host.client());
        host.stop();
        let what = format!("{} killed at {point}:{nth}", case.name);
        let write = (case.write)();
        let up = host.try_start(&Start::fault(format!("{point}:kill:{nth}"))).is_ok();
        if up {
            let status = send(&host.client(), &write);
            if status.is_some() && !host.has_ended() {
                host.stop();
                return killed;
            }
        }
        host.wait_end(Duration::from_secs(10));
        killed += 1;
        PASSED.lock().unwrap().insert(point);
        host.start();
        agree(host, &what);
        let status = send(&host.client(), &write).expect("the daemon is up");
        assert!(case.again.contains(&status), "{what}: the same request again gives {status}");
        agree(host, &format!("{what}, and the request sent again"));
        if case.name == "remove" || case.name == "detach" {
            let client = host.client();
            let body = json!({"name": "successor", "networks": {"m": {}, "n": {"gateway_priority": 1}}});
            let next = client.post("sandboxes", &body).is(201);
            one_answers(host, "peer", next["status"]["endpoints"]["n"]["address"].as_str().unwrap());
            client.delete("sandboxes/successor").is(204);
        }
        host.stop();
    }
    killed
}

fn kill_everywhere(name: &str) {
    let case = CASES.iter().find(|case| case.name == name).expect("a case of this name");
    let most = u64::from(loops(2));
    let host = host!();
    // So that there is a rule of ours to be made and removed in a table of somebody else's.
    docker_chains(&host);
    // So that a link of the host's has to lend its forwarding.
    host.net.run("ip addr add 203.0.113.1/24 dev parent0");
    let before = Snapshot::of(&host);
    let client = host.start();
    host.macvlan("n", "10.180.0.0/24");
    host.bridge("m", "10.181.0.0/24");
    host.sandbox("peer", "n");
    host.stop();
    let mut killed = 0;
    // A restore and a lab are other processes, with kills of their own (suites/cli/backup.rs, suites/lab/cut_off.rs).
    let of_others = |point: &str| point.starts_with("restore.") || point.starts_with("lab.");
    for &point in netloom_fault::POINTS.iter().filter(|point| !of_others(point)) {
        killed += kill_at(&host, case, point, most);
    }
    assert!(killed >= 8, "{name} passes more than {killed} fault points");
    host.start();
    for path in ["sandboxes/s", "sandboxes/peer", "networks/n", "networks/m"] {
        remove_if_there(&client, path);
    }
    until("all is gone", Duration::from_secs(5), || Snapshot::of(&host).differences(&before).is_empty().then_some(()));
}

#[test]
fn killed_while_creating() {
    kill_everywhere("create");
}

#[test]
fn killed_while_attaching() {
    kill_everywhere("attach");
}

#[test]
fn killed_while_detaching() {
    kill_everywhere("detach");
}

#[test]
fn killed_while_stopping() {
    kill_everywhere("stop");
}

#[test]
fn killed_while_starting() {
    kill_everywhere("start");
}

#[test]
fn killed_while_removing() {
    kill_everywhere("remove");
}

#[test]
fn killed_while_a_conflict_is_recorded() {
    let host = host!();
    let client = host.start();
    host.lan.run("ip addr add 10.182.0.2/24 dev wire0");
    let mut body = macvlan("n", "10.182.0.0/24");
    body["macvlan"]["probe"] = json!(true);
    client.post("networks", &body).is(201);
    host.stop();
    host.start_with(&Start::fault("control.conflict.before_commit:kill"));
    let write = ("POST", "sandboxes", json!({"name": "s", "networks": {"n": {}}}));
    assert_eq!(send(&client, &write), None, "the daemon was killed");
    host.wait_end(Duration::from_secs(10));
    host.start();
    agree(&host, "a kill while a conflict is recorded");
    let endpoint = client.get("sandboxes/s").is(200)["status"]["endpoints"]["n"].clone();
    assert_eq!((&endpoint["address"], &endpoint["state"]), (&json!("10.182.0.3"), &json!("attached")));
    assert_eq!(client.get("leases?address=10.182.0.2").is(200)["items"][0]["status"]["state"], "quarantined");
}

#[test]
fn killed_while_a_network_comes_and_goes() {
    let host = host!();
    host.net.run("ip addr add 10.183.0.9/24 dev parent0");
    let before = Snapshot::of(&host);
    host.start();
    host.stop();
    let mut body = macvlan("n", "10.183.0.0/24");
    body["macvlan"]["host_access"] = json!(true);
    let create = ("POST", "networks", body);
    let attach = ("POST", "sandboxes", json!({"name": "s", "networks": {"n": {}}}));
    let cascade = ("DELETE", "networks/n?cascade=endpoints", Value::Null);
    let remove = ("DELETE", "sandboxes/s", Value::Null);
    for point in [
        "control.create.after_commit",
        "kernel.link.after_create",
        "control.remove.after_mark",
        "kernel.link.after_delete",
        "control.remove.before_purge",
    ] {
        for write in [&create, &attach, &cascade, &remove] {
            let alive = host.try_start(&Start::fault(format!("{point}:kill"))).is_ok()
                && send(&host.client(), write).is_some()
                && !host.has_ended();
            if alive {
                host.stop();
                continue;
            }
            host.wait_end(Duration::from_secs(10));
            host.start();
            agree(&host, &format!("{} {} killed at {point}", write.0, write.1));
            let status = send(&host.client(), write).unwrap();
            assert!(matches!(status, 200..=204 | 404 | 409), "{} {} again: {status}", write.0, write.1);
            host.stop();
        }
    }
    let client = host.start();
    remove_if_there(&client, "sandboxes/s");
    remove_if_there(&client, "networks/n");
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn killed_while_many_leave_a_bridge_at_once() {
    let host = host!();
    let before = Snapshot::of(&host);
    host.start();
    host.stop();
    let names: Vec<String> = (0..10).map(|number| format!("s{number}")).collect();
    let cascade = ("DELETE", "networks/n?cascade=endpoints", Value::Null);
    for point in [
        "control.remove.after_mark",
        "kernel.link.after_leave",
        "kernel.link.after_delete",
        "agent.pass.before_report",
        "control.remove.before_purge",
    ] {
        host.start_with(&Start::fault(format!("{point}:kill")));
        host.bridge("n", "10.184.0.0/24");
        names.iter().for_each(|name| drop(host.sandbox(name, "n")));
        assert_eq!(send(&host.client(), &cascade), None, "{point} is passed");
        host.wait_end(Duration::from_secs(10));
        let client = host.start();
        agree(&host, &format!("a cascade killed at {point}"));
        remove_if_there(&client, "networks/n?cascade=endpoints");
        for name in &names {
            assert_eq!(client.get(&format!("sandboxes/{name}")).is(200)["status"]["endpoints"], json!({}), "{point}");
            client.delete(&format!("sandboxes/{name}")).is(204);
        }
        host.stop();
    }
    Snapshot::of(&host).same_as(&before);
}
