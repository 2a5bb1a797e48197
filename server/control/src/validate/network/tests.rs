//! Bad networks: each refusal names the field, and all of them come at once.

use serde_json::{Value, json};

use super::*;

fn facts() -> Facts {
    let link = |name: &str, up: bool, mtu: u32| HostLink {
        name: name.to_owned(),
        index: 1,
        kind: None,
        mac: Some(netloom_model::MacAddr([2, 0, 0, 0, 0, 1])),
        mtu,
        up,
        loopback: name == "lo",
        controller: (name == "port0").then(|| "br0".to_owned()),
        addresses: Vec::new(),
    };
    Facts {
        links: vec![
            link("lo", true, 65536),
            link("parent0", true, 1500),
            link("down0", false, 1500),
            link("port0", true, 1500),
        ],
        ..Facts::default()
    }
}

fn spec(value: Value) -> NetworkSpec {
    netloom_model::document::parse(value).expect("a readable spec")
}

fn refused(value: Value) -> Vec<(String, Code)> {
    let error = create(&spec(value), Some(&facts())).expect_err("a bad network");
    error.errors.iter().map(|e| (e.pointer.clone(), e.code)).collect()
}

fn one(value: Value) -> (String, Code) {
    let mut all = refused(value);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn with_pool(pool: Value) -> Value {
    json!({"name": "n", "driver": "macvlan", "macvlan": {"parent": "parent0"}, "pools": {"v4": pool}})
}

fn with_macvlan(block: Value) -> Value {
    json!({"name": "n", "driver": "macvlan", "macvlan": block})
}

#[test]
fn a_pool_that_is_called_v6_does_not_become_an_ipv4_one_unsaid() {
    let network = |key: &str, pool: Value| json!({"name": "n", "driver": "bridge", "pools": {key: pool}});
    for key in ["v6", "V6", "ipv6", "inet6"] {
        assert_eq!(one(network(key, json!({}))), (format!("/pools/{key}/family"), Code::Required));
    }
    for pool in
        [json!({"family": 6}), json!({"family": 4}), json!({"subnet": "fd00:1::/64"}), json!({"subnet": "10.0.0.0/24"})]
    {
        create(&spec(network("v6", pool)), Some(&facts())).expect("said");
    }
    create(&spec(network("other", json!({}))), Some(&facts())).expect("an IPv4 pool, as ever");
    let error = create(&spec(network("x", json!({"prefix_length": 64}))), Some(&facts())).expect_err("too long");
    assert_eq!(error.errors[0].hint.as_deref(), Some("for an IPv6 pool say `\"family\": 6`"));
}

#[test]
fn the_exercise_is_good() {
    let network = spec(json!({"name":"macvlan-net1","driver":"macvlan",
            "pools":{"v4":{"subnet":"192.168.122.0/24","gateway":"192.168.122.1"}},
            "macvlan":{"parent":"parent0","mode":"bridge"}}));
    let pools = create(&network, Some(&facts())).expect("good");
    let subnet = pools[0].subnet.expect("given");
    assert_eq!(pools[0].gateway_in(&network, subnet), "192.168.122.1".parse().ok());
    assert_eq!(pools[0].range_in(subnet).to_string(), "192.168.122.1-192.168.122.254");
}

#[test]
fn no_pools_means_one_automatic_pool() {
    let pools = create(&spec(with_macvlan(json!({"parent": "parent0"}))), Some(&facts())).expect("good");
    assert_eq!((pools.len(), pools[0].subnet, pools[0].prefix_length), (1, None, 24));
}

#[test]
fn every_pool_rule_names_its_field() {
    use Code::*;
    let cases = [
        (json!({"subnet": "10.0.0.1/24"}), "subnet", HostBitsSet),
        (json!({"subnet": "10.0.0.0"}), "subnet", Format),
        (json!({"subnet": "10.0.0.0/4"}), "subnet", HostBitsSet),
        (json!({"subnet": "0.0.0.0/0"}), "subnet", OutOfRange),
        (json!({"subnet": "10.0.0.0/32"}), "subnet", OutOfRange),
        (json!({"subnet": "127.0.0.0/24"}), "subnet", OutOfRange),
        (json!({"subnet": "fe80::/64"}), "subnet", OutOfRange),
        (json!({"subnet": "fd00::/64", "family": 4}), "subnet", WrongFamily),
        (json!({"family": 5}), "family", OutOfRange),
        (json!({"prefix_length": 33}), "prefix_length", OutOfRange),
        (json!({"subnet": "10.0.0.0/24", "prefix_length": 24}), "prefix_length", NotAllowedHere),
        (json!({"subnet": "10.0.0.0/24", "range": "10.0.1.0/25"}), "range", OutOfRange),
        (json!({"subnet": "10.0.0.0/24", "range": "fd00::/80"}), "range", WrongFamily),
        (json!({"subnet": "10.0.0.0/24", "range": "10.0.0.0"}), "range", OutOfRange),
        (json!({"subnet": "10.0.0.0/24", "gateway": "10.0.1.1"}), "gateway", OutOfRange),
        (json!({"subnet": "10.0.0.0/24", "gateway": "10.0.0.0"}), "gateway", OutOfRange),
        (json!({"subnet": "10.0.0.0/24", "gateway": "10.0.0.255"}), "gateway", OutOfRange),
        (json!({"subnet": "10.0.0.0/24", "gateway": "fd00::1"}), "gateway", WrongFamily),
        (json!({"range": "10.0.0.0/25"}), "range", NotAllowedHere),
        (json!({"gateway": "10.0.0.1"}), "gateway", NotAllowedHere),
        (json!({"subnet": "10.0.0.0/24", "reserved": {"a": "10.0.1.1"}}), "reserved/a", OutOfRange),
        (json!({"subnet": "10.0.0.0/24", "reserved": {"a": "x"}}), "reserved/a", Format),
        (
            json!({"subnet": "10.0.0.0/24", "reserved": {"a": "10.0.0.9", "b": "10.0.0.8/29"}}),
            "reserved/b",
            NotAllowedHere,
        ),
        (json!({"subnet": "10.0.0.0/16", "reserved": {"a": "10.0.0.0/18"}}), "reserved", OutOfRange),
    ];
    for (pool, field, code) in cases {
        assert_eq!(one(with_pool(pool.clone())), (format!("/pools/v4/{field}"), code), "{pool}");
    }
}

#[test]
fn drivers_say_what_is_there() {
    for driver in ["bridge", "overlay"] {
        create(&spec(json!({"name": "n", "driver": driver})), Some(&facts())).expect("good");
    }
    assert_eq!(one(json!({"name": "n", "driver": "ipvlan"})), ("/driver".to_owned(), Code::NotAvailable));
    for driver in ["host", "none"] {
        assert_eq!(one(json!({"name": "n", "driver": driver})), ("/driver".to_owned(), Code::NotAllowedHere));
    }
}

#[test]
fn the_parent_must_be_there_and_up_and_the_candidates_are_named() {
    for (parent, code) in [
        ("nope", Code::NotFound),
        ("down0", Code::NotAvailable),
        ("lo", Code::NotAvailable),
        ("port0", Code::NotAvailable),
    ] {
        let error = create(&spec(with_macvlan(json!({"parent": parent}))), Some(&facts())).expect_err("a bad parent");
        assert_eq!((error.errors[0].pointer.as_str(), error.errors[0].code), ("/macvlan/parent", code));
        assert_eq!(error.errors[0].hint.as_deref(), Some("links that can be the parent: parent0"));
    }
}

#[test]
fn macvlan_settings_are_checked() {
    let parent = "parent0";
    let cases = [
        (json!({"parent": parent, "vlan_id": 0}), "vlan_id", Code::OutOfRange),
        (json!({"parent": parent, "vlan_id": 4095}), "vlan_id", Code::OutOfRange),
        (json!({"parent": parent, "vlan_id": 7}), "vlan_id", Code::NotAvailable),
        (json!({"parent": parent, "mode": "vepa", "host_access": true}), "host_access", Code::NotAllowedHere),
        (json!({"parent": "a b"}), "parent", Code::Format),
    ];
    for (block, field, code) in cases {
        assert_eq!(one(with_macvlan(block)), (format!("/macvlan/{field}"), code));
    }
    assert_eq!(one(json!({"name": "n", "driver": "macvlan"})), ("/macvlan".to_owned(), Code::Required));
    let high = json!({"name": "n", "driver": "macvlan", "macvlan": {"parent": parent}, "mtu": 9000});
    assert_eq!(one(high), ("/mtu".to_owned(), Code::OutOfRange));
}

fn with_bridge(block: Value) -> Value {
    json!({"name": "n", "driver": "bridge", "bridge": block})
}

#[test]
fn bridge_settings_are_checked() {
    let good = [json!({}), json!({"interface_name": "br-web", "inter_sandbox": false}), json!({"isolation": false})];
    for block in good {
        create(&spec(with_bridge(block.clone())), Some(&facts())).unwrap_or_else(|error| panic!("{block}: {error}"));
    }
    let name = |name: &str| json!({"interface_name": name});
    let cases = [
        (name(""), Code::Format),
        (name("a b"), Code::Format),
        (name("br%d"), Code::Format),
        (name("sixteen-letters-"), Code::Format),
        (name("lo"), Code::Format),
        (name("nl-web"), Code::NotAllowedHere),
        (name("parent0"), Code::NotAvailable),
        (name("down0"), Code::NotAvailable),
    ];
    for (block, code) in cases {
        let error = create(&spec(with_bridge(block.clone())), Some(&facts())).expect_err("a bad name");
        let [refused] = error.errors.as_slice() else { panic!("{block}: {error:?}") };
        assert_eq!((refused.pointer.as_str(), refused.code), ("/bridge/interface_name", code), "{block}");
        assert_eq!(refused.value.as_deref(), block["interface_name"].as_str());
        assert!(refused.hint.is_some(), "{block}");
    }
    create(&spec(with_bridge(name("parent0"))), None).expect("nobody has looked at the host");
}

#[test]
fn gateway_modes_and_source_addresses_go_together() {
    let internal = |block: Value| json!({"name": "n", "driver": "bridge", "internal": true, "bridge": block});
    for good in [
        with_bridge(json!({"gateway_mode4": "routed", "gateway_mode6": "isolated", "masquerade": false})),
        with_bridge(json!({"source_address4": "203.0.113.7", "gateway_mode6": "routed"})),
        internal(json!({"gateway_mode4": "isolated"})),
    ] {
        create(&spec(good.clone()), Some(&facts())).unwrap_or_else(|error| panic!("{good}: {error}"));
    }
    for (bad, field, code) in [
        (internal(json!({"gateway_mode6": "routed"})), "gateway_mode6", Code::NotAllowedHere),
        (with_bridge(json!({"source_address4": "2001:db8::7"})), "source_address4", Code::WrongFamily),
        (with_bridge(json!({"source_address4": "127.0.0.1"})), "source_address4", Code::OutOfRange),
        (with_bridge(json!({"source_address6": "fe80::1"})), "source_address6", Code::OutOfRange),
        (with_bridge(json!({"source_address4": "x"})), "source_address4", Code::Format),
        (
            with_bridge(json!({"source_address4": "203.0.113.7", "gateway_mode4": "routed"})),
            "source_address4",
            Code::NotAllowedHere,
        ),
        (
            with_bridge(json!({"source_address6": "2001:db8::7", "masquerade": false})),
            "source_address6",
            Code::NotAllowedHere,
        ),
        (with_bridge(json!({"probe": false})), "probe", Code::NotAllowedHere),
    ] {
        assert_eq!(one(bad.clone()), (format!("/bridge/{field}"), code), "{bad}");
    }
    let mut gateway = with_bridge(json!({"gateway_mode4": "isolated"}));
    gateway["pools"] = json!({"v4": {"subnet": "10.200.0.0/24", "gateway": "10.200.0.1"}});
    assert_eq!(one(gateway), ("/pools/v4/gateway".to_owned(), Code::NotAllowedHere));
}

#[test]
fn a_drivers_block_stands_with_its_driver_only() {
    let mut both = with_macvlan(json!({"parent": "parent0"}));
    both["bridge"] = json!({});
    assert_eq!(one(both), ("/bridge".to_owned(), Code::NotAllowedHere));
    let mut both = with_bridge(json!({}));
    both["macvlan"] = json!({"parent": "parent0"});
    assert_eq!(one(both), ("/macvlan".to_owned(), Code::NotAllowedHere));
}

#[test]
fn a_bridges_mtu_knows_no_parent() {
    let mtu = |mtu: u32, pools: Value| json!({"name": "n", "driver": "bridge", "mtu": mtu, "pools": pools});
    for (bytes, pools) in [(68, json!({})), (65535, json!({})), (1280, json!({"v6": {"family": 6}}))] {
        create(&spec(mtu(bytes, pools)), Some(&facts())).expect("good");
    }
    for (bytes, pools) in [(67, json!({})), (65536, json!({})), (1279, json!({"v6": {"family": 6}}))] {
        assert_eq!(one(mtu(bytes, pools)), ("/mtu".to_owned(), Code::OutOfRange), "{bytes}");
    }
}

#[test]
fn a_bridges_switches_change_and_its_name_does_not() {
    let old = spec(with_bridge(json!({"interface_name": "br-web"})));
    let known = BTreeMap::from([("v4".to_owned(), "10.200.0.0/24".parse().expect("a subnet"))]);
    let refused = |block: Option<Value>| -> Vec<(String, Code)> {
        let bridge = block.map(|block| netloom_model::document::parse(block).expect("a readable block"));
        let changed = update(&old, &NetworkSpec { bridge, ..old.clone() }, &known);
        changed.err().into_iter().flat_map(|error| error.errors).map(|e| (e.pointer, e.code)).collect()
    };
    let fixed = [("/bridge/interface_name".to_owned(), Code::ImmutableField)];
    let off = json!({"interface_name": "br-web", "inter_sandbox": false, "masquerade": false, "isolation": false});
    assert_eq!(refused(Some(off)), []);
    assert_eq!(refused(Some(json!({"interface_name": "br-web", "gateway_mode4": "routed"}))), []);
    for (field, value) in [("gateway_mode4", json!("isolated")), ("managed", json!(false))] {
        let block = json!({"interface_name": "br-web", field: value});
        assert_eq!(refused(Some(block)), [(format!("/bridge/{field}"), Code::ImmutableField)]);
    }
    let probed = json!({"interface_name": "br-web", "probe": false});
    assert_eq!(refused(Some(probed)), [("/bridge/probe".to_owned(), Code::NotAllowedHere)], "as when it is made");
    assert_eq!(refused(Some(json!({"interface_name": "br-new"}))), fixed);
    assert_eq!(refused(Some(json!({}))), fixed);
    assert_eq!(refused(None), fixed);
    let macvlan = spec(with_macvlan(json!({"parent": "parent0"})));
    let with_block = NetworkSpec { bridge: Some(netloom_model::network::BridgeSpec::default()), ..macvlan.clone() };
    let error = update(&macvlan, &with_block, &known).expect_err("another driver");
    assert_eq!((error.errors[0].pointer.as_str(), error.errors[0].code), ("/bridge", Code::NotAllowedHere));
}

#[test]
fn everything_wrong_is_said_at_once() {
    let all = refused(json!({"name": "-", "driver": "macvlan", "macvlan": {"parent": "nope"}, "mtu": 1,
        "labels": {"": "x"}, "internal": true,
        "pools": {"v4": {"subnet": "10.0.0.1/24"}, "v6": {"subnet": "fd00::/64", "gateway": "fd00::1"}}}));
    let pointers: Vec<&str> = all.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(pointers, ["/name", "/labels/", "/macvlan/parent", "/pools/v4/subnet", "/pools/v6/gateway", "/mtu"]);
}

#[test]
fn what_can_not_change_is_named() {
    let old = spec(with_pool(json!({"subnet": "10.0.0.0/24"})));
    let known = BTreeMap::from([("v4".to_owned(), "10.0.0.0/24".parse().expect("a subnet"))]);
    let pointers = |change: &dyn Fn(&mut NetworkSpec)| -> Vec<String> {
        let mut new = old.clone();
        change(&mut new);
        match update(&old, &new, &known) {
            Ok(_) => Vec::new(),
            Err(error) => {
                assert!(error.errors.iter().all(|e| e.code == Code::ImmutableField), "{error:?}");
                error.errors.into_iter().map(|e| e.pointer).collect()
            }
        }
    };
    let pool = |spec: &mut NetworkSpec, change: &dyn Fn(&mut PoolSpec)| {
        spec.pools.iter_mut().flat_map(BTreeMap::values_mut).for_each(change);
    };
    assert_eq!(pointers(&|s| s.name = "other".into()), ["/name"]);
    assert_eq!(pointers(&|s| s.internal = Some(true)), ["/internal"]);
    assert_eq!(pointers(&|s| s.internal = Some(false)), [""; 0]);
    assert_eq!(pointers(&|s| s.mtu = Some(1400)), ["/mtu"]);
    assert_eq!(pointers(&|s| s.macvlan.iter_mut().for_each(|m| m.parent = "p1".into())), ["/macvlan/parent"]);
    assert_eq!(pointers(&|s| s.pools = None), ["/pools/v4"]);
    assert_eq!(pointers(&|s| pool(s, &|p| p.subnet = Some("10.0.1.0/24".into()))), ["/pools/v4/subnet"]);
    assert_eq!(pointers(&|s| pool(s, &|p| p.gateway = Some("10.0.0.9".into()))), ["/pools/v4/gateway"]);
    assert_eq!(pointers(&|s| pool(s, &|p| p.gateway = Some("10.0.0.1".into()))), [""; 0]);
    assert_eq!(pointers(&|s| pool(s, &|p| p.reserved = Some([("a".into(), "10.0.0.9".into())].into()))), [""; 0]);
    assert_eq!(pointers(&|s| s.description = Some("text".into())), [""; 0]);
}

#[test]
fn without_the_hosts_facts_what_needs_none_is_refused_all_the_same() {
    let refused = |value| create(&spec(value), None).expect_err("a bad network");
    let mut named = with_macvlan(json!({"parent": "parent0", "vlan_id": 5000}));
    named["name"] = json!("a b!");
    let pointers: Vec<String> = refused(named).errors.into_iter().map(|invalid| invalid.pointer).collect();
    assert_eq!(pointers, ["/name", "/macvlan/vlan_id"]);
    assert_eq!(refused(json!({"name": "n", "driver": "macvlan"})).errors[0].pointer, "/macvlan");
    create(&spec(with_macvlan(json!({"parent": "parent0"}))), None).expect("nothing is wrong that can be told");
}
