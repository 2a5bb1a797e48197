//! Two hosts beyond this one, each behind a link of its own, and what is looked at there.

use std::path::PathBuf;
use std::time::Duration;

use netloom_tests::{Client, Host, Namespace, Value, json, until};

pub(super) const SOON: Duration = Duration::from_secs(10);
/// What every link of [`two_outsides`] lends.
pub(super) const ALL: [&str; 4] = [
    "net.ipv4.conf.parent0.forwarding",
    "net.ipv4.conf.parent1.forwarding",
    "net.ipv6.conf.parent0.force_forwarding",
    "net.ipv6.conf.parent1.force_forwarding",
];
/// Addresses of the two outsides.
pub(super) const ONE: [&str; 2] = ["203.0.113.2", "2001:db8:1::2"];
pub(super) const OTHER: [&str; 2] = ["198.51.100.2", "2001:db8:2::2"];

/// A second outside behind the host's new link `parent1`, without addresses.
pub(super) fn second_link(host: &Host) -> Namespace {
    let other = Namespace::new();
    host.net.run(&format!("ip link add parent1 type veth peer name wire1 netns {}", other.pid()));
    other.run("ip link set wire1 addrgenmode none up");
    host.net.run("ip link set parent1 addrgenmode none up");
    // Its addresses are in the table of routes only once it runs.
    until("the link runs", SOON, || (host.net.json("ip -j link show parent1")[0]["operstate"] == "UP").then_some(()));
    other
}

pub(super) fn first_addresses(host: &Host) {
    host.net.run("ip addr add 203.0.113.1/24 dev parent0");
    host.net.run("ip addr add 2001:db8:1::1/64 dev parent0 nodad");
    // Without one nobody is asked for on behalf of others.
    host.net.run("ip addr add fe80::1/64 dev parent0 nodad");
    routed(host, "parent0");
    outside(&host.lan, "wire0", ONE, ["203.0.113.1", "2001:db8:1::1"]);
}

pub(super) fn second_addresses(host: &Host, other: &Namespace) {
    addresses_of_second(host);
    outside(other, "wire1", OTHER, ["198.51.100.1", "2001:db8:2::1"]);
}

pub(super) fn addresses_of_second(host: &Host) {
    host.net.run("ip addr add 198.51.100.1/24 dev parent1");
    host.net.run("ip addr add 2001:db8:2::1/64 dev parent1 nodad");
    host.net.run("ip addr add fe80::1/64 dev parent1 nodad");
    routed(host, "parent1");
}

/// The kernel puts the routes to an IPv6 address of its own into its tables a little later.
fn routed(host: &Host, link: &str) {
    let there = || host.net.run(&format!("ip -6 route show table local dev {link}")).contains("fe80::1");
    until("the address is routed to", SOON, || there().then_some(()));
}

/// Somebody outside, who takes this host for a router.
pub(super) fn outside(net: &Namespace, wire: &str, addresses: [&str; 2], routers: [&str; 2]) {
    net.run(&format!("ip addr add {}/24 dev {wire}", addresses[0]));
    net.run(&format!("ip addr add {}/64 dev {wire} nodad", addresses[1]));
    routers.iter().for_each(|router| drop(net.run(&format!("ip route add default via {router}"))));
}

/// A host between two outsides that know of each other only through it.
pub(super) fn two_outsides(host: &Host) -> Namespace {
    let other = second_link(host);
    first_addresses(host);
    second_addresses(host, &other);
    other
}

pub(super) fn setting(host: &Host, name: &str) -> String {
    host.net.run(&format!("sysctl -n {name}")).trim().to_owned()
}

/// Whether all of these settings are so.
pub(super) fn all_are(host: &Host, names: &[&str], value: &str) -> bool {
    names.iter().all(|name| setting(host, name) == value)
}

/// The names of the records of what is lent.
pub(super) fn records(host: &Host) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(host.run_dir().join("lent")) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().replace(':', ".")).collect();
    names.sort();
    names
}

/// The members of a set of the table, as `nft` lists them.
pub(super) fn members(host: &Host, set: &str) -> Vec<String> {
    let said = host.net.try_run(&format!("nft -j list set inet netloom {set}"));
    let listed: Value = serde_json_or_null(&said.stdout);
    let elements = listed["nftables"].as_array().into_iter().flatten().find_map(|one| one["set"]["elem"].as_array());
    let mut names: Vec<String> =
        elements.into_iter().flatten().map(|one| one.as_str().unwrap_or_default().to_owned()).collect();
    names.sort();
    names
}

pub(super) fn serde_json_or_null(text: &str) -> Value {
    text.parse().unwrap_or_default()
}

pub(super) fn netns(host: &Host) -> PathBuf {
    host.net.outside(&host.netns("s"))
}

/// A network with both versions of IP, and a sandbox on it that publishes a port on both.
pub(super) fn in_use(host: &Host) -> Client {
    host.bridge("web", "10.91.0.0/24");
    let port = |address: &str| json!({"target": 80, "published": 8880, "host_address": address});
    let ports = json!({"v4": port("0.0.0.0"), "v6": port("::")});
    host.client().post("sandboxes", &json!({"name": "s", "networks": {"web": {"ports": ports}}})).is(201);
    host.client()
}

pub(super) fn nothing_differs(client: &Client) {
    until("nothing differs", SOON, || (client.get("drift").is(200)["items"] == json!([])).then_some(()));
}
