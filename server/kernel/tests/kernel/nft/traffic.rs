//! What the rules do to real packets.

use std::io::ErrorKind;
use std::net::Ipv4Addr;

use ipnet::IpNet;
use netloom_kernel::nft::Nft;
use netloom_nftables::expression::{Nfproto, Reject};
use netloom_nftables::rule::Field;
use netloom_nftables::{Batch, Chain, DataType, Element, Hook, Policy, Rule, Set, Table, Value, Verdict};

use super::topology::Topology;
use super::{apply, forward, in_a_namespace, listed, postrouting, prerouting, table, with_rules};
use crate::host::run;

fn net(text: &str) -> IpNet {
    text.parse().expect("a network")
}

fn ip(text: &str) -> Result<std::net::IpAddr, ErrorKind> {
    Ok(text.parse().expect("an address"))
}

/// What the first counter of a chain's rules counted, by `nft`.
fn packets(chain: &str) -> u64 {
    let rules = listed("rule");
    let of_chain = rules.iter().filter(|rule| rule["chain"] == chain);
    let mut counters = of_chain.flat_map(|rule| rule["expr"].as_array().expect("a list"));
    counters.find_map(|expression| expression["counter"]["packets"].as_u64()).expect("a counter")
}

#[test]
fn a_subnet_goes_out_with_the_hosts_address() {
    in_a_namespace(|| {
        let topology = Topology::new();
        topology.outside.serve("192.0.2.2:7000");
        topology.outside.serve("[2001:db8::2]:7000");
        topology.two.serve("10.9.2.2:7000");
        assert_eq!(topology.one.tcp("192.0.2.2:7000"), Err(ErrorKind::TimedOut));
        let mut batch = Batch::new();
        let rules = [
            Rule::new().saddr(net("10.9.1.0/24")).oifname("uplink0").masquerade(),
            Rule::new().saddr(net("fd09:1::/64")).oifname_not("nl-one").masquerade(),
        ];
        with_rules(&mut batch, &postrouting(), &rules);
        let mut nft = Nft::open().expect("a socket");
        apply(&mut nft, &batch);
        assert_eq!(topology.one.tcp("192.0.2.2:7000"), ip("192.0.2.1"));
        assert_eq!(topology.one.udp("192.0.2.2:7000"), ip("192.0.2.1"));
        assert_eq!(topology.one.tcp("[2001:db8::2]:7000"), ip("2001:db8::1"));
        // Inside it keeps its own, and the other network has no masquerade.
        assert_eq!(topology.one.tcp("10.9.2.2:7000"), ip("10.9.1.2"));
        assert_eq!(topology.two.tcp("192.0.2.2:7000"), Err(ErrorKind::TimedOut));
    });
}

#[test]
fn a_subnet_goes_out_with_an_address_of_its_choice() {
    in_a_namespace(|| {
        let topology = Topology::new();
        run("ip address add 192.0.2.77/32 dev uplink0");
        run("ip -6 address add 2001:db8::77/128 dev uplink0 nodad");
        topology.outside.serve("192.0.2.2:7000");
        topology.outside.serve("[2001:db8::2]:7000");
        let mut batch = Batch::new();
        let to = |text: &str| text.parse().expect("an address");
        let rules = [
            Rule::new().saddr(net("10.9.1.0/24")).oifname_not("nl-one").snat(to("192.0.2.77")),
            Rule::new().saddr(net("fd09:1::/64")).oifname_not("nl-one").snat(to("2001:db8::77")),
        ];
        with_rules(&mut batch, &postrouting(), &rules);
        let mut nft = Nft::open().expect("a socket");
        apply(&mut nft, &batch);
        assert_eq!(topology.one.tcp("192.0.2.2:7000"), ip("192.0.2.77"));
        assert_eq!(topology.one.udp("[2001:db8::2]:7000"), ip("2001:db8::77"));
    });
}

#[test]
fn published_ports_lead_inside_over_both_protocols_and_versions() {
    in_a_namespace(|| {
        let topology = Topology::new();
        topology.one.serve("10.9.1.2:8080");
        topology.one.serve("[fd09:1::2]:8080");
        // The way back: the outside knows none to the bridges, but conntrack turns the answers round.
        let service = DataType::concatenation(&[DataType::INET_PROTO, DataType::INET_SERVICE]);
        let to = |address| DataType::concatenation(&[address, DataType::INET_SERVICE]);
        let (v4, v6) = (to(DataType::IPV4_ADDR), to(DataType::IPV6_ADDR));
        let published = [Field::L4proto, Field::Dport];
        let mut batch = Batch::new();
        let rules = [
            Rule::new().fib_daddr_local().dnat_map(Nfproto::Ipv4, &published, "published"),
            Rule::new().fib_daddr_local().dnat_map(Nfproto::Ipv6, &published, "published6"),
        ];
        batch
            .add_table(&Table::open(table()))
            .add_set(&table(), &Set::new("published", service).map_to(v4))
            .add_set(&table(), &Set::new("published6", service).map_to(v6));
        with_rules(&mut batch, &prerouting(), &rules);
        let element = |protocol, address: &str| {
            let key = Value::concatenation(&[Value::inet_proto(protocol), Value::inet_service(80)]);
            let inside = Value::address(address.parse().expect("an address"));
            Element::new(key).value(Value::concatenation(&[inside, Value::inet_service(8080)]))
        };
        for (map, address) in [("published", "10.9.1.2"), ("published6", "fd09:1::2")] {
            batch.add_elements(&table(), map, &[element(6, address), element(17, address)]);
        }
        let mut nft = Nft::open().expect("a socket");
        apply(&mut nft, &batch);
        for host in ["192.0.2.1:80", "[2001:db8::1]:80"] {
            let client = if host.starts_with('[') { "2001:db8::2" } else { "192.0.2.2" };
            assert_eq!(topology.outside.tcp(host), ip(client), "tcp to {host}");
            assert_eq!(topology.outside.udp(host), ip(client), "udp to {host}");
        }
        assert_eq!(topology.outside.tcp("192.0.2.1:81"), Err(ErrorKind::ConnectionRefused));
        // Unpublishing one is one element; the other stays.
        let mut batch = Batch::new();
        batch.delete_elements(&table(), "published", &[element(6, "10.9.1.2")]);
        apply(&mut nft, &batch);
        assert_eq!(topology.outside.tcp("192.0.2.1:80"), Err(ErrorKind::ConnectionRefused));
        assert_eq!(topology.outside.udp("192.0.2.1:80"), ip("192.0.2.2"));
    });
}

#[test]
fn networks_of_a_set_are_apart_and_reach_the_outside() {
    in_a_namespace(|| {
        let topology = Topology::new();
        topology.two.serve("10.9.2.2:7000");
        topology.outside.serve("192.0.2.2:7000");
        let mut batch = Batch::new();
        batch.add_table(&Table::open(table())).add_set(&table(), &Set::new("links", DataType::IFNAME));
        with_rules(&mut batch, &forward(), &[Rule::new().iifname_in("links").oifname_in("links").counter().drop()]);
        with_rules(&mut batch, &postrouting(), &[Rule::new().oifname("uplink0").masquerade()]);
        let mut nft = Nft::open().expect("a socket");
        apply(&mut nft, &batch);
        assert_eq!(topology.one.tcp("10.9.2.2:7000"), ip("10.9.1.2"), "the set is empty");
        let both = ["nl-one", "nl-two"].map(|name| Element::new(Value::ifname(name)));
        let mut batch = Batch::new();
        batch.add_elements(&table(), "links", &both);
        apply(&mut nft, &batch);
        assert_eq!(topology.one.tcp("10.9.2.2:7000"), Err(ErrorKind::TimedOut));
        assert_eq!(topology.one.tcp("192.0.2.2:7000"), ip("192.0.2.1"));
        let counted = packets("forward");
        assert!(counted > 0);
        let rules = nft.rules(&table()).expect("a dump");
        assert_eq!(rules[0].counted.expect("a counter").packets, counted);
        let mut batch = Batch::new();
        batch.delete_elements(&table(), "links", &both[1..]);
        apply(&mut nft, &batch);
        assert_eq!(topology.one.tcp("10.9.2.2:7000"), ip("10.9.1.2"));
    });
}

#[test]
fn a_mark_is_set_within_its_mask_and_keeps_other_bits() {
    in_a_namespace(|| {
        let topology = Topology::new();
        topology.two.serve("10.9.2.2:7000");
        let early = Chain::filter("early", Hook::PREROUTING, -150, Policy::Accept);
        let mut batch = Batch::new();
        let rules = [
            Rule::new().iifname("nl-one").set_mark(0x0f01, u32::MAX),
            Rule::new().iifname("nl-one").set_mark(0x40000, 0x40000),
        ];
        with_rules(&mut batch, &early, &rules);
        with_rules(&mut batch, &forward(), &[Rule::new().mark(0x40f01, u32::MAX).counter()]);
        let mut nft = Nft::open().expect("a socket");
        apply(&mut nft, &batch);
        assert_eq!(topology.one.tcp("10.9.2.2:7000"), ip("10.9.1.2"));
        assert!(packets("forward") > 0);
    });
}

#[test]
fn a_verdict_map_sends_each_link_to_its_chain_and_a_reject_says_so() {
    in_a_namespace(|| {
        let topology = Topology::new();
        topology.two.serve("10.9.2.2:7000");
        let mut batch = Batch::new();
        batch
            .add_table(&Table::open(table()))
            .add_set(&table(), &Set::new("verdicts", DataType::IFNAME).map_to(DataType::VERDICT));
        let closed =
            [Rule::new().l4proto(6).counter().reject(Reject::TcpReset), Rule::new().reject(Reject::AdminProhibited)];
        with_rules(&mut batch, &Chain::regular("closed"), &closed);
        with_rules(&mut batch, &forward(), &[Rule::new().vmap(&[Field::Iifname], "verdicts")]);
        let jump = Element::new(Value::ifname("nl-one")).verdict(Verdict::Jump("closed".to_owned()));
        batch.add_elements(&table(), "verdicts", &[jump]);
        let mut nft = Nft::open().expect("a socket");
        apply(&mut nft, &batch);
        assert_eq!(topology.one.tcp("10.9.2.2:7000"), Err(ErrorKind::ConnectionRefused));
        assert_eq!(topology.one.udp("10.9.2.2:7000"), Err(ErrorKind::HostUnreachable));
        assert_eq!(packets("closed"), 1);
    });
}

#[test]
fn only_what_was_translated_or_asked_for_comes_in() {
    in_a_namespace(|| {
        let topology = Topology::new();
        topology.one.serve("10.9.1.2:8080");
        topology.outside.serve("192.0.2.2:7000");
        topology.outside.within(|| run("ip route add 10.9.0.0/16 via 192.0.2.1"));
        let place = DataType::concatenation(&[DataType::IPV4_ADDR, DataType::INET_SERVICE]);
        let mut batch = Batch::new();
        batch
            .add_table(&Table::open(table()))
            .add_set(&table(), &Set::new("ports", DataType::INET_SERVICE).map_to(place));
        let to = Value::concatenation(&[Ipv4Addr::new(10, 9, 1, 2).into(), Value::inet_service(8080)]);
        batch.add_elements(&table(), "ports", &[Element::new(Value::inet_service(80)).value(to)]);
        let dnat = Rule::new().l4proto(6).dnat_map(Nfproto::Ipv4, &[Field::Dport], "ports");
        with_rules(&mut batch, &prerouting(), &[dnat]);
        let into = || Rule::new().oifname("nl-one");
        let rules = [into().ct_state_established().accept(), into().ct_status_dnat().accept(), into().drop()];
        with_rules(&mut batch, &forward(), &rules);
        let mut nft = Nft::open().expect("a socket");
        apply(&mut nft, &batch);
        assert_eq!(topology.outside.tcp("192.0.2.1:80"), ip("192.0.2.2"));
        assert_eq!(topology.outside.tcp("10.9.1.2:8080"), Err(ErrorKind::TimedOut));
        assert_eq!(topology.one.tcp("192.0.2.2:7000"), ip("10.9.1.2"));
    });
}
