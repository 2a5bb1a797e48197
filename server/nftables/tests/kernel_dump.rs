//! Bytes that a kernel dumped of what `nft` made, held against what is built here for the same words.
//!
//! The numbers of netlink's own headers are in native byte order, so that the fixture only reads where it was taken.
#![cfg(target_endian = "little")]
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, Ipv6Addr};

use netloom_nftables::event::{self, Event, Touched};
use netloom_nftables::expression::{Counted, Nfproto, Reject};
use netloom_nftables::message::{Message, messages};
use netloom_nftables::rule::Field;
use netloom_nftables::{
    Chain, Comment, DataType, Element, Family, Hook, Policy, Rule, Set, Table, TableId, Value, Verdict, dump,
};

/// The message of a name.
fn bytes(name: &str) -> Vec<u8> {
    let mut lines = include_str!("kernel_dump.txt").lines().filter_map(|line| line.rsplit_once(" | "));
    let hex = lines.find(|(there, _)| *there == name).unwrap_or_else(|| panic!("{name} is in the fixture")).1;
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// What a reader makes of a message.
fn read<T>(name: &str, reader: impl Fn(&Message<'_>) -> T) -> T {
    let bytes = bytes(name);
    let mut all = messages(&bytes);
    let answer = reader(&all.next().expect("a message"));
    assert!(all.next().is_none());
    answer
}

fn table() -> TableId {
    TableId::new(Family::INET, "sample")
}

fn comment(text: &str) -> Comment {
    Comment::new(text).unwrap()
}

#[test]
fn tables_and_chains_read() {
    assert_eq!(read("table", dump::table).unwrap().unwrap(), Table::open(table()));
    let chains = [
        Chain::regular("regular"),
        Chain::nat("postrouting", Hook::POSTROUTING, 100),
        Chain::nat("prerouting", Hook::PREROUTING, -100),
        Chain::filter("forward", Hook::FORWARD, -10, Policy::Drop),
    ];
    for chain in chains {
        let name = format!("chain: {}", chain.name);
        assert_eq!(read(&name, dump::chain).unwrap().unwrap(), (table(), chain));
    }
}

/// The words of `nft`, the chain, and what is built here.
fn rules() -> Vec<(&'static str, &'static str, Rule)> {
    let rule = Rule::new;
    let net = |text: &str| text.parse().unwrap();
    let address = |text: &str| text.parse().unwrap();
    let published = [Field::L4proto, Field::Dport];
    let (v4, v6) = (Nfproto::Ipv4, Nfproto::Ipv6);
    let (four, six) = (rule().saddr(net("10.9.0.0/24")), rule().saddr(net("fd09::/64")));
    let mut all = vec![("return", "regular", rule().back())];
    all.extend(
        [
            ("ip saddr 10.9.0.0/24 oifname != \"nl-a\" masquerade", four.oifname_not("nl-a").masquerade()),
            ("ip6 saddr fd09::/64 oifname != @links masquerade", six.clone().oifname_not_in("links").masquerade()),
            (
                "ip saddr @subnets snat ip to 192.0.2.77",
                rule().within(&[Field::Saddr(v4)], "subnets").snat(address("192.0.2.77")),
            ),
            ("ip6 saddr fd09::/64 snat ip6 to 2001:db8::77", six.snat(address("2001:db8::77"))),
        ]
        .map(|(words, rule)| (words, "postrouting", rule)),
    );
    all.extend(
        [
            (
                "fib daddr type local meta nfproto ipv4 dnat ip to meta l4proto . th dport map @published",
                rule().fib_daddr_local().dnat_map(v4, &published, "published"),
            ),
            (
                "fib daddr type local meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @published6",
                rule().fib_daddr_local().dnat_map(v6, &published, "published6"),
            ),
            (
                "tcp dport 443 meta nfproto ipv4 dnat ip to 10.9.0.2:8443",
                rule().l4proto(6).dport(443).dnat("10.9.0.2:8443".parse().unwrap()),
            ),
        ]
        .map(|(words, rule)| (words, "prerouting", rule)),
    );
    all.extend(
        [
            ("ct state established,related accept", rule().ct_state_established().accept()),
            ("ct status dnat accept", rule().ct_status_dnat().accept()),
            ("ct direction original accept", rule().ct_direction_original().accept()),
            (
                "iifname @links oifname @links counter packets 3 bytes 180 drop comment \"net_1:0123abcd\"",
                rule().iifname_in("links").oifname_in("links").counter().drop().comment(comment("net_1:0123abcd")),
            ),
            ("iifname vmap @verdicts", rule().vmap(&[Field::Iifname], "verdicts")),
            (
                "iifname @links meta mark set meta mark | 0x00040000",
                rule().iifname_in("links").set_mark(0x40000, 0x40000),
            ),
            ("meta mark & 0x00040000 == 0x00040000 accept", rule().mark(0x40000, 0x40000).accept()),
            ("meta mark set ip daddr map @marks", rule().set_mark_from(&[Field::Daddr(v4)], "marks")),
            (
                "ip daddr . meta l4proto . th dport @services accept",
                rule().within(&[Field::Daddr(v4), Field::L4proto, Field::Dport], "services").accept(),
            ),
            ("ip daddr 10.0.0.0/9 accept", rule().daddr(net("10.0.0.0/9")).accept()),
            ("ip6 daddr 2001:db8::/61 accept", rule().daddr(net("2001:db8::/61")).accept()),
            ("meta l4proto tcp reject with tcp reset", rule().l4proto(6).reject(Reject::TcpReset)),
            ("reject with icmpx admin-prohibited", rule().reject(Reject::AdminProhibited)),
            ("jump regular", rule().jump("regular")),
            ("goto regular", rule().goto("regular")),
        ]
        .map(|(words, rule)| (words, "forward", rule)),
    );
    all
}

#[test]
fn rules_are_built_as_nft_builds_them() {
    for (words, chain, rule) in rules() {
        let dumped = read(&format!("rule: {words}"), dump::rule).unwrap().unwrap();
        assert_eq!(dumped.rule, rule, "{words}");
        assert_eq!((dumped.table, dumped.chain.as_str()), (table(), chain));
        assert_ne!(dumped.handle, 0);
        let counted = words.contains("counter").then_some(Counted { packets: 3, bytes: 180 });
        assert_eq!(dumped.counted, counted, "{words}");
    }
}

/// Sets and maps of the fixture, with their elements in order.
fn sets() -> Vec<(Set, Vec<Element>)> {
    use DataType as T;
    let all = Value::concatenation;
    let inside = Value::from(Ipv4Addr::new(10, 9, 0, 2));
    let inside6 = Value::from(Ipv6Addr::new(0xfd09, 0, 0, 0, 0, 0, 0, 2));
    let place = T::concatenation(&[T::IPV4_ADDR, T::INET_SERVICE]);
    let place6 = T::concatenation(&[T::IPV6_ADDR, T::INET_SERVICE]);
    let service = T::concatenation(&[T::INET_PROTO, T::INET_SERVICE]);
    let port = Value::inet_service;
    let (tcp, udp) = (Value::inet_proto(6), Value::inet_proto(17));
    let named = |name| Element::new(Value::ifname(name));
    let end = Element { interval_end: true, ..Element::new(Value::new([0; 4])) };
    let mut subnet = Element::network("10.9.0.0/24".parse().unwrap());
    // What nft puts in front of the first range.
    subnet.insert(0, end);
    vec![
        (Set::new("links", T::IFNAME), vec![named("nl-a").comment(comment("net_1")), named("nl-b")]),
        (Set::new("subnets", T::IPV4_ADDR).interval(), subnet),
        (
            Set::new("ranges", place).interval(),
            vec![Element::range(
                all(&[Ipv4Addr::new(10, 9, 0, 0).into(), port(80)]),
                all(&[Ipv4Addr::new(10, 9, 0, 255).into(), port(90)]),
            )],
        ),
        (Set::new("protocols", T::INET_PROTO), vec![Element::new(tcp.clone())]),
        (
            Set::new("services", T::concatenation(&[T::IPV4_ADDR, T::INET_PROTO, T::INET_SERVICE])),
            vec![Element::new(all(&[inside.clone(), tcp.clone(), port(80)]))],
        ),
        (
            Set::new("published", service).map_to(place),
            vec![Element::new(all(&[tcp, port(80)])).value(all(&[inside.clone(), port(8080)]))],
        ),
        (
            Set::new("published6", service).map_to(place6),
            vec![Element::new(all(&[udp, port(53)])).value(all(&[inside6, port(5353)]))],
        ),
        (
            Set::new("verdicts", T::IFNAME).map_to(T::VERDICT),
            vec![named("nl-a").verdict(Verdict::Jump("regular".to_owned()))],
        ),
        (Set::new("marks", T::IPV4_ADDR).map_to(T::MARK), vec![Element::new(inside).value(Value::mark(0x40001))]),
    ]
}

#[test]
fn sets_maps_and_elements_read() {
    for (set, elements) in sets() {
        let name = set.name.clone();
        assert_eq!(read(&format!("set: {name}"), dump::set).unwrap().unwrap(), (table(), set));
        let mut there = read(&format!("elements: {name}"), dump::elements).unwrap().unwrap();
        there.sort();
        assert_eq!(there, elements, "{name}");
    }
}

#[test]
fn events_say_what_was_touched_and_by_whom() {
    let touched = read("event: table added", event::read).unwrap().unwrap();
    assert_eq!(touched, Event::Touched(Touched { table: table(), chain: None, hook: None }));
    let committed = read("event: generation", event::read).unwrap().unwrap();
    let Event::Committed(generation) = committed else { panic!("{committed:?}") };
    assert_eq!((generation.number, generation.process_name.as_str()), (2, "nft"));
    assert_ne!((generation.process_id, generation.port), (0, 0));
}

#[test]
fn the_end_and_a_refusal_are_told_apart() {
    assert_eq!(read("done", |message| message.done()), Some(0));
    assert_eq!(read("done", |message| message.acknowledgement()), None);
    let refusal = read("refused", |message| message.acknowledgement()).unwrap();
    assert_eq!((refusal.errno, refusal.text), (2, None));
    assert_eq!(read("refused", |message| message.done()), None);
    assert_eq!(read("table", |message| message.acknowledgement()), None);
}

#[test]
fn a_message_of_another_kind_is_left_alone() {
    assert!(read("table", dump::rule).is_none());
    assert!(read("done", dump::table).is_none());
    assert!(read("refused", dump::elements).is_none());
    assert!(read("done", event::read).is_none());
}

#[test]
fn what_is_cut_off_is_an_error_and_no_panic() {
    for name in ["table", "chain: forward", "rule: iifname vmap @verdicts", "set: ranges", "elements: published"] {
        let whole = bytes(name);
        for length in 16..whole.len() {
            let mut part = whole[..length].to_vec();
            part[..4].copy_from_slice(&u32::try_from(length).unwrap().to_ne_bytes());
            for message in messages(&part) {
                let _ = (dump::table(&message), dump::chain(&message), dump::rule(&message));
                let _ = (dump::set(&message), dump::elements(&message), event::read(&message));
                let _ = (message.acknowledgement(), message.done(), message.family());
            }
        }
    }
}
