//! The kernel says no: the whole write is undone, and the problem names the object, the operation and the errno.

use std::time::Duration;

use netloom_tests::firewalls::docker_chains;
use netloom_tests::{Host, Namespace, Snapshot, Start, host, json, until};

use crate::agreement::agree;

fn nothing_stays(host: &Host, before: &Snapshot, what: &str) {
    let client = host.client();
    client.get("sandboxes/s").problem(404, "resource-not-found");
    assert_eq!(client.get("leases?kind=dynamic").is(200)["items"], json!([]), "{what}");
    agree(host, what);
    Snapshot::of(host).same_as(before);
}

#[test]
fn every_step_that_fails_is_undone() {
    let host = host!();
    host.start();
    host.macvlan("n", "10.188.0.0/24");
    host.bridge("b", "10.189.0.0/24");
    host.stop();
    docker_chains(&host);
    let before = Snapshot::of(&host);
    let steps = [
        "kernel.namespace.after_unshare",
        "kernel.namespace.after_mount",
        "kernel.firewall.before_change",
        "kernel.firewall.after_change",
        "kernel.firewall.before_pass_rule",
        "kernel.link.before_create",
        "kernel.link.after_create",
        "kernel.link.after_alias",
        "kernel.address.after_create",
    ];
    for (point, network) in steps.into_iter().flat_map(|point| [(point, "n"), (point, "b")]) {
        let client = host.start_with(&Start::fault(format!("{point}:fail")));
        let answer = client.post("sandboxes", &json!({"name": "s", "networks": {network: {}}}));
        if answer.status == 201 {
            // Retried within the wait: the second try went through.
            client.delete("sandboxes/s").is(204);
        } else {
            answer.check_problem();
            assert!(matches!(answer.status, 409 | 503), "{point}: {}", answer.text);
            assert!(answer.json["refusal"]["object"].is_string(), "{point}: it names the object: {}", answer.text);
        }
        nothing_stays(&host, &before, &format!("{point} failed"));
        host.sandbox("s", network);
        client.delete("sandboxes/s").is(204);
        host.stop();
    }
    let failed = host.start().get("events?kinds=sandbox.create_failed&limit=1000").is(200);
    assert!(!failed["items"].as_array().unwrap().is_empty(), "failures are events");
}

#[test]
fn a_parent_that_vanishes_in_the_middle() {
    let host = host!();
    host.start();
    host.macvlan("n", "10.188.0.0/24");
    host.stop();
    let client = host.start_with(&Start::fault("kernel.link.before_create:stall"));
    std::thread::scope(|scope| {
        let host = &host;
        let creating =
            scope.spawn(move || host.client().post("sandboxes", &json!({"name": "s", "networks": {"n": {}}})));
        std::thread::sleep(Duration::from_millis(1500));
        host.net.run("ip link del parent0");
        let answer = creating.join().unwrap();
        answer.check_problem();
        assert_eq!(answer.status, 409, "{}", answer.text);
        assert!(answer.text.contains("parent0"), "{}", answer.text);
    });
    client.get("sandboxes/s").problem(404, "resource-not-found");
    assert_eq!(client.get("leases?kind=dynamic").is(200)["items"], json!([]));
    agree(&host, "the parent vanished");
    host.add_parent("parent0", "wire0");
    host.sandbox("s", "n");
}

#[test]
fn a_namespace_path_that_is_gone_when_it_is_needed() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.188.0.0/24");
    let other = Namespace::new();
    let path = format!("{}/blue", host.dir().display());
    host.net.run(&format!("touch {path}"));
    host.net.run(&format!("mount --bind /proc/{}/ns/net {path}", other.pid()));
    client
        .post("sandboxes", &json!({"name": "s", "netns": path, "desired_state": "stopped", "networks": {"n": {}}}))
        .is(201);
    host.net.run(&format!("umount {path}"));
    let answer = client.patch("sandboxes/s", &json!({"desired_state": "running"}));
    answer.check_problem();
    assert_eq!(answer.status, 409, "{}", answer.text);
    assert!(answer.text.contains("blue"), "{}", answer.text);
    client.delete("sandboxes/s").is(204);
}

#[test]
fn an_attach_that_fails_gives_the_former_state_back() {
    let host = host!();
    host.start();
    host.macvlan("n", "10.188.0.0/24");
    host.macvlan("m", "10.189.0.0/24");
    let before = host.sandbox("s", "n");
    host.stop();
    let client = host.start_with(&Start::fault("kernel.link.after_create:fail"));
    let answer = client.patch("sandboxes/s", &json!({"networks": {"m": {}}}));
    if answer.status != 200 {
        answer.check_problem();
        let now = client.get("sandboxes/s").is(200);
        assert_eq!(
            (&now["networks"], &now["status"]["endpoints"]),
            (&before["networks"], &before["status"]["endpoints"])
        );
        assert_eq!(client.get("leases?within=10.189.0.0/24&kind=dynamic").is(200)["items"], json!([]));
        let failed = client.get("events?kinds=sandbox.update_failed").is(200);
        assert_eq!(failed["items"].as_array().unwrap().len(), 1, "{failed}");
    }
    agree(&host, "an attach failed");
    client.patch("sandboxes/s", &json!({"networks": {"m": {}}})).is(200);
    agree(&host, "and was done again");
}

#[test]
fn a_client_that_hangs_up_cancels_nothing_half_way() {
    let host = host!();
    host.start();
    host.macvlan("n", "10.188.0.0/24");
    host.stop();
    let client = host.start_with(&Start::fault("kernel.link.before_create:stall"));
    let socket = host.socket().display().to_string();
    let body = json!({"name": "s", "networks": {"n": {}}}).to_string();
    let mut curl = host.net.command("curl");
    curl.args([
        "-sS",
        "-m",
        "1",
        "--unix-socket",
        &socket,
        "-H",
        "content-type: application/json",
        "-d",
        &body,
        "http://localhost/api/v1/sandboxes",
    ]);
    netloom_tests::process::run(&mut curl).failed();
    until("the sandbox runs all the same", Duration::from_secs(15), || {
        (client.get("sandboxes/s").json["status"]["state"] == "running").then_some(())
    });
    agree(&host, "the client hung up");
}
