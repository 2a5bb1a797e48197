//! Answers from the directory, over UDP and TCP.

use std::net::IpAddr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::kit::{Served, Upstream, ask_tcp, entry, options, question, sbx, view};

#[tokio::test]
async fn names_and_addresses_are_answered_over_udp_and_tcp_alike() {
    let upstream = Upstream::with_address("192.0.2.1");
    let served = Served::start(&[upstream.at], options());
    served.directory.set(sbx(2), vec![entry(1, &["web", "www.shop"], &["172.18.0.2", "fd00::2"])]);
    served.directory.set(sbx(3), vec![entry(1, &["plain"], &["172.18.0.3"])]);
    for (name, kind, code, data) in [
        ("web.", RecordType::A, ResponseCode::NoError, &["172.18.0.2"][..]),
        ("WEB.", RecordType::AAAA, ResponseCode::NoError, &["fd00::2"]),
        ("www.shop.", RecordType::A, ResponseCode::NoError, &["172.18.0.2"]),
        ("plain.", RecordType::AAAA, ResponseCode::NoError, &[]),
        ("plain.", RecordType::SRV, ResponseCode::NoError, &[]),
        ("2.0.18.172.in-addr.arpa.", RecordType::PTR, ResponseCode::NoError, &["web.", "www.shop."]),
        ("4.0.18.172.in-addr.arpa.", RecordType::PTR, ResponseCode::NXDomain, &[]),
    ] {
        for answer in [served.ask(name, kind).await, ask_tcp(served.at, &question(name, kind)).await] {
            let found: Vec<String> = answer.answers.iter().map(|record| record.data.to_string()).collect();
            assert_eq!(
                (answer.response_code, found.as_slice()),
                (code, &data.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
                "{name} {kind}"
            );
            assert!(answer.authoritative, "{name} {kind}");
        }
    }
    assert!(upstream.asked().is_empty(), "none of it leaves the host");
}

#[tokio::test]
async fn a_name_that_is_gone_is_gone_for_the_next_question() {
    let upstream = Upstream::with_code(ResponseCode::NXDomain);
    let served = Served::start(&[upstream.at], options());
    for round in 0..200u8 {
        let address = format!("172.18.0.{round}");
        served.directory.set(sbx(2), vec![entry(1, &["web"], &[&address])]);
        assert_eq!(served.addresses("web.").await, [address.parse::<IpAddr>().unwrap()]);
        served.directory.remove(sbx(2));
        assert_eq!(served.ask("web.", RecordType::A).await.response_code, ResponseCode::NXDomain);
        let reverse = format!("{round}.0.18.172.in-addr.arpa.");
        assert_eq!(served.ask(&reverse, RecordType::PTR).await.response_code, ResponseCode::NXDomain);
    }
}

#[tokio::test]
async fn a_sandbox_sees_the_names_of_its_own_networks_and_as_soon_as_it_is_attached() {
    let upstream = Upstream::with_code(ResponseCode::NXDomain);
    let served = Served::start(&[upstream.at], options());
    served.directory.set(sbx(2), vec![entry(2, &["db"], &["172.19.0.2"])]);
    let reverse = "2.0.19.172.in-addr.arpa.";
    assert_eq!(served.ask("db.", RecordType::A).await.response_code, ResponseCode::NXDomain);
    assert!(!served.ask(reverse, RecordType::PTR).await.authoritative);
    assert!(served.resolver.set_view(sbx(1), view(&[1, 2], &["172.18.0.0/16", "172.19.0.0/16"])));
    assert_eq!(served.addresses("db.").await, ["172.19.0.2".parse::<IpAddr>().unwrap()]);
    assert_eq!(served.ask(reverse, RecordType::PTR).await.answers.len(), 1);
    assert!(served.resolver.set_view(sbx(1), view(&[1], &["172.18.0.0/16"])));
    assert_eq!(served.ask("db.", RecordType::A).await.response_code, ResponseCode::NXDomain);
    assert!(!served.resolver.set_view(sbx(9), view(&[1], &[])), "nobody there");
}

#[tokio::test]
async fn an_alias_of_many_is_cut_over_udp_and_whole_over_tcp() {
    let served = Served::start(&[], options());
    for number in 0..200u8 {
        served.directory.set(sbx(number), vec![entry(1, &["all"], &[&format!("172.18.1.{number}")])]);
    }
    let cut = served.ask("all.", RecordType::A).await;
    assert!(cut.truncation && (20..=31).contains(&cut.answers.len()), "{} answers", cut.answers.len());
    let whole = ask_tcp(served.at, &question("all.", RecordType::A)).await;
    assert!(!whole.truncation && whole.answers.len() == 200);
}
