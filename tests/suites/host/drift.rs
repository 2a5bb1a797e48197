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
    let damages = damage::set_up(&host);
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
