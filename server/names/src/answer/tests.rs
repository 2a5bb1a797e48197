//! What the directory's answers look like, and how they are cut.

use std::net::Ipv4Addr;

use hickory_proto::op::Query;
use netloom_model::{NetworkId, SandboxId};

use super::*;
use crate::directory::Entry;
use crate::request::{Received, Transport, read};

const NET: NetworkId = NetworkId::from_random([1; 16]);
const OTHER: NetworkId = NetworkId::from_random([2; 16]);

fn directory() -> Directory {
    let directory = Directory::default();
    let entry = |network, names: &[&str], addresses: &[&str]| Entry {
        network,
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
    };
    let web = entry(NET, &["web", "www.shop", "under_score"], &["172.18.0.2", "fd00:18::2"]);
    directory.set(SandboxId::from_random([1; 16]), vec![web]);
    directory.set(SandboxId::from_random([2; 16]), vec![entry(NET, &["v4"], &["172.18.0.3"])]);
    directory.set(SandboxId::from_random([3; 16]), vec![entry(OTHER, &["far"], &["10.9.0.2"])]);
    directory
}

fn view() -> View {
    let subnets = ["172.18.0.0/16", "fd00:18::/64"].map(|subnet| subnet.parse().unwrap());
    View { networks: vec![NET], subnets: subnets.to_vec(), internal: false }
}

fn request(name: &str, kind: RecordType, payload: Option<u16>) -> Request {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    if let Some(payload) = payload {
        let mut edns = Edns::new();
        edns.set_max_payload(payload).set_dnssec_ok(true);
        message.set_edns(edns);
    }
    match read(&message.to_vec().unwrap(), Transport::Udp) {
        Received::Request(request) => *request,
        other => panic!("{other:?}"),
    }
}

fn ask(name: &str, kind: RecordType) -> Option<Message> {
    local(&directory(), &view(), &request(name, kind, None))
}

fn data(message: &Message) -> Vec<String> {
    message.answers.iter().map(|record| record.data.to_string()).collect()
}

#[test]
fn a_known_name_is_answered_with_authority_and_no_life() {
    for (name, kind, wanted) in [
        ("web.", RecordType::A, &["172.18.0.2"][..]),
        ("WEB.", RecordType::A, &["172.18.0.2"]),
        ("www.Shop.", RecordType::A, &["172.18.0.2"]),
        ("under_score.", RecordType::A, &["172.18.0.2"]),
        ("web.", RecordType::AAAA, &["fd00:18::2"]),
        ("web.", RecordType::ANY, &["172.18.0.2", "fd00:18::2"]),
    ] {
        let answer = ask(name, kind).unwrap();
        assert_eq!(data(&answer), wanted, "{name} {kind}");
        assert_eq!(answer.response_code, ResponseCode::NoError);
        assert!(answer.authoritative && answer.recursion_available && answer.recursion_desired && !answer.truncation);
        assert!(answer.answers.iter().all(|record| record.ttl == 0));
        assert!(
            answer.answers.iter().all(|record| record.name.eq_case(answer.queries[0].name())),
            "in the asker's case"
        );
    }
}

#[test]
fn a_known_name_has_no_data_of_other_types() {
    for (name, kind) in [
        ("v4.", RecordType::AAAA),
        ("web.", RecordType::MX),
        ("web.", RecordType::TXT),
        ("web.", RecordType::PTR),
        ("2.0.18.172.in-addr.arpa.", RecordType::A),
    ] {
        let answer = ask(name, kind).unwrap();
        assert_eq!((answer.response_code, answer.answers.len()), (ResponseCode::NoError, 0), "{name} {kind}");
        assert!(answer.authoritative);
    }
}

#[test]
fn an_address_leads_to_its_names() {
    for name in [
        "2.0.18.172.in-addr.arpa.",
        "2.0.18.172.IN-ADDR.ARPA.",
        "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.1.0.0.0.0.d.f.ip6.arpa.",
    ] {
        assert_eq!(data(&ask(name, RecordType::PTR).unwrap()), ["web.", "www.shop.", "under_score."], "{name}");
    }
}

#[test]
fn an_address_in_an_attached_pool_does_not_exist_without_a_holder() {
    for name in
        ["9.0.18.172.in-addr.arpa.", "9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.1.0.0.0.0.d.f.ip6.arpa."]
    {
        let answer = ask(name, RecordType::PTR).unwrap();
        assert_eq!((answer.response_code, answer.authoritative), (ResponseCode::NXDomain, true), "{name}");
    }
}

#[test]
fn an_address_has_one_name_below_arpa() {
    for name in ["02.0.18.172.in-addr.arpa.", "2.000.18.172.in-addr.arpa.", "2.0.18.0172.in-addr.arpa."] {
        let answer = ask(name, RecordType::PTR).unwrap();
        assert_eq!((answer.response_code, answer.answers.len()), (ResponseCode::NXDomain, 0), "{name}");
    }
}

#[test]
fn nobody_else_is_asked_for_addresses_that_this_host_alone_gives() {
    let directory = directory();
    let asked = |name: &str| local(&directory, &view(), &request(name, RecordType::PTR, None));
    let (far, beyond) = ("2.0.9.10.in-addr.arpa.", "2.0.10.10.in-addr.arpa.");
    assert!(asked(far).is_none() && asked(beyond).is_none());
    directory.set_own_subnets(vec!["10.9.0.0/24".parse().unwrap()]);
    let answer = asked(far).expect("it is answered here");
    assert_eq!(
        (answer.response_code, answer.answers.len()),
        (ResponseCode::NXDomain, 0),
        "a name of another network's"
    );
    assert!(asked(beyond).is_none());
    directory.set_own_subnets(Vec::new());
    assert!(asked(far).is_none());
}

#[test]
fn what_is_not_known_is_left_to_others() {
    for (name, kind) in [
        (".", RecordType::NS),
        ("nobody.", RecordType::A),
        ("far.", RecordType::A),
        ("web.example.com.", RecordType::A),
        ("2.0.9.10.in-addr.arpa.", RecordType::PTR),
        ("18.172.in-addr.arpa.", RecordType::SOA),
        ("x.2.0.18.172.in-addr.arpa.", RecordType::PTR),
    ] {
        assert!(ask(name, kind).is_none(), "{name} {kind}");
    }
}

#[test]
fn a_dot_within_a_label_is_not_a_dot_between_two() {
    let escaped = Name::from_labels([&b"www.shop"[..]]).unwrap();
    let mut request = request("web.", RecordType::A, None);
    request.question.set_name(escaped);
    assert!(local(&directory(), &view(), &request).is_none());
}

#[test]
fn edns_is_answered_with_edns() {
    let answer = local(&directory(), &view(), &request("web.", RecordType::A, Some(4096))).unwrap();
    let edns = answer.edns.unwrap();
    assert_eq!((edns.max_payload(), edns.flags().dnssec_ok), (1232, true));
    assert!(ask("web.", RecordType::A).unwrap().edns.is_none());
}

#[test]
fn a_long_answer_is_cut_to_what_the_client_takes() {
    let many = Directory::default();
    let addresses = (0..500u32).map(|last| IpAddr::V4(Ipv4Addr::from(0xac12_0000 + last))).collect();
    many.set(SandboxId::from_random([1; 16]), vec![Entry { network: NET, names: vec!["web".into()], addresses }]);
    for payload in [None, Some(512), Some(1232), Some(4096), Some(65_535)] {
        let request = request("web.", RecordType::A, payload);
        let wire = encode(local(&many, &view(), &request).unwrap(), request.limit()).unwrap();
        let answer = Message::from_vec(&wire).unwrap();
        assert!(wire.len() <= request.limit(), "{} bytes for {payload:?}", wire.len());
        assert_eq!(answer.truncation, answer.answers.len() < 500, "{payload:?}");
        assert!(wire.len() + 16 > request.limit() || !answer.truncation, "as many as fit: {} bytes", wire.len());
        assert_eq!(answer.edns.is_some(), payload.is_some());
    }
}

#[test]
fn an_upstreams_answer_that_is_too_long_becomes_a_truncation() {
    let request = request("example.com.", RecordType::TXT, Some(600));
    let cut = Message::from_vec(&pass_on(vec![0; 601], &request).unwrap()).unwrap();
    assert!(cut.truncation && cut.answers.is_empty() && cut.id == request.message.id);
    let whole = pass_on(vec![0; 600], &request).unwrap();
    assert_eq!(whole[..2], request.message.id.to_be_bytes());
    assert_eq!(whole[2..], [0; 598]);
}
