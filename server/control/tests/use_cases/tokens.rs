//! Tokens: made, used, revoked; and what they opened, which ends with them.

use std::time::Duration;

use netloom_control::command::*;
use netloom_control::principal::Role;
use netloom_control::{Context, Error, ErrorKind};
use netloom_model::token::{TokenSpec, TokenState};

use crate::kit::Kit;

fn spec(name: &str, role: Role) -> TokenSpec {
    TokenSpec { name: name.into(), role, expires_at: None }
}

async fn create(kit: &Kit, spec: TokenSpec) -> Result<NewToken, Error> {
    kit.control.create_token(kit.may(CreateToken(spec))).await
}

async fn revoke(kit: &Kit, reference: &str) -> Result<(), Error> {
    let token = kit.control.revoke_token(kit.may(RevokeToken(reference.into()))).await?;
    assert!(token.spec.name == reference || token.id.to_string() == reference);
    Ok(())
}

/// So long from now, as a token's end.
fn soon(millis: i64) -> String {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    netloom_model::Timestamp::from_millis(i64::try_from(now).unwrap()).plus_millis(millis).to_string()
}

#[tokio::test]
async fn a_token_opens_what_its_role_includes_until_it_is_revoked() {
    let kit = Kit::new().await;
    let NewToken { token, secret } = create(&kit, spec("ci", Role::Operator)).await.expect("made");
    assert_eq!(
        (token.created_by.as_str(), token.status.state, token.status.last_used_at),
        ("admin", TokenState::Active, None)
    );
    let id = token.id.to_string();
    assert!(secret.reveal().starts_with(&format!("nlm_{}_", &id[4..])), "the ID is in it");
    let context = kit.control.authenticate_token(secret.reveal(), "r").await.expect("known");
    assert_eq!((context.principal.name.as_str(), context.principal.token), ("ci", Some(token.id)));
    assert!(context.authorize(Prune).is_ok() && context.authorize(CreateBackup).is_err());
    let shown = kit.control.get_token(kit.may(GetToken("ci".into()))).await.expect("there");
    assert!(shown.status.last_used_at.is_some(), "its use is seen at once");
    let session = kit.control.login_with_token(secret.reveal(), "r").await.expect("a session");
    revoke(&kit, &id).await.expect("revoked");
    let refused = kit.control.authenticate_token(secret.reveal(), "r").await.expect_err("revoked");
    assert_eq!(refused.kind, ErrorKind::Unauthenticated);
    assert!(kit.control.authenticate_session(&session.secret, "r").await.is_err(), "its sessions end with it");
    assert_eq!(revoke(&kit, "ci").await.expect_err("gone").kind, ErrorKind::NotFound);
    assert_eq!(kit.events_since(0).await.split_off(3), ["token.created", "token.revoked"]);
}

#[tokio::test]
async fn what_a_token_is_asked_to_be_is_checked() {
    let kit = Kit::new().await;
    create(&kit, spec("ci", Role::Viewer)).await.expect("made");
    let taken = create(&kit, spec("ci", Role::Admin)).await.expect_err("taken");
    assert_eq!((taken.code, taken.blockers.len()), ("name-taken", 1));
    for name in ["admin", "agent", "netloom", "login-link", "", "a b", "tok_aaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        let error = create(&kit, spec(name, Role::Viewer)).await.expect_err("refused");
        assert_eq!((error.kind, error.errors[0].pointer.as_str()), (ErrorKind::Invalid, "/name"), "{name}");
    }
    for end in ["tomorrow", "2026-13-01T00:00:00Z", "2020-01-01T00:00:00Z", ""] {
        let spec = TokenSpec { expires_at: Some(end.into()), ..spec("b", Role::Viewer) };
        let error = create(&kit, spec).await.expect_err("refused");
        assert_eq!((error.kind, error.errors[0].pointer.as_str()), (ErrorKind::Invalid, "/expires_at"), "{end}");
    }
    let given = "2099-01-01T02:00:00+02:00";
    create(&kit, TokenSpec { expires_at: Some(given.into()), ..spec("b", Role::Viewer) }).await.expect("made");
    let token = kit.control.get_token(kit.may(GetToken("b".into()))).await.expect("there");
    assert_eq!(token.spec.expires_at.as_deref(), Some(given), "to the letter");
    let page = PageRequest { limit: Some(1), token: None };
    let first = kit.control.list_tokens(kit.may(ListTokens { role: None, page })).await.expect("a page");
    let page = PageRequest { limit: Some(9), token: first.next_page_token.clone() };
    let rest = kit.control.list_tokens(kit.may(ListTokens { role: None, page })).await.expect("a page");
    let names = |page: &Page<netloom_model::token::Token>| -> Vec<String> {
        page.items.iter().map(|token| token.spec.name.clone()).collect()
    };
    assert_eq!((names(&first), names(&rest)), (vec!["b".to_owned()], vec!["ci".to_owned()]));
}

#[tokio::test]
async fn an_expired_token_opens_nothing_and_is_listed_as_that() {
    let kit = Kit::new().await;
    let spec = TokenSpec { expires_at: Some(soon(150)), ..spec("ci", Role::Viewer) };
    let made = create(&kit, spec.clone()).await.expect("made");
    let context = kit.control.authenticate_token(made.secret.reveal(), "r").await.expect("not yet");
    assert_eq!(kit.control.good_until(&context).await.expect("good").map(|end| end.to_string()), spec.expires_at);
    let session = kit.control.login_with_token(made.secret.reveal(), "r").await.expect("a session");
    let turned =
        tokio::time::timeout(Duration::from_secs(5), kit.control.turned_away(&context)).await.expect("in time");
    assert_eq!(turned.kind, ErrorKind::Unauthenticated);
    assert!(kit.control.authenticate_token(made.secret.reveal(), "r").await.is_err());
    assert!(kit.control.authenticate_session(&session.secret, "r").await.is_err(), "nor does its session");
    let shown = kit.control.get_token(kit.may(GetToken("ci".into()))).await.expect("there");
    assert_eq!(shown.status.state, TokenState::Expired);
    let taken = create(&kit, spec).await.expect_err("the end is over, and so is the name not free");
    assert!(taken.code == "invalid-value" || taken.hint.is_some(), "{taken}");
}

#[tokio::test]
async fn what_lasts_ends_with_what_opened_it() {
    let kit = Kit::new().await;
    let made = create(&kit, spec("ci", Role::Viewer)).await.expect("made");
    let secret = made.secret.reveal();
    let session = kit.control.login_with_token(secret, "r").await.expect("a session");
    let another = kit.control.login_with_token(secret, "r").await.expect("a session");
    let by_token = kit.control.authenticate_token(secret, "r").await.expect("known");
    let by_session = kit.control.authenticate_session(&session.secret, "r").await.expect("known");
    let by_another = kit.control.authenticate_session(&another.secret, "r").await.expect("known");
    let root = kit.control.authenticate_socket(0, "r").expect("root");
    let lasting = |context: Context| {
        let control = kit.control.clone();
        tokio::spawn(async move { control.turned_away(&context).await })
    };
    let (token, first, second, root) = (lasting(by_token), lasting(by_session), lasting(by_another), lasting(root));
    kit.control.logout(&session.secret).await.expect("closed");
    let ended = tokio::time::timeout(Duration::from_secs(5), first).await.expect("at once").unwrap();
    assert_eq!(ended.kind, ErrorKind::Unauthenticated);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!token.is_finished() && !second.is_finished(), "another's end is nobody else's");
    revoke(&kit, "ci").await.expect("revoked");
    for one in [token, second] {
        let ended = tokio::time::timeout(Duration::from_secs(5), one).await.expect("at once").unwrap();
        assert_eq!(ended.kind, ErrorKind::Unauthenticated);
    }
    assert!(!root.is_finished());
    root.abort();
}

#[tokio::test]
async fn the_last_token_of_the_administrator_is_not_lost_by_accident() {
    let kit = Kit::new().await;
    let first = kit.control.first_access().await.expect("a token").token;
    let remote = kit.control.authenticate_token(&first, "r").await.expect("known");
    let refused = kit.control.revoke_token(remote.authorize(RevokeToken("admin".into())).unwrap()).await;
    assert_eq!(refused.expect_err("the last").code, "last-admin-token");
    create(&kit, spec("ops", Role::Operator)).await.expect("made");
    let refused = kit.control.revoke_token(remote.authorize(RevokeToken("admin".into())).unwrap()).await;
    assert_eq!(refused.expect_err("the last still").code, "last-admin-token");
    create(&kit, spec("second", Role::Admin)).await.expect("made");
    kit.control.revoke_token(remote.authorize(RevokeToken("admin".into())).unwrap()).await.expect("another is there");
    let root = kit.control.authenticate_socket(0, "r").expect("root");
    kit.control.revoke_token(root.authorize(RevokeToken("second".into())).unwrap()).await.expect("root needs none");
    let link = kit.control.login_link().await.expect("a link");
    let session = kit.control.login_with_link(&link, "r").await.expect("links don't need one either");
    assert!(kit.control.authenticate_session(&session.secret, "r").await.is_ok());
    assert_ne!(kit.control.first_access().await.expect("and the next start makes one").token, first);
}

#[tokio::test]
async fn when_a_token_was_used_is_written_now_and_then_and_never_by_whoever_uses_it() {
    let kit = Kit::new().await;
    let made = create(&kit, spec("ci", Role::Viewer)).await.expect("made");
    let id = made.token.id;
    let stored = async || {
        let read = kit.store.ask(move |tx| Box::pin(async move { netloom_store::access::token_by_id(tx, id).await }));
        read.await.unwrap().unwrap().last_used_at
    };
    for _ in 0..3 {
        kit.control.authenticate_token(made.secret.reveal(), "r").await.expect("known");
    }
    assert_eq!(stored().await, None);
    kit.control.write_usage().await.expect("written");
    let first = stored().await;
    assert!(first.is_some());
    tokio::time::sleep(Duration::from_millis(5)).await;
    kit.control.write_usage().await.expect("nothing to write");
    assert_eq!(stored().await, first);
    kit.control.authenticate_token(made.secret.reveal(), "r").await.expect("known");
    kit.control.write_usage().await.expect("written");
    assert!(stored().await > first);
}

#[tokio::test]
async fn what_a_login_link_opened_ends_with_the_token_that_made_the_link() {
    let kit = Kit::new().await;
    kit.control.first_access().await.expect("another of role admin");
    let ops = create(&kit, spec("ops", Role::Admin)).await.expect("made");
    let context = kit.control.authenticate_token(ops.secret.reveal(), "r").await.expect("known");
    let link = |context: &Context| kit.control.create_login_link(context.authorize(CreateLoginLink).unwrap());
    let (used, unused) = (link(&context).await.expect("a link"), link(&context).await.expect("another"));
    let session = kit.control.login_with_link(&used, "r").await.expect("a session");
    let first = kit.control.authenticate_session(&session.secret, "r").await.expect("known");
    assert_eq!((first.principal.name.as_str(), first.principal.token), ("login-link", Some(ops.token.id)));
    // What it makes in its turn has the same origin.
    let further = link(&first).await.expect("a link of a link's");
    let session_of_further = kit.control.login_with_link(&further, "r").await.expect("a session");
    let second = kit.control.authenticate_session(&session_of_further.secret, "r").await.expect("known");
    let root = kit.control.authenticate_socket(0, "r").expect("root");
    let of_root = link(&root).await.expect("root's");
    let session_of_root = kit.control.login_with_link(&of_root, "r").await.expect("a session");
    let streams = [first.clone(), second].map(|context| {
        let control = kit.control.clone();
        tokio::spawn(async move { control.turned_away(&context).await })
    });
    revoke(&kit, "ops").await.expect("revoked");
    for stream in streams {
        let ended = tokio::time::timeout(Duration::from_secs(5), stream).await.expect("at once").unwrap();
        assert_eq!(ended.kind, ErrorKind::Unauthenticated);
    }
    for secret in [&session.secret, &session_of_further.secret] {
        assert!(kit.control.authenticate_session(secret, "r").await.is_err());
    }
    assert!(!kit.control.knows_link(&unused).await.expect("an answer"));
    assert_eq!(kit.control.login_with_link(&unused, "r").await.expect_err("gone").kind, ErrorKind::Unauthenticated);
    assert_eq!(link(&first).await.expect_err("revoked meanwhile").kind, ErrorKind::Unauthenticated);
    let of_root = kit.control.authenticate_session(&session_of_root.secret, "r").await.expect("stands for root");
    assert_eq!((of_root.principal.name.as_str(), of_root.principal.token), ("login-link", None));
}

#[tokio::test]
async fn nobody_fills_the_disk_with_logins() {
    let kit = Kit::new().await;
    let viewer = create(&kit, spec("v", Role::Viewer)).await.expect("made");
    let other = create(&kit, spec("o", Role::Viewer)).await.expect("made");
    let mut opened = 0;
    let refused = loop {
        match kit.control.login_with_token(viewer.secret.reveal(), "r").await {
            Ok(_) => opened += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((opened, refused.kind, refused.code), (20, ErrorKind::TooOften, "too-many-logins"));
    assert!(refused.retryable && refused.retry_after_seconds.is_some_and(|seconds| (1..=60).contains(&seconds)));
    for _ in 0..100 {
        kit.control.login_with_token(viewer.secret.reveal(), "r").await.expect_err("still");
    }
    let opened = ListAudit { actions: vec!["session.open".into()], ..ListAudit::default() };
    assert_eq!(kit.audit(opened).await.len(), 20, "and what was refused is in no entry");
    kit.control.login_with_token(other.secret.reveal(), "r").await.expect("another's are another's");
    kit.control.authenticate_token(viewer.secret.reveal(), "r").await.expect("the token itself goes on");
}

#[tokio::test]
async fn the_oldest_session_makes_room_and_ends_at_once() {
    let kit = Kit::new().await;
    let open = async || {
        let link = kit.control.login_link().await.expect("a link");
        kit.control.login_with_link(&link, "r").await.expect("a session").secret
    };
    let first = open().await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let second = open().await;
    let context = kit.control.authenticate_session(&first, "r").await.expect("known");
    let control = kit.control.clone();
    let lasting = tokio::spawn(async move { control.turned_away(&context).await });
    for _ in 2..100 {
        open().await;
    }
    assert!(kit.control.authenticate_session(&first, "r").await.is_ok(), "there is room for a hundred");
    open().await;
    let ended = tokio::time::timeout(Duration::from_secs(5), lasting).await.expect("at once").unwrap();
    assert_eq!(ended.kind, ErrorKind::Unauthenticated);
    assert!(kit.control.authenticate_session(&first, "r").await.is_err());
    assert!(kit.control.authenticate_session(&second, "r").await.is_ok());
}
