//! Tables `token`, `session` and `login_link`.

use netloom_model::TokenId;
use netloom_store::{Error, TokenRow, access, constraint};

use crate::kit::{at, open, read, unique, write};

#[tokio::test]
async fn tokens_sessions_and_links_live_as_long_as_they_should() {
    let (_directory, store) = open().await;
    let token = TokenRow {
        id: TokenId::from_random(unique()),
        name: "admin".into(),
        role: "admin".into(),
        hash: [7; 32],
        created_at: at(1),
        expires_at: None,
    };
    write!(store, (token), tx => access::insert_token(tx, &token).await).unwrap();
    let id = token.id;
    assert_eq!(read!(store, (), tx => access::token_by_id(tx, id).await).unwrap(), Some(token.clone()));
    let twin = TokenRow { id: TokenId::from_random(unique()), ..token.clone() };
    let refused = write!(store, (twin), tx => access::insert_token(tx, &twin).await).unwrap_err();
    assert!(matches!(refused, Error::Duplicate { constraint } if constraint == constraint::TOKEN_NAME));

    for (hash, until) in [([1; 32], 100), ([2; 32], 200)] {
        write!(store, (), tx => {
            access::insert_session(tx, hash, id, at(1), at(until)).await?;
            access::insert_link(tx, hash, at(until)).await
        })
        .unwrap();
    }
    let session = read!(store, (), tx => access::session(tx, [2; 32]).await).unwrap().unwrap();
    assert_eq!((session.token, session.expires_at), (token.clone(), at(200)));
    assert!(!write!(store, (), tx => access::use_link(tx, [1; 32], at(100)).await).unwrap(), "expired");
    assert!(write!(store, (), tx => access::use_link(tx, [2; 32], at(100)).await).unwrap());
    assert!(!write!(store, (), tx => access::use_link(tx, [2; 32], at(100)).await).unwrap(), "used up");
    write!(store, (), tx => access::prune(tx, at(150)).await).unwrap();
    assert_eq!(read!(store, (), tx => access::session(tx, [1; 32]).await).unwrap(), None);
    assert!(read!(store, (), tx => access::session(tx, [2; 32]).await).unwrap().is_some());

    assert!(write!(store, (), tx => access::remove_token_by_name(tx, "admin").await).unwrap());
    assert!(!write!(store, (), tx => access::remove_token_by_name(tx, "admin").await).unwrap());
    assert_eq!(read!(store, (), tx => access::session(tx, [2; 32]).await).unwrap(), None, "it goes with its token");
}
