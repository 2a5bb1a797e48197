//! Docker's and Compose's spellings with what they are answered with. What must not live here: what else is refused, which is tested where
//! the rule is.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::document::parse;
use crate::network::NetworkSpec;
use crate::sandbox::SandboxSpec;

/// The pointer and the hint of a refusal.
fn hinted<T: DeserializeOwned>(document: Value) -> (String, String) {
    match parse::<T>(document.clone()) {
        Ok(_) => panic!("{document} is taken"),
        Err(refused) => (refused.pointer, refused.hint.unwrap_or_default()),
    }
}

#[test]
fn spellings_of_others_are_answered_with_ours() {
    let port = |port: Value| json!({"name": "s", "networks": {"web": {"ports": {"http": port}}}});
    let place = |place: Value| json!({"name": "s", "networks": {"web": place}});
    let sandbox = |field: &str| json!({"name": "s", field: "x"});
    for (document, pointer, hint) in [
        (port(json!("8080:80")), "/networks/web/ports/http", r#"{"published":8080,"target":80}"#),
        (port(json!("80")), "/networks/web/ports/http", r#"{"target":80}"#),
        (port(json!(80)), "/networks/web/ports/http", r#"{"target":80}"#),
        (
            port(json!("0.0.0.0:5353:53/UDP")),
            "/networks/web/ports/http",
            r#"{"host_address":"0.0.0.0","protocol":"udp","published":5353,"target":53}"#,
        ),
        (
            port(json!("[2001:db8::1]:8080:80")),
            "/networks/web/ports/http",
            r#"{"host_address":"2001:db8::1","published":8080,"target":80}"#,
        ),
        (port(json!("127.0.0.1::80")), "/networks/web/ports/http", r#"{"host_address":"127.0.0.1","target":80}"#),
        (
            place(json!({"ports": ["8080:80", "53/udp"]})),
            "/networks/web/ports",
            r#"{"port-53-udp":{"protocol":"udp","target":53},"port-80":{"published":8080,"target":80}}"#,
        ),
        (
            place(json!({"ports": ["53/tcp", "53/udp", "8080:80", "8081:80", 80]})),
            "/networks/web/ports",
            r#"{"port-53":{"target":53},"port-53-udp":{"protocol":"udp","target":53},"port-80":{"published":8080,"target":80},"port-80-2":{"published":8081,"target":80},"port-80-3":{"target":80}}"#,
        ),
        (
            port(json!({"target": 80, "host_ip": "127.0.0.1"})),
            "/networks/web/ports/http/host_ip",
            "write `host_address`",
        ),
        (port(json!({"target": 80, "host_port": 1})), "/networks/web/ports/http/host_port", "write `published`"),
        (port(json!({"container_port": 80})), "/networks/web/ports/http/container_port", "write `target`"),
        (port(json!({"target": 80, "protocol": "TCP"})), "/networks/web/ports/http/protocol", "did you mean `tcp`?"),
        (port(json!({"target": "80"})), "/networks/web/ports/http/target", "write 80, without quotes"),
        (place(json!({"ipv4_address": "10.0.0.5"})), "/networks/web/ipv4_address", "write `address4`"),
        (place(json!({"ipv6_address": "fd00::5"})), "/networks/web/ipv6_address", "write `address6`"),
        (place(json!({"mac_address": "x"})), "/networks/web/mac_address", "write `mac`"),
        (place(json!("10.0.0.5")), "/networks/web", r#"{"address4":"10.0.0.5"}"#),
        (json!({"name": "s", "networks": "web"}), "/networks", r#"{"web":{}}"#),
        (json!({"name": "s", "networks": ["web", "lan"]}), "/networks", r#"{"lan":{},"web":{}}"#),
        (sandbox("ports"), "/ports", r#""networks": {"NAME": {"ports": {"web""#),
        (sandbox("network"), "/network", r#"`networks`, by name: {"NAME": {}}"#),
        (sandbox("ipv4_address"), "/ipv4_address", r#""networks": {"NAME": {"address4""#),
    ] {
        let (at, said) = hinted::<SandboxSpec>(document.clone());
        assert_eq!(at, pointer, "{document}");
        assert!(said.contains(hint), "{document}: {said}");
    }
}

#[test]
fn a_networks_fields_are_found_where_they_are() {
    let network = |field: &str, value: Value| json!({"name": "n", "driver": "bridge", field: value});
    for (document, pointer, hint) in [
        (
            network("subnet", json!("10.0.0.0/24")),
            "/subnet",
            r#"write `pools`, by a name of your choice: {"v4": {"subnet""#,
        ),
        (network("gateway", json!("10.0.0.1")), "/gateway", "write `pools`"),
        (network("ipam", json!({})), "/ipam", "write `pools`"),
        (network("Ipam", json!({})), "/Ipam", "write `pools`"),
        (network("enable_ipv6", json!(true)), "/enable_ipv6", r#""v6": {"family": 6}"#),
        (network("parent", json!("eth0")), "/parent", "in the block `macvlan`"),
        (network("inter_sandbox", json!(false)), "/inter_sandbox", "in the block `bridge`"),
        (network("driver_opts", json!({})), "/driver_opts", "the block of the driver"),
        (
            network("bridge", json!({"internal": true})),
            "/bridge/internal",
            "`internal` is the network's: write it beside `driver`",
        ),
        (network("macvlan", json!({"parent": "p", "mtu": 1400})), "/macvlan/mtu", "`mtu` is the network's"),
        (network("pools", json!({"v4": {"internal": true}})), "/pools/v4/internal", "`internal` is the network's"),
        (network("bridge", json!({"icc": false})), "/bridge/icc", "write `inter_sandbox`"),
        (network("pools", json!({"v4": {"ip_range": "x"}})), "/pools/v4/ip_range", "write `range`"),
        (network("pools", json!({"v4": "10.0.0.0/24"})), "/pools/v4", r#"{"subnet":"10.0.0.0/24"}"#),
        (
            network("pools", json!(["10.0.0.0/24", "fd00::/64", "10.1.0.0/24"])),
            "/pools",
            r#"{"v4":{"subnet":"10.0.0.0/24"},"v4-2":{"subnet":"10.1.0.0/24"},"v6":{"subnet":"fd00::/64"}}"#,
        ),
        (network("pools", json!([{"subnet": "10.0.0.0/24"}])), "/pools", r#"{"v4":{"subnet":"10.0.0.0/24"}}"#),
        (network("pools", json!(["a"])), "/pools", r#"{"a":{}}"#),
        (json!({"name": "n", "driver": "Bridge"}), "/driver", "did you mean `bridge`?"),
    ] {
        let (at, said) = hinted::<NetworkSpec>(document.clone());
        assert_eq!(at, pointer, "{document}");
        assert!(said.contains(hint), "{document}: {said}");
    }
}

#[test]
fn what_nobody_can_have_meant_gets_no_example() {
    let words = ["http", "1:2:3:4", "99999", "x:80", "80/sctp", "80/", "0:80", "8080:0", "0"].map(|word| json!(word));
    for port in words.into_iter().chain([json!(true), json!(0), json!(-1)]) {
        for ports in [json!({"http": port}), json!([port])] {
            let document = json!({"name": "s", "networks": {"web": {"ports": ports}}});
            assert_eq!(hinted::<SandboxSpec>(document.clone()).1, "", "{document}");
        }
    }
}
