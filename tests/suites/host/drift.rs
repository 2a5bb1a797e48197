//! Whatever of ours somebody breaks is whole again by itself, one thing at a time and all at once; an event says what was found.

use std::time::Duration;

use netloom_tests::damage::{self, Damage};
use netloom_tests::{Client, Host, Value, host, json, loops, until};

const SOON: Duration = Duration::from_secs(10);

fn repairs(client: &Client) -> usize {
    client.get("events?kinds=drift.repaired&limit=1000").is(200)["items"].as_array().unwrap().len()
}

fn nothing_differs(client: &Client) {
    until("nothing differs", SOON, || (client.get("drift").is(200)["items"] == json!([])).then_some(()));
}

/// What independent programs say of the sandboxes and of the host.
fn whole(host: &Host) -> Vec<String> {
    let line = "ip -o addr ; ip -o route ; ip -o -6 route ; sysctl -a -r forwarding";
    let look = |place: Option<String>| {
        let inside = place.map(|path| format!("nsenter --net={path}")).unwrap_or_default();
        let said = host.net.shell(&format!("{inside} sh -c '{line}'"));
        // Links that were made anew have other indexes, and link-local addresses that are still being asked for.
        let lasting = said.lines().filter(|line| !line.contains("fe80::"));
        lasting.map(|line| line.split_once(": ").map_or(line, |(_, rest)| rest).to_owned()).collect::<Vec<_>>()
    };
    let mut all = look(None);
    for sandbox in ["b", "b2", "m"] {
        all.extend(look(Some(host.netns(sandbox))));
    }
    all.sort();
    all
}

#[test]
fn whatever_is_broken_is_whole_again_and_told_of() {
    let host = host!();
    let mut damages = damage::set_up(&host);
    damages.extend(damage::of_marks(&host));
    let client = host.client();
    let before = whole(&host);
    for round in 0..loops(1) {
        for damage in &damages {
            let told = repairs(&client);
            assert!(damage.is_mended(&host), "the check does not hold of a whole host: {damage:?}");
            damage.inflict(&host);
            until(&format!("round {round}: {} is mended", damage.kind), SOON, || damage.is_mended(&host).then_some(()));
            until(&format!("an event tells of it: {}", damage.kind), SOON, || (repairs(&client) > told).then_some(()));
            nothing_differs(&client);
        }
        let after = || whole(&host);
        until("the host is as before", SOON, || (after() == before).then_some(()));
    }
    host.in_sandbox("b", "ping -c 2 -i 0.5 -W 2 10.160.0.3");
}

#[test]
fn all_at_once_is_mended_too() {
    let host = host!();
    let damages = damage::set_up(&host);
    let before = whole(&host);
    for damage in &damages {
        // What hangs from something that was broken before may be gone already.
        damage.try_inflict(&host);
    }
    for damage in &damages {
        until(damage.kind, SOON, || damage.is_mended(&host).then_some(()));
    }
    nothing_differs(&host.client());
    until("the host is as before", SOON, || (whole(&host) == before).then_some(()));
}

/// Breaks something in the sandbox, whose event comes after those of all that was put right before; answers how many there were before it.
fn told_before(host: &Host) -> usize {
    let client = host.client();
    let before = repairs(&client);
    host.in_sandbox("b", "ip route del default");
    let is_last = |event: &Value| event["message"].as_str().unwrap().contains("IPv4 default route");
    until("its event is the last", SOON, || {
        let events = client.get("events?kinds=drift.repaired&limit=1000").is(200)["items"].clone();
        let events = events.as_array().unwrap();
        (events.len() > before && events.last().is_some_and(is_last)).then(|| events.len() - 1)
    })
}

#[test]
fn what_is_broken_while_nobody_is_there_is_told_of_too() {
    let host = host!();
    let mut damages = damage::set_up(&host);
    damages.extend(damage::of_marks(&host));
    let (of_table, added) = damage::of_table(&host);
    damages.extend(of_table);
    let client = host.client();
    let before = whole(&host);
    // What is there and should not be is told apart from what was about to go only where nobody was killed: so is the other end of that pair.
    let stops = |damage: &Damage| damage.kind == "marks of a link taken away";
    let all = damages.iter().enumerate().map(|(number, damage)| (number % 2 == 0 || stops(damage), damage));
    for (stops, damage) in all.chain(added.iter().map(|damage| (true, damage))) {
        let told = repairs(&client);
        if stops {
            host.stop()
        } else {
            host.kill()
        }
        assert!(damage.is_mended(&host), "the check does not hold of a whole host: {damage:?}");
        damage.inflict(&host);
        assert!(!damage.is_mended(&host), "it is not broken: {damage:?}");
        host.start();
        until(&format!("{} is mended", damage.kind), SOON, || damage.is_mended(&host).then_some(()));
        until(&format!("an event tells of it: {}", damage.kind), SOON, || (repairs(&client) > told).then_some(()));
        nothing_differs(&client);
        let refused = client.get("events?kinds=apply.failed").is(200)["items"].clone();
        assert_eq!(refused, json!([]), "{} was refused first", damage.kind);
    }
    until("the host is as before", SOON, || (whole(&host) == before).then_some(()));
    // Nothing is told where nothing was broken, nor of what a reboot took, which is made anew.
    let told = told_before(&host) + 1;
    for (reboots, told) in [(false, told), (true, told + 1)] {
        host.kill();
        if reboots {
            host.reboot();
        }
        host.start();
        nothing_differs(&client);
        assert_eq!(told_before(&host), told, "reboots: {reboots}");
    }
}

#[test]
fn what_others_do_to_the_host_while_nobody_is_there_hides_no_repair() {
    let host = host!();
    damage::set_up(&host);
    let told = told_before(&host) + 1;
    let m = host.netns("m");
    host.stop();
    for line in [
        "ip link add br-other type bridge",
        "ip link set br-other up",
        "ip addr add 172.30.0.1/16 dev br-other",
        "ip addr add 2001:db8:7::9/128 dev parent0",
        "nft delete table inet netloom",
    ] {
        host.net.run(line);
    }
    host.net.run(&format!("nsenter --net={m} ip route del default"));
    host.start();
    nothing_differs(&host.client());
    // The networks' rules, and the sandboxes on either kind of network.
    assert!(told_before(&host) >= told + 2, "{:?}", host.client().get("events?kinds=drift.repaired").text);
}

#[test]
fn a_removal_that_was_cut_off_is_told_as_no_repair() {
    let host = host!();
    let client = host.start();
    for (number, name) in (1..).zip(["k1", "k2"]) {
        host.bridge(name, &format!("10.9{number}.0.0/24"));
    }
    let both =
        json!({"name": "b6", "driver": "bridge", "pools": {"v4": {"subnet": "10.93.0.0/24"}, "v6": {"family": 6}}});
    client.post("networks", &both).is(201);
    host.sandbox("b", "k1");
    host.sandbox("stays", "k2");
    let told = told_before(&host) + 1;
    for (round, wait) in (0..loops(8)).zip([2, 5, 8, 12, 16, 20, 25, 30].into_iter().cycle()) {
        host.sandbox("goes", "b6");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Cut off with the daemon.
                let _ = client.send("DELETE", "/api/v1/sandboxes/goes", None);
            });
            std::thread::sleep(Duration::from_millis(wait));
            host.kill();
        });
        host.start();
        if client.get("sandboxes/goes").status == 200 {
            client.delete("sandboxes/goes");
        }
        until("it is gone", SOON, || (client.get("sandboxes/goes").status == 404).then_some(()));
        nothing_differs(&client);
        assert_eq!(
            repairs(&client),
            told + round as usize,
            "killed after {wait} ms: {}",
            client.get("events?kinds=drift.repaired").text
        );
        assert_eq!(
            told_before(&host),
            told + round as usize,
            "killed after {wait} ms: {}",
            client.get("events?kinds=drift.repaired").text
        );
    }
}

#[test]
fn a_bridge_that_was_set_down_is_one_repair() {
    let host = host!();
    damage::set_up(&host);
    let told = told_before(&host) + 1;
    let name = host.net.json("ip -j link show type bridge")[0]["ifname"].as_str().unwrap().to_owned();
    host.net.run(&format!("ip link set {name} down"));
    until("it is up", SOON, || host.net.run(&format!("ip -o link show {name} up")).contains(&name).then_some(()));
    nothing_differs(&host.client());
    assert_eq!(told_before(&host), told + 1, "{}", host.client().get("events?kinds=drift.repaired").text);
}

#[test]
fn what_others_do_to_links_of_theirs_hides_no_repair() {
    let host = host!();
    damage::set_up(&host);
    let client = host.client();
    for round in 0..3 {
        host.net.run(&format!("ip link add other{round} type veth peer name peer{round}"));
        host.net.run(&format!("ip link set other{round} up"));
        // Heard, and its facts read.
        std::thread::sleep(Duration::from_millis(300));
        let told = repairs(&client);
        host.in_sandbox("b", "ip route del default");
        until("an event tells of it", SOON, || (repairs(&client) > told).then_some(()));
    }
}

#[test]
fn what_is_in_our_table_is_nobodys_to_break() {
    let host = host!();
    damage::set_up(&host);
    for line in [
        "nft delete table inet netloom",
        "nft flush table inet netloom",
        "nft flush chain inet netloom forward",
        "nft flush set inet netloom bridges",
        "nft add rule inet netloom forward drop",
    ] {
        let refused = host.net.try_run(line).failed();
        assert!(refused.contains("Operation not permitted"), "{line}: {refused}");
    }
    host.net.run("nft flush ruleset");
    assert_eq!(host.client().get("drift").is(200)["items"], json!([]));
}

/// How many directories of settings the daemon has watched, on the one set of watches that it has under two descriptors.
fn watches(host: &Host) -> usize {
    let files = format!("/proc/{}/fdinfo", host.pid());
    let texts =
        std::fs::read_dir(files).unwrap().filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok());
    texts.map(|text| text.lines().filter(|line| line.starts_with("inotify")).count()).max().unwrap()
}

/// How many directories of settings the daemon has open.
fn open_directories(host: &Host) -> usize {
    let files = std::fs::read_dir(format!("/proc/{}/fd", host.pid())).unwrap();
    files
        .filter_map(|file| std::fs::read_link(file.unwrap().path()).ok())
        .filter(|to| to.starts_with("/proc/sys"))
        .count()
}

#[test]
fn watches_go_with_what_they_were_for() {
    let host = host!();
    let client = host.start();
    let round = |number: u32| {
        host.bridge("n", &format!("10.{number}.0.0/24"));
        host.sandbox("a", "n");
        host.sandbox("b", "n");
        let bridge = host.net.run("ip -o link show type bridge").split_whitespace().nth(1).unwrap().replace(':', "");
        assert!(watches(&host) >= 12, "two sandboxes and a bridge: {}", watches(&host));
        assert!(open_directories(&host) >= 6, "two of each sandbox and of the host: {}", open_directories(&host));
        // Another's bridge of the same name has other directories.
        host.net.run(&format!("ip link del {bridge}"));
        host.in_sandbox("a", "sysctl -qw net.ipv4.ip_forward=1");
        host.net.run(&format!("sysctl -qw net.ipv6.conf.all.accept_ra={}", number % 2));
        until("it is back", SOON, || host.try_in_sandbox("a", "ping -c 1 -W 1 10.1.0.3").code.eq(&0).then_some(()));
        let path = format!("net.ipv4.conf.{bridge}.forwarding");
        let value = host.net.run(&format!("sysctl -n {path}"));
        host.net.run(&format!("sysctl -qw {path}={}", 1 - value.trim().parse::<u8>().unwrap()));
        until("a setting of the second bridge", SOON, || {
            (host.net.run(&format!("sysctl -n {path}")) == value).then_some(())
        });
        ["sandboxes/a", "sandboxes/b", "networks/n"].iter().for_each(|path| drop(client.delete(path).is(204)));
    };
    round(1);
    // A namespace is kept ready, with five, and the host's own settings are watched.
    until("few are left", SOON, || (watches(&host) < 12).then_some(()));
    let few = watches(&host);
    // The host's, and those of the namespace that is kept ready.
    until("theirs are closed", SOON, || (open_directories(&host) <= 4).then_some(()));
    (0..loops(3)).for_each(|_| round(1));
    until("no more are left than after the first round", SOON, || (watches(&host) <= few).then_some(()));
    until("theirs are closed", SOON, || (open_directories(&host) <= 4).then_some(()));
}
