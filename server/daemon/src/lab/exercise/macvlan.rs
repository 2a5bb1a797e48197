//! On one host: a macvlan network on the hosts' own subnet, two sandboxes on it with different MAC addresses, and ARP between them.

use std::net::Ipv4Addr;

use super::Ground;
use super::session::{Session, Stopped};

pub(super) const NETWORK: &str = "macvlan-net1";
const SANDBOXES: [&str; 2] = ["macvlan1", "macvlan2"];

/// The link of a lab's host to the others.
const PARENT: &str = crate::lab::make::INTERFACE;

/// How often is asked by ARP.
const ASKED: usize = 3;

/// A sandbox's place on the network.
struct Place {
    address: Ipv4Addr,
    mac: String,
}

/// The steps.
pub(super) fn steps(session: &mut Session, ground: &Ground) -> Result<(), Stopped> {
    make(session, ground)?;
    session.step("Two sandboxes on it have addresses and MAC addresses of their own");
    let one = sandbox(session, ground, SANDBOXES[0])?;
    let other = sandbox(session, ground, SANDBOXES[1])?;
    session.need("both differ", one.address != other.address && one.mac != other.mac)?;
    inside(session, ground, &one);
    arp(session, ground, &other);
    stop(session, ground);
    Ok(())
}

fn make(session: &mut Session, ground: &Ground) -> Result<(), Stopped> {
    let (host, subnet, gateway) = (&ground.first, ground.gateway.trunc(), ground.gateway.addr());
    session.step(&format!("{} makes a macvlan network", host.name));
    let body = format!(
        r#"{{"driver":"macvlan","pools":{{"v4":{{"subnet":"{subnet}","gateway":"{gateway}"}}}},"macvlan":{{"parent":"{PARENT}","mode":"bridge"}}}}"#
    );
    let filter = "{name, driver, scope: .status.scope, parent: .status.interface, subnet: .status.pools.v4.subnet, gateway: .status.pools.v4.gateway}";
    let path = format!("networks/{NETWORK}");
    let line = session.put(host, &path, &body, filter);
    let made = session.run_put(host, &path, &line).json();
    session.need(
        &format!("it is local to {}, on {PARENT}, with the hosts' subnet and gateway", host.name),
        made["scope"] == "local"
            && made["parent"] == PARENT
            && made["subnet"] == subnet.to_string()
            && made["gateway"] == gateway.to_string(),
    )
}

/// Makes one; where it is.
fn sandbox(session: &mut Session, ground: &Ground, name: &str) -> Result<Place, Stopped> {
    let filter = format!(
        r#"{{name, state: .status.state, endpoint: (.status.endpoints["{NETWORK}"] | {{state, interface, mac, address, prefix_length, gateway, network_id, endpoint_id}})}}"#
    );
    let path = format!("sandboxes/{name}");
    let line = session.put(&ground.first, &path, &format!(r#"{{"networks":{{"{NETWORK}":{{}}}}}}"#), &filter);
    let made = session.run_put(&ground.first, &path, &line).json();
    let endpoint = &made["endpoint"];
    let is_attached = made["state"] == "running" && endpoint["state"] == "attached" && endpoint["interface"] == "eth0";
    session.need(&format!("{name} runs, and is attached by eth0"), is_attached)?;
    let address: Option<Ipv4Addr> = endpoint["address"].as_str().and_then(|text| text.parse().ok());
    let place = address.zip(endpoint["mac"].as_str()).map(|(address, mac)| Place { address, mac: mac.to_owned() });
    let as_docker = |place: &Place| {
        let [a, b, c, d] = place.address.octets();
        place.mac == format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}") && ground.gateway.contains(&place.address)
    };
    session.need("its MAC address is 02:42 and its address", place.as_ref().is_some_and(as_docker))?;
    place.ok_or(Stopped)
}

/// What the sandbox itself sees.
fn inside(session: &mut Session, ground: &Ground, place: &Place) {
    session.step(&format!("{} sees the same from within", SANDBOXES[0]));
    let said = session.run(&session.on(&ground.first, &format!("exec {} -- ip -s addr show eth0", SANDBOXES[0])));
    let shows = |text: &str| said.succeeded() && said.out.contains(text);
    session.check("eth0 has the MAC address", shows(&format!("link/ether {} ", place.mac)));
    let inet = format!("inet {}/{} brd {} ", place.address, ground.gateway.prefix_len(), ground.gateway.broadcast());
    session.check("eth0 has the address, the length of the prefix and the broadcast address", shows(&inet));
    session.check("eth0 is up, with an MTU of 1500", shows("mtu 1500") && shows("BROADCAST,MULTICAST,UP"));
    session.check("packets and bytes are counted", shows("RX:") && shows("TX:"));
}

fn arp(session: &mut Session, ground: &Ground, other: &Place) {
    session.step(&format!("{} asks by ARP who has the address of {}", SANDBOXES[0], SANDBOXES[1]));
    let body = format!(r#"{{"from":"{}","kind":"arp","to":"{}","count":{ASKED}}}"#, SANDBOXES[0], other.address);
    let more = format!(" -H 'Content-Type: application/json' -d '{body}'");
    let line =
        format!("{} | jq -c '.detail // (.replies[] | [.seq, .mac])'", session.api(&ground.first, "probes", &more));
    let said = session.run(&line);
    let all = (1..=ASKED).all(|seq| said.has_line(&format!(r#"[{seq},"{}"]"#, other.mac)));
    session.check(&format!("every answer is from {}", other.mac), all);
}

fn stop(session: &mut Session, ground: &Ground) {
    let stopped = SANDBOXES[1];
    session.step("Sandboxes are listed, running and stopped");
    let more = " -X PATCH -H 'Content-Type: application/json' -d '{\"desired_state\":\"stopped\"}'";
    let line = format!(
        "{} | jq -r '.detail // .status.state'",
        session.api(&ground.first, &format!("sandboxes/{stopped}"), more)
    );
    let said = session.run(&line);
    session.check(&format!("{stopped} is stopped"), said.has_line("stopped"));
    let line = format!("{} | jq -c '.items[] | [.name, .status.state]'", session.api(&ground.first, "sandboxes", ""));
    let said = session.run(&line);
    let both = said.has_line(&format!(r#"["{}","running"]"#, SANDBOXES[0]))
        && said.has_line(&format!(r#"["{stopped}","stopped"]"#));
    session.check("both are listed", both);
    session.note("POST /api/v1/prune removes all that is stopped, and the networks that nothing uses: also what is not the exercise's, so that it is left out");
}
