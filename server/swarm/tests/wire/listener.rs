//! A manager's listener follows the membership: it comes, takes a renewed certificate, moves, and goes.

use std::time::Duration;

use netloom_control::members::Wire as _;
use netloom_model::swarm::SwarmRole;
use netloom_swarm::Client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::forwarded::start;
use crate::kit::{
    Fake, HOUR, Worker, authority, free_port, listening, listens, membership, node, node_of_manager, options, until,
};
use crate::raw::connect;

/// What anybody is answered, with 405.
const GET_JOIN: &[u8] = b"GET /swarm/v1/join HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_the_next_and_drops_nobody() {
    let there = listening(options()).await;
    let mut before = connect(there.at, None).await.unwrap();
    let shown = |stream: &tokio_rustls::client::TlsStream<TcpStream>| {
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let renewed = membership(&there.fake.authority, node_of_manager(), SwarmRole::Manager, there.at, 2 * HOUR);
    let der = netloom_pki::certificate::der(&renewed.certificate).unwrap();
    assert_ne!(shown(&before), der);
    there.memberships.send_replace(Some(renewed));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let after = connect(there.at, None).await.unwrap();
    assert_eq!(shown(&after), der);
    before.write_all(GET_JOIN).await.unwrap();
    let mut answer = [0; 12];
    before.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 405", "the old connection goes on");
}

#[tokio::test]
async fn the_listener_comes_moves_and_goes_with_the_membership() {
    let (authority, one, two) = (authority(), free_port(), free_port());
    let manager = |at| Some(membership(&authority, node_of_manager(), SwarmRole::Manager, at, HOUR));
    let memberships = watch::Sender::new(None);
    let worker = Worker::new(membership(&authority, node(2), SwarmRole::Worker, one, HOUR));
    let fake = Fake::new(authority.clone());
    let cluster = start(fake.clone(), worker.clone(), memberships.subscribe(), options());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(TcpStream::connect(one).await.is_err(), "nothing listens before");
    memberships.send_replace(manager(one));
    listens(one).await;
    memberships.send_replace(manager(two));
    listens(two).await;
    assert!(TcpStream::connect(one).await.is_err(), "it moved");
    let own = membership(&authority, node(2), SwarmRole::Worker, two, HOUR);
    assert_eq!(Client::default().leave(&own).await, Ok(()));
    let mut open = connect(two, Some(&own)).await.unwrap();
    memberships.send_replace(None);
    assert!(open.read(&mut [0; 16]).await.is_err() || open.read(&mut [0; 16]).await.is_ok_and(|count| count == 0));
    assert!(TcpStream::connect(two).await.is_err(), "it is gone");
    // What was a manager becomes a worker of another.
    let there = listening(options()).await;
    let own = membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR);
    memberships.send_replace(Some(own));
    until("it reports", || worker.heard() > 0).await;
    cluster.stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_waited_for() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (at, authority) = (taken.local_addr().unwrap(), authority());
    let own = membership(&authority, node_of_manager(), SwarmRole::Manager, at, HOUR);
    let memberships = watch::Sender::new(Some(own));
    let mut options = options();
    options.waits.listen = Duration::from_millis(50);
    let worker = Worker::new(membership(&authority, node(2), SwarmRole::Worker, at, HOUR));
    let fake = Fake::new(authority.clone());
    let _cluster = start(fake.clone(), worker.clone(), memberships.subscribe(), options);
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(taken);
    listens(at).await;
    assert_eq!(Client::default().leave(&worker.own()).await, Ok(()));
}
