//! What passes of the swarm's networks: what a worker is told and says that it holds, and places that are asked for.

use std::time::Duration;

use netloom_control::members::{Failure, Wire as _};
use netloom_control::{Error, ErrorKind};
use netloom_model::member::{AttachRequest, Attachment};
use netloom_model::replica::{SwarmAttachment, SwarmUpdate};
use netloom_model::sandbox::AttachmentSpec;
use netloom_model::swarm::SwarmRole;
use netloom_model::{EndpointId, MacAddr, NetworkId, SandboxId, StoreId};
use netloom_swarm::{Client, Options, Waits};

use crate::kit::{
    Fake, HOUR, Worker, authority, free_port, listening, listening_as, membership, node, node_of_manager, options,
    until,
};

fn update(revision: u64, attachments: usize) -> SwarmUpdate {
    let one = |number: usize| SwarmAttachment {
        id: EndpointId::from_random(u128::try_from(number).unwrap().to_be_bytes()),
        network: NetworkId::from_random([1; 16]),
        node: node(3),
        hostname: None,
        vtep: "192.0.2.3".parse().unwrap(),
        sandbox: SandboxId::from_random([1; 16]),
        sandbox_name: format!("sandbox{number}"),
        mac: MacAddr([2, 0x42, 0, 0, 0, 1]),
        addresses: vec!["10.1.0.2".parse().unwrap()],
        aliases: Vec::new(),
    };
    SwarmUpdate {
        store: StoreId::from_random([1; 16]),
        manager: node_of_manager(),
        revision,
        full: true,
        vtep: "192.0.2.2".parse().unwrap(),
        data_path_port: 4789,
        overlay_mtu: Some(1450),
        networks: Vec::new(),
        gone_networks: Vec::new(),
        attachments: (0..attachments).map(one).collect(),
        gone_attachments: Vec::new(),
        left: Vec::new(),
    }
}

fn request() -> AttachRequest {
    AttachRequest {
        sandbox: SandboxId::from_random([1; 16]),
        sandbox_name: "there".to_owned(),
        running: true,
        network: NetworkId::from_random([1; 16]),
        endpoint: EndpointId::from_random([1; 16]),
        wanted: AttachmentSpec::default(),
        dry_run: false,
        instead_of: None,
    }
}

fn given() -> Attachment {
    Attachment {
        endpoint: EndpointId::from_random([1; 16]),
        network: NetworkId::from_random([1; 16]),
        mac: MacAddr([2, 0x42, 0, 0, 0, 1]),
        leases: Vec::new(),
        revision: 7,
    }
}

#[tokio::test]
async fn a_worker_is_told_in_order_and_says_what_it_holds() {
    let there = listening(options()).await;
    let worker = Worker::new(membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR));
    let _cluster = worker.start(options());
    until("it listens", || !there.fake.feeds.lock().unwrap().is_empty()).await;
    for (revision, size) in [(5, 0), (6, 20_000), (7, 1)] {
        there.fake.feeds.lock().unwrap()[0].send(update(revision, size)).unwrap();
    }
    until("it holds all", || there.fake.held.lock().unwrap().last() == Some(&7)).await;
    let told = worker.told.lock().unwrap();
    let sizes: Vec<(u64, usize)> = told.iter().map(|one| (one.revision, one.attachments.len())).collect();
    assert_eq!(sizes, [(5, 0), (6, 20_000), (7, 1)]);
    assert_eq!(told[1], update(6, 20_000));
}

#[tokio::test]
async fn nothing_to_tell_for_long_is_no_reason_to_part() {
    let there = listening(options()).await;
    let worker = Worker::new(membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR));
    let _cluster = worker.start(options());
    until("it listens", || !there.fake.feeds.lock().unwrap().is_empty()).await;
    // Ten heartbeats, of which three without a word would end it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let feeds = there.fake.feeds.lock().unwrap();
    assert_eq!(feeds.len(), 1);
    assert!(!feeds[0].is_closed());
}

#[tokio::test]
async fn a_worker_listens_again_to_a_manager_that_comes_back() {
    let (authority, at) = (authority(), free_port());
    let own = membership(&authority, node_of_manager(), SwarmRole::Manager, at, HOUR);
    let worker = Worker::new(membership(&authority, node(2), SwarmRole::Worker, at, HOUR));
    let _cluster = worker.start(options());
    for revision in [1, 2] {
        let there = listening_as(Fake::new(authority.clone()), own.clone(), options()).await;
        until("it listens", || !there.fake.feeds.lock().unwrap().is_empty()).await;
        there.fake.feeds.lock().unwrap()[0].send(update(revision, 0)).unwrap();
        until("it was told", || worker.told.lock().unwrap().last().is_some_and(|one| one.revision == revision)).await;
        there.cluster.stop().await;
    }
}

#[tokio::test]
async fn a_place_is_given_or_refused_in_the_managers_words() {
    let there = listening(options()).await;
    let own = membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR);
    let client = Client::default();
    *there.fake.given.lock().unwrap() = Some(Ok(given()));
    assert_eq!(client.attach(&own, &request()).await, Ok(Ok(given())));
    let taken = Error::new(ErrorKind::Conflict, "address-taken", "10.1.0.2 is taken").fact("address", "10.1.0.2");
    let refused = Failure::from(taken);
    *there.fake.given.lock().unwrap() = Some(Err(refused.clone()));
    assert_eq!(client.attach(&own, &request()).await, Ok(Err(refused)));
}

#[tokio::test]
async fn a_connection_that_ended_meanwhile_is_made_anew() {
    let waits = Waits { request: Duration::from_millis(200), ..options().waits };
    let there = listening(Options { waits, ..options() }).await;
    let own = membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR);
    let client = Client::default();
    *there.fake.given.lock().unwrap() = Some(Ok(given()));
    for _ in 0..2 {
        assert_eq!(client.attach(&own, &request()).await, Ok(Ok(given())));
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
}

#[tokio::test]
async fn whether_others_know_is_waited_for_no_longer_than_was_said() {
    let waits = Waits { answer: Duration::from_millis(300), ..options().waits };
    let there = listening(Options { waits: waits.clone(), ..options() }).await;
    let own = membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR);
    let client = Client::new(waits);
    let networks = [NetworkId::from_random([1; 16])];
    assert_eq!(client.spread(&own, &networks, 7, Duration::from_secs(1)).await, Ok(false));
    let fake = there.fake.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        fake.held.lock().unwrap().push(7);
    });
    assert_eq!(client.spread(&own, &networks, 7, Duration::from_secs(10)).await, Ok(true));
}
