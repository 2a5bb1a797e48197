//! Which gateways count, and who hears that one comes or goes.

use std::sync::Arc;

use netloom_model::assignment::{AssignedBridge, AssignedEndpoint, AssignedPool, AssignedSandbox, NamespaceSource};
use netloom_model::network::Driver;
use netloom_model::port::{Protocol, PublishedPort};
use netloom_model::{EndpointId, MacAddr, NetworkId, SandboxId};

use super::*;

/// Bridge network `10.0.n.0/24`.
pub(crate) fn network(n: u8, in_use: bool) -> AssignedNetwork {
    let pool = AssignedPool {
        subnet: format!("10.0.{n}.0/24").parse().expect("a subnet"),
        gateway: Some(IpAddr::from([10, 0, n, 1])),
    };
    AssignedNetwork {
        id: NetworkId::from_random([n; 16]),
        name: format!("n{n}"),
        driver: Driver::Bridge,
        mtu: None,
        pools: vec![pool],
        internal: false,
        bridge: Some(AssignedBridge::default()),
        macvlan: None,
        overlay: None,
        segment: false,
        in_use,
        deleting: false,
    }
}

/// A sandbox that publishes a port on an address.
fn publisher(n: u8, host_address: IpAddr) -> AssignedSandbox {
    let port =
        PublishedPort { protocol: Protocol::Tcp, host_address, published: 80, target: 80, count: 1, direct: false };
    let endpoint = AssignedEndpoint {
        id: EndpointId::from_random([n; 16]),
        network: NetworkId::from_random([9; 16]),
        interface: "eth0".to_owned(),
        mac: MacAddr([2, 0, 0, 0, 0, n]),
        addresses: Vec::new(),
        aliases: Vec::new(),
        ports: vec![port],
        default_route: true,
        fenced: false,
        deleting: false,
    };
    AssignedSandbox {
        id: SandboxId::from_random([n; 16]),
        name: format!("s{n}"),
        namespace: NamespaceSource::Made,
        running: true,
        deleting: false,
        endpoints: vec![endpoint],
    }
}

fn assign(state: &mut State, network: AssignedNetwork) {
    state.assign(Key::Network(network.id), Some(Assigned::Network(Arc::new(network))));
}

#[test]
fn what_is_assigned_now_counts_before_what_is_remembered() {
    let mut state = State::default();
    assign(&mut state, network(1, false));
    assign(&mut state, network(2, true));
    assign(&mut state, network(3, true));
    let unmanaged = AssignedBridge { managed: false, ..AssignedBridge::default() };
    assign(&mut state, AssignedNetwork { bridge: Some(unmanaged), ..network(4, true) });
    assign(&mut state, AssignedNetwork { deleting: true, ..network(5, true) });
    let now = [network(1, true), network(2, false), network(6, true)];
    let assignment = Assignment { networks: now.map(|one| (one.id, one)).into(), ..Assignment::default() };
    let wanted = [1, 3, 6].map(|n| IpAddr::from([10, 0, n, 1]));
    assert_eq!(all(&state, &assignment), BTreeSet::from(wanted));
}

#[test]
fn those_who_publish_on_a_gateway_are_looked_at_when_it_comes_and_when_it_goes() {
    let mut state = State::default();
    let (on_it, elsewhere) = (publisher(1, [10, 0, 1, 1].into()), publisher(2, [10, 0, 2, 1].into()));
    for sandbox in [&on_it, &elsewhere] {
        state.assign(Key::Sandbox(sandbox.id), Some(Assigned::Sandbox(Arc::new(sandbox.clone()))));
    }
    let key = Key::Network(network(1, true).id);
    for (in_use, compared, woken) in [
        (false, false, vec![]),
        (true, false, vec![Key::Sandbox(on_it.id)]),
        (true, false, vec![]),
        (false, true, vec![]),
        (true, true, vec![]),
        (false, false, vec![Key::Sandbox(on_it.id)]),
    ] {
        let mut compiled = Assignment::default();
        if compared {
            compiled.sandboxes.insert(on_it.id, on_it.clone());
        }
        let now = Assigned::Network(Arc::new(network(1, in_use)));
        follow(&mut state, key, Some(&now), &compiled);
        state.assign(key, Some(now));
        assert_eq!(std::mem::take(&mut state.wakes).into_keys().collect::<Vec<_>>(), woken, "{in_use} {compared}");
    }
    assign(&mut state, network(1, true));
    follow(&mut state, key, None, &Assignment::default());
    assert!(state.wakes.contains_key(&Key::Sandbox(on_it.id)), "it went altogether");
}
