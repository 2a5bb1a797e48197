//! Every property that a user writes: a value, another one, and what of the object must be there for both. A property of the
//! document without a case here fails the walk.

use netloom_tests::{Host, Value, json};

/// What becomes of the other value, beyond what the document says of the property.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// What the document says.
    Word,
    /// It is refused in place: this change is one that a restricted property, or a map to which entries are added, does not take.
    Refused,
    /// No object can have the other value on this host, or at all; it is refused in place and from the start.
    Never,
}

/// A property, as it is first and as it is then.
pub(super) struct Case {
    /// `schema.property`.
    pub(super) property: &'static str,
    /// Address of the object.
    pub(super) address: &'static str,
    /// JSON Pointer to the property in a spec of it.
    pub(super) at: &'static str,
    /// The whole spec with its first value.
    pub(super) first: Value,
    /// The whole spec with its second one.
    pub(super) then: Value,
    /// What the second comes to.
    pub(super) means: Means,
}

impl Case {
    const fn is(mut self, means: Means) -> Self {
        self.means = means;
        self
    }
}

/// A case: the two values are set into a spec; null leaves the property out.
fn case(property: &'static str, address: &'static str, spec: &Value, at: &'static str, values: [Value; 2]) -> Case {
    let [first, then] = values.map(|value| with(spec, at, value));
    Case { property, address, at, first, then, means: Means::Word }
}

fn with(spec: &Value, at: &str, value: Value) -> Value {
    let mut spec = spec.clone();
    let (parents, name) = at.rsplit_once('/').expect("a pointer");
    let mut parent = &mut spec;
    for key in parents.split('/').skip(1) {
        parent = parent.as_object_mut().expect("an object").entry(key).or_insert_with(|| json!({}));
    }
    let members = parent.as_object_mut().expect("an object");
    match value {
        Value::Null => members.remove(name),
        value => members.insert(name.to_owned(), value),
    };
    spec
}

/// What the cases need on the host besides: a second parent, a bridge of the host's, two networks to attach to.
pub(super) fn fixtures(host: &Host) {
    host.add_parent("parent1", "wire1");
    host.net.run("ip addr add 203.0.113.7/24 dev parent1");
    host.net.run("ip addr add 203.0.113.8/24 dev parent1");
    host.net.run("ip addr add 2001:db8::7/64 dev parent1 nodad");
    host.net.run("ip addr add 2001:db8::8/64 dev parent1 nodad");
    for bridge in ["theirs0", "theirs1"] {
        host.net.run(&format!("ip link add {bridge} type bridge"));
        host.net.run(&format!("ip link set {bridge} up"));
    }
    // Overlay networks are a swarm's.
    host.client().put("swarm", &json!({"advertise_address": "203.0.113.7"})).is(201);
    host.macvlan("lan", "10.80.0.0/24");
    let pools = json!({"v4": {"subnet": "10.81.0.0/24"}, "v6": {"subnet": "fd00:81::/64"}});
    host.client().post("networks", &json!({"name": "web", "driver": "bridge", "pools": pools})).is(201);
}

/// All of them.
pub(super) fn all(pids: [u32; 2], paths: [&str; 2]) -> Vec<Case> {
    let mut all = networks();
    all.extend(pools());
    all.extend(bridges());
    all.extend(macvlans());
    all.extend(overlays());
    all.extend(segments());
    all.extend(sandboxes(pids, paths));
    all.extend(attachments());
    all.extend(ports());
    all.extend(leases());
    all
}

fn bridge() -> Value {
    json!({"driver": "bridge", "pools": {"v4": {"subnet": "10.71.0.0/24"}}})
}

fn networks() -> Vec<Case> {
    let of = |property, at, values| case(property, "networks/n", &bridge(), at, values);
    let macvlan = json!({"driver": "macvlan", "pools": {"v4": {"subnet": "10.70.0.0/24"}}});
    let pool = json!({"subnet": "10.72.0.0/24"});
    vec![
        of("NetworkWrite.name", "/name", [json!("n"), json!("m")]).is(Means::Never),
        Case {
            property: "NetworkWrite.driver",
            address: "networks/n",
            at: "/driver",
            first: bridge(),
            then: with(&macvlan, "/macvlan", json!({"parent": "parent0"})),
            means: Means::Word,
        },
        of("NetworkWrite.description", "/description", [json!(" as  written "), json!("")]),
        of("NetworkWrite.labels", "/labels", [json!({"a": "1", "b": ""}), json!({"b": "2"})]),
        of("NetworkWrite.annotations", "/annotations", [json!({"x/y": "{}"}), Value::Null]),
        of("NetworkWrite.managed_by", "/managed_by", [Value::Null, json!("terraform: repo x")]),
        of("NetworkWrite.deletion_protection", "/deletion_protection", [json!(true), json!(false)]),
        of("NetworkWrite.internal", "/internal", [json!(false), json!(true)]),
        of("NetworkWrite.mtu", "/mtu", [json!(1400), json!(1300)]),
        of("NetworkWrite.pools", "/pools/more", [Value::Null, pool.clone()]),
        of("NetworkWrite.pools", "/pools/more", [pool, Value::Null]).is(Means::Refused),
        of("NetworkWrite.bridge", "/bridge", [Value::Null, json!({"isolation": false})]),
        of("NetworkWrite.bridge", "/bridge", [Value::Null, json!({"gateway_mode4": "isolated"})]).is(Means::Refused),
        of(
            "NetworkWrite.bridge",
            "/bridge",
            [json!({}), json!({"gateway_mode4": "isolated", "gateway_mode6": "isolated"})],
        )
        .is(Means::Refused),
        case(
            "NetworkWrite.macvlan",
            "networks/n",
            &macvlan,
            "/macvlan",
            [json!({"parent": "parent0", "probe": false}), json!({"parent": "parent1", "mode": "vepa"})],
        ),
    ]
}

fn pools() -> Vec<Case> {
    let of = |property, at, values| case(property, "networks/n", &bridge(), at, values);
    let automatic = json!({"driver": "bridge", "pools": {"v4": {"family": 4}}});
    let inner = json!("10.71.0.64/26");
    vec![
        of("PoolWrite.subnet", "/pools/v4/subnet", [json!("10.71.0.0/24"), json!("10.72.0.0/24")]),
        of("PoolWrite.gateway", "/pools/v4/gateway", [Value::Null, json!("10.71.0.254")]),
        of("PoolWrite.range", "/pools/v4/range", [inner.clone(), json!("10.71.0.64-10.71.0.200")]),
        of("PoolWrite.range", "/pools/v4/range", [inner.clone(), Value::Null]),
        of("PoolWrite.range", "/pools/v4/range", [Value::Null, inner]).is(Means::Refused),
        of(
            "PoolWrite.reserved",
            "/pools/v4/reserved",
            [json!({"printer": "10.71.0.9", "block": "10.71.0.16/30"}), json!({"printer": "10.71.0.10-10.71.0.11"})],
        ),
        case("PoolWrite.family", "networks/n", &automatic, "/pools/v4/family", [json!(4), json!(6)]),
        case("PoolWrite.prefix_length", "networks/n", &automatic, "/pools/v4/prefix_length", [json!(28), json!(27)]),
    ]
}

fn bridges() -> Vec<Case> {
    let of = |property, at, values| case(property, "networks/n", &bridge(), at, values);
    let switch = || [json!(false), json!(true)];
    let both = with(&bridge(), "/pools/v6", json!({"subnet": "FD00:71:0::/64"}));
    let on6 = |property, at, values| case(property, "networks/n", &both, at, values);
    let theirs = with(&bridge(), "/bridge", json!({"interface_name": "theirs0", "managed": false}));
    let nat = || json!("nat");
    vec![
        of("BridgeWrite.interface_name", "/bridge/interface_name", [json!("br-one"), json!("br-two")]),
        case(
            "BridgeWrite.managed",
            "networks/n",
            &with(&bridge(), "/bridge/interface_name", json!("theirs0")),
            "/bridge/managed",
            [json!(false), json!(true)],
        )
        .is(Means::Never),
        case("BridgeWrite.probe", "networks/n", &theirs, "/bridge/probe", [json!(false), json!(true)]),
        of("BridgeWrite.inter_sandbox", "/bridge/inter_sandbox", switch()),
        of("BridgeWrite.masquerade", "/bridge/masquerade", switch()),
        of("BridgeWrite.isolation", "/bridge/isolation", switch()),
        of("BridgeWrite.gateway_mode4", "/bridge/gateway_mode4", [nat(), json!("routed")]),
        of("BridgeWrite.gateway_mode4", "/bridge/gateway_mode4", [nat(), json!("isolated")]).is(Means::Refused),
        on6("BridgeWrite.gateway_mode6", "/bridge/gateway_mode6", [json!("routed"), nat()]),
        on6("BridgeWrite.gateway_mode6", "/bridge/gateway_mode6", [json!("isolated"), nat()]).is(Means::Refused),
        of("BridgeWrite.source_address4", "/bridge/source_address4", [json!("203.0.113.7"), json!("203.0.113.8")]),
        on6("BridgeWrite.source_address6", "/bridge/source_address6", [json!("2001:DB8::7"), json!("2001:db8:0::8")]),
    ]
}

fn macvlans() -> Vec<Case> {
    let spec =
        json!({"driver": "macvlan", "pools": {"v4": {"subnet": "10.70.0.0/24"}}, "macvlan": {"parent": "parent0"}});
    let of = |property, at, values| case(property, "networks/n", &spec, at, values);
    vec![
        of("MacvlanWrite.parent", "/macvlan/parent", [json!("parent0"), json!("parent1")]),
        of("MacvlanWrite.mode", "/macvlan/mode", [json!("bridge"), json!("private")]),
        // A kernel without VLAN links says so from the start.
        of("MacvlanWrite.vlan_id", "/macvlan/vlan_id", [Value::Null, json!(7)]).is(Means::Never),
        of("MacvlanWrite.probe", "/macvlan/probe", [json!(false), json!(true)]),
        of("MacvlanWrite.host_access", "/macvlan/host_access", [json!(false), json!(true)]),
    ]
}

fn overlays() -> Vec<Case> {
    let spec = json!({"driver": "overlay", "pools": {"v4": {"subnet": "10.73.0.0/24"}}, "overlay": {"vni": 5000}});
    let of = |property, at, values| case(property, "networks/n", &spec, at, values);
    vec![
        of("NetworkWrite.attachable", "/attachable", [json!(true), json!(false)]),
        of("NetworkWrite.overlay", "/overlay", [json!({"vni": 5001}), json!({"vni": 5002})]),
        of("OverlayWrite.vni", "/overlay/vni", [json!(5001), json!(5002)]),
        // Nothing encrypts between nodes in this version.
        of("OverlayWrite.encrypted", "/overlay/encrypted", [json!(false), json!(true)]).is(Means::Never),
    ]
}

fn segments() -> Vec<Case> {
    let pools = json!({"v4": {"subnet": "10.74.0.0/24"}});
    let spec = json!({"driver": "macvlan", "scope": "swarm", "macvlan": {"parent": "parent0"}, "pools": pools});
    let of = |property, at, values| case(property, "networks/n", &spec, at, values);
    vec![
        of("NetworkWrite.scope", "/scope", [json!("swarm"), Value::Null]),
        of("NetworkWrite.parents", "/parents", [json!({"machine2": "eth2"}), json!({"machine2": "eth3"})]),
    ]
}

fn sandboxes(pids: [u32; 2], paths: [&str; 2]) -> Vec<Case> {
    let spec = json!({"networks": {"web": {}}});
    let of = |property, at, values| case(property, "sandboxes/s", &spec, at, values);
    vec![
        of("SandboxWrite.name", "/name", [json!("s"), json!("t")]).is(Means::Never),
        of("SandboxWrite.description", "/description", [Value::Null, json!("a sandbox")]),
        of("SandboxWrite.labels", "/labels", [json!({"a": "1"}), json!({})]),
        of("SandboxWrite.annotations", "/annotations", [json!({"x": "y"}), json!({"x": "z"})]),
        of("SandboxWrite.managed_by", "/managed_by", [json!("a"), json!("b")]),
        of("SandboxWrite.networks", "/networks", [json!({"web": {}}), json!({"web": {}, "lan": {}})]),
        of("SandboxWrite.networks", "/networks", [json!({"web": {}, "lan": {}}), json!({"lan": {}})]),
        of("SandboxWrite.networks", "/networks", [json!({"web": {}}), json!({})]),
        of("SandboxWrite.networks", "/networks", [json!({"web": {}}), json!({"host": {}})]).is(Means::Refused),
        of("SandboxWrite.desired_state", "/desired_state", [json!("running"), json!("stopped")]),
        of("SandboxWrite.netns", "/netns", paths.map(|path| json!(path))),
        of("SandboxWrite.pid", "/pid", pids.map(|pid| json!(pid))),
    ]
}

fn attachments() -> Vec<Case> {
    let spec = json!({"networks": {"web": {}}});
    let of = |property, at, values| case(property, "sandboxes/s", &spec, at, values);
    let mac = [json!("02-00-00-00-00-0A"), json!("0200.0000.000b")];
    vec![
        of("AttachmentWrite.address4", "/networks/web/address4", [json!("10.81.0.50"), json!("10.81.0.51")]),
        of("AttachmentWrite.address6", "/networks/web/address6", [json!("FD00:81:0::50"), Value::Null]),
        of("AttachmentWrite.mac", "/networks/web/mac", mac),
        of("AttachmentWrite.aliases", "/networks/web/aliases", [json!(["z", "a"]), json!(["a"])]),
        of("AttachmentWrite.interface", "/networks/web/interface", [json!("lan0"), json!("lan1")]),
        of("AttachmentWrite.gateway_priority", "/networks/web/gateway_priority", [json!(3), json!(-3)]),
        of(
            "AttachmentWrite.ports",
            "/networks/web/ports",
            [json!({"web": {"target": 80, "published": 8088}}), json!({"tls": {"target": 443}})],
        ),
    ]
}

fn ports() -> Vec<Case> {
    let spec = json!({"networks": {"web": {"ports": {"p": {"target": 80, "published": 8088}}}}});
    let of = |property, at, values| case(property, "sandboxes/s", &spec, at, values);
    vec![
        of("PortSpec.target", "/networks/web/ports/p/target", [json!(80), json!(81)]),
        of("PortSpec.published", "/networks/web/ports/p/published", [json!(8088), json!(8089)]),
        of("PortSpec.protocol", "/networks/web/ports/p/protocol", [json!("tcp"), json!("udp")]),
        of("PortSpec.count", "/networks/web/ports/p/count", [json!(2), json!(3)]),
        of("PortSpec.host_address", "/networks/web/ports/p/host_address", [json!("127.0.0.1"), json!("0.0.0.0")]),
    ]
}

fn leases() -> Vec<Case> {
    let of = |property, at, values| case(property, "networks/web/leases/k", &json!({}), at, values);
    vec![
        of("LeaseWrite.key", "/key", [json!("k"), json!("l")]).is(Means::Never),
        of("LeaseWrite.address", "/address", [json!("10.81.0.60"), json!("fd00:81:0::60")]),
        of("LeaseWrite.pool", "/pool", [json!("v4"), json!("v6")]),
        of("LeaseWrite.mac", "/mac", [json!("00:11:22:33:44:55"), json!("00-11-22-33-44-AB")]),
        of("LeaseWrite.description", "/description", [json!("third  floor"), Value::Null]),
    ]
}
