//! Names inside sandboxes: answered at 127.0.0.11 from when a request is answered until its object goes, and never after.

use netloom_tests::host::macvlan;
use netloom_tests::{Host, Snapshot, host, json};

/// What `dig` says in short, asked in a sandbox.
fn dig(host: &Host, from: &str, question: &str) -> String {
    let line = format!("dig +time=2 +tries=1 +short @127.0.0.11 {question}");
    let said = host.try_in_sandbox(from, &line);
    said.stdout.lines().filter(|line| !line.starts_with(';')).collect::<Vec<_>>().join(" ")
}

/// A host with network `n` and sandboxes `a`, which is also called `web`, and `b`.
fn ready(host: &Host) {
    let client = host.start();
    let mut body = macvlan("n", "10.162.0.0/24");
    body["pools"]["six"] = json!({"subnet": "fd00:162::/64"});
    client.post("networks", &body).is(201);
    client.post("sandboxes", &json!({"name": "a", "networks": {"n": {"aliases": ["web"]}}})).is(201);
    client.post("sandboxes", &json!({"name": "b", "networks": {"n": {}}})).is(201);
}

#[test]
fn names_aliases_and_addresses_are_answered_as_soon_as_the_request_is() {
    let host = host!();
    ready(&host);
    let client = host.client();
    for (question, answer) in [
        ("-q a -t A", "10.162.0.2"),
        ("-q web -t A", "10.162.0.2"),
        ("-q a -t AAAA", "fd00:162::2"),
        ("-q b -t A", "10.162.0.3"),
        ("+tcp -q a -t A", "10.162.0.2"),
    ] {
        assert_eq!(dig(&host, "b", question), answer, "{question}");
    }
    assert_eq!(dig(&host, "b", "-x 10.162.0.2"), "a. web.");
    for number in 0..10 {
        let name = format!("c{number}");
        client.post("sandboxes", &json!({"name": name, "networks": {"n": {}}})).is(201);
        assert_eq!(dig(&host, "a", &format!("-q {name} -t A")), format!("10.162.0.{}", 4 + number));
        assert_eq!(dig(&host, &name, "-q a -t A"), "10.162.0.2", "the new one is answered itself");
    }
}

#[test]
fn what_is_gone_stopped_or_elsewhere_is_not_answered() {
    let host = host!();
    ready(&host);
    let client = host.client();
    host.macvlan("other", "10.163.0.0/24");
    client.post("sandboxes", &json!({"name": "c", "networks": {"other": {}}})).is(201);
    assert_eq!(dig(&host, "b", "-q c -t A"), "", "another network's names do not exist");
    client.patch("sandboxes/b", &json!({"networks": {"other": {}}})).is(200);
    assert_eq!(dig(&host, "b", "-q c -t A"), "10.163.0.2");
    assert_eq!(dig(&host, "c", "-q b -t A"), "10.163.0.3");
    client.patch("sandboxes/b", &json!({"networks": {"other": null}})).is(200);
    assert_eq!(dig(&host, "b", "-q c -t A"), "");
    assert_eq!(dig(&host, "c", "-q b -t A"), "");
    client.patch("sandboxes/a", &json!({"desired_state": "stopped"})).is(200);
    assert_eq!(dig(&host, "b", "-q a -t A"), "");
    client.patch("sandboxes/a", &json!({"desired_state": "running"})).is(200);
    assert_eq!(dig(&host, "b", "-q a -t A"), "10.162.0.2");
    assert_eq!(dig(&host, "a", "-q b -t A"), "10.162.0.3");
    client.delete("sandboxes/a").is(204);
    assert_eq!(dig(&host, "b", "-q a -t A"), "");
    client.patch("sandboxes/b", &json!({"networks": {"n": {"aliases": ["late"]}}})).is(200);
    assert_eq!(dig(&host, "b", "-q late -t A"), "10.162.0.3", "aliases change live");
}

#[test]
fn resolv_conf_is_given_to_commands_and_over_the_api() {
    let host = host!();
    ready(&host);
    let answer = host.client().get("sandboxes/a/resolv.conf");
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.text.contains("\nnameserver 127.0.0.11\n"), "{}", answer.text);
    let exec = |line: &str| host.netloom(&format!("exec --run-dir {} {line}", host.run_dir().display()));
    assert_eq!(exec("a -- cat /etc/resolv.conf").ok(), answer.text);
    assert!(exec("a -- getent hosts b").ok().contains("b"), "the C library asks it");
    let outside = std::fs::read_to_string("/etc/resolv.conf").unwrap();
    assert!(!outside.contains("127.0.0.11"), "the host's own file is as it was");
    host.client().post("sandboxes", &json!({"name": "lonely"})).is(201);
    let refused = host.client().get("sandboxes/lonely/resolv.conf").problem(409, "no-resolver");
    assert!(refused["hint"].as_str().is_some_and(|hint| hint.contains("network")), "{refused}");
}

#[test]
fn names_are_there_again_after_a_crash_and_nothing_is_left_after_all() {
    let host = host!();
    let before = Snapshot::of(&host);
    ready(&host);
    host.kill();
    let client = host.start();
    assert_eq!(dig(&host, "b", "-q web -t A"), "10.162.0.2");
    assert_eq!(dig(&host, "a", "-q b -t A"), "10.162.0.3");
    for sandbox in ["a", "b"] {
        client.delete(&format!("sandboxes/{sandbox}")).is(204);
    }
    client.delete("networks/n").is(204);
    host.stop();
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn a_namespace_that_is_unmounted_is_noticed_although_the_resolver_is_in_it() {
    let host = host!();
    ready(&host);
    host.net.run(&format!("umount -l {}", host.netns("a")));
    let present = || host.client().get("sandboxes/a").is(200)["status"]["netns"].is_string();
    netloom_tests::until("it is made again", std::time::Duration::from_secs(5), || {
        (present() && dig(&host, "a", "-q b -t A") == "10.162.0.3").then_some(())
    });
    assert_eq!(dig(&host, "b", "-q a -t A"), "10.162.0.2");
}

/// Whether a resolver listens in a sandbox.
fn listens(host: &Host, sandbox: &str) -> bool {
    host.in_sandbox(sandbox, "ss -Hlnu").contains("127.0.0.11:53")
}

#[test]
fn a_sandbox_without_networks_has_no_resolver_and_no_way_out() {
    let host = host!();
    ready(&host);
    let client = host.client();
    assert!(listens(&host, "a"));
    client.patch("sandboxes/a", &json!({"networks": {"n": null}})).is(200);
    assert!(!listens(&host, "a"), "the resolver went with the last network");
    client.get("sandboxes/a/resolv.conf").problem(409, "no-resolver");
    client.patch("sandboxes/a", &json!({"networks": {"n": {}}})).is(200);
    assert_eq!(dig(&host, "a", "-q b -t A"), "10.162.0.3", "and came with the next");
}

#[test]
fn who_has_the_resolvers_port_is_named_until_no_resolver_is_wanted() {
    let host = host!();
    ready(&host);
    let client = host.client();
    client.post("sandboxes", &json!({"name": "c"})).is(201);
    let taken = std::thread::scope(|scope| {
        let namespace = std::fs::File::open(host.net.outside(&host.netns("c"))).unwrap();
        let taking = scope.spawn(move || {
            nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            std::net::TcpListener::bind("127.0.0.11:53").unwrap()
        });
        taking.join().unwrap()
    });
    client.patch("sandboxes/c", &json!({"networks": {"n": {}}})).is(200);
    let conditions = || client.get("sandboxes/c").is(200)["status"]["conditions"].to_string();
    assert!(conditions().contains("ResolverUnavailable"), "{}", conditions());
    let refused = client.get("sandboxes/c/resolv.conf").problem(409, "no-resolver");
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("ddress already in use")), "{refused}");
    client.patch("sandboxes/c", &json!({"networks": {"n": null}})).is(200);
    assert!(!conditions().contains("ResolverUnavailable"), "{}", conditions());
    drop(taken);
}

#[test]
fn addresses_of_other_networks_of_this_host_have_no_name_and_nobody_is_asked() {
    let host = host!();
    let client = host.start();
    host.bridge("one", "10.163.0.0/24");
    host.bridge("two", "10.164.0.0/24");
    let routed = json!({"name": "open", "driver": "bridge", "bridge": {"gateway_mode4": "routed"}, "pools": {"v4": {"subnet": "10.165.0.0/24"}}});
    client.post("networks", &routed).is(201);
    for (name, network) in [("a", "one"), ("b", "two"), ("c", "open")] {
        host.sandbox(name, network);
    }
    // Whoever is asked beyond this host does not answer.
    let status = |question: &str| {
        let said = host.try_in_sandbox("a", &format!("dig +time=10 +tries=1 @127.0.0.11 {question}")).stdout;
        let status = said.split("status: ").nth(1).unwrap_or_else(|| panic!("{question}: {said}"));
        status.split(',').next().unwrap().to_owned()
    };
    for (question, wanted) in [
        ("-x 10.163.0.2", "NOERROR"),
        ("-q 02.0.163.10.in-addr.arpa -t PTR", "NXDOMAIN"),
        ("-x 10.164.0.2", "NXDOMAIN"),
        // Routers and nameservers beyond know those.
        ("-x 10.165.0.2", "SERVFAIL"),
    ] {
        assert_eq!(status(question), wanted, "{question}");
    }
    client.delete("sandboxes/b").is(204);
    client.delete("networks/two").is(204);
    assert_eq!(status("-x 10.164.0.2"), "SERVFAIL", "nobody's here any more");
}
