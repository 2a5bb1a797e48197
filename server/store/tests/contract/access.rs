//! Tables `token`, `session` and `login_link`.

use netloom_model::TokenId;
use netloom_model::token::Role;
use netloom_store::{Error, Place, TokenQuery, TokenRow, access, constraint};

use crate::kit::{at, open, read, token, unique, write};

#[tokio::test]
async fn tokens_sessions_and_links_live_as_long_as_they_should() {
    let (_directory, store) = open().await;
    let token = token("admin", Role::Admin);
    write!(store, (token), tx => access::insert_token(tx, &token).await).unwrap();
    let id = token.id;
    assert_eq!(read!(store, (), tx => access::token_by_id(tx, id).await).unwrap(), Some(token.clone()));
    let twin = TokenRow { id: TokenId::from_random(unique()), ..token.clone() };
    let refused = write!(store, (twin), tx => access::insert_token(tx, &twin).await).unwrap_err();
    assert!(matches!(refused, Error::Duplicate { constraint } if constraint == constraint::TOKEN_NAME));

    for (hash, until) in [([1; 32], 100), ([2; 32], 200)] {
        write!(store, (), tx => {
            access::insert_session(tx, hash, Some(id), at(1), at(until)).await?;
            access::insert_link(tx, hash, at(until)).await
        })
        .unwrap();
    }
    write!(store, (), tx => access::insert_session(tx, [3; 32], None, at(1), at(300)).await).unwrap();
    let session = read!(store, (), tx => access::session(tx, [2; 32]).await).unwrap().unwrap();
    assert_eq!((session.token, session.expires_at), (Some(token.clone()), at(200)));
    write!(store, (), tx => access::prolong_session(tx, [2; 32], at(250)).await).unwrap();
    assert_eq!(read!(store, (), tx => access::session(tx, [2; 32]).await).unwrap().unwrap().expires_at, at(250));
    assert!(!write!(store, (), tx => access::use_link(tx, [1; 32], at(100)).await).unwrap(), "expired");
    assert!(write!(store, (), tx => access::use_link(tx, [2; 32], at(100)).await).unwrap());
    assert!(!write!(store, (), tx => access::use_link(tx, [2; 32], at(100)).await).unwrap(), "used up");
    write!(store, (), tx => access::prune(tx, at(150)).await).unwrap();
    assert_eq!(read!(store, (), tx => access::session(tx, [1; 32]).await).unwrap(), None);
    assert!(read!(store, (), tx => access::session(tx, [2; 32]).await).unwrap().is_some());

    write!(store, (), tx => access::remove_token(tx, id).await).unwrap();
    assert_eq!(read!(store, (), tx => access::token_by_id(tx, id).await).unwrap(), None);
    assert_eq!(read!(store, (), tx => access::session(tx, [2; 32]).await).unwrap(), None, "it goes with its token");
    let of_a_link = read!(store, (), tx => access::session(tx, [3; 32]).await).unwrap().unwrap();
    assert_eq!(of_a_link.token, None, "and one that stands for no token stays");
    write!(store, (), tx => access::remove_link_sessions(tx).await).unwrap();
    assert_eq!(read!(store, (), tx => access::session(tx, [3; 32]).await).unwrap(), None);
}

#[tokio::test]
async fn tokens_are_listed_by_name_and_their_use_is_noted() {
    let (_directory, store) = open().await;
    let all = [("a", Role::Viewer), ("b", Role::Admin), ("c", Role::Admin)].map(|(name, role)| token(name, role));
    for row in &all {
        let row = TokenRow { expires_at: (row.name == "c").then(|| at(50)), ..row.clone() };
        write!(store, (row), tx => access::insert_token(tx, &row).await).unwrap();
    }
    let names = async |query: TokenQuery| -> Vec<String> {
        let rows = read!(store, (query), tx => access::list_tokens(tx, &query).await).unwrap();
        rows.into_iter().map(|row| row.name).collect()
    };
    assert_eq!(names(TokenQuery { limit: 2, ..TokenQuery::default() }).await, ["a", "b"]);
    assert_eq!(names(TokenQuery { limit: 2, after: Some(Place::of_token(&all[1])), role: None }).await, ["c"]);
    assert_eq!(names(TokenQuery { limit: 9, role: Some(Role::Admin), after: None }).await, ["b", "c"]);
    for (now, good) in [(49, 2), (50, 1)] {
        assert_eq!(read!(store, (), tx => access::count_good(tx, Role::Admin, at(now)).await).unwrap(), good, "{now}");
    }
    let (used, gone) = (all[1].id, TokenId::from_random(unique()));
    write!(store, (), tx => access::note_use(tx, &[(used, at(9)), (gone, at(9))]).await).unwrap();
    let row = read!(store, (), tx => access::token_by_name(tx, "b").await).unwrap().unwrap();
    assert_eq!(row.last_used_at, Some(at(9)));
}
