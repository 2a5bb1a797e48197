//! What becomes of the underlay beneath running sandboxes: a cable, an address, an MTU.

use netloom_tests::{json, until};

use crate::agreement::agree;
use crate::kit::{SOON, address, attach, hosts, pings, place, swarm, swarm_by};

#[test]
fn a_link_an_address_and_an_mtu_that_change_are_survived() {
    let lab = hosts(2);
    let hosts = swarm(&lab);
    let [one, two] = hosts.as_slice() else { panic!("two hosts") };
    attach(one, "a");
    attach(two, "b");
    let (a, b) = (address(one, "a"), address(two, "b"));
    let whole = |after: &str| {
        assert_eq!(agree(&hosts, after), 2);
        until(&format!("all reach each other after {after}"), SOON, || {
            (pings(one, "a", &b) && pings(two, "b", &a)).then_some(())
        });
    };
    whole("two attachments");

    two.unplug();
    assert!(!pings(one, "a", &b));
    two.plug_in();
    whole("the cable was pulled");

    // Lost as a lease is, and had again: what runs stays, and nothing new is begun on it meanwhile.
    two.run("ip addr flush dev eth0 scope global");
    assert!(!pings(two, "b", &a));
    let interface = place(two, "b")["interface"].as_str().unwrap().to_owned();
    assert_eq!(two.json_in_sandbox("b", &format!("ip -j link show {interface}"))[0]["ifname"], json!(interface));
    two.run(&format!("ip addr add {}/24 brd + dev eth0", two.address));
    two.run("ip route replace default via 192.168.122.1");
    whole("an address came back");

    // Packets of the network must fit into those of the underlay.
    two.run("ip link set eth0 mtu 1400");
    let mtu = || two.json_in_sandbox("b", &format!("ip -j link show {interface}"))[0]["mtu"].as_u64().unwrap();
    until("the network's own follows the link's", SOON, || (mtu() == 1350).then_some(()));
    whole("a smaller MTU");
    two.run("ip link set eth0 mtu 1500");
    until("and back", SOON, || (mtu() == 1450).then_some(()));
    whole("the usual MTU");
    lab.netloom("lab down").ok();
}

#[test]
fn nodes_that_know_each_other_by_ipv6_carry_both_versions_of_ip() {
    let lab = hosts(3);
    for (number, host) in (1..).zip(lab.hosts()) {
        host.run(&format!("ip -6 addr add fd77::{number}/64 dev eth0 nodad"));
    }
    let mut hosts = swarm_by(&lab, "swarm init --advertise-addr [fd77::1]:2377");
    // What is agreed on is by which address each is known from here on.
    for (number, host) in (1..).zip(&mut hosts) {
        host.address = format!("fd77::{number}");
    }
    let [one, two, three] = hosts.as_slice() else { panic!("three hosts") };
    for (host, name) in [(one, "a"), (two, "b"), (three, "c")] {
        attach(host, name);
    }
    let all_reach = |after: &str| {
        for (from, name) in [(one, "a"), (two, "b"), (three, "c")] {
            for (to, other) in [(one, "a"), (two, "b"), (three, "c")] {
                let there = place(to, other);
                for version in ["address", "address6"] {
                    let to = there[version].as_str().unwrap();
                    until(&format!("{name} reaches {to} after {after}"), SOON, || pings(from, name, to).then_some(()));
                }
            }
        }
    };
    assert_eq!(agree(&hosts, "three attachments over IPv6"), 3);
    all_reach("three attachments");
    // 70 bytes around a frame, and not 50.
    let link = two.json_in_sandbox("b", "ip -j link show eth0");
    assert_eq!(link[0]["mtu"], 1430, "{link}");
    let c = address(three, "c");
    let whole = |size: u32| two.try_in_sandbox("b", &format!("ping -c 1 -W 2 -M do -s {size} {c}")).code == 0;
    assert_eq!([whole(1430 - 28), whole(1431 - 28)], [true, false]);
    two.kill();
    assert!(pings(one, "a", &c), "a killed daemon is nothing to the others");
    two.start();
    assert_eq!(agree(&hosts, "a killed daemon came back"), 3);
    all_reach("a killed daemon came back");
    lab.netloom("lab down").ok();
}
