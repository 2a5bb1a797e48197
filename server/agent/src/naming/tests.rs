//! Which networks are known, and the subnets that this host alone gives addresses in. What must not live here: how a question is answered.

use netloom_model::assignment::{AssignedBridge, AssignedPool};

use super::*;

fn network(number: u8, subnet: &str) -> AssignedNetwork {
    AssignedNetwork {
        id: NetworkId::from_random([number; 16]),
        name: format!("n{number}"),
        driver: Driver::Bridge,
        mtu: None,
        pools: vec![AssignedPool { subnet: subnet.parse().expect("a subnet"), gateway: None }],
        internal: false,
        bridge: Some(AssignedBridge::default()),
        macvlan: None,
        overlay: None,
        segment: false,
        in_use: false,
        deleting: false,
    }
}

fn read(revision: u64, networks: &[&AssignedNetwork]) -> Assignment {
    let networks = networks.iter().map(|network| (network.id, (*network).clone())).collect();
    Assignment { revision, networks, ..Assignment::default() }
}

/// Which of two subnets this host alone knows names in, after passes over everything (`true`) or over what was asked for.
fn own(passes: &[(Assignment, bool)]) -> [bool; 2] {
    let naming = Naming::start().expect("a resolver");
    for (assignment, everything) in passes {
        naming.learn_networks(&mut naming.known(), assignment, *everything);
    }
    ["10.9.1.2", "10.9.2.2"].map(|address| naming.directory.is_own(address.parse().expect("an address")))
}

#[test]
fn a_network_that_went_is_known_no_more_whichever_pass_came_last() {
    let (one, two) = (network(1, "10.9.1.0/24"), network(2, "10.9.2.0/24"));
    let leaving = AssignedNetwork { deleting: true, ..one.clone() };
    let routed = AssignedBridge { gateway4: AssignedGateway::Routed, ..AssignedBridge::default() };
    let routed = AssignedNetwork { bridge: Some(routed), ..one.clone() };
    let begun = (read(1, &[&one, &two]), true);
    let with = |more: &[(Assignment, bool)]| own(&[std::slice::from_ref(&begun), more].concat());
    assert_eq!(with(&[]), [true, true]);
    assert_eq!(with(&[(read(1, &[&one]), false)]), [true, true], "what was not asked for is as it was");
    assert_eq!(with(&[(read(2, &[&routed]), false)]), [false, true], "the router outside knows it");
    let removed = (read(2, &[&leaving]), false);
    assert_eq!(with(std::slice::from_ref(&removed)), [false, true]);
    // This one had read the network before it was marked.
    let late = (read(1, &[&one]), false);
    assert_eq!(with(&[removed.clone(), late.clone(), (read(3, &[&two]), true)]), [false, true]);
    assert_eq!(with(&[(read(3, &[&two]), true)]), [false, true]);
}

#[test]
fn a_pass_over_everything_that_read_before_a_network_was_made_does_not_forget_it() {
    let (one, two) = (network(1, "10.9.1.0/24"), network(2, "10.9.2.0/24"));
    assert_eq!(own(&[(read(5, &[&two]), false), (read(4, &[&one]), true)]), [true, true]);
    assert_eq!(own(&[(read(5, &[&two]), false), (read(5, &[&one, &two]), true)]), [true, true]);
}
