//! A change of a sandbox begins with what was verified: also in the moment in which somebody takes that away, before the kernel's word of it was
//! heard, all that is wanted is there in the end, and what was answered is so.

use std::thread;
use std::time::Duration;

use netloom_tests::{Client, Host, Snapshot, host, json, loops, until};

const SOON: Duration = Duration::from_secs(10);
/// Rounds of each kind of damage, or `LOOPS` times as many, each with another start of it beside the request's.
const ROUNDS: u32 = 1;

/// How long after the damage began the request is sent, in milliseconds.
const PAUSES: [u64; 5] = [2, 0, 4, 6, 1];

/// What somebody breaks, and how.
type Damage = (&'static str, fn(&Host));

fn attach(client: &Client) {
    // Who comes between a look and what follows from it is told so, and asks again.
    until("the sandbox is attached", SOON, || {
        let answer = client.patch("sandboxes/web", &json!({"networks": {"more": {}}}));
        (answer.status == 200).then_some(())
    });
}

fn is_whole(host: &Host, client: &Client, what: &str) {
    until(&format!("all is there again after `{what}`"), SOON, || {
        let differs = client.get("drift").is(200)["items"] != json!([]);
        (!differs && host.pings("web", "10.161.0.1") && host.pings("web", "10.162.0.1")).then_some(())
    });
}

/// The link on the host that a sandbox's link leads to, or the bridge of that.
fn on_host(host: &Host, interface: &str, of: &str) -> String {
    let link = host.json_in_sandbox("web", &format!("ip -j link show {interface}"));
    let port = host.net.json("ip -j link").as_array().expect("a list").iter().find_map(|found| {
        (found["ifindex"] == link[0]["link_index"]).then(|| found[of].as_str().expect("a name").to_owned())
    });
    port.expect("its other end")
}

#[test]
fn an_attachment_in_the_moment_in_which_somebody_breaks_something() {
    let host = host!();
    let client = host.start();
    host.bridge("home", "10.161.0.0/24");
    host.bridge("more", "10.162.0.0/24");
    host.sandbox("user", "more");
    let before = Snapshot::of(&host);
    host.sandbox("web", "home");
    let damages: [Damage; 5] = [
        ("the bridge it is on deleted", |host| {
            host.net.run(&format!("ip link del {}", on_host(host, "eth0", "master")));
        }),
        ("its port deleted", |host| {
            host.net.run(&format!("ip link del {}", on_host(host, "eth0", "ifname")));
        }),
        ("its address flushed", |host| {
            host.in_sandbox("web", "ip addr flush dev eth0");
        }),
        ("its link set down", |host| {
            host.in_sandbox("web", "ip link set eth0 down");
        }),
        ("the table flushed", |host| {
            host.net.run("nft flush ruleset");
        }),
    ];
    for (what, damage) in damages {
        for round in 0..loops(ROUNDS) {
            thread::scope(|scope| {
                let request = scope.spawn(|| {
                    thread::sleep(Duration::from_millis(PAUSES[round as usize % PAUSES.len()]));
                    attach(&client);
                });
                damage(&host);
                request.join().expect("it attaches");
            });
            is_whole(&host, &client, what);
            client.patch("sandboxes/web", &json!({"networks": {"more": null}})).is(200);
        }
    }
    client.delete("sandboxes/web").is(204);
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn a_link_of_somebody_elses_in_the_new_links_place_is_said_to_be_there() {
    let host = host!();
    let client = host.start();
    host.bridge("home", "10.161.0.0/24");
    host.bridge("more", "10.162.0.0/24");
    host.sandbox("user", "more");
    host.sandbox("web", "home");
    host.in_sandbox("web", "ip link add eth1 type bridge");
    let answer = client.patch("sandboxes/web", &json!({"networks": {"more": {"interface": "eth1"}}}));
    answer.problem(409, "name-conflict");
    let sandbox = client.get("sandboxes/web").is(200);
    assert_eq!(sandbox["networks"], json!({"home": {}}), "nothing is changed");
    host.in_sandbox("web", "ip link del eth1");
    attach(&client);
    is_whole(&host, &client, "a stranger's link");
}
