//! Beginning and end: who is served, and what is left once nobody is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hickory_proto::rr::RecordType;
use netloom_names::{Options, ServeError};
use tokio::net::{TcpStream, UdpSocket};

use crate::kit::{Served, Upstream, entry, options, question, receive_tcp, sbx, send_tcp, sockets, view};

#[tokio::test]
async fn a_sandbox_is_served_once_until_it_is_stopped() {
    let served = Served::start(&[], options());
    assert_eq!(served.resolver.serving(), [sbx(1)]);
    let (udp, tcp, _) = sockets();
    let again = served.resolver.serve(sbx(1), view(&[1], &[]), udp, tcp);
    assert!(matches!(again, Err(ServeError::Serving(id)) if id == sbx(1)));
    assert!(!served.resolver.stop(sbx(2)).await, "nothing to stop");
    assert!(served.resolver.stop(sbx(1)).await);
    assert!(served.resolver.serving().is_empty());
    assert!(!served.resolver.stop(sbx(1)).await);
    let (udp, tcp, _) = sockets();
    served.resolver.serve(sbx(1), view(&[1], &[]), udp, tcp).unwrap();
    assert_eq!(served.resolver.serving(), [sbx(1)]);
}

/// The sockets that are bound to this port, each once, by the kernel's tables.
fn bound(port: u16) -> usize {
    let local = format!("0100007F:{port:04X}");
    let mut sockets = BTreeSet::new();
    for table in ["udp", "tcp"] {
        for line in std::fs::read_to_string(format!("/proc/self/net/{table}")).unwrap().lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // State 06 is TIME_WAIT: the kernel's memory of a connection, with no socket behind it.
            if fields[1] == local && fields[3] != "06" {
                sockets.insert((table, fields[2].to_owned()));
            }
        }
    }
    sockets.len()
}

/// Waits until so many sockets are bound. One reading proves nothing: the kernel gives a table in
/// pieces, and what other tests open or close between two of them moves the rest, so that a line
/// comes twice or not at all.
async fn becomes_bound(port: u16, wanted: usize) {
    for _ in 0..200 {
        if bound(port) == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(bound(port), wanted, "sockets bound to port {port}");
}

#[tokio::test]
async fn after_a_stop_every_socket_is_closed_whatever_was_going_on() {
    let silent = Upstream::silent();
    let served = Served::start(&[silent.at], Options { upstream_timeout: Duration::from_secs(60), ..options() });
    served.directory.set(sbx(2), vec![entry(1, &["web"], &["172.18.0.2"])]);
    let wire = question("example.com.", RecordType::A).to_vec().unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.send_to(&wire, served.at).await.unwrap();
    let (mut waits, mut idles) =
        (TcpStream::connect(served.at).await.unwrap(), TcpStream::connect(served.at).await.unwrap());
    send_tcp(&mut waits, &wire).await;
    send_tcp(&mut idles, &question("web.", RecordType::A).to_vec().unwrap()).await;
    receive_tcp(&mut idles).await.unwrap();
    while silent.asked().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Two sockets and two connections.
    becomes_bound(served.at.port(), 4).await;

    let started = Instant::now();
    let (first, second) = tokio::join!(served.resolver.stop(sbx(1)), served.resolver.stop(sbx(1)));
    // Whoever comes when it has ended already finds nothing to stop.
    assert!(first || second, "one of them stopped it");
    assert!(!served.resolver.serves(sbx(1)), "and both returned after that");
    assert!(started.elapsed() < Duration::from_secs(5), "nothing outstanding is waited for");
    assert_eq!(receive_tcp(&mut waits).await, None);
    assert_eq!(receive_tcp(&mut idles).await, None);
    drop((waits, idles));
    becomes_bound(served.at.port(), 0).await;
    assert!(TcpStream::connect(served.at).await.is_err());
    std::net::UdpSocket::bind(served.at).expect("the address is free again");
}

#[tokio::test]
async fn a_resolver_that_nobody_has_any_more_answers_nobody() {
    let Served { directory, resolver, at } = Served::start(&[], options());
    becomes_bound(at.port(), 2).await;
    drop((directory, resolver));
    becomes_bound(at.port(), 0).await;
}

#[tokio::test]
async fn a_shutdown_stops_everybody() {
    let served = Served::start(&[], options());
    for number in 2..20 {
        let (udp, tcp, _) = sockets();
        served.resolver.serve(sbx(number), view(&[1], &[]), udp, tcp).unwrap();
    }
    served.resolver.shutdown().await;
    assert!(served.resolver.serving().is_empty());
    becomes_bound(served.at.port(), 0).await;
}
