//! Sandboxes of one host on one network: none of them sees a frame that is for another, or for nobody.

use netloom_model::host_link;

use crate::commands::{parse, text};
use crate::hosts::{Host, endpoint_id, joined, network_id, on_two_hosts, sandbox};

/// The Ethernet address of a sandbox by its number, and one that nobody has.
const SILENT: &str = "02:42:0a:58:00:03";
const NOBODY: &str = "02:42:0a:58:00:77";

/// Puts sandboxes 3 and 4 beside 1 on host 1.
async fn with_neighbours(host: &Host) {
    host.told.change(|assignment| {
        for number in [3, 4] {
            let sandbox = sandbox(number, 1);
            assignment.sandboxes.insert(sandbox.id, sandbox);
        }
    });
    host.settle().await;
}

/// Has sandbox 4 count the frames that come to it for each of these addresses.
fn begin_to_count(host: &Host) {
    for command in [
        "nft add table netdev count",
        "nft 'add chain netdev count in { type filter hook ingress device eth0 priority 0 ; }'",
        &format!("nft add rule netdev count in ether daddr {SILENT} counter"),
        &format!("nft add rule netdev count in ether daddr {NOBODY} counter"),
        "nft add rule netdev count in ether daddr ff:ff:ff:ff:ff:ff counter",
    ] {
        let done = host.inside(4, command);
        assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

/// How many came: for sandbox 3, for nobody, for all.
fn counted(host: &Host) -> [u64; 3] {
    let listed = host.inside(4, "nft -j list chain netdev count in");
    let listed = parse(&String::from_utf8(listed.stdout).unwrap());
    let rules = listed["nftables"].as_array().unwrap();
    let counters =
        rules.iter().filter_map(|one| one["rule"]["expr"].as_array()?.last()?["counter"]["packets"].as_u64());
    counters.collect::<Vec<_>>().try_into().expect("three counters")
}

/// What the bridge's table says of an Ethernet address: by which port, and for how long.
fn listed(host: &Host, mac: &str) -> Vec<(String, String)> {
    let entries = parse(&host.in_overlay("bridge -j fdb show"));
    let of_it = entries.as_array().unwrap().iter().filter(|entry| entry["mac"] == mac);
    of_it.map(|entry| (text(&entry["ifname"]), text(&entry["state"]))).collect()
}

#[test]
fn no_sandbox_sees_what_is_for_another_that_was_silent_or_for_nobody() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let one = &hosts[0];
        with_neighbours(one).await;
        begin_to_count(one);
        for (address, mac) in [("10.88.1.3", SILENT), ("10.88.1.77", NOBODY)] {
            one.inside(1, &format!("ip neigh replace {address} lladdr {mac} dev eth0 nud permanent"));
        }
        // 3 has sent nothing yet, and what a bridge learnt would be forgotten within a second from here on.
        one.in_overlay(&format!("ip link set {} type bridge ageing_time 100", host_link::of_network(network_id(1))));
        for _ in 0..2 {
            assert!(one.reaches(1, "10.88.1.3"));
            one.inside(1, "ping -c 2 -i 0.2 -W 1 10.88.1.77");
            let [silent, nobody, _] = counted(one);
            assert_eq!([silent, nobody], [0, 0], "frames that sandbox 4 has no business with");
            tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
        }
        let [.., all] = counted(one);
        assert!(!one.reaches(1, "10.88.1.66"));
        assert!(counted(one)[2] > all, "it is asked who has an address, as all are");
        assert!(one.reaches(1, "10.88.1.4") && one.reaches(3, "10.88.1.4") && one.reaches(4, "fd88:1::3"));
        hosts
    });
}

#[test]
fn the_table_has_the_addresses_here_for_good_and_only_while_they_are_here() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let one = &hosts[0];
        with_neighbours(one).await;
        assert_eq!(listed(one, SILENT), [(host_link::port(endpoint_id(3)), "static".to_owned())]);
        // Another that sends from that address gets nothing of it, and is put right.
        one.inside(4, "ip link set eth0 down");
        one.inside(4, &format!("ip link set eth0 address {SILENT}"));
        one.inside(4, "ip link set eth0 up");
        one.inside(4, "arping -c 1 -w 1 -U -I eth0 10.88.1.3");
        assert_eq!(listed(one, SILENT), [(host_link::port(endpoint_id(3)), "static".to_owned())]);
        one.as_it_should_be().await;
        one.told.change(|assignment| assignment.sandboxes.retain(|id, _| *id != sandbox(3, 1).id));
        one.settle().await;
        assert_eq!(listed(one, SILENT), []);
        hosts
    });
}
