//! Ten thousand endpoints on other nodes. The times are printed, and asserted by nobody: they are the machine's.

use std::net::IpAddr;
use std::time::Instant;

use netloom_model::assignment::{AssignedPeer, Key};
use netloom_model::{EndpointId, MacAddr};

use crate::hosts::{joined, network_id, on_two_hosts, until};

const MANY: u32 = 10_000;

fn peer(number: u32) -> AssignedPeer {
    let [_, a, b, c] = number.to_be_bytes();
    let mut id = [9; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let six = [0xfd, 0x88, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, a, b, c];
    AssignedPeer {
        id: EndpointId::from_random(id),
        network: network_id(1),
        mac: MacAddr([2, 0x42, 99, a, b, c]),
        addresses: vec![IpAddr::from([10, 90 + a, b, c]), IpAddr::from(six)],
        vtep: [192, 0, 2, 2].into(),
        sandbox: netloom_model::SandboxId::from_random(id),
        names: vec![format!("peer{number}")],
    }
}

#[test]
fn one_more_of_ten_thousand_peers_costs_what_one_of_few_does() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let [one, two] = hosts;
        let began = Instant::now();
        let one = one.restarted_with(|told| told.peers.extend((0..MANY).map(peer).map(|peer| (peer.id, peer)))).await;
        println!("{MANY} peers: made and verified in {:?}", began.elapsed());
        let counters = one.agent.counters();
        assert_eq!(counters.operations_applied, u64::from(MANY) * 4);
        let entries = one.in_overlay("bridge fdb show");
        assert_eq!(entries.lines().filter(|line| line.starts_with("02:42:63")).count(), MANY as usize * 2);
        until("what was heard of that is looked at", async || {
            let before = one.agent.counters().passes;
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            one.agent.counters().passes == before
        })
        .await;
        let (full_passes, overruns) = (one.agent.counters().full_passes, one.agent.counters().overruns);
        println!("full passes {full_passes}, overruns {overruns}");
        let mut took = Vec::new();
        for number in MANY..MANY + 20 {
            let revision = one.told.change(|assignment| {
                let peer = peer(number);
                assignment.peers.insert(peer.id, peer);
            });
            let began = Instant::now();
            one.converge(vec![Key::Peer(peer(number).id)], revision).await;
            took.push(began.elapsed());
        }
        took.sort();
        println!("one more: {:?} (median of {})", took[took.len() / 2], took.len());
        assert_eq!(one.agent.counters().full_passes, full_passes, "one more made nobody look at everything");
        let began = Instant::now();
        let one = one.restarted().await;
        println!("a restart: {:?}, {} operations", began.elapsed(), one.agent.counters().operations_applied);
        assert_eq!(one.agent.counters().operations_applied, 0);
        let began = Instant::now();
        let one = one.restarted_with(|told| told.peers.retain(|_, peer| peer.mac.0[2] != 99)).await;
        println!("all of them removed: {:?}", began.elapsed());
        [one, two]
    });
}
