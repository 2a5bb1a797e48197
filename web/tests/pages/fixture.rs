//! An installation to look at: the exercise's networks and sandboxes with everything that can be odd about them, and a second
//! set in which every text that users or strangers choose is hostile.

mod access;
mod drift;
mod ipam;
mod networks;
mod pages;
mod reference;
pub(crate) mod swarm;
mod topology;

use std::collections::BTreeSet;

use netloom_control::command::Page;
use netloom_control::control::Overview;
use netloom_model::event::{Event, ObjectKind, ObjectRef};
use netloom_model::facts::{Facts, HostLink, HostRoute};
use netloom_model::lease::{
    AddressReport, AddressState, Holding, Lease, LeaseKind, LeaseState, LeaseStatus, Owner, OwnerKind,
};
use netloom_model::network::{Capacity, Network, Scope};
use netloom_model::sandbox::{Sandbox, SandboxState};
use netloom_model::{EndpointId, LeaseId, MacAddr, NetworkId, NodeId, SandboxId, Timestamp};
use netloom_web::view::frame::{Frame, Place, Section, Viewer};
use serde_json::{Value, json};

pub(crate) use pages::every_page;

/// 2026-01-31T12:00:00Z.
const NOW: i64 = 1_769_860_800_000;
const MINUTE: i64 = 60_000;

/// What users name things: plain, or as hostile as they can be.
pub(crate) struct Names {
    pub(crate) network: &'static str,
    pub(crate) sandbox: &'static str,
    pub(crate) text: &'static str,
}

pub(crate) const PLAIN: Names =
    Names { network: "macvlan-net1", sandbox: "macvlan1", text: "Workshop segment on the second port" };
pub(crate) const HOSTILE: Names = Names {
    network: "<script>alert(1)</script>",
    sandbox: "\"><img src=x onerror=alert(1)>'&{{7*7}}",
    text: "</code></pre><script>alert('x')</script> style=\"x\" \u{202e}",
};

fn ago(minutes: i64) -> Timestamp {
    Timestamp::from_millis(NOW - minutes * MINUTE)
}

pub(crate) fn frame(title: &str, section: Section) -> Frame {
    let mut frame = Frame::new(title, section, "http://127.0.0.1:8080", ago(0), "req-0f3a9c51d2e4b687");
    frame.viewer = Some(Viewer { name: "admin".into(), role: "admin", can_leave: true });
    frame.place = Place::Manager;
    frame
}

fn outside(title: &str) -> Frame {
    Frame::new(title, Section::None, "http://127.0.0.1:8080", ago(0), "req-0f3a9c51d2e4b687")
}

fn node() -> NodeId {
    NodeId::from_random([9; 16])
}

fn page<T>(items: Vec<T>, token: Option<&str>) -> Page<T> {
    Page { items, next_page_token: token.map(str::to_owned), seq: 57 }
}

pub(crate) fn network(id: u8, spec: Value, status: Value) -> Network {
    let mut whole = json!({"reconciling": false, "conditions": [], "scope": "local", "node": node(), "predefined": false, "pools": {}, "endpoints": 0, "state": "ready"});
    netloom_model::document::merge(&mut whole, status);
    Network {
        spec: serde_json::from_value(spec).expect("a spec"),
        id: NetworkId::from_random([id; 16]),
        revision: 41,
        spec_revision: 41,
        created_at: ago(60 * 27),
        updated_at: ago(12),
        status: serde_json::from_value(whole).expect("a status"),
    }
}

fn capacity(total: &str, free: &str, used: Value) -> Value {
    let mut whole = serde_json::to_value(Capacity {
        total: total.into(),
        free: Some(free.into()),
        free_in_range: Some(free.into()),
        ..Capacity::default()
    })
    .expect("numbers");
    netloom_model::document::merge(&mut whole, used);
    whole
}

/// What is still there of those that events and histories tell of.
pub(crate) fn existing() -> BTreeSet<String> {
    [NetworkId::from_random([4; 16]).to_string(), SandboxId::from_random([2; 16]).to_string()].into()
}

pub(crate) fn networks(names: &Names) -> Vec<Network> {
    let v4 = capacity(
        "254",
        "239",
        json!({"dynamic": 5, "requested": 2, "held": 2, "reserved": 2, "gateway": 1, "host": 1, "releasing": 1, "quarantined": 1, "free_in_range": "117"}),
    );
    let v6 = capacity("18446744073709551615", "18446744073709551612", json!({"dynamic": 2, "gateway": 1}));
    let full = capacity("14", "1", json!({"dynamic": 9, "held": 3, "gateway": 1}));
    vec![
        network(1, json!({"name": "bridge", "driver": "bridge"}), json!({"predefined": true})),
        network(2, json!({"name": "host", "driver": "host"}), json!({"predefined": true, "endpoints": 1})),
        network(
            3,
            json!({"name": "lab-small", "driver": "macvlan", "managed_by": "terraform: lab", "macvlan": {"parent": "enp3s0", "vlan_id": 40}}),
            json!({"endpoints": 12, "state": "degraded", "pools": {"v4": {"family": 4, "subnet": "10.40.0.0/28", "range": "10.40.0.1-10.40.0.14", "gateway": "10.40.0.1", "automatic": true, "capacity": full}},
                "conditions": [{"type": "PoolNearlyFull", "reason": "FewFree", "message": "pool v4 has 1 free address of 14"}]}),
        ),
        network(
            4,
            json!({"name": names.network, "driver": "macvlan", "description": names.text, "labels": {"team": names.text, "site": "lab"},
                "pools": {"v4": {"subnet": "192.168.122.0/24", "gateway": "192.168.122.1"}, "v6": {"family": 6}}, "macvlan": {"parent": "parent0", "mode": "bridge", "host_access": true}}),
            json!({"endpoints": 4, "conditions": [{"type": "HostAddressConflict", "reason": "AddressLeased", "message": format!("the host took 192.168.122.9, which is leased to {}", names.sandbox), "since": ago(30)}],
                "pools": {"v4": {"family": 4, "subnet": "192.168.122.0/24", "range": "192.168.122.1-192.168.122.127", "gateway": "192.168.122.1", "automatic": false, "capacity": v4},
                    "v6": {"family": 6, "subnet": "fd5a:1c2e:77::/64", "range": "fd5a:1c2e:77::1-fd5a:1c2e:77:0:ffff:ffff:ffff:ffff", "gateway": "fd5a:1c2e:77::1", "automatic": true, "capacity": v6}}}),
        ),
        network(5, json!({"name": "none", "driver": "none"}), json!({"predefined": true, "state": "ready"})),
    ]
}

pub(crate) fn lease(names: &Names, last: u8, kind: LeaseKind, state: LeaseState, owner: OwnerKind) -> Lease {
    let name = match owner {
        OwnerKind::Sandbox => names.sandbox,
        OwnerKind::Host => "parent0",
        OwnerKind::Network => "gateway",
        OwnerKind::Reservation => "printer",
        OwnerKind::Stranger => "00:1b:21:aa:bb:cc",
    };
    let id = matches!(owner, OwnerKind::Sandbox).then(|| SandboxId::from_random([last; 16]).to_string());
    let status = LeaseStatus {
        address: format!("192.168.122.{last}"),
        prefix_length: 24,
        mac: (owner == OwnerKind::Sandbox).then_some(MacAddr([2, 0x42, 0xc0, 0xa8, 0x7a, last])),
        network_id: NetworkId::from_random([4; 16]),
        network: names.network.into(),
        pool: "v4".into(),
        kind,
        state,
        owner: Owner { kind: owner, id, name: name.into(), node: node() },
        endpoint_id: None,
        scope: Scope::Local,
        node: None,
        reason: None,
        since: None,
        until: (state == LeaseState::Quarantined).then(|| ago(-8)),
    };
    Lease {
        spec: None,
        id: LeaseId::from_random([last; 16]),
        revision: 40,
        spec_revision: 40,
        created_at: ago(i64::from(last) * 9),
        updated_at: ago(5),
        status,
    }
}

/// An address that a user keeps for something.
pub(crate) fn reservation(names: &Names) -> Lease {
    let spec =
        json!({"key": "printer", "address": "192.168.122.9", "mac": "00:1b:21:aa:bb:cc", "description": names.text});
    let spec = Some(serde_json::from_value(spec).expect("a reservation's spec"));
    Lease { spec, ..lease(names, 9, LeaseKind::Reserved, LeaseState::Bound, OwnerKind::Reservation) }
}

pub(crate) fn leases(names: &Names) -> Vec<Lease> {
    use LeaseKind::{Dynamic, Gateway, Host, Requested, Reserved};
    use LeaseState::{Bound, Held, Quarantined, Releasing};
    let one = |last, kind, state, owner| lease(names, last, kind, state, owner);
    vec![
        one(1, Gateway, Bound, OwnerKind::Network),
        one(2, Dynamic, Bound, OwnerKind::Sandbox),
        one(3, Dynamic, Bound, OwnerKind::Sandbox),
        one(4, Dynamic, Held, OwnerKind::Sandbox),
        one(5, Dynamic, Releasing, OwnerKind::Sandbox),
        one(6, Dynamic, Quarantined, OwnerKind::Stranger),
        one(7, Dynamic, Bound, OwnerKind::Sandbox),
        one(8, Dynamic, Bound, OwnerKind::Sandbox),
        one(9, Reserved, Bound, OwnerKind::Reservation),
        one(10, Dynamic, Bound, OwnerKind::Sandbox),
        one(20, Reserved, Bound, OwnerKind::Network),
        one(50, Requested, Bound, OwnerKind::Sandbox),
        one(51, Requested, Held, OwnerKind::Sandbox),
        one(140, Requested, Bound, OwnerKind::Sandbox),
        one(185, Host, Bound, OwnerKind::Host),
    ]
}

fn endpoint(network: u8, last: u8, state: &str) -> Value {
    json!({"state": state, "network_id": NetworkId::from_random([network; 16]), "endpoint_id": EndpointId::from_random([last; 16]), "lease_ids": [LeaseId::from_random([last; 16])],
        "interface": "eth0", "mac": MacAddr([2, 0x42, 0xc0, 0xa8, 0x7a, last]), "address": format!("192.168.122.{last}"), "prefix_length": 24, "gateway": "192.168.122.1", "conditions": []})
}

fn sandbox(id: u8, spec: Value, status: Value) -> Sandbox {
    let mut whole = json!({"state": "running", "reconciling": false, "conditions": [], "scope": "local", "node": node(), "endpoints": {}});
    netloom_model::document::merge(&mut whole, status);
    Sandbox {
        spec: serde_json::from_value(spec).expect("a spec"),
        id: SandboxId::from_random([id; 16]),
        revision: 44,
        spec_revision: 44,
        created_at: ago(95),
        updated_at: ago(95),
        status: serde_json::from_value(whole).expect("a status"),
    }
}

pub(crate) fn sandboxes(names: &Names) -> Vec<Sandbox> {
    let interfaces = json!([
        {"name": "lo", "mtu": 65536, "flags": ["UP", "LOOPBACK", "RUNNING"], "addresses": [{"address": "127.0.0.1", "prefix_length": 8, "mask": "255.0.0.0", "managed": false}], "rx_packets": 0, "rx_bytes": 0, "tx_packets": 0, "tx_bytes": 0},
        {"name": "eth0", "mac": "02:42:c0:a8:7a:02", "mtu": 1500, "flags": ["UP", "BROADCAST", "RUNNING", "MULTICAST"],
            "addresses": [{"address": "192.168.122.2", "prefix_length": 24, "broadcast": "192.168.122.255", "mask": "255.255.255.0", "managed": true}, {"address": "10.9.9.9", "prefix_length": 32, "mask": "255.255.255.255", "managed": false}, {"address": "fe80::42:c0ff:fea8:7a02", "prefix_length": 64, "managed": false}],
            "rx_packets": 1_284_113, "rx_bytes": 98_123_440, "tx_packets": 7012, "tx_bytes": 512_884}]);
    let mut spare = endpoint(3, 7, "failed");
    spare["interface"] = "eth1".into();
    spare["ports"] = json!({
        "web": {"protocol": "tcp", "host_address": "127.0.0.1", "published": 8088, "target": 80, "count": 1},
        "media": {"protocol": "udp", "host_address": "203.0.113.7", "published": 20000, "target": 5000, "count": 100},
    });
    spare["conditions"] = json!([{"type": "ApplyFailed", "reason": "ParentDown", "message": "enp3s0 is down"}]);
    vec![
        sandbox(
            2,
            json!({"name": names.sandbox, "description": names.text, "labels": {"app": "arping"}, "networks": {names.network: {"aliases": ["arp", "arp.lab"]}}}),
            json!({"netns": "/run/netloom/netns/macvlan1", "endpoints": {names.network: endpoint(4, 2, "attached"), "lab-small": spare}, "interfaces": interfaces}),
        ),
        sandbox(
            3,
            json!({"name": "macvlan2", "networks": {names.network: {}}}),
            json!({"endpoints": {names.network: endpoint(4, 3, "attached")}}),
        ),
        sandbox(
            4,
            json!({"name": "macvlan3", "managed_by": "ci", "desired_state": "stopped", "networks": {names.network: {}}}),
            json!({"state": "stopped", "endpoints": {names.network: endpoint(4, 4, "held")}}),
        ),
        sandbox(
            5,
            json!({"name": "adopted", "netns": "/run/netns/blue"}),
            json!({"state": "orphaned", "conditions": [{"type": "NamespaceGone", "reason": "Rebooted", "message": "the namespace /run/netns/blue is gone"}]}),
        ),
        sandbox(6, json!({"name": "shared", "networks": {"host": {}}}), json!({"netns": "/proc/1/ns/net"})),
    ]
}

fn object(kind: ObjectKind, id: String, name: &str) -> ObjectRef {
    ObjectRef { kind, id, name: name.into() }
}

pub(crate) fn events(names: &Names) -> Vec<Event> {
    let network = || object(ObjectKind::Network, NetworkId::from_random([4; 16]).to_string(), names.network);
    let sandbox = || object(ObjectKind::Sandbox, SandboxId::from_random([2; 16]).to_string(), names.sandbox);
    let gone = || object(ObjectKind::Sandbox, SandboxId::from_random([77; 16]).to_string(), "gone1");
    let printer = || object(ObjectKind::Lease, LeaseId::from_random([9; 16]).to_string(), "printer");
    let rows = [
        ("drift.repaired", sandbox(), "eth0 was missing and was made again", "agent", 2),
        ("lease.quarantined", network(), "192.168.122.6 is in use by 00:1b:21:aa:bb:cc", "agent", 8),
        ("sandbox.create_failed", sandbox(), names.text, "admin", 40),
        ("sandbox.deleted", gone(), "sandbox `gone1` deleted", "agent", 44),
        ("lease.reserved", printer(), "192.168.122.9 reserved as `printer` on network `macvlan-net1`", "admin", 50),
        ("sandbox.created", sandbox(), &format!("sandbox `{}` created", names.sandbox), "admin", 95),
        ("network.created", network(), "made with pools v4 and v6", "admin", 60 * 27),
    ];
    let event = |(at, (kind, object, message, actor, minutes)): (usize, (&str, ObjectRef, &str, &str, i64))| Event {
        id: format!("sto_x:{}", 57 - at),
        seq: 57 - at as u64,
        time: ago(minutes),
        kind: kind.into(),
        object,
        message: message.into(),
        data: [("address".to_owned(), "192.168.122.9".to_owned())].into(),
        actor: actor.into(),
        request_id: (actor == "admin").then(|| "req-55aa10".into()),
        taken_back_by: (kind == "sandbox.created").then_some(55),
    };
    rows.into_iter().enumerate().map(event).collect()
}

pub(crate) fn overview(names: &Names) -> Overview {
    let networks = networks(names);
    let pools = |index: usize| {
        let network = &networks[index];
        let object = object(ObjectKind::Network, network.id.to_string(), &network.spec.name);
        network
            .status
            .pools
            .iter()
            .map(move |(key, pool)| (object.clone(), key.clone(), pool.subnet.clone(), pool.capacity.clone()))
    };
    Overview {
        hostname: "machine1".into(),
        node: node(),
        networks: vec![("bridge".into(), 1), ("host".into(), 1), ("macvlan".into(), 2), ("none".into(), 1)],
        sandboxes: vec![
            (SandboxState::Running, 2),
            (SandboxState::Stopped, 1),
            (SandboxState::Failed, 1),
            (SandboxState::Orphaned, 1),
            (SandboxState::Pending, 1),
        ],
        leases: vec![("bound".into(), 11), ("held".into(), 2), ("releasing".into(), 1), ("quarantined".into(), 1)],
        attention: vec![
            (
                object(ObjectKind::Network, networks[2].id.to_string(), "lab-small"),
                "pool v4 has 1 free address of 14".into(),
            ),
            (
                object(ObjectKind::Sandbox, SandboxId::from_random([5; 16]).to_string(), "adopted"),
                "the namespace /run/netns/blue is gone".into(),
            ),
        ],
        pools: pools(2).chain(pools(3)).collect(),
        events: events(names),
    }
}

fn fresh() -> Overview {
    Overview {
        networks: vec![("bridge".into(), 1), ("host".into(), 1), ("none".into(), 1)],
        sandboxes: vec![(SandboxState::Running, 0), (SandboxState::Stopped, 0)],
        leases: Vec::new(),
        attention: Vec::new(),
        pools: Vec::new(),
        events: Vec::new(),
        ..overview(&PLAIN)
    }
}

pub(crate) fn facts() -> Facts {
    let link = HostLink {
        name: "enp3s0".into(),
        index: 2,
        kind: None,
        mac: Some(MacAddr([2; 6])),
        mtu: 1500,
        up: true,
        loopback: false,
        controller: None,
        addresses: vec!["192.168.122.185/24".parse().expect("a subnet")],
    };
    let route = HostRoute {
        destination: "0.0.0.0/0".parse().expect("a subnet"),
        gateway: Some("192.168.122.1".parse().expect("an address")),
        interface: Some("enp3s0".into()),
        table: 254,
    };
    Facts { links: vec![link], routes: vec![route], ..Facts::default() }
}

pub(crate) fn report(names: &Names, address: &str, state: AddressState, lease: Option<Lease>) -> AddressReport {
    let holding = |minutes: i64, until: Option<i64>, owner: u8| Holding {
        lease_id: LeaseId::from_random([1; 16]),
        network_id: NetworkId::from_random([4; 16]),
        network: names.network.into(),
        pool: "v4".into(),
        kind: LeaseKind::Dynamic,
        mac: Some(MacAddr([2, 0x42, 0xc0, 0xa8, 0x7a, 2])),
        owner: Owner {
            kind: OwnerKind::Sandbox,
            id: Some(SandboxId::from_random([owner; 16]).to_string()),
            name: names.sandbox.into(),
            node: node(),
        },
        from: ago(minutes),
        to: until.map(ago),
        taken_back_by: None,
    };
    let managed = state != AddressState::Unmanaged;
    AddressReport {
        address: address.into(),
        state,
        reason: (state == AddressState::Unusable).then(|| "it is the network address of its subnet".into()),
        node: node(),
        network: managed.then(|| names.network.into()),
        network_id: managed.then(|| NetworkId::from_random([4; 16])),
        pool: managed.then(|| "v4".into()),
        subnet: managed.then(|| "192.168.122.0/24".into()),
        held_at: lease.is_none().then(|| holding(300, Some(200), 77)).filter(|_| managed),
        neighbours: if managed { leases(names) } else { Vec::new() },
        history: if managed { vec![holding(95, Some(40), 2), holding(300, Some(200), 77)] } else { Vec::new() },
        conditions: Vec::new(),
        lease,
        endpoint: None,
    }
}
