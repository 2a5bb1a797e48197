//! Tables `token`, `session` and `login_link`.

use netloom_model::TokenId;
use netloom_model::token::Role;
use netloom_store::{Error, NewSession, Place, TokenQuery, TokenRow, access, constraint};

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
            access::insert_session(tx, hash, &session(Some(id), until)).await?;
            access::insert_link(tx, hash, None, at(until)).await
        })
        .unwrap();
    }
    write!(store, (), tx => access::insert_session(tx, [3; 32], &session(None, 300)).await).unwrap();
    let session = read!(store, (), tx => access::session(tx, [2; 32]).await).unwrap().unwrap();
    assert_eq!((session.token, session.expires_at), (Some(token.clone()), at(200)));
    write!(store, (), tx => access::prolong_session(tx, [2; 32], at(250)).await).unwrap();
    assert_eq!(read!(store, (), tx => access::session(tx, [2; 32]).await).unwrap().unwrap().expires_at, at(250));
    for (hash, used) in [([1; 32], None), ([2; 32], Some(None)), ([2; 32], None)] {
        let told = write!(store, (), tx => access::use_link(tx, hash, at(100)).await).unwrap();
        assert_eq!(told, used, "the first has expired, the second is used up: {hash:?}");
    }
    write!(store, (), tx => access::prune(tx, at(150)).await).unwrap();
    assert_eq!(read!(store, (), tx => access::session(tx, [1; 32]).await).unwrap(), None);
    assert!(read!(store, (), tx => access::session(tx, [2; 32]).await).unwrap().is_some());

    write!(store, (), tx => access::remove_token(tx, id).await).unwrap();
    assert_eq!(read!(store, (), tx => access::token_by_id(tx, id).await).unwrap(), None);
    assert_eq!(read!(store, (), tx => access::session(tx, [2; 32]).await).unwrap(), None, "it goes with its token");
    let of_a_link = read!(store, (), tx => access::session(tx, [3; 32]).await).unwrap().unwrap();
    assert_eq!((of_a_link.token, of_a_link.by_link), (None, true), "and one that stands for no token stays");
    write!(store, (), tx => access::insert_link(tx, [4; 32], None, at(300)).await).unwrap();
    write!(store, (), tx => access::remove_access_of_root(tx).await).unwrap();
    assert_eq!(read!(store, (), tx => access::session(tx, [3; 32]).await).unwrap(), None);
    assert!(!read!(store, (), tx => access::knows_link(tx, [4; 32], at(1)).await).unwrap());
}

/// One that began at 1; without a token, opened by a link.
fn session(token_id: Option<TokenId>, until: i64) -> NewSession {
    NewSession { token_id, by_link: token_id.is_none(), created_at: at(1), expires_at: at(until) }
}

#[tokio::test]
async fn a_login_link_and_its_session_go_with_the_token_of_their_maker() {
    let (_directory, store) = open().await;
    let maker = TokenRow { expires_at: Some(at(50)), ..token("ops", Role::Admin) };
    let id = maker.id;
    write!(store, (maker), tx => access::insert_token(tx, &maker).await).unwrap();
    for hash in [[1; 32], [2; 32]] {
        write!(store, (), tx => access::insert_link(tx, hash, Some(id), at(100)).await).unwrap();
    }
    assert!(read!(store, (), tx => access::knows_link(tx, [1; 32], at(49)).await).unwrap());
    assert!(!read!(store, (), tx => access::knows_link(tx, [1; 32], at(50)).await).unwrap(), "its maker has expired");
    assert_eq!(write!(store, (), tx => access::use_link(tx, [2; 32], at(9)).await).unwrap(), Some(Some(id)));
    let opened = NewSession { by_link: true, ..session(Some(id), 90) };
    write!(store, (), tx => access::insert_session(tx, [3; 32], &opened).await).unwrap();
    let found = read!(store, (), tx => access::session(tx, [3; 32]).await).unwrap().unwrap();
    assert_eq!((found.by_link, found.token.map(|token| token.id)), (true, Some(id)));
    write!(store, (), tx => access::remove_token(tx, id).await).unwrap();
    assert!(!read!(store, (), tx => access::knows_link(tx, [1; 32], at(9)).await).unwrap());
    assert_eq!(read!(store, (), tx => access::session(tx, [3; 32]).await).unwrap(), None);
    let of_nobody = NewSession { by_link: false, ..session(None, 90) };
    write!(store, (), tx => access::insert_session(tx, [4; 32], &of_nobody).await).unwrap_err();
}

#[tokio::test]
async fn the_oldest_sessions_of_a_token_make_room() {
    let (_directory, store) = open().await;
    let (one, other) = (token("one", Role::Viewer), token("other", Role::Viewer));
    let (id, other_id) = (one.id, other.id);
    write!(store, (one, other), tx => {
        access::insert_token(tx, &one).await?;
        access::insert_token(tx, &other).await?;
        for began in 1..=4_u8 {
            let session = NewSession { created_at: at(began.into()), ..session(Some(id), 100) };
            access::insert_session(tx, [began; 32], &session).await?;
        }
        access::insert_session(tx, [8; 32], &session(Some(other_id), 100)).await?;
        access::insert_session(tx, [9; 32], &session(None, 100)).await
    })
    .unwrap();
    assert_eq!(write!(store, (), tx => access::keep_latest_sessions(tx, Some(id), 2).await).unwrap(), 2);
    assert_eq!(write!(store, (), tx => access::keep_latest_sessions(tx, None, 1).await).unwrap(), 0);
    for (hash, stays) in [(1, false), (2, false), (3, true), (4, true), (8, true), (9, true)] {
        let found = read!(store, (), tx => access::session(tx, [hash; 32]).await).unwrap();
        assert_eq!(found.is_some(), stays, "{hash}");
    }
    assert_eq!(
        write!(store, (), tx => access::keep_latest_sessions(tx, None, 0).await).unwrap(),
        1,
        "root's count, too"
    );
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
