//! What somebody takes away or changes is put back within a second, and told.

use std::time::{Duration, Instant};

use netloom_model::assignment::Key;
use netloom_model::host_link;

use crate::commands::{run, start};
use crate::hosts::{Host, endpoint_id, joined, network_id, on_two_hosts, until};

/// Each with what is reported of it.
fn damages() -> Vec<(String, &'static str)> {
    let (bridge, tunnel) = (host_link::of_network(network_id(1)), host_link::tunnel(network_id(1)));
    let port = host_link::port(endpoint_id(1));
    let (own, peer) = ("02:42:0a:58:00:01", "02:42:0a:58:00:02");
    vec![
        (format!("bridge fdb del {peer} dev {tunnel} self"), "forwarding 02:42:0a:58:00:02 on nl-v"),
        (format!("bridge fdb del {peer} dev {tunnel} master"), "forwarding 02:42:0a:58:00:02 on the bridge of nl-v"),
        (
            format!("bridge fdb replace {peer} dev {tunnel} self permanent dst 192.0.2.9"),
            "to node 192.0.2.9 instead of",
        ),
        (format!("ip neigh del 10.88.1.2 dev {bridge}"), "neighbour 10.88.1.2 on nl-"),
        (format!("ip neigh del fd88:1::2 dev {bridge}"), "neighbour fd88:1::2 on nl-"),
        (
            format!("ip neigh replace 10.88.1.2 lladdr 02:00:00:00:00:01 dev {bridge} nud permanent"),
            "was changed (02:00:00:00:00:01 instead",
        ),
        (format!("ip link set {bridge} down"), "down instead of"),
        (format!("ip link set {tunnel} down"), "down instead of"),
        (format!("ip link set {tunnel} mtu 1300"), "MTU 1300"),
        (format!("ip link set {tunnel} nomaster"), "on no bridge"),
        (format!("bridge link set dev {tunnel} learning on"), "learning from frames"),
        (format!("bridge link set dev {tunnel} flood on"), "flooding"),
        (format!("bridge link set dev {tunnel} neigh_suppress off"), "answering for nobody"),
        (format!("ip link set {bridge} type bridge mcast_snooping 1"), "asking for multicast groups"),
        (format!("ip link set {port} nomaster"), "on no bridge"),
        (format!("bridge fdb del {own} dev {port} master"), "its address not in the bridge's table for good"),
        (format!("bridge link set dev {port} learning on"), "learning from frames, not flooded"),
        (format!("bridge link set dev {port} flood on"), "learning nothing, flooded"),
        (format!("ip link del {port}"), "link eth0 was missing"),
        (format!("ip link del {tunnel}"), "link nl-v"),
        (format!("ip link del {bridge}"), "link nl-"),
        ("sysctl -qw net.ipv4.ip_forward=1".to_owned(), "net.ipv4.ip_forward was changed (1 instead of 0)"),
    ]
}

async fn repaired(host: &Host, damage: &str, told: &str) {
    let begun = Instant::now();
    let mut said = Vec::new();
    until(damage, async || {
        said.extend(host.repairs());
        assert!(begun.elapsed() < Duration::from_secs(5), "{damage}: {said:#?}");
        said.iter().any(|(key, found)| key.is_some() && found.contains(told))
    })
    .await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(1), "{damage}: put back after {took:?}");
    host.as_it_should_be().await;
    assert!(host.reaches(1, "10.88.1.2") && host.reaches(1, "fd88:1::2"), "{damage}: {said:?}");
    let _ = host.repairs();
}

#[test]
fn each_kind_of_damage_is_repaired_within_a_second_and_told() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let one = &hosts[0];
        assert!(one.reaches(1, "10.88.1.2") && one.reaches(1, "fd88:1::2"));
        let _ = one.repairs();
        for (damage, told) in damages() {
            one.in_overlay(&damage);
            repaired(one, &damage, told).await;
        }
        hosts
    });
}

/// A start finds links that nobody announces any more: what becomes of their entries is heard all the same.
#[test]
fn an_agent_that_just_started_hears_of_each_kind_of_damage_too() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let [mut one, two] = hosts;
        for (damage, told) in damages() {
            one = one.restarted().await;
            one.in_overlay(&damage);
            repaired(&one, &damage, told).await;
        }
        [one, two]
    });
}

#[test]
fn the_namespace_is_made_again_when_its_path_goes_also_while_somebody_is_in_it() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let one = &hosts[0];
        for is_somebody_in_it in [false, true] {
            let inside =
                is_somebody_in_it.then(|| start(&format!("nsenter --net={} sleep 60", one.overlay().display())));
            if is_somebody_in_it {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            run(&format!("umount {}", one.overlay().display()));
            if is_somebody_in_it {
                // Only the mount table tells of it, and the agent watches that of the process, not that of this test's thread.
                one.agent.wake(vec![Key::Network(network_id(1))]);
            }
            repaired(one, "umount", "overlay namespace was missing").await;
            drop(inside);
        }
        hosts
    });
}

#[test]
fn what_somebody_adds_goes() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let one = &hosts[0];
        let (bridge, tunnel) = (host_link::of_network(network_id(1)), host_link::tunnel(network_id(1)));
        for added in [
            format!("bridge fdb append 02:42:0a:58:00:02 dev {tunnel} self permanent dst 192.0.2.9"),
            format!("bridge fdb append 00:00:00:00:00:00 dev {tunnel} self permanent dst 192.0.2.9"),
            format!("bridge fdb add 02:42:0a:58:00:44 dev {tunnel} master static"),
            format!("ip neigh add 10.88.1.44 lladdr 02:42:0a:58:00:44 dev {bridge} nud permanent"),
        ] {
            one.in_overlay(&added);
            until(&added, async || {
                let entries =
                    one.in_overlay("bridge fdb show") + &one.in_overlay(&format!("ip neigh show dev {bridge}"));
                let there = one.in_overlay("ip -br link").contains(&tunnel);
                there && !entries.contains("192.0.2.9") && !entries.contains("58:00:44")
            })
            .await;
        }
        assert!(one.reaches(1, "10.88.1.2"));
        hosts
    });
}
