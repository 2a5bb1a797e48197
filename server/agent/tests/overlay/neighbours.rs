//! Endpoints on other nodes that come, move and go; and a restart, which finds everything.

use std::time::Duration;

use netloom_model::assignment::Key;
use netloom_model::host_link;

use crate::hosts::{Host, endpoint_id, joined, network_id, on_two_hosts, peer, sandbox, sandbox_id, until};

/// Longer than a look at everything is put off after another.
const SETTLED: Duration = Duration::from_secs(2);

/// All that leads to an endpoint by its Ethernet address.
fn ways(host: &Host, number: u8) -> Vec<String> {
    let all = host.in_overlay("bridge fdb show") + &host.in_overlay("ip neigh show");
    all.lines().filter(|line| line.contains(&format!("02:42:0a:58:00:{number:02x}"))).map(str::to_owned).collect()
}

#[test]
fn peers_come_move_and_go_one_by_one() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let one = &hosts[0];
        let told = |number: u8, vtep: Option<&str>| {
            one.told.change(|assignment| match vtep {
                Some(vtep) => drop(assignment.peers.insert(endpoint_id(number), peer(number, 1, vtep))),
                None => drop(assignment.peers.remove(&endpoint_id(number))),
            })
        };
        // On a busy machine what was heard while the hosts were made is looked at late, at most so long after the last such look.
        let mut full_passes = one.agent.counters().full_passes;
        loop {
            tokio::time::sleep(SETTLED).await;
            let now = one.agent.counters().full_passes;
            if std::mem::replace(&mut full_passes, now) == now {
                break;
            }
        }
        for (vtep, count) in [(Some("192.0.2.7"), 4), (Some("192.0.2.8"), 4), (None, 0)] {
            let revision = told(5, vtep);
            one.converge(vec![Key::Peer(endpoint_id(5))], revision).await;
            let ways = ways(one, 5);
            assert_eq!(ways.len(), count, "{ways:?}");
            if let Some(vtep) = vtep {
                assert!(ways.iter().any(|way| way.contains(&format!("dst {vtep}"))), "{ways:?}");
            }
        }
        assert!(one.reaches(1, "10.88.1.2"));
        assert_eq!(
            one.agent.counters().full_passes,
            full_passes,
            "what was heard of it made nobody look at everything"
        );
        assert_eq!(one.repairs(), [], "nothing of it was drift");
        hosts
    });
}

#[test]
fn an_endpoint_that_takes_over_anothers_address_keeps_it_when_that_one_goes() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let one = &hosts[0];
        let revision = one.told.change(|assignment| {
            let mut heir = peer(2, 1, "192.0.2.2");
            heir.id = endpoint_id(6);
            assignment.peers.insert(heir.id, heir);
        });
        one.converge(vec![Key::Peer(endpoint_id(6))], revision).await;
        let revision = one.told.change(|assignment| drop(assignment.peers.remove(&endpoint_id(2))));
        one.converge(vec![Key::Peer(endpoint_id(2))], revision).await;
        assert_eq!(ways(one, 2).len(), 4);
        assert!(one.reaches(1, "10.88.1.2"));
        hosts
    });
}

/// An address may be given to a sandbox here before this node hears that the one on another node that had it is gone.
#[test]
fn what_a_sandbox_here_holds_does_not_lead_to_the_node_that_had_it_before() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let one = &hosts[0];
        let mut former = peer(5, 1, "192.0.2.7");
        former.id = endpoint_id(7);
        let key = Key::Peer(former.id);
        let revision = one.told.change(|assignment| drop(assignment.peers.insert(former.id, former.clone())));
        one.converge(vec![key], revision).await;
        assert_eq!(ways(one, 5).len(), 4);

        let own = host_link::port(endpoint_id(5));
        let is_here = async || matches!(&ways(one, 5)[..], [way] if way.contains(&own) && way.contains("static"));
        let revision = one.told.change(|assignment| drop(assignment.sandboxes.insert(sandbox_id(5), sandbox(5, 1))));
        one.converge(vec![Key::Sandbox(sandbox_id(5))], revision).await;
        until("it is here alone", is_here).await;
        // Looked at again in whatever order, and once more by a start: the other stands back.
        let both = vec![key, Key::Sandbox(sandbox_id(5))];
        one.converge(both.clone(), one.told.change(|_| {})).await;
        assert!(is_here().await, "{:?}", ways(one, 5));
        let [one, two] = hosts;
        let one = one.restarted().await;
        assert_eq!(one.agent.counters().operations_applied, 0);
        one.as_it_should_be().await;

        let is_here = async || matches!(&ways(&one, 5)[..], [way] if way.contains(&own) && way.contains("static"));
        let tunnel = host_link::tunnel(network_id(1));
        one.in_overlay(&format!("bridge fdb replace 02:42:0a:58:00:05 dev {tunnel} master static sticky"));
        until("what was taken from it is put back", is_here).await;
        let of_own = |(key, _): &(Option<Key>, String)| *key == Some(Key::Sandbox(sandbox_id(5)));
        until("that is told", async || one.repairs().iter().any(of_own)).await;
        // When it leaves, and the other is still told of, that is where its address leads.
        let revision = one.told.change(|assignment| drop(assignment.sandboxes.remove(&sandbox_id(5))));
        one.converge(vec![Key::Sandbox(sandbox_id(5))], revision).await;
        until("the other has it again", async || ways(&one, 5).len() == 4).await;
        let revision = one.told.change(|assignment| drop(assignment.peers.remove(&former.id)));
        one.converge(vec![key], revision).await;
        assert_eq!(ways(&one, 5), [] as [String; 0]);
        [one, two]
    });
}

#[test]
fn a_restart_finds_everything_and_writes_nothing() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let [one, two] = hosts;
        let one = one.restarted().await;
        assert_eq!(one.agent.counters().operations_applied, 0);
        assert!(one.reaches(1, "10.88.1.2"));
        // What nobody is told of any more goes with the start.
        one.told.change(|assignment| assignment.peers.clear());
        let one = one.restarted().await;
        assert_eq!((ways(&one, 2), one.agent.counters().operations_applied), (Vec::new(), 4));
        [one, two]
    });
}

#[test]
fn the_last_endpoint_here_takes_everything_along_and_a_network_more_does_not() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let one = &hosts[0];
        let second = network_id(2);
        let revision = one.told.change(|assignment| {
            assignment.networks.insert(second, crate::hosts::network(2, 1, "192.0.2."));
            assignment.sandboxes.insert(sandbox_id(3), crate::hosts::sandbox(3, 2));
        });
        one.converge(vec![Key::Sandbox(sandbox_id(3))], revision).await;
        let revision = one.told.change(|assignment| {
            assignment.sandboxes.remove(&sandbox_id(3));
            assignment.networks.get_mut(&second).unwrap().in_use = false;
        });
        one.converge(vec![Key::Sandbox(sandbox_id(3)), Key::Network(second)], revision).await;
        let links = one.in_overlay("ip -j link");
        assert!(
            !links.contains(&host_link::tunnel(second)) && links.contains(&host_link::tunnel(network_id(1))),
            "{links}"
        );
        let rules = one.on("nft list table inet netloom");
        assert!(rules.contains("0.0.16.1") && !rules.contains("0.0.16.2"), "{rules}");
        assert!(one.reaches(1, "10.88.1.2"));
        // The first goes by passes over its own keys as well.
        let revision = one.told.change(|assignment| {
            assignment.sandboxes.clear();
            assignment.networks.get_mut(&network_id(1)).unwrap().in_use = false;
        });
        one.converge(vec![Key::Sandbox(sandbox_id(1)), Key::Network(network_id(1))], revision).await;
        assert!(!one.overlay().exists(), "the namespace went with the last");
        assert!(!one.on("nft list tables").contains("netloom"));
        // Used again, it leads to its peers again, and that is no repair.
        let revision = one.told.change(|assignment| {
            assignment.sandboxes.insert(sandbox_id(1), crate::hosts::sandbox(1, 1));
            assignment.networks.get_mut(&network_id(1)).unwrap().in_use = true;
        });
        one.converge(vec![Key::Sandbox(sandbox_id(1))], revision).await;
        crate::hosts::until("its peers are found again", async || one.reaches(1, "10.88.1.2")).await;
        let told: Vec<_> = one.repairs().into_iter().filter(|(key, _)| key.is_some()).collect();
        assert_eq!(told, []);
        hosts
    });
}
