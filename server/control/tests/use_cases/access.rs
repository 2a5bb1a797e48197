//! Who asks: tokens, sessions, links, the socket, roles.

use netloom_control::command::*;
use netloom_control::principal::Role;
use netloom_control::{Context, ErrorKind, Principal};

use crate::kit::Kit;

#[tokio::test]
async fn the_admin_token_opens_and_everything_else_gets_one_answer() {
    let kit = Kit::new().await;
    let token = kit.control.first_access().await.expect("a token").token;
    assert!(token.starts_with("nlm_"), "{token}");
    let context = kit.control.authenticate_token(&token, "r1").await.expect("known");
    assert_eq!((context.principal.name.as_str(), context.principal.role), ("admin", Role::Admin));
    let other = kit.control.first_access().await.expect("a token").token;
    let mut answers = Vec::new();
    let mut altered = other.clone();
    let last = altered.pop();
    altered.push(if last == Some('a') { 'b' } else { 'a' });
    for bad in [token.as_str(), "", "nlm_x_y", altered.as_str()] {
        let error = kit.control.authenticate_token(bad, "r1").await.expect_err("unknown");
        answers.push((error.kind, error.code, error.detail));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == ErrorKind::Unauthenticated));
    assert!(kit.control.authenticate_token(&other, "r1").await.is_ok());
}

#[tokio::test]
async fn sessions_open_by_token_or_link_and_close() {
    let kit = Kit::new().await;
    let token = kit.control.first_access().await.expect("a token").token;
    let session = kit.control.login_with_token(&token).await.expect("a session");
    assert!(kit.control.authenticate_session(&session.secret, "r").await.is_ok());
    kit.control.logout(&session.secret).await.expect("closed");
    kit.control.logout(&session.secret).await.expect("closed already");
    assert!(kit.control.authenticate_session(&session.secret, "r").await.is_err());
    let link = kit.control.login_link().await.expect("a link");
    let session = kit.control.login_with_link(&link).await.expect("a session");
    let context = kit.control.authenticate_session(&session.secret, "r").await.expect("known");
    assert_eq!(context.principal.name, "admin");
    let error = kit.control.login_with_link(&link).await.expect_err("used up");
    assert_eq!(error.kind, ErrorKind::Unauthenticated);
    kit.control.first_access().await.expect("a new token");
    assert!(kit.control.authenticate_session(&session.secret, "r").await.is_err(), "the token's sessions end with it");
}

#[tokio::test]
async fn only_root_is_known_on_the_socket_and_roles_bound_commands() {
    let kit = Kit::new().await;
    let root = kit.control.authenticate_socket(0, "r").expect("root");
    assert_eq!((root.principal.name.as_str(), root.principal.role), ("socket:root", Role::Admin));
    assert_eq!(kit.control.authenticate_socket(1000, "r").expect_err("nobody").kind, ErrorKind::Unauthenticated);
    let viewer = Context { principal: Principal { name: "v".into(), role: Role::Viewer }, request_id: "r".into() };
    assert!(viewer.authorize(ListNetworks::default()).is_ok());
    assert_eq!(viewer.authorize(Prune).expect_err("may not").kind, ErrorKind::Forbidden);
}
