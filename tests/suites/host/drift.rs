//! Whatever of ours somebody breaks is whole again by itself, one thing at a time and all at once; an event says what was found.

use std::time::Duration;

use netloom_tests::{Client, Host, damage, host, json, loops, until};

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

#[test]
fn what_is_broken_while_nobody_is_there_is_told_of_too() {
    let host = host!();
    let mut damages = damage::set_up(&host);
    damages.extend(damage::of_marks(&host));
    damages.extend(damage::of_table(&host));
    let client = host.client();
    let before = whole(&host);
    for (number, damage) in damages.iter().enumerate() {
        let told = repairs(&client);
        if number % 2 == 0 {
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
    }
    until("the host is as before", SOON, || (whole(&host) == before).then_some(()));
    // Nothing is told where nothing was broken, nor of what a reboot took, which is made anew.
    let told = repairs(&client);
    for reboots in [false, true] {
        host.kill();
        if reboots {
            host.reboot();
        }
        host.start();
        nothing_differs(&client);
        assert_eq!(repairs(&client), told, "reboots: {reboots}");
    }
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
