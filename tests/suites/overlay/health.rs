//! What nodes find of the ways between them, by probes that really go there, and what follows for the MTU of networks.

use netloom_tests::{Lab, LabHost, Value, json, until};

use crate::agreement::agree;
use crate::kit::{NETWORK, SOON, attach, events, hosts, pings, place, remove, swarm};

/// The number in VXLAN packets of probes.
const VNI_PROBES: u64 = 4095;

/// What a host tells of the network, once it has probed the others.
#[track_caller]
fn health(host: &LabHost<'_>) -> Value {
    host.client().get(&format!("networks/{NETWORK}/health?fresh=true")).is(200)
}

/// The pair from one host to another, as `told` has it.
fn pair<'v>(told: &'v Value, from: &LabHost<'_>, to: &LabHost<'_>) -> Option<&'v Value> {
    let nodes = told["nodes"].as_array()?;
    let id = |host: &LabHost<'_>| Some(&nodes.iter().find(|node| node["address"] == *host.address)?["id"]);
    let (from, to) = (id(from)?, id(to)?);
    told["pairs"].as_array()?.iter().find(|pair| pair["from"] == *from && pair["to"] == *to)
}

/// Waits until `teller` tells of the way from one host to another what is wanted.
#[track_caller]
fn becomes(
    what: &str,
    teller: &LabHost<'_>,
    (from, to): (&LabHost<'_>, &LabHost<'_>),
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    let mut last = Value::Null;
    let begun = std::time::Instant::now();
    while begun.elapsed() < SOON {
        // Whoever is to find it is asked to look; whoever tells has it with the next heartbeat.
        health(from);
        last = health(teller);
        if let Some(pair) = pair(&last, from, to).filter(|pair| is_so(pair)) {
            return pair.clone();
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    panic!("{what}: {} to {}, as {} says: {last:#}", from.name, to.name, teller.name)
}

/// The MTUs of the network's links on a host: the sandbox's, its bridge's, its VXLAN device's.
fn mtus(host: &LabHost<'_>, sandbox: &str) -> Option<[u64; 3]> {
    let interface = place(host, sandbox)["interface"].as_str()?.to_owned();
    let inside = host.json_in_sandbox(sandbox, &format!("ip -j link show {interface}"));
    let (tunnel, bridge) = crate::agreement::tunnel_and_bridge(host);
    let outside = |link: &str| -> Option<u64> {
        let links: Value =
            serde_json::from_str(&host.try_in_overlay(&format!("ip -j link show {link}")).stdout).ok()?;
        links[0]["mtu"].as_u64()
    };
    Some([inside[0]["mtu"].as_u64()?, outside(&bridge)?, outside(&tunnel)?])
}

fn probe_links(host: &LabHost<'_>) -> Vec<Value> {
    let links: Vec<Value> = serde_json::from_str(&host.try_in_overlay("ip -j -d link").stdout).unwrap_or_default();
    links.into_iter().filter(|link| link["linkinfo"]["info_data"]["id"] == VNI_PROBES).collect()
}

#[test]
fn ways_between_nodes_are_proven_and_networks_fit_them() {
    let lab: Lab = hosts(2);
    let hosts = swarm(&lab);
    let [one, two] = hosts.as_slice() else { panic!("two hosts") };
    attach(one, "a");
    assert!(probe_links(one).is_empty(), "nobody is there to be probed");
    attach(two, "b");
    assert_eq!(agree(&hosts, "two attachments"), 2);

    // A healthy pair, as the manager tells of both ways, and a worker of its own.
    let is_well = |pair: &Value| pair["reachable"] == "yes" && pair["usable_mtu"] == 1450 && pair["trouble"].is_null();
    for (teller, from, to) in [(one, one, two), (one, two, one), (two, two, one)] {
        let well = becomes("a healthy pair", teller, (from, to), is_well);
        assert!(well["rtt_us"].as_u64().is_some_and(|us| us > 0) && well["proven_at"].is_string(), "{well}");
    }
    let told = health(one);
    assert_eq!((&told["mtu"], told["nodes"].as_array().map(Vec::len)), (&json!(1450), Some(2)), "{told}");
    assert_eq!(one.client().get("networks/bridge/health").is(409)["code"], "not-overlay");
    assert_eq!(two.client().get(&format!("networks/{NETWORK}")).is(200)["status"]["mtu"], 1450);

    // What leads there is put back, and told.
    let device = probe_links(two)[0]["ifname"].as_str().unwrap().to_owned();
    let repaired = events(two, "drift.repaired").len();
    two.try_in_overlay(&format!("ip link del {device}")).ok();
    until("the device is back", SOON, || (events(two, "drift.repaired").len() > repaired).then_some(()));
    becomes("after a repair", one, (two, one), is_well);

    // A firewall on one host: neither way, with why; and it heals by itself.
    two.run("nft add table ip strict");
    two.run("nft add chain ip strict in { type filter hook prerouting priority raw ; }");
    two.run("nft add rule ip strict in udp dport 4789 drop");
    for (from, to) in [(one, two), (two, one)] {
        let blocked = becomes("VXLAN is dropped", one, (from, to), |pair| pair["reachable"] == "no");
        assert_eq!(blocked["trouble"]["code"], "no-answer", "{blocked}");
        let message = blocked["trouble"]["message"].as_str().unwrap();
        assert!(message.contains(&*to.address) && message.contains("4789"), "{message}");
        assert!(blocked["usable_mtu"].is_null() && blocked["failed_at"].is_string(), "{blocked}");
    }
    let conditions = || one.client().get(&format!("networks/{NETWORK}")).is(200)["status"]["conditions"].to_string();
    until("the network says so", SOON, || conditions().contains("NodesUnreachable").then_some(()));
    two.run("nft delete table ip strict");
    for (from, to) in [(one, two), (two, one)] {
        becomes("VXLAN passes again", one, (from, to), is_well);
    }
    until("the network says nothing of it", SOON, || (!conditions().contains("NodesUnreachable")).then_some(()));

    // A smaller underlay on the worker: the network follows on both, and there is no trouble in that.
    let fits = |mtu: u64| {
        until(&format!("an MTU of {mtu} everywhere"), SOON, || {
            let all = [mtus(one, "a")?, mtus(two, "b")?];
            (all == [[mtu; 3]; 2]).then_some(())
        });
        until("and in the network's status", SOON, || {
            let told =
                |host: &LabHost<'_>| host.client().get(&format!("networks/{NETWORK}")).is(200)["status"]["mtu"].clone();
            (told(one) == mtu && told(two) == mtu).then_some(())
        });
    };
    two.run("ip link set eth0 mtu 1400");
    fits(1350);
    let is_smaller = |pair: &Value| pair["usable_mtu"] == 1350 && pair["trouble"].is_null();
    becomes("a smaller link at the other end", one, (one, two), is_smaller);
    let b = place(two, "b")["address"].as_str().unwrap().to_owned();
    assert!(pings(one, "a", &b));
    assert!(events(one, "node.overlay_mtu").iter().any(|event| event["data"]["mtu"] == "1350"));
    let refused = one.client().post("networks", &json!({"name": "big", "driver": "overlay", "mtu": 1400})).is(422);
    assert_eq!(refused["errors"][0]["pointer"], "/mtu", "{refused}");
    two.run("ip link set eth0 mtu 1500");
    fits(1450);
    becomes("as before", one, (one, two), is_well);

    // A host in the middle that takes less, which no node's own link tells.
    two.run("nft add table ip narrow");
    two.run("nft add chain ip narrow in { type filter hook prerouting priority raw ; }");
    two.run("nft add rule ip narrow in udp dport 4789 ip length gt 1200 drop");
    let narrow = becomes("large packets get lost", one, (one, two), |pair| pair["trouble"]["code"] == "only-small");
    assert_eq!((&narrow["reachable"], &narrow["usable_mtu"]), (&json!("yes"), &json!(1150)), "{narrow}");
    until("the network says so", SOON, || conditions().contains("PathMtuSmall").then_some(()));
    two.run("nft delete table ip narrow");
    becomes("large packets pass again", one, (one, two), is_well);

    // The last one takes all of it along.
    remove(two, "b");
    until("nobody is probed any more", SOON, || probe_links(one).is_empty().then_some(()));
    remove(one, "a");
    assert_eq!(agree(&hosts, "all are gone"), 0);
    lab.netloom("lab down").ok();
}
