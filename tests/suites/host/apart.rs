//! What a sandbox sends round the rules: one way, where no answer is needed, by the gateway to a sandbox that it is kept apart from, and with
//! the host's loopback as its source; and to the addresses that links make for themselves.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netloom_tests::{Echo, Host, ask_tcp, echo, host, json, until};

fn netns(host: &Host, sandbox: &str) -> PathBuf {
    host.net.outside(&host.netns(sandbox))
}

/// Whether a datagram from an address in one stack arrives at a port in another.
fn arrives(from: &Path, source: &str, at: &Path, to: &str) -> bool {
    let any = if to.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let receiver = echo::inside(at, || {
        let at = format!("{}:{}", any.trim_end_matches(":0"), to.rsplit(':').next().unwrap());
        // A process that another test starts has the socket of the time before for a moment, until it is another program.
        until("the port is free", Duration::from_secs(10), || UdpSocket::bind(&at).ok())
    });
    receiver.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    // Neighbours are asked for first: of a few, one is sent without that.
    (0..4).any(|_| {
        echo::inside(from, || {
            let sender = UdpSocket::bind(source).unwrap();
            let _ = sender.send_to(b"one way", to);
        });
        receiver.recv(&mut [0; 64]).is_ok()
    })
}

#[test]
fn sandboxes_that_are_kept_apart_are_so_by_the_gateway_too() {
    let host = host!();
    let client = host.start();
    host.bridge("n", "10.25.0.0/24");
    ["a", "b"].iter().for_each(|name| drop(host.sandbox(name, "n")));
    let six = |name: &str| {
        let sandbox = client.get(&format!("sandboxes/{name}")).is(200);
        sandbox["status"]["endpoints"]["n"]["address6"].as_str().unwrap().to_owned()
    };
    let b6 = six("b");
    let gateway6 = b6.replace("::3", "::1");
    host.in_sandbox("a", "ip route add 10.25.0.3 via 10.25.0.1");
    host.in_sandbox("a", &format!("ip -6 route add {b6} via {gateway6}"));
    let (a, b) = (netns(&host, "a"), netns(&host, "b"));
    let both = || [("0.0.0.0:0", "10.25.0.3:5555".to_owned()), ("[::]:0", format!("[{b6}]:5555"))];
    for (isolation, inter_sandbox) in [(true, true), (true, false), (false, false), (false, true)] {
        let settings = json!({"bridge": {"isolation": isolation, "inter_sandbox": inter_sandbox}});
        client.patch("networks/n", &settings).is(200);
        for (source, to) in both() {
            assert_eq!(arrives(&a, source, &b, &to), inter_sandbox, "{to} with {settings}");
        }
    }
}

#[test]
fn nobody_speaks_as_if_he_were_on_the_hosts_loopback() {
    let host = host!();
    let client = host.start();
    host.bridge("n", "10.25.0.0/24");
    // A port on loopback has the bridge take packets of 127.0.0.0/8.
    let ports = json!({"web": {"target": 80, "published": 8880}});
    client.post("sandboxes", &json!({"name": "a", "networks": {"n": {"ports": ports}}})).is(201);
    host.in_sandbox("a", "sysctl -qw net.ipv4.conf.eth0.route_localnet=1");
    host.in_sandbox("a", "ip addr add 127.0.0.2/32 dev eth0");
    let (a, here) = (netns(&host, "a"), host.net.path());
    assert!(arrives(&a, "10.25.0.2:0", &here, "10.25.0.1:5555"), "its own address is taken");
    assert!(!arrives(&a, "127.0.0.2:0", &here, "10.25.0.1:5556"));
}

/// The link-local address that the kernel makes of an Ethernet address (RFC 4291, appendix A), on a link by its index.
fn link_local(mac: &str, link: u64) -> String {
    let byte = |number: usize| u8::from_str_radix(mac.split(':').nth(number).unwrap(), 16).unwrap();
    let (a, b, c, d, e, f) = (byte(0) ^ 2, byte(1), byte(2), byte(3), byte(4), byte(5));
    format!("fe80::{a:02x}{b:02x}:{c:02x}ff:fe{d:02x}:{e:02x}{f:02x}%{link}")
}

#[test]
fn the_host_is_reached_by_ipv4_only_where_a_network_has_a_gateway_of_it() {
    let host = host!();
    let client = host.start();
    host.bridge("dual", "10.25.0.0/24");
    for (name, more) in [
        ("inside", json!({"internal": true, "pools": {"v4": {"subnet": "10.27.0.0/24"}}})),
        ("shut", json!({"bridge": {"gateway_mode4": "isolated"}, "pools": {"v4": {"subnet": "10.28.0.0/24"}}})),
        ("six", json!({"pools": {"v6": {"family": 6}}})),
    ] {
        let mut body = json!({"name": name, "driver": "bridge"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.post("networks", &body).is(201);
    }
    let place = |name: &str, address: &str| json!({"interface": name, "address4": address});
    let attached = json!({
        "dual": place("dual", "10.25.0.2"),
        "inside": place("inside", "10.27.0.2"),
        "shut": place("shut", "10.28.0.2"),
        "six": {"interface": "six"},
    });
    client.post("sandboxes", &json!({"name": "a", "networks": attached})).is(201);
    host.in_sandbox("a", "ip addr add 10.29.0.2/24 dev six");
    host.net.run("ip addr add 198.51.100.1/32 dev lo");
    let (a, here) = (netns(&host, "a"), host.net.path());
    let networks = ["dual", "inside", "shut", "six"];
    let sources = ["10.25.0.2:0", "10.27.0.2:0", "10.28.0.2:0", "10.29.0.2:0"];
    // By an address of the host's, which the bridge answers ARP for, and by the group of all hosts on a link (RFC 1112).
    for (network, source) in networks.into_iter().zip(sources) {
        for to in ["198.51.100.1", "224.0.0.1"] {
            host.in_sandbox("a", &format!("ip route replace {to}/32 dev {network}"));
            assert_eq!(arrives(&a, source, &here, &format!("{to}:5555")), network == "dual", "{network}: {to}");
        }
    }
    let id = |network: &str| client.get(&format!("networks/{network}")).is(200)["id"].as_str().unwrap().to_owned();
    let links = host.net.json("ip -j link show type bridge");
    let bridge = |network: &&str| {
        let alias = format!("netloom:{}", id(network));
        let link = links.as_array().unwrap().iter().find(|link| link["ifalias"] == alias).expect("its bridge");
        link["ifname"].as_str().unwrap().to_owned()
    };
    let kept_out = host.net.run("nft list set inet netloom without_gateway4");
    let listed: Vec<bool> = networks.iter().map(|network| kept_out.contains(&bridge(network))).collect();
    assert_eq!(listed, [false, true, true, true], "{kept_out}");
}

#[test]
fn the_host_is_reached_by_ipv6_only_where_a_network_has_a_gateway_of_it() {
    let host = host!();
    let client = host.start();
    host.bridge("dual", "10.25.0.0/24");
    for (name, more) in [
        ("four", json!({"pools": {"v4": {"subnet": "10.26.0.0/24"}}})),
        ("inside", json!({"internal": true, "pools": {"v4": {"subnet": "10.27.0.0/24"}, "v6": {"family": 6}}})),
        ("shut", json!({"bridge": {"gateway_mode6": "isolated"}, "pools": {"v4": {}, "v6": {"family": 6}}})),
    ] {
        let mut body = json!({"name": name, "driver": "bridge"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.post("networks", &body).is(201);
    }
    let networks = ["dual", "four", "inside", "shut"];
    let attached: std::collections::BTreeMap<_, _> = networks.map(|name| (name, json!({"interface": name}))).into();
    client.post("sandboxes", &json!({"name": "a", "networks": attached})).is(201);
    let _listener = Echo::start(&host.net.path(), "[::]:9000", "host");
    until("its own addresses were asked for", Duration::from_secs(20), || {
        let own = host.in_sandbox("a", "ip -o -6 addr show scope link");
        (own.lines().count() == networks.len() && !own.contains("tentative")).then_some(())
    });
    let bridge = |network: &str| {
        let id = client.get(&format!("networks/{network}")).is(200)["id"].as_str().unwrap().to_owned();
        let links = host.net.json("ip -j link show type bridge");
        let is_it = |link: &&netloom_tests::Value| link["ifalias"] == format!("netloom:{id}");
        links.as_array().unwrap().iter().find(is_it).expect("its bridge").clone()
    };
    let asked = |network: &str| {
        let own = host.json_in_sandbox("a", &format!("ip -j link show {network}"))[0]["ifindex"].as_u64().unwrap();
        let to = link_local(bridge(network)["address"].as_str().unwrap(), own);
        ask_tcp(&netns(&host, "a"), &format!("[{to}]:9000"))
    };
    for network in networks {
        assert_eq!(asked(network).is_some(), network == "dual", "{network}");
    }
    for (network, changed) in [("inside", 0), ("dual", 1)] {
        let setting = format!("net.ipv6.conf.{}.disable_ipv6", bridge(network)["ifname"].as_str().unwrap());
        host.net.run(&format!("sysctl -qw {setting}={changed}"));
        until(&format!("{setting} is put back"), Duration::from_secs(10), || {
            (host.net.run(&format!("sysctl -n {setting}")).trim() == (1 - changed).to_string()).then_some(())
        });
    }
    assert!(asked("inside").is_none());
    until("nothing differs", Duration::from_secs(10), || {
        (client.get("drift").is(200)["items"] == json!([])).then_some(())
    });
    until("the gateway is back", Duration::from_secs(10), || asked("dual"));
}
