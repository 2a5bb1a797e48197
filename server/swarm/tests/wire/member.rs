//! Who may ask for what: a member by its certificate, a stranger for two things only.

use netloom_control::members::{AskError, Wire as _};
use netloom_model::member::{DeniedCode, Heartbeat, ReadmitRequest};
use netloom_model::swarm::SwarmRole;
use netloom_swarm::Client;

use crate::kit::{HOUR, authority, denied, hello, listening, membership, node, options};
use crate::raw::{connect, exchange, request};

#[tokio::test]
async fn a_stranger_may_ask_for_two_things_only() {
    let there = listening(options()).await;
    for route in ["renew", "heartbeat", "leave", "attach", "spread", "held"] {
        let (status, answer) = request(there.at, None, "POST", &format!("/swarm/v1/{route}"), "{}").await;
        assert_eq!(status, 401, "{answer}");
        assert!(answer.contains("application/problem+json") && answer.contains("certificate"), "{answer}");
    }
    assert_eq!(request(there.at, None, "GET", "/swarm/v1/assignment", "").await.0, 401);
    for (method, path, wanted) in [
        ("GET", "/", 404),
        ("GET", "/api/v1/networks", 404),
        ("POST", "/swarm/v1/", 404),
        ("GET", "/swarm/v1/ca", 404),
        ("GET", "/swarm/v1/join", 405),
        ("PUT", "/swarm/v1/heartbeat", 405),
        ("POST", "/swarm/v1/../v1/leave", 404),
    ] {
        assert_eq!(request(there.at, None, method, path, "").await.0, wanted, "{method} {path}");
    }
    assert_eq!(there.fake.asked(), 0);
}

#[tokio::test]
async fn a_member_is_whom_its_certificate_names() {
    let there = listening(options()).await;
    let own = membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR);
    let said = Heartbeat {
        hello: hello(node(3)),
        facts: None,
        subnets: None,
        attachments: None,
        released: Vec::new(),
        segment_fence_seconds: 60,
        ways: None,
    };
    let body = serde_json::to_string(&said).unwrap();
    assert_eq!(request(there.at, Some(&own), "POST", "/swarm/v1/heartbeat", &body).await.0, 200);
    assert_eq!(there.fake.heartbeats.lock().unwrap()[0].0.node, node(2), "not whom the body says");
    assert_eq!(Client::default().leave(&own).await, Ok(()));
    let left = there.fake.leaves.lock().unwrap()[0].clone();
    assert_eq!((left.node, left.role), (node(2), SwarmRole::Worker));
    assert_eq!(left, netloom_pki::read(&own.certificate).unwrap());
}

#[tokio::test]
async fn a_removed_node_is_denied_though_its_certificate_is_good() {
    let there = listening(options()).await;
    let own = membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, HOUR);
    there.fake.deny(Some(denied(DeniedCode::NodeRemoved)));
    assert_eq!(Client::default().leave(&own).await, Err(AskError::Denied(denied(DeniedCode::NodeRemoved))));
}

#[tokio::test]
async fn certificates_that_are_not_good_get_no_answer() {
    let there = listening(options()).await;
    let expired = membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, -60_000);
    let mut foreign = membership(&authority(), node(2), SwarmRole::Worker, there.at, HOUR);
    // The other authority has the same name, so that only its signature tells it apart.
    for (own, wanted) in [(&expired, "CertificateExpired"), (&foreign, "DecryptError")] {
        let mut stream = connect(there.at, Some(own)).await.unwrap();
        let refused = exchange(&mut stream, b"POST /swarm/v1/leave HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap_err();
        assert!(refused.to_string().contains(wanted), "{refused}");
    }
    // Through the client, which knows the manager's own authority.
    foreign.ca.clone_from(&there.fake.authority.certificate);
    assert_eq!(Client::default().leave(&expired).await, Err(AskError::Expired));
    let refused = Client::default().leave(&foreign).await;
    assert!(
        matches!(&refused, Err(AskError::Denied(denied)) if denied.code == DeniedCode::RequestInvalid),
        "{refused:?}"
    );
    assert_eq!(there.fake.asked(), 0);
}

#[tokio::test]
async fn a_member_takes_nobody_else_for_its_manager() {
    let (there, theirs) = (listening(options()).await, authority());
    // A member of another swarm that was sent to this manager.
    let own = membership(&theirs, node(2), SwarmRole::Worker, there.at, HOUR);
    let refused = Client::default().leave(&own).await;
    assert!(matches!(&refused, Err(AskError::Impostor { .. })), "{refused:?}");
    assert_eq!(there.fake.asked(), 0);
}

#[tokio::test]
async fn readmission_needs_the_old_certificate_and_its_key() {
    let there = listening(options()).await;
    let old = membership(&there.fake.authority, node(2), SwarmRole::Worker, there.at, -60_000);
    let foreign = membership(&authority(), node(2), SwarmRole::Worker, there.at, -60_000);
    let csr = netloom_pki::request().unwrap().csr;
    let signed =
        |key: &str, what: &str| data_encoding::BASE64.encode(&netloom_pki::sign(key, what.as_bytes()).unwrap());
    let asks = |certificate: &str, signature: String| {
        let request =
            ReadmitRequest { certificate: certificate.to_owned(), csr: csr.clone(), signature, hello: hello(node(2)) };
        serde_json::to_string(&request).unwrap()
    };
    for body in [
        asks(&foreign.certificate, signed(&foreign.key, &csr)),
        asks(&old.certificate, signed(&foreign.key, &csr)),
        asks(&old.certificate, signed(&old.key, "another request")),
        asks(&old.certificate, "no base64!".to_owned()),
        asks("no certificate", signed(&old.key, &csr)),
        asks(&there.fake.authority.certificate, signed(&there.fake.authority.key, &csr)),
    ] {
        let (status, answer) = request(there.at, None, "POST", "/swarm/v1/readmit", &body).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer.contains("request-invalid"), "{answer}");
    }
    assert_eq!(there.fake.asked(), 0);
    let body = asks(&old.certificate, signed(&old.key, &csr));
    assert_eq!(request(there.at, None, "POST", "/swarm/v1/readmit", &body).await.0, 200);
    assert_eq!(there.fake.readmissions.lock().unwrap()[0].node, node(2));
}
