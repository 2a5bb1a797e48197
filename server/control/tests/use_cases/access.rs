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
    let mut altered = other.clone();
    let last = altered.pop();
    altered.push(if last == Some('a') { 'b' } else { 'a' });
    // What is no token may be told; of those that have the form and are not good nothing is.
    for (bad, said) in [
        (token.as_str(), "unknown, expired or revoked"),
        ("", "is no token"),
        ("nlm_x_y", "is no token"),
        (altered.as_str(), "do not fit the rest"),
    ] {
        let error = kit.control.authenticate_token(bad, "r1").await.expect_err("refused");
        assert_eq!((error.kind, error.code), (ErrorKind::Unauthenticated, "unauthenticated"), "{bad}");
        assert!(error.detail.contains(said) && error.hint.is_some(), "{bad}: {}", error.detail);
    }
    assert!(kit.control.authenticate_token(&other, "r1").await.is_ok());
}

#[tokio::test]
async fn sessions_open_by_token_or_link_and_close() {
    let kit = Kit::new().await;
    let token = kit.control.first_access().await.expect("a token").token;
    let session = kit.control.login_with_token(&token, "r").await.expect("a session");
    assert!(kit.control.authenticate_session(&session.secret, "r").await.is_ok());
    kit.control.logout(&session.secret).await.expect("closed");
    kit.control.logout(&session.secret).await.expect("closed already");
    assert!(kit.control.authenticate_session(&session.secret, "r").await.is_err());
    let link = kit.control.login_link().await.expect("a link");
    let session = kit.control.login_with_link(&link, "r").await.expect("a session");
    let context = kit.control.authenticate_session(&session.secret, "r").await.expect("known");
    assert_eq!((context.principal.name.as_str(), context.principal.role), ("login-link", Role::Admin));
    let error = kit.control.login_with_link(&link, "r").await.expect_err("used up");
    assert_eq!(error.kind, ErrorKind::Unauthenticated);
    kit.control.first_access().await.expect("a new token");
    assert!(
        kit.control.authenticate_session(&session.secret, "r").await.is_err(),
        "with the token's file all ends that came of it"
    );
}

#[tokio::test]
async fn only_root_is_known_on_the_socket_and_roles_bound_commands() {
    let kit = Kit::new().await;
    let root = kit.control.authenticate_socket(0, "r").expect("root");
    assert_eq!((root.principal.name.as_str(), root.principal.role), ("socket:root", Role::Admin));
    assert_eq!(kit.control.authenticate_socket(1000, "r").expect_err("nobody").kind, ErrorKind::Unauthenticated);
    let viewer = Context::new(Principal { name: "v".into(), role: Role::Viewer, token: None }, "r");
    assert!(viewer.authorize(ListNetworks::default()).is_ok());
    assert_eq!(viewer.authorize(Prune).expect_err("may not").kind, ErrorKind::Forbidden);
}
