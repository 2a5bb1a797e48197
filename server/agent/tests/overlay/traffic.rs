//! What reaches whom, and what never gets onto the wire.

use std::time::Duration;

use netloom_model::assignment::Key;
use netloom_model::host_link;
use netloom_model::report::Outcome;

use crate::commands::{output, parse, text};
use crate::hosts::{Host, joined, network_id, on_two_hosts, sandbox_id, until};

/// Frames of the overlay that a host has sent since it began to count.
fn count(host: &Host) -> u64 {
    let listed = parse(&host.on("nft -j list chain inet count out"));
    let rules = listed["nftables"].as_array().unwrap();
    let counter = rules.iter().find_map(|one| one["rule"]["expr"].as_array()?.last()?["counter"]["packets"].as_u64());
    counter.expect("a counter")
}

fn begin_to_count(host: &Host) {
    host.on("nft add table inet count");
    host.on("nft 'add chain inet count out { type filter hook output priority 0 ; }'");
    host.on("nft add rule inet count out udp dport 4789 counter");
}

#[test]
fn sandboxes_on_two_hosts_reach_each_other_by_both_versions_of_ip_over_both() {
    for underlay in ["192.0.2.", "2001:db8::"] {
        on_two_hosts(move |hosts| async move {
            joined(&hosts, underlay).await;
            let [one, two] = &hosts;
            for (from, number, to) in [(one, 1, 2), (two, 2, 1)] {
                for address in [format!("10.88.1.{to}"), format!("fd88:1::{to}")] {
                    assert!(from.reaches(number, &address), "{address} over {underlay}");
                }
            }
            // The largest packet that fits gets through whole, and a larger one does not.
            let mtu = if underlay.contains(':') { 1430 } else { 1450 };
            let ping = |size: u32| one.inside(1, &format!("ping -c 1 -W 1 -M do -s {size} 10.88.1.2")).status.success();
            assert_eq!([ping(mtu - 28), ping(mtu - 27)], [true, false]);
            hosts
        });
    }
}

#[test]
fn what_is_made_is_what_others_see() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let one = &hosts[0];
        let (bridge, tunnel) = (host_link::of_network(network_id(1)), host_link::tunnel(network_id(1)));
        let links = parse(&one.in_overlay("ip -j -d link"));
        let link = |name: &str| {
            let found = links.as_array().unwrap().iter().find(|link| link["ifname"] == name);
            found.unwrap_or_else(|| panic!("{name} is not among {links}")).clone()
        };
        let (device, port) = (link(&tunnel)["linkinfo"].clone(), link(&tunnel)["linkinfo"]["info_slave_data"].clone());
        assert_eq!((&device["info_data"]["id"], &device["info_data"]["local"]), (&4097.into(), &"192.0.2.1".into()));
        assert_eq!((&device["info_data"]["port"], &device["info_data"]["learning"]), (&4789.into(), &false.into()));
        for (setting, wanted) in [
            ("learning", false),
            ("flood", false),
            ("mcast_flood", false),
            ("bcast_flood", false),
            ("neigh_suppress", true),
        ] {
            assert_eq!(port[setting], wanted, "{setting} of {port}");
        }
        assert_eq!(link(&bridge)["linkinfo"]["info_data"]["mcast_snooping"], 0);
        assert_eq!((&link(&bridge)["mtu"], &link(&tunnel)["mtu"]), (&1450.into(), &1450.into()));
        assert_eq!(link(&bridge)["inet6_addr_gen_mode"], "none");
        assert_eq!(link(&host_link::port(crate::hosts::endpoint_id(1)))["master"], bridge);
        let addresses = parse(&one.in_overlay("ip -j address show up"));
        let set = addresses
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|link| link["addr_info"].as_array().cloned().unwrap_or_default());
        let set: Vec<String> =
            set.map(|one| text(&one["local"])).filter(|one| !one.starts_with("127") && one != "::1").collect();
        assert_eq!(set, Vec::<String>::new(), "no address in the overlay namespace");
        let forwarding = one.in_overlay("bridge fdb show");
        let of_peer: Vec<&str> = forwarding.lines().filter(|line| line.starts_with("02:42:0a:58:00:02")).collect();
        assert_eq!(of_peer.len(), 2, "{forwarding}");
        assert!(
            of_peer.iter().any(|line| line.contains("dst 192.0.2.2") && line.contains("self permanent")),
            "{forwarding}"
        );
        assert!(of_peer.iter().any(|line| line.contains(&format!("master {bridge} static"))), "{forwarding}");
        assert!(!forwarding.contains("00:00:00:00:00:00"), "{forwarding}");
        let neighbours = parse(&one.in_overlay(&format!("ip -j neigh show dev {bridge} nud permanent")));
        let mut known: Vec<String> = neighbours.as_array().unwrap().iter().map(|one| text(&one["dst"])).collect();
        known.sort();
        assert_eq!(known, ["10.88.1.2", "fd88:1::2"]);
        for setting in
            ["net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"]
        {
            let read = output(&format!("nsenter --net={} sysctl -n {setting}", one.overlay().display()));
            let value = String::from_utf8(read.stdout).unwrap();
            assert!(value.trim() == "0" || !read.status.success(), "{setting}: {value}");
        }
        let rules = one.on("nft -j list table inet netloom");
        for set in ["vnis", "vteps4"] {
            assert!(rules.contains(&format!("\"name\": \"{set}\"")), "{rules}");
        }
        assert!(
            rules.contains("192.0.2.2") && !rules.contains("\"forward\""),
            "bridge networks have nothing there: {rules}"
        );
        let routes = one.inside(1, "ip -j route");
        let routes = parse(&String::from_utf8(routes.stdout).unwrap());
        let destinations: Vec<String> = routes.as_array().unwrap().iter().map(|route| text(&route["dst"])).collect();
        assert_eq!(destinations, ["10.88.1.0/24"], "no default route");
        hosts
    });
}

#[test]
fn an_underlay_too_small_for_ipv6_carries_ipv4_and_is_told() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        for host in &hosts {
            host.on("ip link set under0 mtu 1300");
        }
        let [one, two] = &hosts;
        let key = Key::Sandbox(sandbox_id(1));
        until("it is refused", async || {
            let outcomes = one.agent.converge(vec![key], one.told.change(|_| {}), Duration::from_secs(5)).await;
            matches!(outcomes.get(&key), Some(Outcome::Refused(refusal)) if refusal.code == "mtu-too-small")
        })
        .await;
        until("IPv4 goes on", async || one.reaches(1, "10.88.1.2") && two.reaches(2, "10.88.1.1")).await;
        for host in &hosts {
            host.on("ip link set under0 mtu 1500");
        }
        until("both go on", async || one.reaches(1, "10.88.1.2") && one.reaches(1, "fd88:1::2")).await;
        hosts
    });
}

#[test]
fn nothing_is_sent_to_who_is_not_there_nor_to_all() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let one = &hosts[0];
        begin_to_count(one);
        assert!(one.reaches(1, "10.88.1.2"));
        let asked = count(one);
        assert_eq!(asked, 1, "an echo request, and nobody asked on the wire who has the address");
        one.inside(1, "ip neigh add 10.88.1.77 lladdr 02:42:0a:58:00:77 dev eth0 nud permanent");
        one.inside(1, "ip route add 224.0.0.0/4 dev eth0");
        for quiet in [
            "ping -c 1 -W 1 10.88.1.66",
            "ping -c 1 -W 1 fd88:1::66",
            "ping -c 1 -W 1 10.88.1.77",
            "ping -c 1 -W 1 -b 10.88.1.255",
            "ping -c 1 -W 1 224.0.0.251",
            "ping -c 1 -W 1 ff02::1%eth0",
            "arping -c 1 -w 1 -I eth0 10.88.1.66",
        ] {
            one.inside(1, quiet);
            assert_eq!(count(one), asked, "{quiet}");
        }
        // Nor may a sandbox draw another's frames to itself by sending from its address.
        one.inside(1, "ip link set eth0 down");
        one.inside(1, "ip link set eth0 address 02:42:0a:58:00:02");
        one.inside(1, "ip link set eth0 up");
        one.inside(1, "arping -c 1 -w 1 -U -I eth0 10.88.1.1");
        let forwarding = one.in_overlay("bridge fdb show");
        let tunnel = host_link::tunnel(network_id(1));
        let by_bridge =
            forwarding.lines().find(|line| line.starts_with("02:42:0a:58:00:02") && line.contains("static"));
        assert!(by_bridge.is_some_and(|line| line.contains(&format!("dev {tunnel} "))), "{forwarding}");
        one.on("nft delete table inet count");
        one.converge(vec![Key::Sandbox(sandbox_id(1))], 1).await;
        hosts
    });
}
