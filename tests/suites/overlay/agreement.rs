//! The check after every fault: all that is known of the overlay network, on all nodes, is one and the same. Endpoints are read at the nodes that
//! they are on; leases at the manager; forwarding, neighbours, ports, namespaces and who may send packets with `bridge`, `ip`, `nft` and the mount table.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use netloom_tests::{LabHost, Value};

use crate::kit::{NETWORK, SOON, VNI};

/// An endpoint on the network, as the node says that it is on.
struct Endpoint {
    host: usize,
    sandbox: String,
    mac: String,
    addresses: Vec<String>,
    running: bool,
}

/// Waits until all hosts say the same, and answers how many endpoints there are.
///
/// # Panics
/// With every difference, when they don't in time.
#[track_caller]
pub(crate) fn agree(hosts: &[LabHost<'_>], after: &str) -> usize {
    let begun = Instant::now();
    loop {
        let (count, differences) = compare(hosts);
        if differences.is_empty() {
            return count;
        }
        assert!(begun.elapsed() < SOON, "after {after}:\n{}", differences.join("\n"));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

/// As [`agree`], looking once.
pub(crate) fn compare(hosts: &[LabHost<'_>]) -> (usize, Vec<String>) {
    let mut differences = Vec::new();
    let endpoints = endpoints(hosts, &mut differences);
    leases(&hosts[0], endpoints.iter().collect(), &mut differences);
    for (number, host) in hosts.iter().enumerate() {
        if number > 0 {
            let own = endpoints.iter().filter(|one| one.host == number).collect();
            leases(host, own, &mut differences);
        }
        kernel(hosts, number, &endpoints, &mut differences);
        namespaces(host, &mut differences);
    }
    (endpoints.len(), differences)
}

fn endpoints(hosts: &[LabHost<'_>], differences: &mut Vec<String>) -> Vec<Endpoint> {
    let mut all = Vec::new();
    for (number, host) in hosts.iter().enumerate() {
        for sandbox in host.client().all("sandboxes?limit=1000") {
            let (name, status) = (text(&sandbox["name"]), &sandbox["status"]);
            let settled = matches!(status["state"].as_str(), Some("running" | "stopped"));
            if !settled || status["reconciling"] == true {
                differences.push(format!("{}: {name} is {}", host.name, status["state"]));
            }
            let Some(place) = status["endpoints"].get(NETWORK) else { continue };
            let addresses = [&place["address"], &place["address6"]].map(text).to_vec();
            let running = status["state"] == "running";
            all.push(Endpoint { host: number, sandbox: name, mac: text(&place["mac"]), addresses, running });
        }
    }
    all
}

/// Each address of an endpoint is leased to its sandbox, and nothing else is leased.
fn leases(host: &LabHost<'_>, endpoints: Vec<&Endpoint>, differences: &mut Vec<String>) {
    let wanted: BTreeSet<(String, String)> =
        endpoints.iter().flat_map(|one| one.addresses.iter().map(|at| (at.clone(), one.sandbox.clone()))).collect();
    let listed = host.client().all(&format!("leases?network={NETWORK}&limit=1000"));
    let of_sandboxes = listed.iter().filter(|lease| lease["status"]["owner"]["kind"] == "sandbox");
    let found = of_sandboxes.map(|lease| (text(&lease["status"]["address"]), text(&lease["status"]["owner"]["name"])));
    differ(&format!("{}: leases", host.name), &found.collect(), &wanted, differences);
}

/// What a host's kernel has of the network is what the endpoints say.
fn kernel(hosts: &[LabHost<'_>], number: usize, endpoints: &[Endpoint], differences: &mut Vec<String>) {
    let host = &hosts[number];
    let running: Vec<&Endpoint> = endpoints.iter().filter(|one| one.running).collect();
    let own = running.iter().filter(|one| one.host == number).count();
    let pinned = host.run_dir.join("netns/overlay").exists();
    if own == 0 {
        if pinned {
            differences.push(format!("{}: the overlay namespace is there for nobody", host.name));
        }
        return;
    }
    let Some(Links { tunnel, bridge, at, ports }) = links(host) else {
        differences.push(format!("{}: there is no VXLAN device {VNI} on a bridge", host.name));
        return;
    };
    if at != host.address {
        differences.push(format!("{}: the VXLAN device sends from {at:?} instead of {}", host.name, host.address));
    }
    if ports != own {
        differences.push(format!("{}: {ports} ports for {own} endpoints", host.name));
    }
    let peers: Vec<&&Endpoint> = running.iter().filter(|one| one.host != number).collect();
    let to = |one: &&&Endpoint| (one.mac.clone(), hosts[one.host].address.clone());
    let wanted: BTreeMap<_, _> = peers.iter().map(to).collect();
    let wanted = wanted.into_iter().collect::<BTreeSet<_>>();
    let entries = json(host, &format!("bridge -j fdb show dev {tunnel}"));
    let forwarded = entries.iter().filter(|entry| entry["dst"].is_string());
    let found = forwarded.map(|entry| (text(&entry["mac"]), text(&entry["dst"]))).collect();
    differ(&format!("{}: forwarding to nodes", host.name), &found, &wanted, differences);
    let into =
        entries.iter().filter(|entry| entry["master"].is_string() && entry["flags"].to_string().contains("sticky"));
    let found = into.map(|entry| (text(&entry["mac"]), String::new())).collect();
    let macs = wanted.iter().map(|(mac, _)| (mac.clone(), String::new())).collect();
    differ(&format!("{}: forwarding into the device", host.name), &found, &macs, differences);
    let at_ports = json(host, &format!("bridge -j fdb show br {bridge}"));
    let at_ports = at_ports.iter().filter(|entry| entry["state"] == "static" && text(&entry["ifname"]) != tunnel);
    let found = at_ports.map(|entry| (text(&entry["mac"]), String::new())).collect();
    let macs = running.iter().filter(|one| one.host == number).map(|one| (one.mac.clone(), String::new())).collect();
    differ(&format!("{}: forwarding to its own", host.name), &found, &macs, differences);
    let neighbours = json(host, &format!("ip -j neigh show dev {bridge} nud permanent"));
    let found = neighbours.iter().map(|one| (text(&one["dst"]), text(&one["lladdr"]))).collect();
    let wanted = peers.iter().flat_map(|one| one.addresses.iter().map(|at| (at.clone(), one.mac.clone()))).collect();
    differ(&format!("{}: neighbours", host.name), &found, &wanted, differences);
    let vteps: BTreeSet<&str> = peers.iter().map(|one| hosts[one.host].address.as_str()).collect();
    let rules: String =
        ["vteps4", "vteps6"].map(|set| host.try_run(&format!("nft list set inet netloom {set}")).stdout).concat();
    for other in hosts.iter().filter(|other| other.name != host.name) {
        let is_let_in =
            rules.contains(&format!("{} . ", other.address)) || rules.contains(&format!(" . {}", other.address));
        if is_let_in != vteps.contains(other.address.as_str()) {
            differences.push(format!("{}: {} is let in: {is_let_in}", host.name, other.name));
        }
    }
}

/// The network's links on a host.
struct Links {
    tunnel: String,
    bridge: String,
    /// The address on the underlay that it sends from.
    at: String,
    ports: usize,
}

fn links(host: &LabHost<'_>) -> Option<Links> {
    let links = json(host, "ip -j -d link");
    let tunnel = links.iter().find(|link| link["linkinfo"]["info_data"]["id"] == VNI)?;
    let bridge = tunnel["master"].as_str()?;
    let ports = links.iter().filter(|link| link["master"] == bridge && link["linkinfo"]["info_kind"] == "veth").count();
    let data = &tunnel["linkinfo"]["info_data"];
    let at = text(if data["local6"].is_string() { &data["local6"] } else { &data["local"] });
    Some(Links { tunnel: text(&tunnel["ifname"]), bridge: bridge.to_owned(), at, ports })
}

/// Names of the VXLAN device and the bridge of the network on a host.
///
/// # Panics
/// When they are not there.
#[track_caller]
pub(crate) fn tunnel_and_bridge(host: &LabHost<'_>) -> (String, String) {
    let links = links(host).unwrap_or_else(|| panic!("{} has nothing of the network", host.name));
    (links.tunnel, links.bridge)
}

/// The namespaces of a host are those of its running sandboxes, and that of its overlay networks.
fn namespaces(host: &LabHost<'_>, differences: &mut Vec<String>) {
    let sandboxes = host.client().all("sandboxes?limit=1000");
    let mut wanted: BTreeSet<String> =
        sandboxes.iter().filter_map(|one| one["status"]["netns"].as_str()).map(str::to_owned).collect();
    let on = |one: &Value| one["status"]["netns"].is_string() && one["status"]["endpoints"].get(NETWORK).is_some();
    if sandboxes.iter().any(on) {
        wanted.insert(format!("{}/netns/overlay", host.run_dir.display()));
    }
    let found: BTreeSet<String> = host.mounts().into_iter().filter(|mount| mount.contains("/netns/")).collect();
    if found != wanted {
        differences.push(format!("{}: namespaces {found:?} instead of {wanted:?}", host.name));
    }
    let files = std::fs::read_dir(host.run_dir.join("netns")).map_or(0, std::iter::Iterator::count);
    if files != wanted.len() {
        differences.push(format!("{}: {files} files for {} namespaces", host.name, wanted.len()));
    }
}

fn differ(
    what: &str,
    found: &BTreeSet<(String, String)>,
    wanted: &BTreeSet<(String, String)>,
    differences: &mut Vec<String>,
) {
    differences.extend(found.difference(wanted).map(|one| format!("{what}: {one:?} is too many")));
    differences.extend(wanted.difference(found).map(|one| format!("{what}: {one:?} is missing")));
}

fn json(host: &LabHost<'_>, line: &str) -> Vec<Value> {
    serde_json::from_str(&host.try_in_overlay(line).stdout).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
