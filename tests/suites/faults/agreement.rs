//! The check after every fault: what the API says, what `ip` sees, and what the leases add up to are one and the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use netloom_tests::{Client, Host, Value, json};

const SETTLED: Duration = Duration::from_secs(20);

/// Waits until nothing is under way, then compares everything with everything.
///
/// # Panics
/// With the first thing that doesn't agree.
#[track_caller]
pub(crate) fn agree(host: &Host, after: &str) {
    let client = host.client();
    let begin = Instant::now();
    while let Some(restless) = under_way(&client) {
        assert!(begin.elapsed() < SETTLED, "after {after} this is still under way: {restless}");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(client.get("drift").is(200)["items"], json!([]), "after {after} the kernel differs from what is wanted");
    let sandboxes = client.all("sandboxes?limit=1000");
    namespaces(host, &sandboxes, after);
    let mut endpoints = BTreeMap::new();
    for sandbox in &sandboxes {
        links(host, sandbox, after);
        for endpoint in sandbox["status"]["endpoints"].as_object().unwrap().values() {
            for field in ["address", "address6"] {
                if let Some(address) = endpoint[field].as_str() {
                    let taken = endpoints.insert(address.to_owned(), sandbox["name"].as_str().unwrap().to_owned());
                    assert_eq!(taken, None, "after {after} {address} has two holders");
                }
            }
        }
    }
    leases(&client, &endpoints, after);
    bridges(host, &client, &sandboxes, after);
    lent(host, after);
    for network in client.all("networks?limit=1000") {
        for (key, pool) in network["status"]["pools"].as_object().unwrap() {
            adds_up(&pool["capacity"], &format!("{}/{key} after {after}", network["name"]));
        }
    }
}

/// An object that is not what it will be.
fn under_way(client: &Client) -> Option<Value> {
    let mut objects = client.all("sandboxes?limit=1000");
    objects.extend(client.all("networks?limit=1000"));
    let restless = objects.into_iter().find(|object| {
        let status = &object["status"];
        // What failed is tried again for ever: that is no work under way.
        let state = status["state"].as_str();
        status["reconciling"] == true && state != Some("failed") || matches!(state, Some("pending" | "deleting"))
    });
    restless.or_else(|| client.get("leases?state=releasing").is(200)["items"].get(0).cloned())
}

/// On the host there is a port for each running endpoint on a bridge network, a bridge for each such network that is in use, rules for as
/// many, and nothing else of ours.
fn bridges(host: &Host, client: &Client, sandboxes: &[Value], after: &str) {
    let networks = client.all("networks?driver=bridge");
    let name = |network: &Value| network["name"].as_str().unwrap_or_default().to_owned();
    let names: BTreeSet<String> = networks.iter().map(name).collect();
    let running = sandboxes.iter().filter(|sandbox| sandbox["status"]["state"] == "running");
    let on: Vec<String> = running
        .flat_map(|sandbox| sandbox["status"]["endpoints"].as_object().unwrap().keys().cloned())
        .filter(|network| names.contains(network))
        .collect();
    let in_use: BTreeSet<&String> = on.iter().collect();
    let links = host.net.json("ip -j -d link");
    let links: Vec<&Value> =
        links.as_array().unwrap().iter().filter(|l| l["ifname"].as_str().unwrap().starts_with("nl-")).collect();
    let kinds = |kind: &str| links.iter().filter(|link| link["linkinfo"]["info_kind"] == kind).count();
    assert_eq!((kinds("veth"), kinds("bridge")), (on.len(), in_use.len()), "after {after}: {links:?}");
    assert!(
        links.iter().all(|link| link["linkinfo"]["info_kind"] != "veth" || link["master"].is_string()),
        "{links:?}"
    );
    let table = host.net.try_run("nft list table inet netloom").stdout;
    let chains = table.lines().filter(|line| line.trim_start().starts_with("chain to_")).count();
    assert_eq!((chains, table.is_empty()), (in_use.len(), in_use.is_empty()), "after {after}: {table}");
    published(host, sandboxes, !table.is_empty(), after);
}

/// While there are rules for a bridge network with a way out, a link that leads somewhere forwards, and what that was before is on record;
/// else neither.
fn lent(host: &Host, after: &str) {
    let needed = host.net.try_run("nft list set inet netloom ways_out4").stdout.contains("elements");
    let there = host.net.try_run("ip link show dev parent0").code == 0;
    let leads = there && host.net.run("ip -4 route show dev parent0").contains("203.0.113.0");
    let wanted = (needed && leads).then(|| "net:ipv4:conf:parent0:forwarding".to_owned());
    let forwards = there && host.net.run("sysctl -n net.ipv4.conf.parent0.forwarding").trim() == "1";
    let records = host.net.try_run(&format!("ls {}/lent", host.run_dir().display())).stdout;
    let found = (records.lines().map(str::to_owned).collect::<Vec<_>>(), forwards);
    assert_eq!(found, (wanted.iter().cloned().collect(), wanted.is_some()), "after {after}: forwarding that is lent");
}

/// What is published is what the endpoints of running sandboxes say, port by port: from where it leads where to, or that it is open at the
/// sandbox's own address.
fn published(host: &Host, sandboxes: &[Value], has_table: bool, after: &str) {
    let running = sandboxes.iter().filter(|sandbox| sandbox["status"]["state"] == "running");
    let endpoints = running.flat_map(|sandbox| sandbox["status"]["endpoints"].as_object().unwrap().values());
    let mut wanted: Vec<String> = endpoints.flat_map(ports_of).collect();
    wanted.sort_unstable();
    let mut found = Vec::new();
    for (name, kind, any) in [
        ("published4", "map", ""),
        ("published4_all", "map", "0.0.0.0"),
        ("published6", "map", ""),
        ("published6_all", "map", "::"),
        ("open4", "set", ""),
        ("open6", "set", ""),
    ] {
        if has_table {
            let listed = host.net.json(&format!("nft -j list {kind} inet netloom {name}"));
            let elements = listed["nftables"].as_array().unwrap().iter().find_map(|one| one[kind]["elem"].as_array());
            found.extend(elements.into_iter().flatten().map(|element| element_of(element, any)));
        }
    }
    found.sort_unstable();
    assert_eq!(found, wanted, "after {after}: published ports");
}

/// Each port of an endpoint, in words.
fn ports_of(endpoint: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut words = Vec::new();
    for port in endpoint["ports"].as_object().into_iter().flat_map(|ports| ports.values()) {
        let (protocol, at) = (text(&port["protocol"]), text(&port["host_address"]));
        let own = text(&endpoint[if at.contains(':') { "address6" } else { "address" }]);
        let number = |field: &str| port[field].as_u64().unwrap();
        words.extend((0..number("count")).map(|nth| {
            let (published, target) = (number("published") + nth, number("target") + nth);
            let to = if port["direct"] == true { "open".to_owned() } else { format!("to {own} {target}") };
            format!("{protocol} {at} {published} {to}")
        }));
    }
    words
}

/// The same of an element of a map or a set as `nft` shows it; `any` is the address of a key that has none.
fn element_of(element: &Value, any: &str) -> String {
    let (key, to) = if element.is_array() { (&element[0], Some(&element[1])) } else { (element, None) };
    let key = if key["elem"].is_object() { &key["elem"]["val"] } else { key };
    let words = |value: &Value| -> Vec<String> {
        let parts = value["concat"].as_array().unwrap_or_else(|| panic!("no concatenation: {element}"));
        parts.iter().map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned)).collect()
    };
    let mut key = words(key);
    if !any.is_empty() {
        key.insert(1, any.to_owned());
    }
    format!("{} {}", key.join(" "), to.map_or_else(|| "open".to_owned(), |to| format!("to {}", words(to).join(" "))))
}

/// The files and mounts under the run directory are those of the sandboxes that run, and no others.
fn namespaces(host: &Host, sandboxes: &[Value], after: &str) {
    let prefix = format!("{}/netns/", host.run_dir().display());
    let wanted: BTreeSet<String> = sandboxes
        .iter()
        .filter_map(|s| s["status"]["netns"].as_str())
        .filter(|path| path.starts_with(&prefix))
        .map(str::to_owned)
        .collect();
    let listed = host.net.try_run(&format!("ls {prefix}")).stdout;
    let files: BTreeSet<String> = listed.lines().map(|name| format!("{prefix}{name}")).collect();
    assert_eq!(files, wanted, "after {after}: files under the run directory");
    let mounts = host.net.run("awk {print$5} /proc/self/mountinfo");
    let mut mounts: Vec<&str> = mounts.lines().filter(|mount| mount.starts_with(&prefix)).collect();
    mounts.sort_unstable();
    assert_eq!(mounts, wanted.iter().map(String::as_str).collect::<Vec<_>>(), "after {after}: mounted namespaces");
}

/// `ip` sees in the sandbox exactly what its endpoints say.
fn links(host: &Host, sandbox: &Value, after: &str) {
    let Some(netns) = sandbox["status"]["netns"].as_str() else {
        assert_eq!(sandbox["status"]["state"], "stopped", "after {after}: {sandbox}");
        return;
    };
    if sandbox["networks"].get("host").is_some() {
        return;
    }
    assert_eq!(sandbox["status"]["state"], "running", "after {after}: {sandbox}");
    let dump = host.net.json_in(netns, "ip -j addr");
    let seen: BTreeSet<String> = dump
        .as_array()
        .unwrap()
        .iter()
        .filter(|link| link["ifname"] != "lo")
        .map(|link| {
            let inet: Vec<String> = link["addr_info"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|a| a["scope"] == "global")
                .map(|a| format!("{}/{}", a["local"], a["prefixlen"]))
                .collect();
            format!("{} {} {}", link["ifname"], link["address"], inet.join(" "))
        })
        .collect();
    let said: BTreeSet<String> = sandbox["status"]["endpoints"]
        .as_object()
        .unwrap()
        .values()
        .filter(|e| e["interface"].is_string() && e["mac"].is_string())
        .map(|e| {
            let mut inet = vec![format!("{}/{}", e["address"], e["prefix_length"])];
            if e["address6"].is_string() {
                inet.push(format!("{}/{}", e["address6"], e["prefix_length6"]));
            }
            format!("{} {} {}", e["interface"], e["mac"], inet.join(" "))
        })
        .collect();
    assert_eq!(seen, said, "after {after}: {} as `ip` sees it, and as the API says", sandbox["name"]);
}

/// Every endpoint's address has its lease, and no lease of a sandbox is without an endpoint.
fn leases(client: &Client, endpoints: &BTreeMap<String, String>, after: &str) {
    let held: BTreeMap<String, String> = client
        .all("leases?limit=1000")
        .iter()
        .filter(|lease| lease["status"]["owner"]["kind"] == "sandbox")
        .map(|lease| {
            let status = &lease["status"];
            assert!(matches!(status["state"].as_str(), Some("bound" | "held")), "after {after}: {lease}");
            (status["address"].as_str().unwrap().to_owned(), status["owner"]["name"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(&held, endpoints, "after {after}: leases, and endpoints");
}

/// The parts of a pool make up the whole.
fn adds_up(capacity: &Value, what: &str) {
    let number = |field: &str| match &capacity[field] {
        Value::String(text) => text.parse::<u128>().unwrap(),
        other => u128::from(other.as_u64().unwrap()),
    };
    let parts =
        ["free", "dynamic", "requested", "reserved", "gateway", "host", "held", "releasing", "quarantined", "orphaned"];
    assert_eq!(number("total"), parts.into_iter().map(number).sum::<u128>(), "{what}: {capacity}");
}

/// Nobody but its holder answers for an address: every broadcast request gets exactly one reply.
#[track_caller]
pub(crate) fn one_answers(host: &Host, from: &str, address: &str) {
    let said = host.in_sandbox(from, &format!("busybox arping -b -c 3 -w 4 -I eth0 {address}"));
    assert_eq!(said.matches("reply from").count(), 3, "{said}");
}
