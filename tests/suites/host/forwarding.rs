//! The way out of bridge networks: what the host's links lend for it, by packets; that the host is no router for others by that; and
//! that all of it is given back, whatever happens in between.

use netloom_tests::{Echo, Namespace, Snapshot, Start, Value, ask_tcp, host, json, until};

#[path = "forwarding/surroundings.rs"]
mod surroundings;
use surroundings::*;

#[test]
fn sandboxes_reach_all_outsides_which_do_not_reach_each_other() {
    let host = host!();
    let other = two_outsides(&host);
    let before = Snapshot::of(&host);
    host.start();
    let client = in_use(&host);
    assert!(all_are(&host, &ALL, "1"), "{}", host.net.run("sysctl -a -r forwarding"));
    assert_eq!(records(&host), ALL);
    let servers = [Echo::start(&netns(&host), "0.0.0.0:80", "four"), Echo::start(&netns(&host), "[::]:81", "six")];
    for to in ONE.into_iter().chain(OTHER) {
        assert!(host.pings("s", to), "{to}");
    }
    let asked = |net: &Namespace, to: &str| ask_tcp(&net.path(), to);
    assert_eq!(asked(&host.lan, "203.0.113.1:8880").as_deref(), Some("four 203.0.113.2"));
    assert_eq!(asked(&other, "198.51.100.1:8880").as_deref(), Some("four 198.51.100.2"));
    for (from, to) in [(&host.lan, OTHER), (&other, ONE)] {
        to.iter().for_each(|to| assert!(!from.pings(to), "{to} is reached through this host"));
    }
    let rules = host.net.run("nft list chain inet netloom forward");
    let dropped = |line: &&str| line.contains("lent for networks only") && !line.contains("packets 0");
    assert_eq!(rules.lines().filter(dropped).count(), 2, "{rules}");
    assert_eq!(client.get("networks/web").is(200)["status"]["conditions"], json!([]));
    assert_eq!(client.get("drift").is(200)["items"], json!([]));
    let doctor = format!("doctor --data-dir {} --run-dir {}", host.data_dir().display(), host.run_dir().display());
    host.netloom(&doctor).ok();
    drop(servers);
    client.delete("sandboxes/s").is(204);
    Snapshot::of(&host).same_as(&before);
    assert!(!host.run_dir().join("lent").exists());
    let events = client.get("events?limit=100").is(200).to_string();
    assert!(!events.contains("drift.repaired"), "nothing of this is a repair: {events}");
}

#[test]
fn forwarding_that_is_on_already_is_nobodys_to_give_back() {
    let host = host!();
    let other = two_outsides(&host);
    host.net.run("sysctl -qw net.ipv4.conf.all.forwarding=1 net.ipv6.conf.all.forwarding=1");
    let before = Snapshot::of(&host);
    host.start();
    let client = in_use(&host);
    let reach_each_other = || {
        for (from, to) in [(&host.lan, OTHER), (&other, ONE)] {
            to.iter()
                .for_each(|to| until("a host that was told to forward does", SOON, || from.pings(to).then_some(())));
        }
        ONE.into_iter().chain(OTHER).for_each(|to| assert!(host.pings("s", to), "{to}"));
    };
    reach_each_other();
    assert!(records(&host).is_empty() && members(&host, "lent4").is_empty() && members(&host, "lent6").is_empty());
    client.delete("sandboxes/s").is(204);
    Snapshot::of(&host).same_as(&before);
    // Two links only: those are left alone, too, and nothing is lent by them.
    host.net.run("sysctl -qw net.ipv4.conf.all.forwarding=0 net.ipv6.conf.all.forwarding=0");
    ALL.iter().for_each(|name| drop(host.net.run(&format!("sysctl -qw {name}=1"))));
    let before = Snapshot::of(&host);
    client.post("sandboxes", &json!({"name": "s", "networks": {"web": {}}})).is(201);
    reach_each_other();
    assert!(records(&host).is_empty());
    client.delete("sandboxes/s").is(204);
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn a_plan_says_what_will_be_lent_and_changes_nothing() {
    let host = host!();
    let _other = two_outsides(&host);
    host.start();
    host.bridge("web", "10.91.0.0/24");
    let before = Snapshot::of(&host);
    let body = json!({"name": "s", "networks": {"web": {}}});
    let plan = host.client().post("sandboxes?dry_run=true", &body).is(200).to_string();
    for name in ALL {
        let sentence = format!("Set {name} to 1 on the host, until no bridge network needs it any more.");
        assert!(plan.contains(&sentence), "{name}: {plan}");
    }
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn what_somebody_turns_off_is_put_right_and_what_the_host_turns_on_is_left_to_it() {
    let host = host!();
    let other = two_outsides(&host);
    host.start();
    let client = in_use(&host);
    host.net.run(&format!("sysctl -qw {}=0 {}=0", ALL[0], ALL[3]));
    until("it is lent again", SOON, || all_are(&host, &ALL, "1").then_some(()));
    nothing_differs(&client);
    assert_eq!(records(&host), ALL);
    // As a Docker that is installed now does.
    host.net.run("sysctl -qw net.ipv4.ip_forward=1");
    until("only IPv6 is lent", SOON, || {
        (records(&host) == ALL[2..] && members(&host, "lent4").is_empty()).then_some(())
    });
    nothing_differs(&client);
    assert!(host.lan.pings(OTHER[0]) && !host.lan.pings(OTHER[1]) && !other.pings(ONE[1]));
    client.delete("sandboxes/s").is(204);
    assert!(all_are(&host, &ALL[..2], "1") && all_are(&host, &ALL[2..], "0"), "the host still forwards IPv4");
}

#[test]
fn links_and_routes_that_come_later_lend_too_and_those_that_go_are_forgotten() {
    let host = host!();
    first_addresses(&host);
    let other = second_link(&host);
    host.start();
    let client = in_use(&host);
    let first = [ALL[0], ALL[2]];
    assert_eq!(records(&host), first);
    assert!(all_are(&host, &[ALL[1], ALL[3]], "0"), "a link that leads nowhere");
    second_addresses(&host, &other);
    until("the second link lends", SOON, || (records(&host) == ALL && all_are(&host, &ALL, "1")).then_some(()));
    assert!(host.pings("s", OTHER[0]) && host.pings("s", OTHER[1]));
    assert!(!host.lan.pings(OTHER[0]));
    host.net.run("ip addr flush dev parent1");
    until("it gets it back", SOON, || (records(&host) == first).then_some(()));
    assert!(all_are(&host, &[ALL[1], ALL[3]], "0"));
    addresses_of_second(&host);
    until("it lends again", SOON, || (records(&host) == ALL).then_some(()));
    host.net.run("ip link del parent1");
    let forgotten = || records(&host) == first && members(&host, "lent4") == ["parent0"];
    until("it is forgotten", SOON, || forgotten().then_some(()));
    nothing_differs(&client);
    // Another link of its name, seen only when it is there already: what the one before was is nothing of its.
    host.kill();
    host.net.run("ip link del parent0");
    host.add_parent("parent0", "wire0");
    host.net.run("ip addr add 203.0.113.1/24 dev parent0");
    host.net.run(&format!("sysctl -qw {}=1", ALL[0]));
    host.start();
    assert!(records(&host).is_empty(), "{:?}", records(&host));
    client.delete("sandboxes/s").is(204);
    assert_eq!(setting(&host, ALL[0]), "1", "it forwarded by itself");
}

#[test]
fn a_network_that_stays_keeps_what_it_needs_and_no_more() {
    let host = host!();
    let _other = two_outsides(&host);
    let before = Snapshot::of(&host);
    host.start();
    let client = in_use(&host);
    let of_ipv4 = |name: &str, number: u8, internal: bool| {
        let pools = json!({"v4": {"subnet": format!("10.{number}.0.0/24")}});
        let body = json!({"name": name, "driver": "bridge", "pools": pools, "internal": internal});
        client.post("networks", &body).is(201);
        host.sandbox(name, name);
    };
    of_ipv4("four", 92, false);
    of_ipv4("inside", 93, true);
    client.delete("sandboxes/s").is(204);
    assert_eq!(records(&host), ALL[..2]);
    assert!(all_are(&host, &ALL[..2], "1") && all_are(&host, &ALL[2..], "0"));
    client.delete("sandboxes/four").is(204);
    assert!(records(&host).is_empty() && all_are(&host, &ALL, "0"), "the internal network needs none of it");
    client.delete("sandboxes/inside").is(204);
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn frames_within_a_bridge_of_the_hosts_are_nobodys_to_drop() {
    let host = host!();
    let other = second_link(&host);
    for line in [
        "ip link add br0 type bridge",
        "ip link set parent0 master br0",
        "ip link set parent1 master br0",
        "ip link set br0 addrgenmode none up",
        "ip addr add 203.0.113.1/24 dev br0",
        "sysctl -qw net.bridge.bridge-nf-call-iptables=1",
    ] {
        host.net.run(line);
    }
    host.lan.run("ip addr add 203.0.113.2/24 dev wire0");
    other.run("ip addr add 203.0.113.3/24 dev wire1");
    let between = || host.lan.pings("203.0.113.3");
    until("the bridge forwards", SOON, || between().then_some(()));
    host.start();
    let client = in_use(&host);
    assert_eq!(records(&host), ["net.ipv4.conf.br0.forwarding"]);
    assert!(host.pings("s", "203.0.113.2") && between());
    // Whoever empties the set sees what it is for: these frames pass the rules as forwarded packets do.
    host.kill();
    host.net.run("nft flush set inet netloom lent_within4");
    assert!(!between());
    host.start();
    assert!(between());
    client.delete("sandboxes/s").is(204);
    assert_eq!(setting(&host, "net.ipv4.conf.br0.forwarding"), "0");
}

#[test]
fn it_outlives_the_daemon_and_a_kill_at_any_step_is_made_good() {
    let host = host!();
    let _other = two_outsides(&host);
    let before = Snapshot::of(&host);
    host.start();
    let client = in_use(&host);
    let whole = || {
        assert_eq!(records(&host), ALL);
        assert!(all_are(&host, &ALL, "1") && members(&host, "lent4") == ["parent0", "parent1"]);
        assert!(host.pings("s", OTHER[0]) && !host.lan.pings(OTHER[0]));
        assert_eq!(client.get("drift").is(200)["items"], json!([]));
    };
    let inside = host.netns("s");
    host.kill();
    let reaches = host.net.pings_in(&inside, OTHER[1]);
    assert!(reaches && !host.lan.pings(OTHER[1]), "nobody is needed for it");
    host.start();
    whole();
    let stop = |desired: &str| ("PATCH", "sandboxes/s?wait=5s".to_owned(), json!({"desired_state": desired}));
    let send = |(method, path, body): (&str, String, Value)| {
        let body = Some(("application/merge-patch+json", body.to_string().into_bytes()));
        client.send(method, &path, body).map(|answer| answer.status)
    };
    for nth in 1..=4 {
        for (desired, point) in [
            ("stopped", "after_restore"),
            ("running", "after_record"),
            ("stopped", "after_restore"),
            ("running", "after_write"),
        ] {
            host.stop();
            host.start_with(&Start::fault(format!("kernel.lent.{point}:kill:{nth}")));
            assert!(send(stop(desired)).is_err(), "{point}:{nth} is passed");
            host.wait_end(SOON);
            host.start();
            if desired == "running" {
                whole();
            } else {
                assert!(records(&host).is_empty(), "{point}:{nth}");
                Snapshot::of(&host).same_as(&before);
            }
        }
    }
    // A record that is there, of a setting that nobody changed yet, and one that nobody wrote to its end.
    client.delete("sandboxes/s").is(204);
    host.stop();
    let lent = host.run_dir().join("lent");
    std::fs::create_dir(&lent).unwrap();
    std::fs::write(lent.join(ALL[0].replace('.', ":")), "").unwrap();
    host.start();
    assert!(!lent.exists());
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn purge_shows_what_is_lent_and_gives_it_back() {
    let host = host!();
    let _other = two_outsides(&host);
    let before = Snapshot::of(&host);
    host.start();
    in_use(&host);
    host.kill();
    let directories = format!("--data-dir {} --run-dir {}", host.data_dir().display(), host.run_dir().display());
    let shown = host.netloom(&format!("purge {directories}")).ok();
    ALL.iter().for_each(|name| assert!(shown.contains("sysctl") && shown.contains(name), "{shown}"));
    assert!(shown.contains("lends to bridge networks: it is put back as it was"), "{shown}");
    assert!(all_are(&host, &ALL, "1"), "nothing was changed");
    host.netloom(&format!("purge --yes {directories}")).ok();
    Snapshot::of(&host).same_as(&before);
    assert!(!host.run_dir().exists());
}

#[test]
fn what_could_not_be_lent_is_tried_again() {
    let host = host!();
    let _other = two_outsides(&host);
    let before = Snapshot::of(&host);
    host.start_with(&Start::fault("kernel.lent.after_record:fail:2"));
    let client = in_use(&host);
    until("all is lent", SOON, || all_are(&host, &ALL, "1").then_some(()));
    nothing_differs(&client);
    client.delete("sandboxes/s").is(204);
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn the_rule_stays_until_what_is_lent_is_given_back() {
    let host = host!();
    let _other = two_outsides(&host);
    let before = Snapshot::of(&host);
    host.start_with(&Start::fault("kernel.lent.after_restore:stall:4"));
    let client = in_use(&host);
    std::thread::scope(|scope| {
        scope.spawn(|| client.delete("sandboxes/s").is(204));
        until("all is given back", SOON, || all_are(&host, &ALL, "0").then_some(()));
        assert!(host.net.run("nft list chain inet netloom forward").contains("lent for networks only"));
    });
    Snapshot::of(&host).same_as(&before);
}
