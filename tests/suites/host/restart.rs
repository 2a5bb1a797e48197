//! The daemon goes and comes: the data plane runs on, a restart adopts it without touching it, a reboot rebuilds it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use netloom_tests::{Host, Snapshot, host, json, until};

/// `ip monitor` in a namespace: every change that the kernel announces there.
struct Monitor(Child);

impl Monitor {
    fn new(mut command: Command) -> Self {
        let child =
            command.args(["monitor", "link", "address", "route"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let monitor = Self(child.unwrap());
        std::thread::sleep(Duration::from_millis(300));
        monitor
    }

    /// Ends it, and gives what it heard.
    fn heard(mut self) -> Vec<String> {
        std::thread::sleep(Duration::from_millis(200));
        let _ = self.0.kill();
        let lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        let _ = self.0.wait();
        lines.map_while(Result::ok).collect()
    }
}

fn monitors(host: &Host, sandbox: &str) -> [Monitor; 2] {
    let mut inside = Command::new("nsenter");
    inside.arg(format!("--net={}", host.net.outside(&host.netns(sandbox)).display())).args(["--", "ip"]);
    [Monitor::new(host.net.command("ip")), Monitor::new(inside)]
}

#[test]
fn sigterm_leaves_the_data_plane_running() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.170.0.0/24");
    host.sandbox("a", "n");
    host.sandbox("b", "n");
    let (before, netns) = (Snapshot::of(&host), host.netns("a"));
    host.stop();
    host.net.run_in(&netns, "ping -c 2 -i 0.05 -W 2 10.170.0.3");
    Snapshot::of(&host).same_as(&before);
    assert!(!host.socket().exists() || client.send("GET", "/healthz", None).is_err(), "and nobody answers");
}

#[test]
fn a_restart_with_nothing_to_do_writes_nothing_to_the_kernel() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.170.0.0/24");
    for i in 0..5 {
        host.sandbox(&format!("s{i}"), "n");
    }
    // The kernel's own link-local address takes its time; what comes after it is somebody's doing.
    until("the kernel is done", Duration::from_secs(5), || {
        let quiet = |i: usize| {
            let text = host.in_sandbox(&format!("s{i}"), "ip -6 addr show eth0");
            text.contains("fe80") && !text.contains("tentative")
        };
        (0..5).all(quiet).then_some(())
    });
    let before = client.get("sandboxes").is(200)["items"].clone();
    let ids = |host: &Host| host.in_sandbox("s0", "ip -o link show eth0").split(':').next().unwrap().to_owned();
    let index = ids(&host);
    for how in ["SIGTERM", "SIGKILL"] {
        let heard = monitors(&host, "s0");
        if how == "SIGTERM" {
            host.stop()
        } else {
            host.kill()
        }
        host.start();
        assert_eq!(client.get("drift").is(200)["items"], json!([]));
        for monitor in heard {
            assert_eq!(monitor.heard(), [""; 0], "after {how} the kernel was told something");
        }
    }
    assert_eq!(ids(&host), index, "the very same link");
    let after = client.get("sandboxes").is(200)["items"].clone();
    for (then, now) in before.as_array().unwrap().iter().zip(after.as_array().unwrap()) {
        assert_eq!((&then["id"], &then["status"]["endpoints"]), (&now["id"], &now["status"]["endpoints"]));
    }
    let metrics = client.get("/metrics").text;
    let applied = metrics.lines().find(|l| l.contains("operations_applied") && !l.starts_with('#')).map(str::to_owned);
    assert!(applied.is_some_and(|line| line.trim_end().ends_with(" 0")), "{metrics}");
}

#[test]
fn what_happened_while_the_daemon_was_away_is_repaired() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.170.0.0/24");
    host.sandbox("a", "n");
    host.sandbox("b", "n");
    let netns = host.netns("a");
    host.stop();
    host.net.run_in(&netns, "ip link del eth0");
    host.start();
    assert_eq!(client.get("drift").is(200)["items"], json!([]), "ready means looked at and repaired");
    assert!(host.pings("a", "10.170.0.3"));
}

#[test]
fn an_address_that_the_host_got_while_the_daemon_was_away_is_given_to_nobody() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.7.0.0/24");
    host.stop();
    host.net.run("ip addr add 10.7.0.2/24 dev parent0");
    host.start();
    let lease = client.get("leases?address=10.7.0.2").is(200)["items"][0]["status"].clone();
    assert_eq!((&lease["kind"], &lease["state"]), (&json!("host"), &json!("bound")), "ready means taken up: {lease}");
    let sandbox = host.sandbox("a", "n");
    assert_eq!(sandbox["status"]["endpoints"]["n"]["address"], "10.7.0.3");
    host.stop();
    host.net.run("ip addr del 10.7.0.2/24 dev parent0");
    host.start();
    assert_eq!(client.get("leases?address=10.7.0.2").is(200)["items"], json!([]), "and is free when it has gone");
}

#[test]
fn a_reboot_rebuilds_everything() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.170.0.0/24");
    for name in ["a", "b"] {
        host.sandbox(name, "n");
    }
    client.post("sandboxes", &json!({"name": "c", "desired_state": "stopped", "networks": {"n": {}}})).is(201);
    let endpoints = |name: &str| client.get(&format!("sandboxes/{name}")).is(200)["status"]["endpoints"].clone();
    let before = ["a", "b", "c"].map(endpoints);
    host.reboot();
    host.start();
    assert_eq!(["a", "b", "c"].map(endpoints), before);
    assert!(host.pings("a", "10.170.0.3"));
    assert_eq!(client.get("drift").is(200)["items"], json!([]));
}

#[test]
fn after_a_reboot_parents_may_come_late() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.170.0.0/24");
    for name in ["a", "b"] {
        host.sandbox(name, "n");
    }
    host.reboot();
    host.net.run("ip link del parent0");
    host.start();
    let waiting = until("the sandbox waits for its parent", Duration::from_secs(10), || {
        let sandbox = client.get("sandboxes/a").is(200);
        (sandbox["status"]["state"] != "running").then_some(sandbox)
    });
    assert!(waiting.to_string().contains("parent0"), "it says for what: {waiting}");
    host.add_parent("parent0", "wire0");
    until("both are back", Duration::from_secs(40), || {
        ["a", "b"]
            .iter()
            .all(|n| client.get(&format!("sandboxes/{n}")).is(200)["status"]["state"] == "running")
            .then_some(())
    });
    assert!(host.pings("a", "10.170.0.3"));
}

#[test]
fn a_daemon_that_comes_and_goes_leaks_nothing() {
    let host = host!();
    let before = Snapshot::of(&host);
    let client = host.start();
    let count = |what: &str| std::fs::read_dir(format!("/proc/{}/{what}", host.pid())).unwrap().count();
    host.macvlan("n", "10.170.0.0/24");
    host.sandbox("warm", "n");
    client.delete("sandboxes/warm").is(204);
    let (files, threads) = (count("fd"), count("task"));
    for round in 0..20 {
        host.sandbox(&format!("s{round}"), "n");
        client.delete(&format!("sandboxes/s{round}")).is(204);
    }
    // The namespace that is kept ready has itself and three sockets. Each thread of the kernel's pools has a socket; under load
    // there are more of them for a while.
    until("files are closed", Duration::from_secs(5), || {
        (count("fd") <= files + 4 + count("task").saturating_sub(threads)).then_some(())
    });
    let now = count("task");
    assert!(now <= threads + 20, "{threads} threads became {now}");
    client.delete("networks/n").is(204);
    host.stop();
    Snapshot::of(&host).same_as(&before);
}
