//! What becomes of the underlay beneath running sandboxes: a cable, an address, an MTU.

use netloom_tests::{json, until};

use crate::agreement::agree;
use crate::kit::{SOON, address, attach, hosts, pings, place, swarm};

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
