//! A sandbox sends from its own addresses, and takes nobody's place.

use crate::hosts::{Host, joined, on_two_hosts, sandbox, sandbox_id, until};

/// What is done to send a frame: its bytes behind the source, as an expression of Python's; from another address where one is said.
fn send(host: &Host, number: u8, from: &str, rest: &str) {
    let code = format!(
        "import socket as s\nh=bytes.fromhex\nip=lambda a:s.inet_pton(s.AF_INET6 if ':' in a else s.AF_INET,a)\n\
         def ip6(src,dst,body,kind=58):\n    return h('86dd60000000')+len(body).to_bytes(2,'big')+bytes([kind,255])+ip(src)+ip(dst)+body\n\
         def icmp6(src,dst,body):\n    p=ip(src)+ip(dst)+len(body).to_bytes(4,'big')+bytes([0,0,0,58])+body\n    n=sum(int.from_bytes(p[i:i+2],'big') for i in range(0,len(p),2))\n\
         \x20   n=(n&65535)+(n>>16)\n    n=~((n&65535)+(n>>16))&65535\n    return body[:2]+n.to_bytes(2,'big')+body[4:]\n\
         c=s.socket(s.AF_PACKET,s.SOCK_RAW)\nc.bind(('eth0',0))\nfor n in range(20): c.send(h('02420a580003')+h('{from}')+{rest})"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), code).unwrap();
    let said = host.inside(number, &format!("python3 {}", file.path().display()));
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

/// How many frames came out of a sandbox's interface.
fn received(host: &Host, number: u8) -> u64 {
    let path = host.kernel.netns_path(sandbox_id(number));
    let all = crate::commands::json(&format!("nsenter --net={} ip -j -s link show eth0", path.display()));
    all[0]["stats64"]["rx"]["packets"].as_u64().unwrap()
}

const OWN: &str = "02420a580001";
const FORGED: &str = "02420a580007";

#[test]
fn what_is_not_from_its_own_addresses_does_not_leave_a_sandbox() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        // Beside another one, where nothing else is in the way of what it sends.
        let one = &hosts[0];
        one.told.change(|assignment| drop(assignment.sandboxes.insert(sandbox_id(3), sandbox(3, 1))));
        one.settle().await;
        for address in ["10.88.1.2", "fd88:1::2", "10.88.1.3", "fd88:1::3"] {
            assert!(one.reaches(1, address), "{address}");
        }
        let arp = |mac: &str, address: &str| {
            format!("h('08060001080006040002')+h('{mac}')+ip('{address}')+h('02420a580003')+ip('10.88.1.3')")
        };
        let udp4 = |source: &str| {
            format!("h('0800'+'4500001c0001000040110000')+ip('{source}')+ip('10.88.1.3')+h('1092270f00080000')")
        };
        let advertisement = |source: &str, target: &str| {
            format!(
                "ip6('{source}','fd88:1::3',icmp6('{source}','fd88:1::3',h('8800000020000000')+ip('{target}')+h('0201')+h('{OWN}')))"
            )
        };
        let solicitation = |source: &str, target: &str| {
            format!("ip6('{source}','fd88:1::3',icmp6('{source}','fd88:1::3',h('8700000000000000')+ip('{target}')))")
        };
        let hidden = "ip6('fd88:1::1','fd88:1::3',h('3a00010400000000')+icmp6('fd88:1::1','fd88:1::3',h('8800000020000000')+ip('fd88:1::9')),60)";
        for (what, from, rest, passes) in [
            ("its own ARP", OWN, arp(OWN, "10.88.1.1"), true),
            ("a question before it has an address", OWN, arp(OWN, "0.0.0.0"), true),
            ("an answer for another's address", OWN, arp(OWN, "10.88.1.9"), false),
            ("an answer with another's Ethernet address", OWN, arp(FORGED, "10.88.1.1"), false),
            ("a frame from another's Ethernet address", FORGED, arp(OWN, "10.88.1.1"), false),
            ("its own IPv4", OWN, udp4("10.88.1.1"), true),
            ("another's IPv4", OWN, udp4("10.88.1.9"), false),
            ("IPv4 from elsewhere", OWN, udp4("192.0.2.1"), false),
            ("its own advertisement", OWN, advertisement("fd88:1::1", "fd88:1::1"), true),
            ("one of a link-local address", OWN, advertisement("fe80::1", "fe80::1"), true),
            ("an advertisement of another's address", OWN, advertisement("fd88:1::1", "fd88:1::9"), false),
            ("another's IPv6", OWN, advertisement("fd88:1::9", "fd88:1::1"), false),
            ("a question for another", OWN, solicitation("fd88:1::1", "fd88:1::9"), true),
            ("whether its own address is free", OWN, solicitation("::", "fd88:1::1"), true),
            ("whether a link-local address is free", OWN, solicitation("::", "fe80::1"), true),
            ("a claim of another's address that way", OWN, solicitation("::", "fd88:1::9"), false),
            ("an advertisement behind options", OWN, hidden.to_owned(), false),
            ("a router", OWN, "ip6('fe80::1','fd88:1::3',icmp6('fe80::1','fd88:1::3',h('86000000400007080000000000000000')))".to_owned(), false),
            ("a router's redirect", OWN, "ip6('fe80::1','fd88:1::3',icmp6('fe80::1','fd88:1::3',h('8900000000000000')+ip('fd88:1::9')+ip('fd88:1::1')))".to_owned(), false),
        ] {
            let before = received(one, 3);
            send(one, 1, from, &rest);
            if passes {
                until(what, async || received(one, 3) >= before + 20).await;
            } else {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                // Whom it spoke with before may still ask for it.
                assert!(received(one, 3) < before + 10, "{what}");
            }
        }
        assert!(one.reaches(1, "10.88.1.2") && one.reaches(1, "fd88:1::2"));
        hosts
    });
}

#[test]
fn what_keeps_a_sandbox_to_its_addresses_is_put_back() {
    on_two_hosts(|hosts| async move {
        joined(&hosts, "192.0.2.").await;
        let one = &hosts[0];
        let port = netloom_model::host_link::port(crate::hosts::endpoint_id(1));
        let shown = || one.in_overlay(&format!("tc filter show dev {port} ingress"));
        let whole = shown();
        assert!(whole.contains("direct-action"), "{whole}");
        for damage in [
            format!("tc qdisc del dev {port} clsact"),
            format!("tc filter del dev {port} ingress"),
            format!("tc filter replace dev {port} ingress prio 1 handle 1 protocol all bpf da bytecode 1,6,0,0,0"),
        ] {
            let damage = damage.replace("1,6,0,0,0", "'1,6 0 0 0'");
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &damage).unwrap();
            one.in_overlay(&format!("sh {}", file.path().display()));
            until(&damage, async || shown() == whole).await;
            one.as_it_should_be().await;
            assert!(!one.repairs().is_empty(), "{damage}");
        }
        let one = hosts[0].agent.counters().operations_applied;
        let [first, second] = hosts;
        let first = first.restarted().await;
        assert_eq!(first.agent.counters().operations_applied, 0, "a restart finds it as it should be (before: {one})");
        [first, second]
    });
}
