//! What strangers can't do: fill, stall or guess.

use std::time::{Duration, Instant};

use netloom_control::members::{AskError, Wire as _};
use netloom_model::member::DeniedCode;
use netloom_model::swarm::SwarmRole;
use netloom_swarm::{Client, Limits, Options, Waits};
use tokio::io::AsyncReadExt as _;

use crate::kit::{HOUR, denied, join_request, listening, membership, node, options};
use crate::raw::{connect, exchange, request, status};

#[tokio::test]
async fn bodies_are_limited_and_must_be_what_is_asked_for() {
    let there = listening(options()).await;
    let big = format!("{{\"secret\":\"{}\"}}", "x".repeat(20 << 10));
    let (code, answer) = request(there.at, None, "POST", "/swarm/v1/join", &big).await;
    assert_eq!(code, 413, "{answer}");
    // Of no declared length.
    let mut stream = connect(there.at, None).await.unwrap();
    let head = "POST /swarm/v1/join HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunked = format!("{head}5000\r\n{}\r\n0\r\n\r\n", "x".repeat(0x5000));
    assert_eq!(status(&exchange(&mut stream, chunked.as_bytes()).await.unwrap()), 413);
    for body in ["", "nonsense", "{}", "[1,2", "{\"secret\":1}", "\u{0}"] {
        let (code, answer) = request(there.at, None, "POST", "/swarm/v1/join", body).await;
        assert_eq!(code, 400, "{body}: {answer}");
        assert!(answer.contains("application/problem+json") && answer.contains("request-invalid"), "{answer}");
    }
    let own = membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR);
    assert_eq!(request(there.at, Some(&own), "POST", "/swarm/v1/heartbeat", "{}").await.0, 400);
    let head = format!("GET /swarm/v1/join HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(64 << 10));
    let mut stream = connect(there.at, None).await.unwrap();
    assert_eq!(status(&exchange(&mut stream, head.as_bytes()).await.unwrap()), 431);
    assert_eq!(there.fake.asked(), 0);
}

#[tokio::test]
async fn a_node_of_another_protocol_is_told_so_even_where_its_request_is_unknown() {
    let there = listening(options()).await;
    let body = r#"{"hello":{"protocol":7},"of":"tomorrow"}"#;
    let (code, answer) = request(there.at, None, "POST", "/swarm/v1/join", body).await;
    assert_eq!(code, 409, "{answer}");
    assert!(answer.contains("version-mismatch") && answer.contains('7'), "{answer}");
}

#[tokio::test]
async fn a_slow_client_is_let_go() {
    let waits = Waits {
        connect: Duration::from_millis(300),
        request: Duration::from_millis(300),
        stranger: Duration::from_millis(1500),
        ..options().waits
    };
    let there = listening(Options { waits, ..options() }).await;
    let begun = Instant::now();
    // No handshake.
    let mut mute = tokio::net::TcpStream::connect(there.at).await.unwrap();
    assert_eq!(mute.read(&mut [0; 16]).await.unwrap(), 0);
    // No head.
    let mut stream = connect(there.at, None).await.unwrap();
    let headless = Instant::now();
    assert_eq!(exchange(&mut stream, b"GET /swarm/v1/join HTT").await.unwrap_or_default().split(' ').nth(1), None);
    assert!(headless.elapsed() < Duration::from_secs(3), "it was let go, and not given up here");
    // No body.
    let mut stream = connect(there.at, None).await.unwrap();
    let head = b"POST /swarm/v1/join HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
    assert_eq!(status(&exchange(&mut stream, head).await.unwrap()), 408);
    // Head after head, without an end.
    let mut stream = connect(there.at, None).await.unwrap();
    let lasted = Instant::now();
    loop {
        let one = b"GET /swarm/v1/join HTTP/1.1\r\nHost: x\r\n\r\n";
        if tokio::io::AsyncWriteExt::write_all(&mut stream, one).await.is_err() || lasted.elapsed().as_secs() > 5 {
            break;
        }
        let mut answer = [0; 8192];
        match stream.read(&mut answer).await {
            Ok(0) | Err(_) => break,
            Ok(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    assert!((1..4).contains(&lasted.elapsed().as_secs()), "{:?}", lasted.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn strangers_have_few_connections_and_members_their_own() {
    let limits = Limits { strangers_of_one: 3, of_one_node: 2, ..Limits::default() };
    let there = listening(Options { limits, ..options() }).await;
    let own = membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR);
    // Whoever looked whether somebody listens may still be there.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let member = connect(there.at, Some(&own)).await.unwrap();
    let mut strangers = Vec::new();
    for _ in 0..3 {
        strangers.push(connect(there.at, None).await.unwrap());
    }
    assert!(connect(there.at, None).await.is_err(), "a fourth is closed");
    drop(strangers.pop());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let second = connect(there.at, Some(&own)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    // In TLS 1.3 a client learns of it when it reads.
    let mut third = connect(there.at, Some(&own)).await.unwrap();
    assert_eq!(third.read(&mut [0; 16]).await.unwrap_or(0), 0, "a node has two");
    drop((member, second));
}

#[tokio::test]
async fn secrets_cannot_be_tried_for_long() {
    let limits = Limits { attempts: 3, attempt_every: Duration::from_secs(600), ..Limits::default() };
    let there = listening(Options { limits, ..options() }).await;
    let digest = netloom_pki::digest(&there.fake.authority.certificate).unwrap();
    let client = Client::default();
    let join = || client.join(there.at, &digest, join_request(node(2)).0);
    for _ in 0..5 {
        assert!(join().await.is_ok(), "what is granted does not count");
    }
    there.fake.deny(Some(denied(DeniedCode::JoinTokenInvalid)));
    for _ in 0..3 {
        assert_eq!(join().await, Err(AskError::Denied(denied(DeniedCode::JoinTokenInvalid))));
    }
    let before = there.fake.asked();
    let refused = join().await;
    assert!(
        matches!(&refused, Err(AskError::Denied(denied)) if denied.code == DeniedCode::TooMany && denied.retry_after_seconds.is_some()),
        "{refused:?}"
    );
    let (code, answer) = request(there.at, None, "POST", "/swarm/v1/join", "{}").await;
    assert_eq!(code, 429, "{answer}");
    assert!(answer.to_ascii_lowercase().contains("retry-after: "), "{answer}");
    assert_eq!(request(there.at, None, "POST", "/swarm/v1/readmit", "{}").await.0, 429);
    assert_eq!(there.fake.asked(), before, "nobody was asked");
    // Members are not concerned.
    there.fake.deny(None);
    let own = membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR);
    assert_eq!(Client::default().leave(&own).await, Ok(()));
}
