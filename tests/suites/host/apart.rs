//! What a sandbox sends round the rules, one way, where no answer is needed: by the gateway to a sandbox that it is kept apart from, and with
//! the host's loopback as its source.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netloom_tests::{Host, echo, host, json};

fn netns(host: &Host, sandbox: &str) -> PathBuf {
    host.net.outside(&host.netns(sandbox))
}

/// Whether a datagram from an address in one stack arrives at a port in another.
fn arrives(from: &Path, source: &str, at: &Path, to: &str) -> bool {
    let any = if to.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let receiver = echo::inside(at, || {
        let port = to.rsplit(':').next().unwrap();
        UdpSocket::bind(format!("{}:{port}", any.trim_end_matches(":0"))).unwrap()
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
