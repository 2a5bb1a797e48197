//! What somebody may break of a host's networks, one thing at a time, and how to see that it is whole again.
//!
//! What must not live here: how soon it has to be whole.

use serde_json::json;

use crate::host::{Host, macvlan};
use crate::process::Said;

mod marks;
mod table;

pub use marks::of_marks;
pub use table::of_table;

/// Where something is broken.
#[derive(Debug, Clone)]
pub enum Place {
    /// On the host.
    Host,
    /// In the namespace at this path.
    Namespace(String),
}

/// One thing that somebody breaks.
#[derive(Debug, Clone)]
pub struct Damage {
    /// In words.
    pub kind: &'static str,
    /// Where.
    pub place: Place,
    /// The line of shell that breaks it.
    pub line: String,
    /// A line of shell, run in the same place, that says [`Damage::wanted`] as long as it is whole.
    pub check: String,
    /// What `check` says of a whole one, among other things.
    pub wanted: String,
}

impl Damage {
    /// Breaks it.
    ///
    /// # Panics
    /// When it can't be broken.
    pub fn inflict(&self, host: &Host) {
        self.run(host, &self.line).ok();
    }

    /// Breaks it, if it is there.
    pub fn try_inflict(&self, host: &Host) {
        let _ = self.run(host, &self.line);
    }

    /// Whether it is whole, by the check.
    pub fn is_mended(&self, host: &Host) -> bool {
        let said = self.run(host, &self.check);
        said.code == 0 && said.stdout.contains(&self.wanted)
    }

    fn run(&self, host: &Host, line: &str) -> Said {
        let mut command = match &self.place {
            Place::Host => host.net.command("sh"),
            Place::Namespace(path) => {
                let mut command = host.net.command("nsenter");
                command.args([&format!("--net={path}"), "--", "sh"]);
                command
            }
        };
        crate::process::run(command.args(["-c", line]))
    }
}

/// Makes a bridge network, a macvlan network that the host has access to, both with sandboxes, beside Docker's chains on a host with a
/// way out, and answers what can be broken of them.
///
/// # Panics
/// When they can't be made.
pub fn set_up(host: &Host) -> Vec<Damage> {
    crate::firewalls::docker_chains(host);
    host.net.run("ip addr add 10.161.0.250/24 brd + dev parent0");
    host.net.run("ip addr add 2001:db8:161::250/64 dev parent0 nodad");
    host.net.run("ip route add default via 10.161.0.254");
    host.net.run("ip -6 route add default via 2001:db8:161::254");
    host.start();
    host.bridge("bridged", "10.160.0.0/24");
    let mut flat = macvlan("flat", "10.161.0.0/24");
    flat["macvlan"]["host_access"] = json!(true);
    host.client().post("networks", &flat).is(201);
    let ports = json!({"web": {"target": 80, "published": 8880, "host_address": "0.0.0.0"}});
    let with_port = json!({"name": "b", "networks": {"bridged": {"ports": ports}}});
    host.client().post("sandboxes", &with_port).is(201);
    host.sandbox("b2", "bridged");
    host.sandbox("m", "flat");
    let bridge = ours(host, "type bridge");
    let mut all = on_bridge(&bridge, &ours(host, "type veth"));
    all.extend(on_host());
    all.extend(of_shim(&ours(host, "type macvlan")));
    all.extend(in_sandbox(&host.netns("b")));
    all.extend(in_macvlan(&host.netns("m")));
    all
}

/// The name of a link of ours on the host.
fn ours(host: &Host, kind: &str) -> String {
    let links = host.net.json(&format!("ip -j link show {kind}"));
    let names = links.as_array().into_iter().flatten().filter_map(|link| link["ifname"].as_str());
    names.into_iter().find(|name| name.starts_with("nl-")).expect("there is one of ours").to_owned()
}

type Row<'a> = (&'static str, &'a str, &'a str, &'a str);

/// Rows of a table: what, the line that breaks it, the line that checks, what that says; with `$1` and `$2` in lines.
fn rows(place: &Place, names: [&str; 2], rows: &[Row<'_>]) -> Vec<Damage> {
    let fill = |line: &str| line.replace("$1", names[0]).replace("$2", names[1]);
    rows.iter()
        .map(|(kind, line, check, wanted)| Damage {
            kind,
            place: place.clone(),
            line: fill(line),
            check: fill(check),
            wanted: fill(wanted),
        })
        .collect()
}

fn on_bridge(bridge: &str, port: &str) -> Vec<Damage> {
    let ports = "ip -o link show master $1 up | wc -l";
    rows(
        &Place::Host,
        [bridge, port],
        &[
            ("bridge deleted", "ip link del $1", ports, "2"),
            (
                "bridge renamed",
                "ip link set $1 down name other9 && ip link set other9 up",
                "ip -o link | grep -c -e other9 -e $1:",
                "1",
            ),
            ("bridge set down", "ip link set $1 down", "ip -o link show $1 up", "$1"),
            ("bridge's MTU changed", "ip link set $1 mtu 1400", "ip -o link show $1", "mtu 1500"),
            ("gateway deleted, IPv4", "ip addr del 10.160.0.1/24 dev $1", "ip -o addr show $1", "10.160.0.1/24"),
            (
                "gateway deleted, IPv6",
                "ip -6 addr flush dev $1 scope global",
                "ip -o -6 addr show $1 scope global",
                "inet6",
            ),
            (
                "route to the subnet deleted, IPv4",
                "ip route del 10.160.0.0/24 dev $1",
                "ip route show 10.160.0.0/24 dev $1",
                "proto kernel scope link src 10.160.0.1",
            ),
            (
                "route to the subnet deleted, IPv6",
                "ip -6 route del $(ip -6 route show dev $1 proto kernel | grep -o '^fd[^ ]*')",
                "ip -6 route show dev $1 proto kernel",
                "fd",
            ),
            ("port's MTU changed", "ip link set $2 mtu 1400", "ip -o link show $2", "mtu 1500"),
            ("port deleted", "ip link del $2", ports, "2"),
            ("port taken off its bridge", "ip link set $2 nomaster", ports, "2"),
            ("port set down", "ip link set $2 down", ports, "2"),
            (
                "port blocked",
                "bridge link set dev $2 state 0",
                "bridge -d link show dev $2 | grep -c 'state forwarding'",
                "1",
            ),
            (
                "bridge put into a spanning tree",
                "ip link set $1 type bridge stp_state 1",
                "ip -d -o link show $1 | grep -o 'stp_state .'",
                "stp_state 0",
            ),
            (
                "port that listens in a spanning tree",
                "ip link set $1 type bridge stp_state 1 && ip link set $2 down && ip link set $2 up",
                "ip -d -o link show $1 | grep -q 'stp_state 0' && bridge -d link show dev $2",
                "state forwarding",
            ),
            (
                "ARP of the bridge turned off",
                "ip link set $1 arp off",
                "ip -o link show $1 | grep -c NOARP || true",
                "0",
            ),
            ("port isolated", "bridge link set dev $2 isolated on", "bridge -d link show dev $2", "isolated off"),
            (
                "setting of the bridge, IPv4",
                "sysctl -qw net.ipv4.conf.$1.forwarding=0",
                "sysctl net.ipv4.conf.$1.forwarding",
                "= 1",
            ),
            (
                "setting of the bridge, IPv6",
                "sysctl -qw net.ipv6.conf.$1.accept_ra=2",
                "sysctl net.ipv6.conf.$1.accept_ra",
                "= 0",
            ),
            (
                "IPv6 of the bridge turned off",
                "sysctl -qw net.ipv6.conf.$1.disable_ipv6=1",
                "ip -o -6 addr show $1 scope global",
                "inet6",
            ),
        ],
    )
}

fn on_host() -> Vec<Damage> {
    let rules = "nft list chain ip filter DOCKER-USER";
    let forced = "net.ipv6.conf.parent0.force_forwarding";
    rows(
        &Place::Host,
        ["net.ipv4.conf.parent0.forwarding", forced],
        &[
            ("rule in Docker's chain flushed", "nft flush chain ip filter DOCKER-USER", rules, "netloom"),
            ("lent forwarding turned off, IPv4", "sysctl -qw $1=0", "sysctl $1", "= 1"),
            ("lent forwarding turned off, IPv6", "sysctl -qw $2=0", "sysctl $2", "= 1"),
        ],
    )
}

fn of_shim(shim: &str) -> Vec<Damage> {
    let routes = "ip -o route show dev $1";
    rows(
        &Place::Host,
        [shim, ""],
        &[
            ("ARP of the shim turned off", "ip link set $1 arp off", "ip -o link show $1 | grep -c NOARP || true", "0"),
            ("shim deleted", "ip link del $1", routes, "10.161.0.2 "),
            ("shim's route deleted", "ip route flush dev $1", routes, "10.161.0.2 "),
            (
                "setting of the shim",
                "sysctl -qw net.ipv4.conf.$1.arp_ignore=1",
                "sysctl net.ipv4.conf.$1.arp_ignore",
                "= 0",
            ),
        ],
    )
}

fn in_sandbox(netns: &str) -> Vec<Damage> {
    let link = "ip -o link show eth0";
    let mut all = rows(
        &Place::Namespace(netns.to_owned()),
        ["", ""],
        &[
            ("link deleted in the sandbox", "ip link del eth0", "ip route show default", "via 10.160.0.1"),
            ("link set down", "ip link set eth0 down", "ip -o link show eth0 up", "eth0"),
            (
                "ARP of a link turned off",
                "ip link set eth0 arp off",
                "ip -o link show eth0 | grep -c NOARP || true",
                "0",
            ),
            ("loopback set down", "ip link set lo down", "ip -o link show lo up", "lo"),
            ("MAC changed", "ip link set eth0 address 02:00:00:00:00:99", link, "02:42:0a:a0:00:02"),
            ("MTU changed", "ip link set eth0 mtu 1300", link, "mtu 1500"),
            (
                "setting of one link, IPv4",
                "sysctl -qw net.ipv4.conf.eth0.forwarding=1",
                "sysctl net.ipv4.conf.eth0.forwarding",
                "= 0",
            ),
            (
                "setting of one link, IPv6",
                "sysctl -qw net.ipv6.conf.eth0.accept_ra=2",
                "sysctl net.ipv6.conf.eth0.accept_ra",
                "= 0",
            ),
            (
                "IPv6 of one link turned off",
                "sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1",
                "ip -6 route show default",
                "via fd",
            ),
            ("address deleted, IPv4", "ip addr del 10.160.0.2/24 dev eth0", "ip -o -4 addr show eth0", "10.160.0.2/24"),
            (
                "address deleted, IPv6",
                "ip -6 addr flush dev eth0 scope global",
                "ip -o -6 addr show eth0 scope global",
                "inet6",
            ),
            (
                "route to the subnet deleted in the sandbox, IPv4",
                "ip route del 10.160.0.0/24 dev eth0",
                "ip route show 10.160.0.0/24 dev eth0",
                "proto kernel scope link src 10.160.0.2",
            ),
            (
                "route to the subnet deleted in the sandbox, IPv6",
                "ip -6 route del $(ip -6 route show dev eth0 proto kernel | grep -o '^fd[^ ]*')",
                "ip -6 route show dev eth0 proto kernel",
                "fd",
            ),
            ("route deleted, IPv4", "ip route del default", "ip route show default", "via 10.160.0.1"),
            ("route deleted, IPv6", "ip -6 route del default", "ip -6 route show default", "via"),
            ("setting of the stack, IPv4", "sysctl -qw net.ipv4.ip_forward=1", "sysctl net.ipv4.ip_forward", "= 0"),
            (
                "setting of links, IPv4",
                "sysctl -qw net.ipv4.conf.all.arp_ignore=0",
                "sysctl net.ipv4.conf.all.arp_ignore",
                "= 1",
            ),
            (
                "setting of links, IPv6",
                "sysctl -qw net.ipv6.conf.default.accept_ra=1",
                "sysctl net.ipv6.conf.default.accept_ra",
                "= 0",
            ),
        ],
    );
    all.extend(rows(
        &Place::Host,
        [netns, ""],
        &[("namespace unmounted", "umount -l $1", "nsenter --net=$1 ip -o route show default", "via 10.160.0.1")],
    ));
    all
}

fn in_macvlan(netns: &str) -> Vec<Damage> {
    rows(
        &Place::Namespace(netns.to_owned()),
        ["", ""],
        &[
            (
                "setting of a macvlan, IPv6",
                "sysctl -qw net.ipv6.conf.eth0.accept_ra=2",
                "sysctl net.ipv6.conf.eth0.accept_ra",
                "= 0",
            ),
            (
                "ARP of a macvlan turned off",
                "ip link set eth0 arp off",
                "ip -o link show eth0 | grep -c NOARP || true",
                "0",
            ),
            ("macvlan deleted", "ip link del eth0", "ip -o route show default", "via 10.161.0."),
            (
                "macvlan's address deleted",
                "ip addr flush dev eth0 scope global",
                "ip -o route show default",
                "via 10.161.0.",
            ),
        ],
    )
}
