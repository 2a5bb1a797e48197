//! What is told of ways, when they are probed again, and which conditions follow.

use netloom_model::NetworkId;
use netloom_model::assignment::AssignedOverlay;
use netloom_model::facts::HostLink;
use netloom_model::network::Driver;

use super::*;

fn node(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn sounding(last: u8, usable_mtu: Option<u32>) -> health::Sounding {
    health::Sounding { to: node(last), usable_mtu, rtt_us: None, trouble: None }
}

fn facts() -> Facts {
    let addresses = vec!["192.0.2.100/24".parse().expect("a prefix")];
    let (name, index, mtu) = ("eth0".to_owned(), 2, 1500);
    let link =
        HostLink { name, index, kind: None, mac: None, mtu, up: true, loopback: false, controller: None, addresses };
    Facts { links: vec![link], ..Facts::default() }
}

fn network(mtu: Option<u32>) -> AssignedNetwork {
    AssignedNetwork {
        id: NetworkId::from_random([1; 16]),
        name: String::new(),
        driver: Driver::Overlay,
        segment: false,
        mtu,
        pools: Vec::new(),
        internal: false,
        bridge: None,
        macvlan: None,
        overlay: Some(AssignedOverlay {
            vni: 4097,
            data_path_port: 4789,
            vtep: node(100),
            hostnames: Default::default(),
            vteps: [node(1), node(2)].into(),
            mtu: None,
        }),
        in_use: true,
        deleting: false,
    }
}

#[test]
fn one_that_never_answered_is_told_of_after_three_rounds() {
    let mut ways = Ways::default();
    for (answers, told, soonest) in
        [(None, 0, SOON), (None, 0, SOON * 2), (None, 1, SOON * 4), (Some(1450), 1, EVERY), (None, 1, SOON)]
    {
        ways.take(vec![sounding(1, answers)]);
        let wait = ways.wait();
        assert_eq!(ways.told().len(), told);
        assert!(wait <= soonest && wait >= soonest / 2, "{wait:?} of {soonest:?}");
    }
    ways.take(Vec::new());
    assert!(ways.told().is_empty());
}

#[test]
fn conditions_name_the_nodes_of_the_network_that_they_are_about() {
    let mut ways = Ways::default();
    type Case<'a> = (&'a [(u8, Option<u32>)], Option<u32>, &'a [&'a str]);
    let cases: [Case<'_>; 6] = [
        (&[(1, Some(1450)), (2, Some(1450))], None, &[]),
        (&[(1, Some(1450)), (2, Some(1449))], None, &[PATH_MTU_SMALL]),
        (&[(1, Some(1450)), (2, Some(1449))], Some(1400), &[]),
        (&[(1, Some(1450)), (2, Some(1450))], Some(9000), &[PATH_MTU_SMALL]),
        (&[(1, None), (2, Some(1000))], None, &[NODES_UNREACHABLE, PATH_MTU_SMALL]),
        // Another network's.
        (&[(1, Some(1450)), (2, Some(1450)), (3, None)], None, &[]),
    ];
    for (found, mtu, wanted) in cases {
        ways.take(found.iter().map(|(last, usable)| sounding(*last, *usable)).collect());
        let conditions = ways.conditions(&network(mtu), &facts());
        let kinds: Vec<&str> = conditions.iter().map(|one| one.kind.as_str()).collect();
        assert_eq!(kinds, wanted, "{found:?} {mtu:?}");
    }
    ways.take(vec![sounding(2, Some(1400))]);
    let message = ways.conditions(&network(None), &facts())[0].message.clone();
    assert!(message.contains("1450") && message.contains("1400") && message.contains("192.0.2.2"), "{message}");
}

#[test]
fn nodes_stand_by_their_hosts_names_where_these_are_known() {
    let mut ways = Ways::default();
    (0..UNPROVEN).for_each(|_| ways.take(vec![sounding(1, None), sounding(2, None)]));
    let mut network = network(None);
    let overlay = network.overlay.as_mut().expect("driver overlay");
    overlay.hostnames.insert(node(2), "machine2".to_owned());
    let message = ways.conditions(&network, &facts())[0].message.clone();
    assert!(message.contains("192.0.2.1, `machine2` (192.0.2.2)"), "{message}");
}
