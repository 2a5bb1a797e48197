//! The resolver as `dig` sees it, which shares no code with it.

use std::net::SocketAddr;
use std::process::Command;

use crate::kit::{Served, Upstream, entry, options, sbx};

async fn dig(server: SocketAddr, arguments: &[&str]) -> String {
    let mut command = Command::new("dig");
    command.args([&format!("@{}", server.ip()), "-p", &server.port().to_string(), "+tries=1", "+time=5"]);
    command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().expect("dig is installed")).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn dig_agrees() {
    let upstream = Upstream::with_address("192.0.2.1");
    let served = Served::start(&[upstream.at], options());
    served.directory.set(sbx(2), vec![entry(1, &["web", "www.shop"], &["172.18.0.2", "fd00::2"])]);

    let answer = dig(served.at, &["Web", "A"]).await;
    assert!(answer.contains("status: NOERROR") && answer.contains("flags: qr aa rd ra;"), "{answer}");
    assert!(answer.lines().any(|l| l.split_whitespace().collect::<Vec<_>>() == ["Web.", "0", "IN", "A", "172.18.0.2"]));
    assert!(answer.contains("EDNS: version: 0") && !answer.contains("WARNING"), "{answer}");

    for (arguments, wanted) in [
        (&["+short", "web", "AAAA"][..], "fd00::2\n"),
        (&["+short", "+tcp", "www.shop", "A"], "172.18.0.2\n"),
        (&["+short", "+noedns", "web", "A"], "172.18.0.2\n"),
        (&["+short", "-x", "172.18.0.2"], "web.\nwww.shop.\n"),
        (&["+short", "web", "MX"], ""),
        (&["+short", "+dnssec", "example.com", "A"], "192.0.2.1\n"),
    ] {
        assert_eq!(dig(served.at, arguments).await, wanted, "{arguments:?}");
    }
    assert!(dig(served.at, &["-x", "172.18.0.9"]).await.contains("status: NXDOMAIN"));
    assert!(dig(served.at, &["web", "TXT"]).await.contains("ANSWER: 0"));
    assert!(dig(served.at, &["+edns=9", "+noednsneg", "web", "A"]).await.contains("status: BADVERS"));
    assert!(dig(served.at, &["+opcode=notify", "web", "SOA"]).await.contains("status: NOTIMP"));
    assert!(dig(served.at, &["+header-only"]).await.contains("status: FORMERR"));
}

#[tokio::test]
async fn dig_comes_again_over_tcp_when_an_answer_is_cut() {
    let served = Served::start(&[], options());
    for number in 0..250u8 {
        served.directory.set(sbx(number), vec![entry(1, &["all"], &[&format!("172.18.1.{number}")])]);
    }
    let answer = dig(served.at, &["+bufsize=1232", "all", "A"]).await;
    assert!(answer.contains("Truncated, retrying in TCP mode") && answer.contains("ANSWER: 250"), "{answer}");
    let answer = dig(served.at, &["+ignore", "+bufsize=1232", "all", "A"]).await;
    assert!(answer.contains("flags: qr aa tc rd ra;"), "{answer}");
}
