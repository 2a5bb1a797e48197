//! What stands, and each reason why something doesn't.

use std::sync::Arc;

use netloom_model::network::Driver;
use netloom_model::plan::Refusal;
use netloom_model::port::{Protocol, PublishedPort};
use netloom_model::{EndpointId, MacAddr, SandboxId};
use tokio::time::Instant;

use super::*;
use crate::gateways::tests::network as bridge;
use crate::state::VerifiedAs;

/// What is so of a key, and how it comes to be.
type Case = (&'static str, fn(&mut State, Key));
/// How a network is another.
type Change = (&'static str, fn(&mut AssignedNetwork));

fn endpoint(n: u8) -> AssignedEndpoint {
    AssignedEndpoint {
        id: EndpointId::from_random([n; 16]),
        network: NetworkId::from_random([n; 16]),
        interface: format!("eth{n}"),
        mac: MacAddr([2, 0, 0, 0, 0, n]),
        addresses: Vec::new(),
        aliases: Vec::new(),
        ports: Vec::new(),
        default_route: false,
        fenced: false,
        deleting: false,
    }
}

fn sandbox(endpoints: Vec<AssignedEndpoint>) -> AssignedSandbox {
    AssignedSandbox {
        id: SandboxId::from_random([1; 16]),
        name: "web".to_owned(),
        namespace: NamespaceSource::Made,
        running: true,
        deleting: false,
        endpoints,
    }
}

fn assignment(sandbox: AssignedSandbox) -> Assignment {
    let networks = [1, 2].map(|n| bridge(n, true)).map(|network| (network.id, network)).into();
    Assignment { revision: 7, networks, sandboxes: [(sandbox.id, sandbox)].into(), peers: BTreeMap::new() }
}

fn asked() -> BTreeSet<Key> {
    BTreeSet::from([Key::Sandbox(SandboxId::from_random([1; 16]))])
}

/// A state in which everything of an assignment is verified.
fn verified(assignment: &Assignment) -> State {
    let mut state = State::default();
    let networks = assignment.networks.values().map(|n| (Key::Network(n.id), Assigned::Network(Arc::new(n.clone()))));
    let sandboxes = assignment.sandboxes.values().map(|s| (Key::Sandbox(s.id), Assigned::Sandbox(Arc::new(s.clone()))));
    for (key, assigned) in networks.chain(sandboxes) {
        let tracked = state.tracked.entry(key).or_default();
        tracked.verified_as = Some(VerifiedAs::new(assigned.clone(), assignment, &state.host));
        tracked.present = true;
        state.assign(key, Some(assigned));
    }
    state
}

/// One endpoint is verified, another is to come.
fn attached() -> (State, Assignment) {
    let state = verified(&assignment(sandbox(vec![endpoint(1)])));
    (state, assignment(sandbox(vec![endpoint(1), endpoint(2)])))
}

#[test]
fn a_sandbox_that_stands_is_told_as_it_was_with_the_networks_of_both() {
    let (state, now) = attached();
    let standing = of(&state, &now, &asked()).expect("it stands");
    assert_eq!(standing.former, assignment(sandbox(vec![endpoint(1)])));
    assert_eq!(standing.networks, now.networks.keys().copied().collect());
}

#[test]
fn nothing_stands_of_which_anything_was_heard_or_asked_since() {
    let id = asked().pop_first().expect("one");
    let network = Key::Network(NetworkId::from_random([2; 16]));
    let cases: [Case; 5] = [
        ("heard of", |state, key| state.hear(key, Instant::now(), Instant::now())),
        ("to be looked at later", |state, key| state.wake(key, Instant::now(), false)),
        ("refused", |state, key| {
            state.tracked.entry(key).or_default().refusal = Some(Refusal {
                code: "kernel-refused".to_owned(),
                object: String::new(),
                operation: String::new(),
                errno: None,
                message: String::new(),
                hint: None,
            });
        }),
        ("not verified", |state, key| state.tracked.entry(key).or_default().verified_as = None),
        ("unknown", |state, key| drop(state.tracked.remove(&key))),
    ];
    for (why, happens) in cases {
        for key in [id, network] {
            let (mut state, now) = attached();
            happens(&mut state, key);
            assert!(of(&state, &now, &asked()).is_none(), "{key:?} is {why}");
        }
    }
    let (mut state, now) = attached();
    state.busy.insert(network);
    assert!(of(&state, &now, &asked()).is_none(), "somebody works on the network");
    state.busy.clear();
    assert!(of(&state, &now, &asked()).is_some());
}

#[test]
fn what_is_not_in_the_sandbox_alone_is_looked_at() {
    let port = PublishedPort {
        protocol: Protocol::Tcp,
        host_address: [127, 0, 0, 1].into(),
        published: 80,
        target: 80,
        count: 1,
        direct: false,
    };
    let changes: [(&str, AssignedSandbox); 6] = [
        ("an endpoint goes", sandbox(vec![AssignedEndpoint { deleting: true, ..endpoint(1) }])),
        ("it publishes a port", sandbox(vec![AssignedEndpoint { ports: vec![port], ..endpoint(1) }])),
        ("its address is held back", sandbox(vec![AssignedEndpoint { fenced: true, ..endpoint(1) }])),
        ("it stops", AssignedSandbox { running: false, ..sandbox(vec![endpoint(1)]) }),
        ("it goes", AssignedSandbox { deleting: true, ..sandbox(vec![endpoint(1)]) }),
        ("it is the host's", AssignedSandbox { namespace: NamespaceSource::Host, ..sandbox(vec![endpoint(1)]) }),
    ];
    for (what, changed) in changes {
        let plain = assignment(sandbox(vec![endpoint(1)]));
        let changed = assignment(changed);
        assert!(of(&verified(&plain), &changed, &asked()).is_none(), "{what}");
        assert!(of(&verified(&changed), &plain, &asked()).is_none(), "{what}, and did not before");
    }
    let (state, now) = attached();
    let mut asked = asked();
    asked.insert(Key::Network(NetworkId::from_random([1; 16])));
    assert!(of(&state, &now, &asked).is_none(), "a network is asked for as well");
}

#[test]
fn a_network_stands_only_as_it_is_assigned_on_a_bridge_of_ours_in_use() {
    let changes: [Change; 4] = [
        ("another MTU", |network| network.mtu = Some(1400)),
        ("not in use before", |network| network.in_use = false),
        ("a bridge of the host's", |network| {
            network.bridge.as_mut().expect("a bridge").managed = false;
        }),
        ("another driver", |network| network.driver = Driver::Macvlan),
    ];
    let second = NetworkId::from_random([2; 16]);
    for (what, change) in changes {
        let mut before = assignment(sandbox(vec![endpoint(1)]));
        change(before.networks.get_mut(&second).expect("the second"));
        let mut now = assignment(sandbox(vec![endpoint(1), endpoint(2)]));
        assert!(of(&verified(&before), &now, &asked()).is_none(), "{what}");
        if !["another MTU", "not in use before"].contains(&what) {
            now.networks.clone_from(&before.networks);
            assert!(of(&verified(&before), &now, &asked()).is_none(), "{what}, and still");
        }
    }
}
