//! What somebody takes away by hand in the overlay namespace is back at once, and told.

use std::time::Duration;

use netloom_tests::{LabHost, Value, until};

use crate::agreement::{agree, tunnel_and_bridge};
use crate::kit::{address, attach, events, hosts, pings, swarm};

/// How soon it must be back; on an idle machine it is within one second.
const BACK: Duration = Duration::from_secs(5);

#[test]
fn what_is_deleted_by_hand_is_back_and_told() {
    let lab = hosts(2);
    let hosts = swarm(&lab);
    let (one, two) = (&hosts[0], &hosts[1]);
    attach(one, "here");
    let there = attach(two, "there");
    assert_eq!(agree(&hosts, "two attachments"), 2);
    let (mac, at) = (there["mac"].as_str().unwrap(), there["address"].as_str().unwrap());
    let other = address(one, "here");
    for (host, peer) in [(one, Some((mac, at))), (two, None)] {
        let (tunnel, bridge) = tunnel_and_bridge(host);
        let mut damages = vec![format!("ip link del {bridge}"), format!("ip link del {tunnel}")];
        if let Some((mac, at)) = peer {
            damages.push(format!("bridge fdb del {mac} dev {tunnel} self"));
            damages.push(format!("bridge fdb del {mac} dev {tunnel} master"));
            damages.push(format!("ip neigh del {at} dev {bridge}"));
            damages.push(format!("bridge fdb replace {mac} dev {tunnel} self permanent dst 192.168.122.77"));
        }
        for damage in damages {
            let before = told(host);
            host.try_in_overlay(&damage).ok();
            mended(&hosts, host, before, &damage);
        }
        // What the comparison of tables does not see.
        assert!(ports(host).len() >= 2, "the device and the sandbox's pair, and the device of probes");
        for port in ports(host) {
            let before = told(host);
            host.try_in_overlay(&format!("bridge link set dev {port} state 0")).ok();
            until(&format!("{port} passes frames again"), BACK, || {
                (ports(host).contains(&port) && told(host) > before).then_some(())
            });
        }
        let before = told(host);
        lab.machine.run(&format!("umount -l {}/netns/overlay", host.run_dir.display()));
        mended(&hosts, host, before, "the overlay namespace's pin");
    }
    assert!(pings(one, "here", at) && pings(two, "there", &other));
    lab.netloom("lab down").ok();
}

/// The ports of the network's bridge that pass frames.
fn ports(host: &LabHost<'_>) -> Vec<String> {
    let links = host.try_in_overlay("bridge -j link").ok();
    let links: Vec<Value> = serde_json::from_str(&links).unwrap();
    let passing = links.iter().filter(|link| link["state"] == "forwarding");
    passing.map(|link| link["ifname"].as_str().unwrap().to_owned()).collect()
}

fn told(host: &LabHost<'_>) -> usize {
    events(host, "drift.repaired").len()
}

#[track_caller]
fn mended(hosts: &[LabHost<'_>], host: &LabHost<'_>, before: usize, damage: &str) {
    until(&format!("an event of it on {}: {damage}", host.name), BACK, || (told(host) > before).then_some(()));
    until(&format!("it is back on {}: {damage}", host.name), BACK, || {
        crate::agreement::compare(hosts).1.is_empty().then_some(())
    });
}
