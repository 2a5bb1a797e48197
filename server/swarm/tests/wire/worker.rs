//! A worker's loop: being there, news, an absent manager, a certificate renewed in time and out of time.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use netloom_control::members::AskError;
use netloom_control::now;
use netloom_model::EndpointId;
use netloom_model::facts::HostRoute;
use netloom_model::member::DeniedCode;
use netloom_model::swarm::SwarmRole;
use netloom_swarm::{Limits, Options, Waits};

use crate::kit::{
    Fake, HOUR, Worker, authority, denied, free_port, listening, listening_as, membership, node, node_of_manager,
    options, swarm, until,
};

#[tokio::test]
async fn a_worker_reports_every_heartbeat_and_says_once_what_does_not_change() {
    let there = listening(options()).await;
    let worker = Worker::new(membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR));
    let begun = Instant::now();
    let cluster = worker.start(options());
    until("seven answers", || worker.heard() >= 7).await;
    assert!(begun.elapsed() >= Duration::from_millis(800), "no faster than the heartbeat: {:?}", begun.elapsed());
    cluster.stop().await;
    let reports = there.fake.heartbeats.lock().unwrap();
    let (facts, subnets): (Vec<bool>, Vec<bool>) =
        reports.iter().map(|(_, report)| (report.facts.is_some(), report.subnets.is_some())).unzip();
    assert!(facts[0] && subnets[0]);
    assert!(!facts[1..].contains(&true) && !subnets[1..].contains(&true), "{facts:?} {subnets:?}");
    // All attachments twice, as what is missing from two reports is let go, and again after a while.
    let all: Vec<bool> = reports.iter().take(7).map(|(_, report)| report.attachments.is_some()).collect();
    assert_eq!(all, [true, true, false, false, false, false, true]);
    // What is answered to the others says nothing of any attachment, and not that all are known.
    let answers = worker.heard.lock().unwrap();
    let compared: Vec<bool> = answers.iter().take(7).map(|answer| answer.compared.is_some()).collect();
    assert_eq!(compared, all);
    assert!(worker.lost().is_empty(), "{:?}", worker.lost());
}

#[tokio::test]
async fn all_attachments_are_told_as_long_as_the_manager_does_not_know_some() {
    let there = listening(options()).await;
    *there.fake.unknown.lock().unwrap() = vec![EndpointId::from_random([1; 16])];
    let worker = Worker::new(membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR));
    let cluster = worker.start(options());
    until("five answers", || worker.heard() >= 5).await;
    cluster.stop().await;
    let reports = there.fake.heartbeats.lock().unwrap();
    assert!(
        reports.iter().all(|(_, report)| report.attachments.is_some()),
        "an answer to fewer would say nothing of it"
    );
}

#[tokio::test]
async fn news_are_told_at_once() {
    let there = listening(options()).await;
    let waits = Waits { heartbeat: Duration::from_secs(60), ..Waits::default() };
    let worker = Worker::new(membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR));
    let _cluster = worker.start(Options { waits, ..options() });
    until("the first report", || worker.heard() == 1).await;
    worker.facts.lock().unwrap().hostname = "renamed".to_owned();
    worker.news.send_modify(|number| *number += 1);
    until("the second report", || worker.heard() == 2).await;
    let reports = there.fake.heartbeats.lock().unwrap();
    assert_eq!(reports[1].1.facts.as_ref().map(|facts| facts.hostname.as_str()), Some("renamed"));
    assert_eq!(reports[1].1.subnets, None);
}

#[tokio::test]
async fn an_absent_manager_is_tried_again_until_it_is_there() {
    let (authority, at) = (authority(), free_port());
    let worker = Worker::new(membership(&authority, node(2), SwarmRole::Worker, at, HOUR));
    let _cluster = worker.start(options());
    until("two failures", || worker.lost().len() >= 2).await;
    assert!(worker.lost().iter().all(|error| matches!(error, AskError::Unreachable { .. })), "{:?}", worker.lost());
    let own = membership(&authority, node_of_manager(), SwarmRole::Manager, at, HOUR);
    let there = listening_as(Fake::new(authority.clone()), own.clone(), options()).await;
    until("it reports", || worker.heard() > 0).await;
    // The manager starts again: a connection that is gone is made anew, and all is told again.
    there.cluster.stop().await;
    let failures = worker.lost().len();
    until("it is missed", || worker.lost().len() > failures).await;
    let heard = worker.heard();
    let there = listening_as(Fake::new(authority), own, options()).await;
    until("it reports again", || worker.heard() > heard).await;
    assert!(there.fake.heartbeats.lock().unwrap()[0].1.facts.is_some());
}

#[tokio::test]
async fn a_certificate_is_renewed_in_time_and_used() {
    let there = listening(options()).await;
    // Good for an hour behind and 20 minutes ahead: more than two thirds are over.
    let old = membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR / 3);
    let worker = Worker::new(old.clone());
    let _cluster = worker.start(options());
    until("a new certificate is spoken with", || {
        let own = netloom_pki::read(&worker.own().certificate).unwrap();
        there.fake.heartbeats.lock().unwrap().iter().any(|(peer, _)| *peer == own && own.expires_at > old.valid.1)
    })
    .await;
    assert_eq!(
        there.fake.renewals.lock().unwrap()[0].fingerprint,
        netloom_pki::read(&old.certificate).unwrap().fingerprint
    );
    assert_ne!(worker.own().key, old.key);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(there.fake.renewals.lock().unwrap().len(), 1, "once");
    // And when the manager says so.
    there.fake.renew.store(true, Ordering::SeqCst);
    until("a second one", || there.fake.renewals.lock().unwrap().len() >= 2).await;
}

#[tokio::test]
async fn a_renewal_that_fails_stops_no_heartbeat() {
    let there = listening(options()).await;
    let worker = Worker::new(membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR));
    let _cluster = worker.start(options());
    until("a report", || worker.heard() > 0).await;
    there.fake.deny(Some(denied(DeniedCode::Unavailable)));
    until("it is told", || !worker.lost().is_empty()).await;
    assert_eq!(worker.lost()[0], AskError::Denied(denied(DeniedCode::Unavailable)));
    there.fake.deny(None);
    let heard = worker.heard();
    until("reports again", || worker.heard() > heard).await;
}

/// Only what a person has to do something about is asked for as rarely as that.
#[tokio::test]
async fn what_a_manager_can_t_take_in_now_is_said_again_soon() {
    for code in [DeniedCode::Unavailable, DeniedCode::TooMany] {
        let there = listening(options()).await;
        let worker = Worker::new(membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR));
        there.fake.deny(Some(denied(code)));
        let waits = Waits { readmission: Duration::from_secs(3600), ..options().waits };
        let _cluster = worker.start(Options { waits, ..options() });
        until("it is denied", || !worker.lost().is_empty()).await;
        there.fake.deny(None);
        until("it reports", || worker.heard() > 0).await;
    }
}

#[tokio::test]
async fn a_report_that_no_manager_would_read_is_named_and_sent_once_it_is_shorter() {
    let there = listening(options()).await;
    let worker = Worker::new(membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR));
    let route = |number: u32| HostRoute {
        destination: format!("10.{}.{}.0/24", number / 256, number % 256).parse().unwrap(),
        gateway: Some([192, 0, 2, 1].into()),
        interface: Some("eth0".to_owned()),
        table: 254,
    };
    worker.facts.lock().unwrap().routes = (0..1000).map(route).collect();
    let limits = Limits { member_body: 16 << 10, ..Limits::default() };
    let _cluster = worker.start(Options { limits, ..options() });
    until("it is told", || !worker.lost().is_empty()).await;
    let told = worker.lost()[0].to_string();
    assert!(told.contains("at most 16384") && told.contains("1000 routes and 0 links"), "{told}");
    assert!(matches!(&worker.lost()[0], AskError::Denied(denied) if denied.hint.is_some()));
    assert_eq!(there.fake.asked(), 0, "nothing was sent");
    worker.facts.lock().unwrap().routes.truncate(50);
    until("it reports", || worker.heard() > 0).await;
    let heard = there.fake.heartbeats.lock().unwrap();
    assert_eq!(heard[0].1.facts.as_ref().map(|facts| facts.routes.len()), Some(50));
}

#[tokio::test]
async fn a_report_of_a_node_with_very_much_is_read() {
    let there = listening(options()).await;
    let worker = Worker::new(membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR));
    let long = HostRoute {
        destination: "2001:db8:1234:5678::/64".parse().unwrap(),
        gateway: Some("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap()),
        interface: Some("enp129s0f0np0".to_owned()),
        table: 4_000_000_000,
    };
    worker.facts.lock().unwrap().routes = vec![long; 100_000];
    let _cluster = worker.start(options());
    until("it reports", || worker.heard() > 0).await;
    let heard = there.fake.heartbeats.lock().unwrap();
    assert_eq!(heard[0].1.facts.as_ref().map(|facts| facts.routes.len()), Some(100_000));
}

#[tokio::test]
async fn out_of_date_a_node_asks_until_it_is_readmitted() {
    let there = listening(options()).await;
    let old = membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, -60_000);
    let worker = Worker::new(old.clone());
    there.fake.deny(Some(denied(DeniedCode::ReadmissionPending)));
    let _cluster = worker.start(options());
    until("it asks again and again", || there.fake.readmissions.lock().unwrap().len() >= 3).await;
    assert!(worker.lost().contains(&AskError::Expired));
    assert!(worker.lost().contains(&AskError::Denied(denied(DeniedCode::ReadmissionPending))));
    assert!(there.fake.heartbeats.lock().unwrap().is_empty());
    there.fake.deny(None);
    until("it reports", || worker.heard() > 0).await;
    assert_ne!(worker.own().certificate, old.certificate);
    assert_eq!(there.fake.readmissions.lock().unwrap()[0], netloom_pki::read(&old.certificate).unwrap());
}

#[tokio::test]
async fn a_certificate_that_only_looks_out_of_date_is_tried_again() {
    let there = listening(options()).await;
    // Good in an hour: the manager's clock is behind. In a handshake that looks as one that expired.
    let mut own = membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR);
    let made = netloom_pki::request().unwrap();
    let subject = netloom_pki::Subject { node: node(2), role: SwarmRole::Worker, swarm: swarm() };
    let (from, to) = (now().plus_millis(HOUR), now().plus_millis(2 * HOUR));
    own.certificate = there.fake.authority.issue(&made.csr, &subject, from, to).unwrap();
    (own.key, own.valid) = (made.key, (from, to));
    there.fake.deny(Some(denied(DeniedCode::RequestInvalid)));
    let worker = Worker::new(own);
    let _cluster = worker.start(options());
    let (expired, refused) = (AskError::Expired, AskError::Denied(denied(DeniedCode::RequestInvalid)));
    // Spoken with, asked for another, refused; and so again.
    let wanted = [expired.clone(), expired.clone(), refused.clone(), expired.clone(), expired, refused];
    until("it is spoken with again", || worker.lost().windows(wanted.len()).any(|six| six == wanted)).await;
    // Once the clocks agree it is a node like any other.
    there.fake.deny(None);
    let good = membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR);
    worker.memberships.send_replace(Some(good));
    until("it reports", || worker.heard() > 0).await;
}

#[tokio::test]
async fn a_worker_that_left_says_no_more() {
    let there = listening(options()).await;
    let worker = Worker::new(membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR));
    let _cluster = worker.start(options());
    until("a report", || worker.heard() > 0).await;
    let said = worker.clone();
    said.memberships.send_replace(None);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let asked = there.fake.asked();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(there.fake.asked(), asked);
}
