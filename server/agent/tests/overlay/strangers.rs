//! Packets of others, and links of others where ours should be.

use std::time::Duration;

use netloom_model::assignment::{AssignedPeer, Key};
use netloom_model::host_link;
use netloom_model::report::Outcome;

use crate::commands::{parse, start};
use crate::hosts::{Host, endpoint_id, joined, network, network_id, on_two_hosts, peer, sandbox, sandbox_id, until};

/// Packets that were kept out.
fn kept_out(host: &Host) -> u64 {
    let listed = parse(&host.on("nft -j list chain inet netloom underlay"));
    let rules = listed["nftables"].as_array().unwrap().iter().filter_map(|one| one["rule"]["expr"].as_array());
    let counters = rules.flatten().filter_map(|expression| expression["counter"]["packets"].as_u64());
    counters.sum()
}

/// Sends one VXLAN packet, whose frame is for nobody, from an address of a host's.
fn send(host: &Host, from: &str, to: &str, vni: u32) {
    let family = if to.contains(':') { "AF_INET6" } else { "AF_INET" };
    let code = format!(
        "import socket as s;c=s.socket(s.{family},s.SOCK_DGRAM);c.bind((\"{from}\",0));\
         c.sendto(bytes([8,0,0,0])+({vni}<<8).to_bytes(4,\"big\")+b\"\\x02\"*60,(\"{to}\",4789))"
    );
    host.on(&format!("python3 -c '{code}'"));
}

#[test]
fn only_nodes_on_a_network_get_packets_into_it() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let [one, two] = &hosts;
        two.on("ip address add 192.0.2.99/24 dev under0");
        two.on("ip -6 address add 2001:db8::99/64 dev under0 nodad");
        for (from, to, vni, is_kept_out) in [
            ("192.0.2.2", "192.0.2.1", 4097, false),
            ("192.0.2.99", "192.0.2.1", 4097, true),
            ("2001:db8::99", "2001:db8::1", 4097, true),
            ("2001:db8::2", "2001:db8::1", 4097, true),
            ("192.0.2.99", "192.0.2.1", 5000, false),
            ("192.0.2.2", "192.0.2.1", 4098, false),
        ] {
            let before = kept_out(one);
            send(two, from, to, vni);
            assert_eq!(kept_out(one) - before, u64::from(is_kept_out), "{from} with VNI {vni}");
        }
        // A node that joins is let in, one that leaves is not any more.
        let nodes = |nodes: &[&str]| {
            let vteps = nodes.iter().map(|node| node.parse().unwrap()).collect();
            one.told.change(|assignment| {
                let network = assignment.networks.values_mut().next().unwrap();
                network.overlay.as_mut().unwrap().vteps = vteps;
            })
        };
        let key = Key::Network(network(1, 1, "192.0.2.").id);
        let revision = nodes(&["192.0.2.99"]);
        one.converge(vec![key], revision).await;
        let before = kept_out(one);
        send(two, "192.0.2.99", "192.0.2.1", 4097);
        assert_eq!(kept_out(one) - before, 0);
        send(two, "192.0.2.2", "192.0.2.1", 4097);
        assert_eq!(kept_out(one) - before, 1);
        two.on("ip address del 192.0.2.99/24 dev under0");
        two.on("ip -6 address del 2001:db8::99/64 dev under0");
        hosts
    });
}

#[test]
fn other_peoples_vxlans_on_the_same_port_go_on() {
    on_two_hosts(|hosts| async move {
        for host in &hosts {
            host.on(&format!(
                "ip link add theirs type vxlan id 5000 dstport 4789 dev under0 remote 192.0.2.{}",
                3 - host.number
            ));
            host.on(&format!("ip address add 10.77.0.{}/24 dev theirs", host.number));
            host.on("ip link set theirs up");
        }
        let reaches = || hosts[0].on("ping -c 1 -W 1 10.77.0.2");
        reaches();
        joined(&hosts, "192.0.2.").await;
        reaches();
        assert!(hosts[0].reaches(1, "10.88.1.2"));
        hosts.iter().for_each(|host| drop(host.on("ip link del theirs")));
        hosts
    });
}

#[test]
fn a_number_that_another_device_has_is_refused_in_words_until_it_is_free() {
    on_two_hosts(|hosts| async move {
        let [one, two] = &hosts;
        // The other node of the network may be on the same machine, where its namespaces can be found.
        two.told.change(|assignment| {
            assignment.networks.insert(network_id(1), network(1, 2, "192.0.2."));
            assignment.sandboxes.insert(sandbox_id(2), sandbox(2, 1));
        });
        two.settle().await;
        let somebody = start(&format!("nsenter --net={} sleep 60", two.overlay().display()));
        tokio::time::sleep(Duration::from_millis(200)).await;
        let tunnel = format!("ip -o link show {}", host_link::tunnel(network_id(1)));
        let of_other = two.in_overlay(&tunnel);
        one.on("ip link add theirs type vxlan id 4097 dstport 4789 dev under0 remote 192.0.2.2");
        let revision = one.told.change(|assignment| {
            let (network, sandbox) = (network(1, 1, "192.0.2."), sandbox(1, 1));
            assignment.networks.insert(network.id, network);
            assignment.sandboxes.insert(sandbox.id, sandbox);
        });
        let key = Key::Network(network(1, 1, "192.0.2.").id);
        let outcomes = one.agent.converge(vec![key], revision, Duration::from_secs(5)).await;
        let Some(Outcome::Refused(refusal)) = outcomes.get(&key) else { panic!("{outcomes:?}") };
        assert_eq!((refusal.errno.as_deref(), refusal.operation.as_str()), (Some("EEXIST"), "create"));
        assert!(
            refusal.object.starts_with("link nl-v") && refusal.object.ends_with("in the overlay namespace"),
            "{refusal:?}"
        );
        assert!(
            refusal.message.contains("A VXLAN device with the specified VNI already exists"),
            "{}",
            refusal.message
        );
        assert!(refusal.hint.as_ref().is_some_and(|hint| hint.contains("VNI 4097 on UDP port 4789")), "{refusal:?}");
        assert_eq!(two.in_overlay(&tunnel), of_other, "the other node's device is that node's");
        drop(somebody);
        one.on("ip link del theirs");
        until("it is made once the number is free", async || {
            one.agent.wake(vec![key, Key::Sandbox(sandbox_id(1))]);
            one.agent.drift().await.is_ok_and(|drift| drift.is_empty())
        })
        .await;
        // What another socket holds is the port itself.
        hosts
    });
}

#[test]
fn a_port_that_another_program_has_is_refused_in_words() {
    on_two_hosts(|hosts| async move {
        let one = &hosts[0];
        let listener = one.start_on("python3 -c 'import socket,time;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.bind((\"0.0.0.0\",4789));time.sleep(60)'");
        until("it listens", async || one.on("ss -lun").contains(":4789")).await;
        let revision = one.told.change(|assignment| {
            let (network, sandbox) = (network(1, 1, "192.0.2."), sandbox(1, 1));
            assignment.networks.insert(network.id, network);
            assignment.sandboxes.insert(sandbox.id, sandbox);
        });
        let key = Key::Network(network(1, 1, "192.0.2.").id);
        let outcomes = one.agent.converge(vec![key], revision, Duration::from_secs(5)).await;
        let Some(Outcome::Refused(refusal)) = outcomes.get(&key) else { panic!("{outcomes:?}") };
        assert_eq!(refusal.errno.as_deref(), Some("EADDRINUSE"), "{refusal:?}");
        assert!(refusal.hint.as_ref().is_some_and(|hint| hint.contains("listens on UDP port 4789")), "{refusal:?}");
        drop(listener);
        hosts
    });
}

#[test]
fn a_way_that_the_kernel_refuses_is_a_condition_of_the_network_and_nobody_elses_trouble() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let one = &hosts[0];
        // Of the other version of IP than the device's own address.
        let (third, key) = (sandbox(3, 1), Key::Peer(endpoint_id(4)));
        let odd = AssignedPeer { names: vec!["odd".to_owned()], ..peer(4, 1, "2001:db8::2") };
        let revision = one.told.change(|assignment| {
            assignment.sandboxes.insert(third.id, third.clone());
            assignment.peers.insert(odd.id, odd.clone());
            let network = assignment.networks.values_mut().next().unwrap();
            network.overlay.as_mut().unwrap().hostnames = [(odd.vtep, "machine2".to_owned())].into();
        });
        let (own, network) = (Key::Sandbox(third.id), Key::Network(network_id(1)));
        let outcomes = one.agent.converge(vec![own, key], revision, Duration::from_secs(20)).await;
        assert!(matches!(outcomes[&own], Outcome::Converged { .. }), "{outcomes:?}");
        assert!(matches!(outcomes[&key], Outcome::Refused(_)), "{outcomes:?}");
        assert!(one.reaches(1, "10.88.1.2"), "all others are reached");
        let told = async || {
            let live = one.agent.live(vec![network], false).await;
            let object = &live.objects[&network];
            assert!(object.refusal.is_none(), "{object:?}");
            object.conditions.iter().find(|one| one.kind == "PeersRefused").cloned()
        };
        until("the network says so", async || told().await.is_some()).await;
        let condition = told().await.unwrap();
        let wanted = "sandboxes here don't reach `odd` (10.88.1.4, fd88:1::4) on node `machine2` (2001:db8::2): ";
        assert!(condition.message.starts_with(wanted) && condition.reason == "OtherIpVersion", "{condition:?}");
        let revision = one.told.change(|assignment| {
            assignment.peers.remove(&odd.id);
            assignment.sandboxes.remove(&third.id);
        });
        one.converge(vec![own, key], revision).await;
        until("it is over", async || told().await.is_none()).await;
        hosts
    });
}
