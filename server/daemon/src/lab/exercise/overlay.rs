//! From a swarm of two hosts to two sandboxes, one on each, that reach each other over an overlay network.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::session::{Said, Session, Stopped};
use super::{Ground, macvlan};
use crate::lab::directory::Host;

const NETWORK: &str = "overlaynet1";
const SUBNET: &str = "172.45.0.0/16";
const GATEWAY: &str = "172.45.0.1";

/// A second network, which must not come to be.
const REFUSED: &str = "overlaynet2";

/// What stands for the two tasks of the exercise's service.
const SANDBOXES: [&str; 2] = ["alpine-overlay1", "alpine-overlay2"];

/// What VXLAN takes of the 1500 bytes of the hosts' links, taken off.
const MTU: u64 = 1450;

/// The steps.
pub(super) fn steps(session: &mut Session, ground: &Ground) -> Result<(), Stopped> {
    make(session, ground)?;
    refused(session, ground);
    list(session, ground)?;
    sandboxes(session, ground)
}

fn body(subnet: &str, gateway: Option<&str>) -> String {
    let gateway = gateway.map(|gateway| format!(r#","gateway":"{gateway}""#)).unwrap_or_default();
    format!(r#"{{"driver":"overlay","pools":{{"v4":{{"subnet":"{subnet}"{gateway}}}}}}}"#)
}

fn make(session: &mut Session, ground: &Ground) -> Result<(), Stopped> {
    session.step(&format!("{} makes an overlay network", ground.first.name));
    let filter = "{name, driver, scope: .status.scope, vni: .status.vni, subnet: .status.pools.v4.subnet, gateway: .status.pools.v4.gateway}";
    let path = format!("networks/{NETWORK}");
    let line = session.put(&ground.first, &path, &body(SUBNET, Some(GATEWAY)), filter);
    let said = session.run_put(&ground.first, &path, &line);
    let made = said.json();
    session.need(
        &format!("it is the swarm's, with the subnet {SUBNET} and the gateway {GATEWAY}"),
        made["scope"] == "swarm" && made["subnet"] == SUBNET && made["gateway"] == GATEWAY,
    )?;
    session.check("its number in VXLAN packets is 4097 or higher", made["vni"].as_u64() >= Some(4097));
    Ok(())
}

/// Subnets that are in use: by a network, and by a route of the hosts.
fn refused(session: &mut Session, ground: &Ground) {
    let of_hosts = ground.gateway.trunc();
    session.step("A subnet that is in use is refused");
    // The macvlan network has the subnet of the hosts, too, where it is kept.
    for (subnet, whose, named) in [
        (SUBNET.to_owned(), "a network's", [NETWORK, NETWORK]),
        (of_hosts.to_string(), "the hosts' own", ["route", macvlan::NETWORK]),
    ] {
        let path = format!("networks/{REFUSED}");
        let line = session.put(&ground.first, &path, &body(&subnet, None), ".status.state");
        let said = session.run_put(&ground.first, &path, &line);
        let reason = said.json().as_str().map(str::to_owned).unwrap_or_default();
        let is_told = named.iter().any(|name| reason.contains(name));
        let right = reason.contains(&format!("{subnet} overlaps")) && is_told;
        session.check(&format!("{subnet} is refused, as it is {whose}"), right);
    }
}

/// What both hosts list.
fn list(session: &mut Session, ground: &Ground) -> Result<(), Stopped> {
    session.step("Both hosts list their networks");
    for host in [&ground.first, &ground.second] {
        let line =
            format!("{} | jq -c '.items[] | [.name, .driver, .status.scope]'", session.api(host, "networks", ""));
        let has = |said: &Said, row: [&str; 3]| {
            let wanted = format!(r#"["{}","{}","{}"]"#, row[0], row[1], row[2]);
            said.out.lines().any(|line| line == wanted)
        };
        let own = [NETWORK, "overlay", "swarm"];
        let said = session.run_until(&line, |said| has(said, own));
        for row in [
            ["bridge", "bridge", "local"],
            ["docker_gwbridge", "bridge", "local"],
            ["host", "host", "local"],
            ["ingress", "overlay", "swarm"],
            ["none", "none", "local"],
        ] {
            session.check(
                &format!("{} lists {}, of driver {} and scope {}", host.name, row[0], row[1], row[2]),
                has(&said, row),
            );
        }
        session.need(&format!("{} lists {NETWORK}, of driver overlay and scope swarm", host.name), has(&said, own))?;
    }
    session.note("Docker calls the driver of `none` null, and writes IDs of the swarm's networks otherwise than local ones: here all begin with net_");
    Ok(())
}

/// One on each host, and pings both ways.
fn sandboxes(session: &mut Session, ground: &Ground) -> Result<(), Stopped> {
    session.step("A sandbox on each host stands for a task of the service");
    session.note("the exercise has `docker service create --replicas 1 --network overlaynet1 ...`, scaled to two; Netloom has no services yet");
    let one = sandbox(session, &ground.first, SANDBOXES[0])?;
    let other = sandbox(session, &ground.second, SANDBOXES[1])?;
    session.need("their addresses differ", one != other)?;
    session.step("They reach each other as if they were on one host");
    for (host, from, to) in [(&ground.first, SANDBOXES[0], other), (&ground.second, SANDBOXES[1], one)] {
        let line = session.on(host, &format!("exec {from} -- ping -c 3 -i 0.3 {to}"));
        let said = session.run(&line);
        let all = said.succeeded() && said.out.contains("3 received") && said.out.contains(" 0% packet loss");
        session.check(&format!("{from} on {} gets every answer from {to}", host.name), all);
    }
    Ok(())
}

/// Makes one; its address.
fn sandbox(session: &mut Session, host: &Host, name: &str) -> Result<Ipv4Addr, Stopped> {
    let filter = format!(
        "{{name, state: .status.state, endpoint: (.status.endpoints.{NETWORK} | {{state, interface, mac, address, prefix_length}}), mtu: (.status.endpoints.{NETWORK}.interface as $i | .status.interfaces[] | select(.name == $i).mtu)}}"
    );
    let path = format!("sandboxes/{name}");
    let line = session.put(host, &path, &format!(r#"{{"networks":{{"{NETWORK}":{{}}}}}}"#), &filter);
    let made = session.run_put(host, &path, &line).json();
    let endpoint = &made["endpoint"];
    let address: Option<Ipv4Addr> = endpoint["address"].as_str().and_then(|text| text.parse().ok());
    let subnet: Option<Ipv4Net> = SUBNET.parse().ok();
    let within = address.filter(|address| subnet.is_some_and(|subnet| subnet.contains(address)));
    let is_attached = made["state"] == "running" && endpoint["state"] == "attached" && endpoint["prefix_length"] == 16;
    session.need(
        &format!("{name} runs on {}, with an address of {NETWORK}", host.name),
        is_attached && within.is_some(),
    )?;
    session.check(&format!("the MTU of its interface there is {MTU}"), made["mtu"].as_u64() == Some(MTU));
    within.ok_or(Stopped)
}
