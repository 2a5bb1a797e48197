//! Joining: the good case, and how a denial comes back.

use netloom_control::members::{AskError, Wire as _};
use netloom_model::member::DeniedCode;
use netloom_swarm::{Client, Waits};

use crate::kit::{SECRET, denied, free_port, join_request, listening, node, options};

#[tokio::test]
async fn a_node_joins_by_the_secret_of_its_token() {
    let there = listening(options()).await;
    let digest = netloom_pki::digest(&there.fake.authority.certificate).unwrap();
    let (request, _) = join_request(node(2));
    let admission = Client::default().join(there.at, &digest, request).await.unwrap();
    assert_eq!(netloom_pki::read(&admission.certificate).unwrap().node, node(2));
    assert_eq!(netloom_pki::issued_by(&admission.certificate, &there.fake.authority.certificate), Ok(()));
    let joins = there.fake.joins.lock().unwrap();
    assert_eq!((joins[0].0.secret.as_str(), joins[0].1.to_string().as_str()), (SECRET, "127.0.0.1"));
}

#[tokio::test]
async fn a_denial_comes_back_with_its_reason() {
    let there = listening(options()).await;
    let digest = netloom_pki::digest(&there.fake.authority.certificate).unwrap();
    for code in [DeniedCode::JoinTokenInvalid, DeniedCode::VersionMismatch, DeniedCode::AlreadyMember] {
        there.fake.deny(Some(denied(code)));
        let refused = Client::default().join(there.at, &digest, join_request(node(2)).0).await;
        assert_eq!(refused, Err(AskError::Denied(denied(code))));
    }
}

#[tokio::test]
async fn where_nobody_is_that_is_said() {
    let at = free_port();
    let refused = Client::default().join(at, "digest", join_request(node(2)).0).await;
    assert!(
        matches!(&refused, Err(AskError::Unreachable { manager, reason }) if *manager == at && reason.contains("refused")),
        "{refused:?}"
    );
    // A listener that never says a word.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let waits = Waits { connect: std::time::Duration::from_millis(200), ..Waits::default() };
    let refused = Client::new(waits).join(mute.local_addr().unwrap(), "digest", join_request(node(2)).0).await;
    assert!(matches!(&refused, Err(AskError::Unreachable { reason, .. }) if reason.contains("TLS")), "{refused:?}");
}
