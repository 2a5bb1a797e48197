//! Every expression as `nft` reads it and as the kernel dumps it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netloom_kernel::nft::Nft;
use netloom_nftables::expression::{Nfproto, Reject, ct_state};
use netloom_nftables::rule::{DumpedRule, Field};
use netloom_nftables::{Batch, Chain, Comment, DataType, Element, Hook, Policy, Rule, Set, Table, Value, Verdict};

use super::{apply, forward, in_a_namespace, postrouting, prerouting, table, with_rules};
use crate::host::{output, run};

const V4: Nfproto = Nfproto::Ipv4;
const V6: Nfproto = Nfproto::Ipv6;

/// Rules of the forward chain, and what `nft` calls them.
fn forward_rules() -> Vec<(Rule, &'static str)> {
    let rule = Rule::new;
    let net = |text: &str| text.parse().expect("a network");
    let isolation = Comment::new("net_1:0123abcd").expect("short");
    vec![
        (rule().ct_state_established().accept(), "ct state established,related accept"),
        (rule().ct_state(ct_state::INVALID).drop(), "ct state invalid drop"),
        (rule().ct_status_dnat().accept(), "ct status dnat accept"),
        (rule().ct_direction_original().accept(), "ct direction original accept"),
        (
            rule().iifname_in("links").oifname_in("links").counter().drop().comment(isolation),
            "iifname @links oifname @links counter packets 0 bytes 0 drop comment \"net_1:0123abcd\"",
        ),
        (rule().iifname_not_in("links").oifname_not_in("links").back(), "iifname != @links oifname != @links return"),
        (rule().iifname("nl-a").oifname_not("nl-b").accept(), "iifname \"nl-a\" oifname != \"nl-b\" accept"),
        (rule().iifname_not("nl-a").oifname("nl-b").accept(), "iifname != \"nl-a\" oifname \"nl-b\" accept"),
        (rule().vmap(&[Field::Iifname], "verdicts"), "iifname vmap @verdicts"),
        (rule().iifname_in("links").set_mark(0x40000, 0x40000), "iifname @links meta mark set meta mark | 0x00040000"),
        (rule().set_mark(0x40000, 0xff0000), "meta mark set meta mark & 0xff04ffff | 0x00040000"),
        (rule().mark(0x40000, 0x40000).accept(), "meta mark & 0x00040000 == 0x00040000 accept"),
        (rule().set_mark_from(&[Field::Daddr(V4)], "marks"), "meta mark set ip daddr map @marks"),
        (
            rule().within(&[Field::Daddr(V4), Field::L4proto, Field::Dport], "services").accept(),
            "ip daddr . meta l4proto . th dport @services accept",
        ),
        (
            rule().not_within(&[Field::Saddr(V6), Field::Iifname], "origins").drop(),
            "ip6 saddr . iifname != @origins drop",
        ),
        (rule().within(&[Field::Saddr(V4)], "subnets").accept(), "ip saddr @subnets accept"),
        (rule().within(&[Field::Daddr(V4), Field::Dport], "ranges").accept(), "ip daddr . th dport @ranges accept"),
        (rule().daddr(net("10.0.0.0/9")).accept(), "ip daddr 10.0.0.0/9 accept"),
        (rule().daddr_not(net("10.9.0.0/24")).drop(), "ip daddr != 10.9.0.0/24 drop"),
        (rule().saddr(net("10.9.0.7/32")).accept(), "ip saddr 10.9.0.7 accept"),
        (rule().saddr_not(net("2001:db8::/61")).drop(), "ip6 saddr != 2001:db8::/61 drop"),
        (
            rule().saddr(net("2001:db8::/64")).daddr(net("2001:db8:1::/64")).accept(),
            "ip6 saddr 2001:db8::/64 ip6 daddr 2001:db8:1::/64 accept",
        ),
        (rule().l4proto(6).dport(80).accept(), "tcp dport 80 accept"),
        (rule().l4proto(17).sport(53).accept(), "udp sport 53 accept"),
        (rule().nfproto(V6).drop(), "meta nfproto ipv6 drop"),
        (rule().jump("regular"), "jump regular"),
        (rule().goto("regular"), "goto regular"),
        (rule().l4proto(6).reject(Reject::TcpReset), "meta l4proto tcp reject with tcp reset"),
        (rule().iifname("nl-a").reject(Reject::PortUnreachable), "iifname \"nl-a\" reject"),
        (rule().reject(Reject::HostUnreachable), "reject with icmpx host-unreachable"),
        (rule().reject(Reject::AdminProhibited), "reject with icmpx admin-prohibited"),
        (rule().nfproto(V4).reject(Reject::Icmp(1)), "reject with icmp host-unreachable"),
    ]
}

fn postrouting_rules() -> Vec<(Rule, &'static str)> {
    let net = |text: &str| text.parse().expect("a network");
    let rule = || Rule::new().saddr(net("10.9.0.0/24"));
    let v6 = || Rule::new().saddr(net("fd09::/64"));
    vec![
        (rule().oifname_not("nl-a").masquerade(), "ip saddr 10.9.0.0/24 oifname != \"nl-a\" masquerade"),
        (v6().oifname_not_in("links").masquerade(), "ip6 saddr fd09::/64 oifname != @links masquerade"),
        (rule().snat(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77))), "ip saddr 10.9.0.0/24 snat ip to 192.0.2.77"),
        (
            v6().snat(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x77))),
            "ip6 saddr fd09::/64 snat ip6 to 2001:db8::77",
        ),
        (rule().within(&[Field::Mark], "marked").masquerade(), "ip saddr 10.9.0.0/24 meta mark @marked masquerade"),
    ]
}

fn prerouting_rules() -> Vec<(Rule, &'static str)> {
    let rule = || Rule::new().fib_daddr_local();
    let published = [Field::L4proto, Field::Dport];
    vec![
        (
            rule().dnat_map(V4, &published, "published"),
            "fib daddr type local meta nfproto ipv4 dnat ip to meta l4proto . th dport map @published",
        ),
        (
            rule().dnat_map(V6, &published, "published6"),
            "fib daddr type local meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @published6",
        ),
        (
            Rule::new().dnat_map(V4, &[Field::Daddr(V4), Field::L4proto, Field::Dport], "bound"),
            "dnat ip to ip daddr . meta l4proto . th dport map @bound",
        ),
        (
            Rule::new().l4proto(6).dport(443).dnat("10.9.0.2:8443".parse().expect("an address")),
            "tcp dport 443 meta nfproto ipv4 dnat ip to 10.9.0.2:8443",
        ),
        (
            Rule::new().l4proto(17).dport(53).dnat("[fd09::2]:5353".parse().expect("an address")),
            "udp dport 53 meta nfproto ipv6 dnat ip6 to [fd09::2]:5353",
        ),
    ]
}

/// Sets and maps that the rules name, each with elements.
fn sets() -> Vec<(Set, Vec<Element>)> {
    use DataType as T;
    let all = Value::concatenation;
    let v4 = |octets: [u8; 4]| Value::from(Ipv4Addr::from(octets));
    let v6 = |last: u16| Value::from(Ipv6Addr::new(0xfd09, 0, 0, 0, 0, 0, 0, last));
    let (tcp, port) = (Value::inet_proto(6), Value::inet_service(80));
    let named = |name: &str| Element::new(Value::ifname(name));
    let service = T::concatenation(&[T::INET_PROTO, T::INET_SERVICE]);
    let place = T::concatenation(&[T::IPV4_ADDR, T::INET_SERVICE]);
    let place6 = T::concatenation(&[T::IPV6_ADDR, T::INET_SERVICE]);
    let bound = T::concatenation(&[T::IPV4_ADDR, T::INET_PROTO, T::INET_SERVICE]);
    let web = all(&[tcp.clone(), port.clone()]);
    let inside = all(&[v4([10, 9, 0, 2]), Value::inet_service(8080)]);
    let comment = |text: &str| Comment::new(text).expect("short");
    vec![
        (Set::new("links", T::IFNAME), vec![named("nl-a").comment(comment("net_1")), named("nl-b")]),
        (
            Set::new("verdicts", T::IFNAME).map_to(T::VERDICT),
            vec![named("nl-a").verdict(Verdict::Jump("regular".to_owned())), named("nl-b").verdict(Verdict::Drop)],
        ),
        (
            Set::new("marks", T::IPV4_ADDR).map_to(T::MARK),
            vec![Element::new(v4([10, 9, 0, 2])).value(Value::mark(0x40001))],
        ),
        (Set::new("marked", T::MARK), vec![Element::new(Value::mark(0x40001))]),
        (Set::new("services", bound), vec![Element::new(all(&[v4([10, 9, 0, 2]), tcp.clone(), port.clone()]))]),
        (
            Set::new("origins", T::concatenation(&[T::IPV6_ADDR, T::IFNAME])),
            vec![Element::new(all(&[v6(2), Value::ifname("nl-a")]))],
        ),
        (
            Set::new("subnets", T::IPV4_ADDR).interval(),
            [
                Element::network("10.9.0.0/24".parse().expect("a network")),
                Element::network("255.255.255.0/24".parse().expect("a network")),
            ]
            .concat(),
        ),
        (
            Set::new("ranges", place).interval(),
            vec![Element::range(
                all(&[v4([10, 9, 0, 0]), Value::inet_service(80)]),
                all(&[v4([10, 9, 0, 255]), Value::inet_service(90)]),
            )],
        ),
        (Set::new("published", service).map_to(place), vec![Element::new(web.clone()).value(inside.clone())]),
        (
            Set::new("published6", service).map_to(place6),
            vec![Element::new(web).value(all(&[v6(2), Value::inet_service(8080)]))],
        ),
        (
            Set::new("bound", bound).map_to(place),
            vec![Element::new(all(&[v4([192, 0, 2, 1]), tcp, port])).value(inside)],
        ),
    ]
}

/// Everything in one batch.
fn everything() -> Batch {
    let mut batch = Batch::new();
    batch.add_table(&Table::open(table())).add_chain(&table(), &Chain::regular("regular"));
    for (set, elements) in sets() {
        batch.add_set(&table(), &set).add_elements(&table(), &set.name, &elements);
    }
    for (chain, rules) in chains() {
        with_rules(&mut batch, &chain, &rules.into_iter().map(|(rule, _)| rule).collect::<Vec<_>>());
    }
    batch
}

fn chains() -> [(Chain, Vec<(Rule, &'static str)>); 3] {
    [(forward(), forward_rules()), (postrouting(), postrouting_rules()), (prerouting(), prerouting_rules())]
}

#[test]
fn nft_reads_every_rule_as_it_was_meant() {
    in_a_namespace(|| {
        let mut nft = Nft::open().expect("a socket");
        apply(&mut nft, &everything());
        for (chain, rules) in chains() {
            let listing = run(&format!("nft list chain inet netloom {}", chain.name));
            let lines: Vec<&str> = listing.lines().skip(3).map(str::trim).collect();
            for ((_, words), line) in rules.iter().zip(&lines) {
                assert_eq!(line, words, "{listing}");
            }
        }
        let listing = run("nft list chain inet netloom forward");
        assert!(listing.contains("type filter hook forward priority filter - 10; policy accept;"), "{listing}");
    });
}

#[test]
fn what_the_kernel_dumps_equals_what_was_sent() {
    in_a_namespace(|| {
        let mut nft = Nft::open().expect("a socket");
        apply(&mut nft, &everything());
        let dumped = nft.rules(&table()).expect("a dump");
        for (chain, rules) in chains() {
            let there: Vec<&Rule> = dumped.iter().filter(|rule| rule.chain == chain.name).map(|r| &r.rule).collect();
            assert_eq!(there.len(), rules.len());
            for ((rule, words), there) in rules.iter().zip(there) {
                assert_eq!(there, rule, "{words}");
            }
        }
        let mut wanted: Vec<Chain> = chains().into_iter().map(|(chain, _)| chain).collect();
        wanted.insert(0, Chain::regular("regular"));
        assert_eq!(nft.chains(&table()).expect("a dump"), wanted);
        assert_eq!(nft.sets(&table()).expect("a dump"), sets().into_iter().map(|(set, _)| set).collect::<Vec<_>>());
        for (set, mut elements) in sets() {
            let mut there = nft.elements(&table(), &set.name).expect("a dump");
            there.sort();
            elements.sort();
            assert_eq!(there, elements, "{}", set.name);
        }
    });
}

#[test]
fn nft_reads_its_own_listing_again_and_makes_the_same_of_it() {
    in_a_namespace(|| {
        let mut nft = Nft::open().expect("a socket");
        apply(&mut nft, &everything());
        let ours = nft.rules(&table()).expect("a dump");
        let listing = run("nft list table inet netloom");
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &listing).expect("writable");
        run("nft delete table inet netloom");
        let read = output(&format!("nft -f {}", file.path().display()));
        assert!(read.status.success(), "{}\n{listing}", String::from_utf8_lossy(&read.stderr));
        assert_eq!(run("nft list table inet netloom"), listing);
        let theirs = nft.rules(&table()).expect("a dump");
        let rules = |dumped: &[DumpedRule]| dumped.iter().map(|dumped| dumped.rule.clone()).collect::<Vec<_>>();
        for (number, (ours, theirs)) in rules(&ours).iter().zip(rules(&theirs)).enumerate() {
            assert_eq!(&theirs, ours, "rule {number}: {}", String::from_utf8_lossy(theirs.expressions.as_bytes()));
        }
    });
}

#[test]
fn an_iptables_chain_takes_a_rule_that_iptables_can_read() {
    in_a_namespace(|| {
        run("iptables-nft -N DOCKER-USER");
        run("iptables-nft -A DOCKER-USER -j RETURN");
        let mut nft = Nft::open().expect("a socket");
        let filter = netloom_nftables::TableId::new(netloom_nftables::Family::IPV4, "filter");
        let comment = Comment::new("netloom").expect("short");
        let rule = Rule::new().mark(0x40000, 0x40000).counter().accept().comment(comment);
        let mut batch = Batch::new();
        batch.add_rule(&filter, "DOCKER-USER", netloom_nftables::rule::Position::First, &rule);
        apply(&mut nft, &batch);
        let listing = run("iptables-nft -S DOCKER-USER");
        let line = listing.lines().nth(1).expect("a rule");
        assert!(line.contains("-m mark --mark 0x40000/0x40000") && line.ends_with("-j ACCEPT"), "{listing}");
        let found = nft.rules(&filter).expect("a dump").into_iter().find(|there| there.rule == rule).expect("ours");
        let mut batch = Batch::new();
        batch.delete_rule(&filter, &found.chain, found.handle);
        apply(&mut nft, &batch);
        assert_eq!(run("iptables-nft -S DOCKER-USER").lines().count(), 2);
    });
}

#[test]
fn a_base_chain_of_a_stranger_is_seen_with_hook_and_policy() {
    in_a_namespace(|| {
        run("nft add table ip other");
        run("nft add chain ip other fwd0 { type filter hook forward priority 5 ; policy drop ; }");
        run("nft add table bridge frames");
        run("nft add chain bridge frames pass { type filter hook forward priority -200 ; }");
        run("nft add chain ip other regular");
        let chains = Nft::open().and_then(|mut nft| nft.base_chains()).expect("a dump");
        let words: Vec<String> = chains.iter().map(|(table, chain)| format!("{table} {}", chain.name)).collect();
        assert_eq!(words, ["ip other fwd0", "bridge frames pass"]);
        assert_eq!(chains[0].1, Chain::filter("fwd0", Hook::FORWARD, 5, Policy::Drop));
    });
}
