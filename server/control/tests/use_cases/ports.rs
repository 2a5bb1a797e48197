//! Published ports: who gets which number, what is refused, and when a number is free again.

use netloom_control::ErrorKind;
use netloom_control::command::*;
use netloom_model::assignment::Key;
use netloom_model::invalid::Code;
use netloom_model::port::{HostPort, PortTrouble, Protocol};
use netloom_model::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::kit::Kit;

async fn kit() -> Kit {
    let kit = Kit::new().await;
    let spec = json!({"name": "web", "driver": "bridge", "pools": {"v4": {"subnet": "10.9.0.0/24"}}});
    kit.create_network(spec).await.expect("a network");
    kit
}

fn spec(name: &str, ports: Value) -> Value {
    json!({"name": name, "networks": {"web": {"ports": ports}}})
}

/// The first port on the host of a mapping.
fn published(sandbox: &Sandbox, name: &str) -> u16 {
    sandbox.status.endpoints["web"].ports[name].published
}

#[tokio::test]
async fn numbers_are_given_beyond_the_highest_and_none_at_once_again() {
    let kit = kit().await;
    let port = |port: u16| HostPort { protocol: Protocol::Tcp, address: [127, 0, 0, 1].into(), port };
    kit.node.ports_taken.lock().unwrap().insert(port(49153), PortTrouble::InUse(None));
    let a =
        kit.create_sandbox(spec("a", json!({"x": {"target": 80}, "run": {"target": 1, "count": 4}}))).await.unwrap();
    assert_eq!((published(&a, "run"), published(&a, "x")), (49154, 49152), "a program has 49153");
    let b = kit
        .create_sandbox(spec("b", json!({"x": {"target": 80}, "udp": {"target": 80, "protocol": "udp"}})))
        .await
        .unwrap();
    assert_eq!((published(&b, "x"), published(&b, "udp")), (49158, 49152), "another protocol has its own numbers");
    kit.remove_sandbox("a").await.unwrap();
    let c = kit.create_sandbox(spec("c", json!({"run": {"target": 1, "count": 3}}))).await.unwrap();
    assert_eq!(published(&c, "run"), 49159, "what `a` had could still be asked by somebody who means `a`");
    let id = c.id;
    let assigned = kit.control.assignment(Some(&[Key::Sandbox(id)])).await.unwrap();
    assert_eq!(assigned.sandboxes[&id].endpoints[0].ports, [c.status.endpoints["web"].ports["run"].clone()]);
    kit.check_store().await;
}

#[tokio::test]
async fn once_the_highest_numbers_are_used_up_the_lowest_free_come_next() {
    let kit = kit().await;
    let low = json!({"x": {"target": 80}, "run": {"target": 1, "count": 4}});
    let a = kit.create_sandbox(spec("a", low)).await.unwrap();
    assert_eq!((published(&a, "run"), published(&a, "x")), (49152, 49156));
    let highest = json!({"x": {"target": 80, "published": 65535}, "y": {"target": 80, "published": 49160, "count": 4}});
    let highest = kit.create_sandbox(spec("b", highest)).await.unwrap();
    assert_eq!(published(&highest, "x"), 65535);
    let other = json!({"x": {"target": 80, "published": 49158, "count": 3, "host_address": "127.0.0.2"}});
    kit.create_sandbox(spec("other", other)).await.expect("another address");
    kit.remove_sandbox("a").await.unwrap();
    let c = json!({"one": {"target": 80}, "run": {"target": 1, "count": 5}, "two": {"target": 80}});
    let c = kit.create_sandbox(spec("c", c)).await.unwrap();
    let got = (published(&c, "one"), published(&c, "run"), published(&c, "two"));
    assert_eq!(got, (49152, 49153, 49158), "what is published on another address is in nobody's way");
    kit.check_store().await;
}

#[tokio::test]
async fn what_is_free_is_found_wherever_it_is() {
    let kit = kit().await;
    kit.create_sandbox(spec("high", json!({"x": {"target": 80, "published": 64035}}))).await.unwrap();
    // A port of its own cuts what lies beyond in two, of which neither is long enough.
    let own = json!({"x": {"target": 1, "published": 64786}, "run": {"target": 1, "count": 1000}});
    let own = kit.create_sandbox(spec("own", own)).await.unwrap();
    assert_eq!(published(&own, "run"), 49152);
    // What is published on other addresses is in nobody's way, once all that lies beyond is used up.
    for turn in 0..4 {
        let all =
            json!({"x": {"target": 1, "count": 4096, "published": 49152 + turn * 4096, "host_address": "127.0.0.2"}});
        kit.create_sandbox(spec(&format!("all{turn}"), all)).await.unwrap();
    }
    let here = kit.create_sandbox(spec("here", json!({"x": {"target": 80}}))).await.unwrap();
    assert_eq!(published(&here, "x"), 50152);
    let there = json!({"x": {"target": 80, "host_address": "127.0.0.2"}});
    let error = kit.create_sandbox(spec("there", there)).await.unwrap_err();
    assert_eq!(error.code, "port-taken", "{error}");
    let everywhere = json!({"x": {"target": 80, "host_address": "0.0.0.0"}});
    let error = kit.create_sandbox(spec("everywhere", everywhere)).await.unwrap_err();
    assert_eq!(error.code, "port-taken", "{error}");
    kit.check_store().await;
}

#[tokio::test]
async fn a_change_keeps_what_stays_and_takes_what_is_free() {
    let kit = kit().await;
    kit.create_sandbox(spec("a", json!({"x": {"target": 80}, "y": {"target": 81, "published": 9000}}))).await.unwrap();
    kit.create_sandbox(spec("b", json!({"z": {"target": 80, "published": 9001}}))).await.unwrap();
    let patch = |ports: Value| json!({"networks": {"web": {"ports": ports}}});
    let a = kit.patch_sandbox("a", patch(json!({"x": {"target": 8}, "y": {"published": 9002}}))).await.unwrap();
    assert_eq!((published(&a, "x"), published(&a, "y")), (49152, 9002), "a target changes under its number");
    let error = kit.patch_sandbox("a", patch(json!({"y": {"published": 9001}}))).await.unwrap_err();
    assert_eq!((error.kind, error.code, error.blockers[0].name.as_str()), (ErrorKind::Conflict, "port-taken", "b"));
    assert_eq!(published(&kit.sandbox("a").await.unwrap(), "y"), 9002, "nothing changed");
    kit.create_sandbox(spec("c", json!({"z": {"target": 80, "published": 9000}}))).await.expect("free again");
    let error = kit.patch_sandbox("c", patch(json!({"w": {"target": 1, "published": 9000}}))).await.unwrap_err();
    assert_eq!(error.errors[0].pointer, "/networks/web/ports/w", "{error}");
    let none = kit.patch_sandbox("a", patch(Value::Null)).await.unwrap();
    assert!(none.status.endpoints["web"].ports.is_empty());
}

#[tokio::test]
async fn a_dry_run_takes_no_number() {
    let kit = kit().await;
    let dry = WriteOptions { dry_run: true, ..WriteOptions::default() };
    kit.try_sandbox(spec("a", json!({"x": {"target": 80}})), dry).await.expect("a plan");
    let b = kit.create_sandbox(spec("b", json!({"x": {"target": 80}}))).await.unwrap();
    assert_eq!(published(&b, "x"), 49152);
}

#[tokio::test]
async fn ports_are_published_where_packets_can_be_sent_on() {
    let kit = kit().await;
    kit.exercise_network().await;
    let internal = json!({"name": "inside", "driver": "bridge", "internal": true});
    kit.create_network(internal).await.expect("a network");
    let six = json!({"name": "six", "driver": "bridge", "pools": {"v6": {"family": 6}}});
    kit.create_network(six).await.expect("a network");
    for (network, port, pointer) in [
        ("macvlan-net1", json!({"target": 80}), "/networks/macvlan-net1/ports"),
        ("inside", json!({"target": 80}), "/networks/inside/ports"),
        ("six", json!({"target": 80}), "/networks/six/ports/x/host_address"),
        ("web", json!({"target": 80, "host_address": "::"}), "/networks/web/ports/x/host_address"),
    ] {
        let spec = json!({"name": "s", "networks": {network: {"ports": {"x": port}}}});
        let error = kit.create_sandbox(spec).await.unwrap_err();
        assert_eq!((error.kind, error.errors[0].pointer.as_str()), (ErrorKind::Invalid, pointer), "{error}");
    }
    let spec = json!({"name": "s", "networks": {"six": {"ports": {"x": {"target": 80, "host_address": "::"}}}}});
    kit.create_sandbox(spec).await.expect("every IPv6 address");
}

#[tokio::test]
async fn where_there_is_no_way_at_all_the_port_is_refused_not_its_address() {
    let kit = kit().await;
    for (name, pools) in [("shut", json!({"v4": {}, "v6": {"family": 6}})), ("shut6", json!({"v6": {"family": 6}}))] {
        let bridge = json!({"gateway_mode4": "isolated", "gateway_mode6": "isolated"});
        let network = json!({"name": name, "driver": "bridge", "bridge": bridge, "pools": pools});
        kit.create_network(network).await.expect("a network");
        for port in [json!({"target": 80}), json!({"target": 80, "host_address": "::"})] {
            let spec = json!({"name": "s", "networks": {name: {"ports": {"x": port}}}});
            let error = kit.create_sandbox(spec).await.unwrap_err();
            let refused = &error.errors[0];
            let at = format!("/networks/{name}/ports/x");
            assert_eq!((refused.pointer.as_str(), refused.code), (at.as_str(), Code::NotAllowedHere), "{error:?}");
            assert!(refused.message.contains("isolated for IPv") && refused.hint.is_some(), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn a_host_on_which_every_port_is_taken_says_so() {
    let kit = kit().await;
    let port = |port: u16| HostPort { protocol: Protocol::Tcp, address: [127, 0, 0, 1].into(), port };
    let all = (49152..=u16::MAX).map(|number| (port(number), PortTrouble::InUse(None)));
    kit.node.ports_taken.lock().unwrap().extend(all);
    let error = kit.create_sandbox(spec("a", json!({"x": {"target": 80}}))).await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Conflict, "port-taken"));
    assert!(kit.sandbox("a").await.is_err(), "nothing is left of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_get_numbers_of_their_own() {
    let kit = std::sync::Arc::new(kit().await);
    let makers: Vec<_> = (0..32)
        .map(|number| {
            let kit = kit.clone();
            let ports: serde_json::Map<String, Value> =
                (0..16).map(|port| (format!("p{port}"), json!({"target": 80 + port}))).collect();
            tokio::spawn(async move { kit.create_sandbox(spec(&format!("s{number}"), Value::Object(ports))).await })
        })
        .collect();
    let mut numbers = std::collections::BTreeSet::new();
    for maker in makers {
        let made = maker.await.unwrap().expect("a sandbox");
        numbers.extend(made.status.endpoints["web"].ports.values().map(|port| port.published));
    }
    assert_eq!(numbers.len(), 32 * 16);
}

#[tokio::test]
async fn on_a_routed_network_ports_are_the_sandboxes_own_and_the_mode_stays_while_they_are_published() {
    let kit = kit().await;
    let mode = |mode: &str| json!({"bridge": {"gateway_mode4": mode}});
    kit.patch_network("web", mode("routed")).await.expect("nobody publishes");
    let everywhere = json!({"x": {"target": 80}, "y": {"target": 81, "host_address": "0.0.0.0", "published": 81}});
    let a = kit.create_sandbox(spec("a", everywhere)).await.unwrap();
    let ports = &a.status.endpoints["web"].ports;
    let port = |name: &str| (ports[name].to_string(), ports[name].target, ports[name].direct);
    assert_eq!(port("x"), ("10.9.0.2:80/tcp".to_owned(), 80, true));
    assert_eq!(port("y"), ("10.9.0.2:81/tcp".to_owned(), 81, true));
    kit.create_sandbox(spec("b", json!({"x": {"target": 80}}))).await.expect("its own address");
    for (port, field) in [
        (json!({"target": 80, "published": 8080}), "published"),
        (json!({"target": 80, "host_address": "127.0.0.1"}), "host_address"),
    ] {
        let error = kit.create_sandbox(spec("c", json!({"x": port}))).await.unwrap_err();
        assert_eq!(error.errors[0].pointer, format!("/networks/web/ports/x/{field}"), "{error:?}");
        assert!(!error.errors[0].message.contains("10.9.0."), "the address of a sandbox that is not made: {error:?}");
    }
    // No port of the host is taken by them.
    kit.create_network(json!({"name": "nat", "driver": "bridge"})).await.unwrap();
    let on_host = json!({"x": {"target": 80, "published": 80, "host_address": "0.0.0.0"}});
    kit.create_sandbox(json!({"name": "d", "networks": {"nat": {"ports": on_host}}})).await.expect("it is free");
    // Whatever else changes along with the mode.
    let mut with_pool = mode("nat");
    with_pool["pools"] = json!({"more": {"subnet": "10.10.0.0/24"}});
    for patch in [mode("nat"), with_pool] {
        let error = kit.patch_network("web", patch).await.unwrap_err();
        let blockers: Vec<&str> = error.blockers.iter().map(|blocker| blocker.name.as_str()).collect();
        assert_eq!((error.code, blockers), ("in-use", vec!["a", "b"]));
        assert_eq!(error.errors[0].pointer, "/bridge/gateway_mode4");
    }
    for name in ["a", "b"] {
        kit.patch_sandbox(name, json!({"networks": {"web": {"ports": null}}})).await.unwrap();
    }
    kit.patch_network("web", mode("nat")).await.expect("nobody publishes any more");
    let a = kit.patch_sandbox("a", json!({"networks": {"web": {"ports": {"x": {"target": 80}}}}})).await.unwrap();
    assert_eq!((published(&a, "x"), a.status.endpoints["web"].ports["x"].direct), (49152, false));
    kit.check_store().await;
}
