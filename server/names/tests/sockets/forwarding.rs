//! What is asked of upstreams, and what of their answers reaches the client.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use hickory_proto::op::{Edns, Message, ResponseCode};
use hickory_proto::rr::RecordType;

use crate::kit::{
    Over, Served, Upstream, add_address, add_texts, ask, ask_tcp, exchange, options, question, sbx, view, with,
};

/// An address of the loopback where nobody listens.
fn nobody() -> SocketAddr {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn one(address: &str) -> [IpAddr; 1] {
    [address.parse().unwrap()]
}

#[tokio::test]
async fn an_answer_comes_back_byte_by_byte_under_the_clients_id() {
    let upstream = Upstream::start(|wire, _| {
        let mut answer = with(wire, |answer| add_texts(answer, 2));
        // A record of a type that nobody knows, uncompressed, and bits of the header that mean nothing yet.
        answer[3] |= 0x40;
        answer[7] += 1;
        answer.extend([1, b'x', 0, 0xff, 0x12, 0, 1, 0, 0, 0, 9, 0, 3, 1, 2, 3]);
        vec![answer]
    });
    let served = Served::start(&[upstream.at], options());
    let mut asked = question("example.com.", RecordType::TXT);
    asked.metadata.checking_disabled = true;
    asked.metadata.authentic_data = true;
    let wire = asked.to_vec().unwrap();
    let answer = exchange(served.at, &wire).await;
    let [seen] = upstream.asked().try_into().unwrap();
    assert_eq!(seen.wire[2..], wire[2..], "asked as the client asked");
    let mut wanted = with(&seen.wire, |answer| add_texts(answer, 2));
    wanted[..2].copy_from_slice(&wire[..2]);
    wanted[3] |= 0x40;
    wanted[7] += 1;
    wanted.extend([1, b'x', 0, 0xff, 0x12, 0, 1, 0, 0, 0, 9, 0, 3, 1, 2, 3]);
    assert_eq!(answer, wanted);
}

#[tokio::test]
async fn edns_goes_through_both_ways() {
    let upstream = Upstream::start(|wire, _| vec![with(wire, |answer| add_texts(answer, 8))]);
    let served = Served::start(&[upstream.at], options());
    let mut asked = question("example.com.", RecordType::TXT);
    let mut edns = Edns::new();
    edns.set_max_payload(4000).set_dnssec_ok(true);
    asked.set_edns(edns.clone());
    let answer = ask(served.at, &asked).await;
    assert_eq!((answer.answers.len(), answer.truncation), (8, false));
    assert_eq!(answer.edns, Some(edns));
    assert!(Message::from_vec(&upstream.asked()[0].wire).unwrap().edns.unwrap().flags().dnssec_ok);
}

#[tokio::test]
async fn an_upstream_that_ignores_the_clients_size_is_cut() {
    let upstream = Upstream::start(|wire, _| vec![with(wire, |answer| add_texts(answer, 8))]);
    let served = Served::start(&[upstream.at], options());
    let answer = served.ask("example.com.", RecordType::TXT).await;
    assert!(answer.truncation && answer.answers.is_empty());
    let whole = ask_tcp(served.at, &question("example.com.", RecordType::TXT)).await;
    assert_eq!((whole.answers.len(), whole.truncation), (8, false));
}

/// Truncates over UDP, tells all over TCP.
fn truncating() -> Upstream {
    Upstream::start(|wire, over| {
        vec![with(wire, |answer| {
            add_texts(answer, if over == Over::Udp { 3 } else { 20 });
            answer.metadata.truncation = over == Over::Udp;
        })]
    })
}

#[tokio::test]
async fn a_truncated_answer_is_fetched_over_tcp_for_whoever_can_take_it() {
    let upstream = truncating();
    let served = Served::start(&[upstream.at], options());
    let mut asked = question("example.com.", RecordType::TXT);
    asked.set_edns(Edns::new());
    asked.edns.as_mut().unwrap().set_max_payload(4096);
    for answer in [ask(served.at, &asked).await, ask_tcp(served.at, &question("example.com.", RecordType::TXT)).await] {
        assert_eq!((answer.answers.len(), answer.truncation), (20, false));
    }
    assert_eq!(upstream.asked().iter().filter(|asked| asked.over == Over::Tcp).count(), 2);
}

#[tokio::test]
async fn a_client_that_can_not_take_it_gets_the_upstreams_truncated_answer() {
    let upstream = truncating();
    let served = Served::start(&[upstream.at], options());
    let answer = served.ask("example.com.", RecordType::TXT).await;
    assert_eq!((answer.answers.len(), answer.truncation), (3, true));
}

#[tokio::test]
async fn a_truncated_answer_stands_when_tcp_fails() {
    let upstream = Upstream::start(|wire, over| match over {
        Over::Udp => vec![with(wire, |answer| answer.metadata.truncation = true)],
        Over::Tcp => vec![],
    });
    let served = Served::start(&[upstream.at], options());
    let answer = ask_tcp(served.at, &question("example.com.", RecordType::A)).await;
    assert_eq!((answer.response_code, answer.truncation), (ResponseCode::NoError, true));
}

#[tokio::test]
async fn the_second_upstream_is_asked_when_the_first_is_silent_or_not_there() {
    let (silent, second) = (Upstream::silent(), Upstream::with_address("192.0.2.2"));
    let served = Served::start(&[silent.at, second.at], options());
    let started = Instant::now();
    assert_eq!(served.addresses("example.com.").await, one("192.0.2.2"));
    assert!(started.elapsed() >= options().upstream_timeout);
    assert_eq!(silent.asked().len(), 2, "asked again before it is given up");
    served.resolver.set_upstreams(vec![nobody(), second.at]);
    let started = Instant::now();
    assert_eq!(served.addresses("example.com.").await, one("192.0.2.2"));
    assert!(started.elapsed() < options().upstream_timeout, "a refused datagram need not be waited for");
}

#[tokio::test]
async fn the_second_upstream_is_asked_when_the_first_fails_or_refuses() {
    for code in [ResponseCode::ServFail, ResponseCode::Refused] {
        let (first, second) = (Upstream::with_code(code), Upstream::with_address("192.0.2.2"));
        let served = Served::start(&[first.at, second.at], options());
        assert_eq!(served.addresses("example.com.").await, one("192.0.2.2"), "{code}");
    }
}

#[tokio::test]
async fn the_first_refusal_is_passed_on_when_nobody_does_better() {
    let (refusing, failing) = (Upstream::with_code(ResponseCode::Refused), Upstream::with_code(ResponseCode::ServFail));
    let served = Served::start(&[nobody(), refusing.at, failing.at], options());
    assert_eq!(served.ask("example.com.", RecordType::A).await.response_code, ResponseCode::Refused);
    assert_eq!(failing.asked().len(), 1);
}

#[tokio::test]
async fn a_name_that_does_not_exist_needs_no_second_opinion() {
    let (first, second) = (Upstream::with_code(ResponseCode::NXDomain), Upstream::with_address("192.0.2.2"));
    let served = Served::start(&[first.at, second.at], options());
    assert_eq!(served.ask("example.com.", RecordType::A).await.response_code, ResponseCode::NXDomain);
    assert!(second.asked().is_empty());
}

#[tokio::test]
async fn nobody_to_ask_is_a_server_failure() {
    let served = Served::start(&[], options());
    assert_eq!(served.ask("example.com.", RecordType::A).await.response_code, ResponseCode::ServFail);
    let silent = Upstream::silent();
    served.resolver.set_upstreams(vec![nobody(), silent.at]);
    let answer = served.ask("example.com.", RecordType::A).await;
    assert_eq!(answer.response_code, ResponseCode::ServFail);
    assert!(!answer.authoritative && answer.recursion_available);
}

#[tokio::test]
async fn what_does_not_answer_the_question_is_ignored() {
    let upstream = Upstream::start(|wire, _| {
        let forged = |name: &str| {
            let mut answer = with(wire, |answer| add_address(answer, "192.0.2.66"));
            let other = question(name, RecordType::A);
            if name != "example.com." {
                answer = with(&other.to_vec().unwrap(), |answer| add_address(answer, "192.0.2.66"));
                answer[..2].copy_from_slice(&wire[..2]);
            }
            answer
        };
        let mut other_id = forged("example.com.");
        other_id[0] ^= 0x55;
        let empty = with(wire, |answer| answer.queries.clear());
        let right = with(wire, |answer| add_address(answer, "192.0.2.1"));
        vec![vec![], vec![0; 11], vec![0xff; 600], wire.to_vec(), other_id, forged("example.org."), empty, right]
    });
    let served = Served::start(&[upstream.at], options());
    assert_eq!(served.addresses("example.com.").await, one("192.0.2.1"));
}

#[tokio::test]
async fn an_upstream_that_writes_the_name_in_its_own_case_is_understood() {
    let upstream = Upstream::start(|wire, _| {
        let mut answer = with(wire, |answer| add_address(answer, "192.0.2.1"));
        answer[12..].make_ascii_lowercase();
        vec![answer]
    });
    let served = Served::start(&[upstream.at], options());
    assert_eq!(served.addresses("EXAMPLE.com.").await, one("192.0.2.1"));
}

#[tokio::test]
async fn ids_and_ports_are_drawn_anew_for_each_question() {
    let upstream = Upstream::with_address("192.0.2.1");
    let served = Served::start(&[upstream.at], options());
    let mut asked = question("example.com.", RecordType::A);
    for id in 0..40 {
        asked.metadata.id = id;
        ask(served.at, &asked).await;
    }
    let seen = upstream.asked();
    let ids: BTreeSet<[u8; 2]> = seen.iter().map(|asked| [asked.wire[0], asked.wire[1]]).collect();
    let ports: BTreeSet<u16> = seen.iter().map(|asked| asked.from.port()).collect();
    assert!(ids.len() > 35 && ports.len() > 35, "{} IDs, {} ports", ids.len(), ports.len());
    assert!(ids.iter().any(|id| id[0] != 0), "the client's small IDs are not passed on");
}

#[tokio::test]
async fn a_sandbox_without_a_way_out_asks_nobody() {
    let upstream = Upstream::with_address("192.0.2.1");
    let served = Served::start(&[upstream.at], options());
    served.resolver.set_view(sbx(1), netloom_names::View { internal: true, ..view(&[1], &[]) });
    let answer = served.ask("example.com.", RecordType::A).await;
    assert_eq!(answer.response_code, ResponseCode::ServFail);
    assert!(upstream.asked().is_empty());
}
