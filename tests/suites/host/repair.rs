//! Somebody takes away what is ours: it comes back by itself, with an event, and nothing differs afterwards.

use std::time::Duration;

use netloom_tests::{Client, Host, Value, host, json, until};

const SOON: Duration = Duration::from_secs(10);

fn no_drift(client: &Client) {
    until("nothing differs", SOON, || (client.get("drift").is(200)["items"] == json!([])).then_some(()));
}

fn repairs(client: &Client) -> usize {
    client.get("events?kinds=drift.repaired&limit=1000").is(200)["items"].as_array().unwrap().len()
}

fn set_up(host: &Host) -> Client {
    let client = host.start();
    host.macvlan("n", "10.160.0.0/24");
    host.sandbox("a", "n");
    host.sandbox("b", "n");
    client
}

fn repaired(damage: &str, check: &str, wanted: &str) {
    let host = host!();
    let client = set_up(&host);
    let before = repairs(&client);
    host.in_sandbox("a", damage);
    until(&format!("`{damage}` is repaired"), SOON, || {
        host.try_in_sandbox("a", check).stdout.contains(wanted).then_some(())
    });
    no_drift(&client);
    until("an event tells of it", SOON, || (repairs(&client) > before).then_some(()));
    assert!(host.pings("a", "10.160.0.3"));
    let event = client.get("events?kinds=drift.repaired&limit=1000").is(200)["items"][0].clone();
    assert_eq!((&event["actor"], &event["object"]["name"]), (&json!("agent"), &json!("a")), "{event}");
}

#[test]
fn what_is_broken_in_a_sandbox_that_is_refused_something_else_does_not_wait_for_that() {
    let host = host!();
    let client = host.start();
    host.bridge("n", "10.160.0.0/24");
    host.macvlan("flat", "10.161.0.0/24");
    client.post("sandboxes", &json!({"name": "a", "networks": {"n": {}, "flat": {}}})).is(201);
    host.net.run("ip link set parent0 down");
    let state = || client.get("sandboxes/a").is(200)["status"]["state"].clone();
    until("it is refused its link on the parent", SOON, || (state() == "failed").then_some(()));
    // By then many tries have failed, and the next is far off.
    std::thread::sleep(Duration::from_secs(16));
    for (damage, check, wanted) in [
        ("ip link set lo down", "ip -o link show lo up", "lo"),
        ("sysctl -qw net.ipv4.ip_forward=1", "sysctl net.ipv4.ip_forward", "= 0"),
    ] {
        // What comes right after a try may be that one's own doing.
        std::thread::sleep(Duration::from_secs(1));
        host.in_sandbox("a", damage);
        until(&format!("`{damage}` is repaired"), Duration::from_secs(4), || {
            host.try_in_sandbox("a", check).stdout.contains(wanted).then_some(())
        });
    }
    assert_eq!(state(), "failed");
    host.net.run("ip link set parent0 up");
    until("it has all again", SOON, || (state() == "running").then_some(()));
    no_drift(&client);
    // A stranger's route in the place of ours, which is left alone, hides no event either.
    host.in_sandbox("a", "ip route replace default via 10.160.0.9");
    until("it is refused its route", SOON, || (state() == "failed").then_some(()));
    let told = repairs(&client);
    host.in_sandbox("a", "ip link set lo down");
    until("an event tells of it", SOON, || (repairs(&client) > told).then_some(()));
    let event =
        client.get("events?kinds=drift.repaired&limit=1000").is(200)["items"].as_array().unwrap().last().cloned();
    let said = event.unwrap()["message"].as_str().unwrap().to_owned();
    assert!(said.contains("link lo") && !said.contains("route"), "only what was put right: {said}");
    assert!(host.in_sandbox("a", "ip route show default").contains("10.160.0.9"));
}

#[test]
fn a_deleted_link_comes_back() {
    repaired("ip link del eth0", "ip -o -4 addr show eth0", "10.160.0.2/24");
}

#[test]
fn a_deleted_address_comes_back() {
    repaired("ip addr del 10.160.0.2/24 dev eth0", "ip -o -4 addr show eth0", "10.160.0.2/24");
}

#[test]
fn a_deleted_route_comes_back() {
    repaired("ip route del default", "ip route show default", "via 10.160.0.1");
}

#[test]
fn a_link_set_down_comes_up() {
    repaired("ip link set eth0 down", "ip -o link show eth0", "UP");
}

#[test]
fn a_changed_mac_is_put_right() {
    repaired("ip link set eth0 address 02:00:00:00:00:99", "ip -o link show eth0", "02:42:0a:a0:00:02");
}

#[test]
fn an_unmounted_namespace_is_made_again() {
    let host = host!();
    let client = set_up(&host);
    let netns = host.netns("a");
    host.net.run(&format!("umount -l {netns}"));
    host.in_sandbox("b", "ip link set lo down");
    until("the sandbox is back", Duration::from_secs(100), || {
        host.try_in_sandbox("a", "ip -o -4 addr show eth0").stdout.contains("10.160.0.2/24").then_some(())
    });
    // An address that is seen may be of a pass that is still under way.
    no_drift(&client);
    assert!(host.pings("a", "10.160.0.3"));
}

#[test]
fn an_unmounted_namespace_is_made_again_although_somebody_looks_first() {
    let host = host!();
    let client = set_up(&host);
    let (first, second) = (host.netns("a"), host.netns("b"));
    for (name, netns) in [("a", first), ("b", second)] {
        host.net.run(&format!("umount -l {netns}"));
        // A look at everything takes away what is left of it before the change of the mount table is looked into.
        assert_ne!(client.get("drift").is(200)["items"], json!([]));
        until("the sandbox is back", SOON, || {
            host.net.try_run_in(&netns, "ip -o -4 addr show eth0").stdout.contains("10.160.0.").then_some(())
        });
        until(&format!("{name} runs"), SOON, || {
            (client.get(&format!("sandboxes/{name}")).is(200)["status"]["state"] == "running").then_some(())
        });
    }
    no_drift(&client);
}

#[test]
fn a_foreign_address_and_link_inside_a_sandbox_are_reported_and_left_alone() {
    let host = host!();
    let client = set_up(&host);
    host.in_sandbox("a", "ip addr add 192.0.2.9/32 dev eth0");
    host.in_sandbox("a", "ip link add extra0 type bridge");
    let drift = until("the foreign things are reported", SOON, || {
        let drift = client.get("drift").is(200);
        (drift.to_string().contains("192.0.2.9")).then_some(drift)
    });
    let items = drift["items"].as_array().unwrap();
    assert!(items.iter().all(|d| d["difference"] == "foreign"), "{drift}");
    std::thread::sleep(Duration::from_millis(500));
    assert!(host.in_sandbox("a", "ip -o addr show eth0").contains("192.0.2.9"));
    host.in_sandbox("a", "ip link show extra0");
    client.delete("sandboxes/a").is(204);
}

#[test]
fn a_foreign_address_and_route_on_our_bridge_are_told_with_the_network_and_left_alone() {
    let host = host!();
    let client = host.start();
    host.bridge("lan", "10.200.0.0/24");
    host.sandbox("a", "lan");
    let links = host.net.json("ip -j link show type bridge");
    let bridge = links[0]["ifname"].as_str().expect("the bridge").to_owned();
    // Beside them what is the host's own, and no business of Netloom's.
    for line in [
        "ip route add 10.98.0.0/24 dev parent0",
        &format!("ip addr add 198.51.100.9/24 dev {bridge}"),
        "ip route add 10.99.0.0/24 via 10.200.0.2",
        &format!("ip route add 2001:db8:99::/64 dev {bridge}"),
    ] {
        host.net.run(line);
    }
    let told = || {
        let drift = client.get("drift").is(200)["items"].clone();
        // A route of the host's lends the bridge a way out, for which something may be missing for a moment.
        let foreign = drift.as_array().unwrap().iter().filter(|one| one["difference"] == "foreign");
        let name = |one: &Value| {
            assert_eq!((&one["belongs_to"]["kind"], &one["belongs_to"]["name"]), (&json!("network"), &json!("lan")));
            one["name"].as_str().unwrap().to_owned()
        };
        foreign.map(name).collect::<Vec<_>>()
    };
    let are_told = |what: &[&str]| {
        until(&format!("told are: {what:?}"), SOON, || {
            let told = told();
            (told.len() == what.len() && what.iter().all(|one| told.iter().any(|told| told.contains(one))))
                .then_some(())
        });
    };
    are_told(&["198.51.100.9", "10.99.0.0/24", "2001:db8:99::/64"]);
    // Passes over all, over the network and over its sandboxes leave them where they are, as does a start.
    host.net.run(&format!("ip link set {bridge} mtu 1400"));
    host.sandbox("b", "lan");
    client.delete("sandboxes/b").is(204);
    host.kill();
    host.start();
    are_told(&["198.51.100.9", "10.99.0.0/24", "2001:db8:99::/64"]);
    assert!(host.net.run(&format!("ip -o addr show dev {bridge}")).contains("198.51.100.9/24"));
    assert!(host.net.run("ip route").contains(&format!("10.99.0.0/24 via 10.200.0.2 dev {bridge}")));
    assert!(host.net.run("ip -6 route").contains("2001:db8:99::/64"));
    host.net.run("ip route del 10.99.0.0/24");
    are_told(&["198.51.100.9", "2001:db8:99::/64"]);
    host.net.run("ip -6 route del 2001:db8:99::/64");
    host.net.run(&format!("ip addr del 198.51.100.9/24 dev {bridge}"));
    no_drift(&client);
    assert!(host.net.run("ip route").contains("10.98.0.0/24"));
}

#[test]
fn a_parent_that_vanishes_takes_its_endpoints_and_brings_them_back() {
    let host = host!();
    let client = set_up(&host);
    host.net.run("ip link del parent0");
    until("the sandbox says so", SOON, || {
        let sandbox = client.get("sandboxes/a").is(200);
        (sandbox["status"]["state"] == "failed" || sandbox.to_string().contains("parent")).then_some(())
    });
    host.add_parent("parent0", "wire0");
    until("the sandbox is back", Duration::from_secs(40), || {
        (client.get("sandboxes/a").is(200)["status"]["state"] == "running"
            && client.get("sandboxes/b").is(200)["status"]["state"] == "running")
            .then_some(())
    });
    assert!(host.pings("a", "10.160.0.3"));
    no_drift(&client);
}
