//! What a sandbox can't do to its resolver, and through it to others.

use std::time::{Duration, Instant};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use netloom_names::Options;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::kit::{
    PATIENCE, Served, Upstream, ask, ask_tcp, entry, options, question, receive_tcp, sbx, send_tcp, sockets, view,
};

#[tokio::test]
async fn more_than_may_be_outstanding_fails_at_once_and_starves_nobody() {
    let silent = Upstream::silent();
    let served =
        Served::start(&[silent.at], Options { outstanding: 5, upstream_timeout: Duration::from_secs(3), ..options() });
    served.directory.set(sbx(2), vec![entry(1, &["web"], &["172.18.0.2"])]);
    let (udp, tcp, other) = sockets();
    served.resolver.serve(sbx(2), view(&[1], &[]), udp, tcp).unwrap();

    let flood = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    flood.connect(served.at).await.unwrap();
    let started = Instant::now();
    for number in 0..30 {
        let name = format!("n{number}.example.com.");
        flood.send(&question(&name, RecordType::A).to_vec().unwrap()).await.unwrap();
    }
    let mut buffer = [0; 512];
    for _ in 0..25 {
        let length = timeout(PATIENCE, flood.recv(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(Message::from_vec(&buffer[..length]).unwrap().response_code, ResponseCode::ServFail);
    }
    assert!(started.elapsed() < Duration::from_secs(2), "the surplus is not made to wait");
    assert_eq!(ask(other, &question("web.", RecordType::A)).await.answers.len(), 1);
    assert_eq!(served.ask("web.", RecordType::A).await.answers.len(), 1, "what is known needs no upstream");
    let upstream = Upstream::with_address("192.0.2.1");
    served.resolver.set_upstreams(vec![upstream.at]);
    assert_eq!(
        ask(other, &question("example.com.", RecordType::A)).await.answers.len(),
        1,
        "the others' share is theirs"
    );
    for _ in 0..5 {
        timeout(PATIENCE, flood.recv(&mut buffer)).await.unwrap().unwrap();
    }
    assert_eq!(served.addresses("example.com.").await.len(), 1, "and so is its own again, once nothing is outstanding");
}

#[tokio::test]
async fn all_together_may_have_only_so_much_outstanding() {
    let silent = Upstream::silent();
    let served = Served::start(&[silent.at], Options { outstanding_total: 0, ..options() });
    let started = Instant::now();
    assert_eq!(served.ask("example.com.", RecordType::A).await.response_code, ResponseCode::ServFail);
    assert!(started.elapsed() < options().upstream_timeout && silent.asked().is_empty());
}

#[tokio::test]
async fn a_flood_of_garbage_does_it_no_harm() {
    let served = Served::start(&[], options());
    served.directory.set(sbx(2), vec![entry(1, &["web"], &["172.18.0.2"])]);
    let flood = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    flood.connect(served.at).await.unwrap();
    let template = question("web.", RecordType::A).to_vec().unwrap();
    for round in 0..5_000usize {
        let mut wire = template.clone();
        let length = wire.len();
        wire[round % length] ^= u8::try_from(round % 251).unwrap();
        wire.truncate(1 + (round * 7) % length);
        // The answers are not fetched, so that our own receive buffer fills.
        flood.send(&wire).await.unwrap();
    }
    // Its receive buffer may still be full, and a datagram lost.
    let answered = async {
        loop {
            let asked = served.ask("web.", RecordType::A);
            if let Ok(answer) = timeout(Duration::from_millis(300), asked).await {
                return answer.answers.len();
            }
        }
    };
    assert_eq!(timeout(PATIENCE, answered).await.unwrap(), 1);
}

#[tokio::test]
async fn a_connection_takes_one_question_after_the_other() {
    let served = Served::start(&[], options());
    served.directory.set(sbx(2), vec![entry(1, &["web"], &["172.18.0.2"])]);
    let mut stream = TcpStream::connect(served.at).await.unwrap();
    let questions: Vec<Message> = (0..20).map(|_| question("web.", RecordType::A)).collect();
    for message in &questions {
        send_tcp(&mut stream, &message.to_vec().unwrap()).await;
    }
    for message in &questions {
        let answer = Message::from_vec(&receive_tcp(&mut stream).await.unwrap()).unwrap();
        assert_eq!((answer.id, answer.answers.len()), (message.id, 1));
    }
    send_tcp(&mut stream, &[1, 2, 3]).await;
    assert_eq!(receive_tcp(&mut stream).await, None, "whoever does not speak DNS is hung up on");
}

#[tokio::test]
async fn a_connection_that_idles_or_trickles_is_closed() {
    let idle = Duration::from_millis(300);
    let served = Served::start(&[], Options { tcp_idle: idle, ..options() });
    let started = Instant::now();
    let (mut idles, mut trickles) =
        (TcpStream::connect(served.at).await.unwrap(), TcpStream::connect(served.at).await.unwrap());
    trickles.write_all(&[0, 40, 1]).await.unwrap();
    assert_eq!(receive_tcp(&mut idles).await, None);
    assert_eq!(receive_tcp(&mut trickles).await, None);
    assert!((idle..idle * 10).contains(&started.elapsed()));
}

#[tokio::test]
async fn one_connection_too_many_is_closed_at_once() {
    let served = Served::start(&[], Options { tcp_connections: 3, ..options() });
    served.directory.set(sbx(2), vec![entry(1, &["web"], &["172.18.0.2"])]);
    let wire = question("web.", RecordType::A).to_vec().unwrap();
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(served.at).await.unwrap();
        send_tcp(&mut stream, &wire).await;
        receive_tcp(&mut stream).await.unwrap();
        open.push(stream);
    }
    let mut surplus = TcpStream::connect(served.at).await.unwrap();
    assert_eq!(receive_tcp(&mut surplus).await, None);
    assert_eq!(served.ask("web.", RecordType::A).await.answers.len(), 1, "UDP is not concerned");
    drop(open);
    let room = async {
        loop {
            let mut stream = TcpStream::connect(served.at).await.unwrap();
            let framed = [&u16::try_from(wire.len()).unwrap().to_be_bytes()[..], &wire].concat();
            // Closed already, when there is no room yet.
            let _ = stream.write_all(&framed).await;
            if receive_tcp(&mut stream).await.is_some() {
                return;
            }
        }
    };
    timeout(PATIENCE, room).await.expect("those that ended made room");
}

#[tokio::test]
async fn a_message_of_no_length_ends_the_connection() {
    let served = Served::start(&[], options());
    let mut stream = TcpStream::connect(served.at).await.unwrap();
    send_tcp(&mut stream, &[]).await;
    assert_eq!(receive_tcp(&mut stream).await, None);
    let answer = ask_tcp(served.at, &question("example.com.", RecordType::A)).await;
    assert_eq!(answer.response_code, ResponseCode::ServFail);
}

#[tokio::test]
async fn connections_that_idle_hold_nobody_up_and_are_only_so_many() {
    let upstream = Upstream::with_address("192.0.2.1");
    // Longer than anything is waited for here: what is closed was one too many.
    let tcp_idle = PATIENCE * 60;
    let served = Served::start(&[upstream.at], Options { tcp_connections: 20, tcp_idle, ..options() });
    served.directory.set(sbx(2), vec![entry(1, &["web"], &["172.18.0.2"])]);
    let mut held = Vec::new();
    for _ in 0..200 {
        held.push(TcpStream::connect(served.at).await.unwrap());
    }
    for _ in 0..50 {
        assert_eq!(served.ask("web.", RecordType::A).await.answers.len(), 1, "what is known");
        assert_eq!(served.ask("example.com.", RecordType::A).await.answers.len(), 1, "and what is not");
    }
    // The first that came have a place, and are answered all the same.
    let surplus = held.split_off(20);
    for mut stream in surplus {
        assert_eq!(receive_tcp(&mut stream).await, None);
    }
    let wire = question("web.", RecordType::A).to_vec().unwrap();
    for stream in &mut held {
        send_tcp(stream, &wire).await;
        assert!(receive_tcp(stream).await.is_some());
    }
}

#[tokio::test]
async fn connections_that_idled_too_long_make_room_though_their_clients_keep_them() {
    let served = Served::start(&[], Options { tcp_connections: 3, tcp_idle: Duration::from_millis(300), ..options() });
    served.directory.set(sbx(2), vec![entry(1, &["web"], &["172.18.0.2"])]);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(TcpStream::connect(served.at).await.unwrap());
    }
    for stream in &mut held {
        assert_eq!(receive_tcp(stream).await, None);
    }
    assert_eq!(ask_tcp(served.at, &question("web.", RecordType::A)).await.answers.len(), 1, "there is room");
}
