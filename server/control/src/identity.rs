//! Who asks: the holder of a token, of a session, or root on the socket. Secrets are stored hashed and shown once.
//!
//! | module | holds |
//! |---|---|
//! | `secret` | secrets and their text |
//! | `sessions` | sessions and login links |
//! | `lasting` | when what was shown stops to be good, for what outlives a request |
//! | `usage` | when tokens were used last |

mod lasting;
mod secret;
pub(crate) mod sessions;
pub(crate) mod usage;

use async_trait::async_trait;
use netloom_model::Timestamp;
use netloom_model::audit::Decision;
use netloom_model::token::TokenSpec;
use netloom_store::{NewAudit, TokenRow, WriteTx, access, audit, events};

use crate::audit::Difference;
use crate::clock::{now, random};
use crate::commit::Job;
use crate::control::{Control, FirstAccess};
use crate::error::{Error, ErrorKind};
use crate::journal::{Actor, token_ref};
use crate::principal::{Context, Credential, Principal, Request, Role, good};

pub use secret::Secret;
pub(crate) use secret::{Bearer, Damage, hash};

/// Name of the token that the first start makes and keeps in a file.
pub(crate) const ADMIN: &str = "admin";
/// Name of whoever a login link let in.
pub(crate) const LOGIN_LINK: &str = "login-link";

/// One answer for every token and session that opens nothing, so that it tells nothing.
fn unknown() -> Error {
    Error::new(ErrorKind::Unauthenticated, "unauthenticated", "the token or session is missing, unknown, expired or revoked")
        .hint("send `Authorization: Bearer <token>`; the admin token stands in DATA_DIR/admin.token, and root makes others with `netloom token create`")
}

/// What is no token at all says nothing of those that there are: whoever mistyped one may know.
fn damaged(damage: Damage) -> Error {
    let (detail, hint) = match damage {
        Damage::Form => (
            "what was sent is no token",
            "a token is `nlm_`, 26 characters, `_` and 59 more, all of a-z and 2-7: send all of it, and nothing else",
        ),
        Damage::Checksum => (
            "what was sent has the form of a token, and its last characters do not fit the rest",
            "it was mistyped or cut: copy the token again, as it was shown when it was made",
        ),
    };
    Error::new(ErrorKind::Unauthenticated, "unauthenticated", detail).hint(hint)
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Who holds a token.
fn holder(token: &TokenRow) -> Principal {
    Principal { name: token.name.clone(), role: token.role, token: Some(token.id) }
}

impl Control {
    /// Who holds this token.
    ///
    /// # Errors
    /// `unauthenticated`, whatever is wrong with it; what is no token is told without a look at the store.
    pub async fn authenticate_token(&self, bearer: &str, request: impl Into<Request> + Send) -> Result<Context, Error> {
        let token = self.token(bearer).await?;
        Ok(Context::with(holder(&token), request, Credential::Token(Some(token.id))))
    }

    /// Whether a text has the form of a token, whoever knows it.
    pub fn is_token(text: &str) -> bool {
        Bearer::parse(text).is_ok()
    }

    /// The token with this secret.
    async fn token(&self, bearer: &str) -> Result<TokenRow, Error> {
        let bearer = Bearer::parse(bearer).map_err(damaged)?;
        let id = bearer.id;
        let read =
            self.inner.store.ask(move |tx| Box::pin(async move { Ok::<_, Error>(access::token_by_id(tx, id).await?) }));
        let now = now();
        let token = read.await?.filter(|token| good(token.expires_at, now)).ok_or_else(unknown)?;
        if !secret::same(&token.hash, &bearer.hash()) {
            return Err(unknown());
        }
        self.inner.usage.note(token.id, now);
        Ok(token)
    }

    /// Who is on the socket: root is the administrator, without a token.
    ///
    /// # Errors
    /// `unauthenticated`, for every other user.
    pub fn authenticate_socket(&self, uid: u32, request: impl Into<Request>) -> Result<Context, Error> {
        if uid != 0 {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "unauthenticated",
                format!("user {uid} is nobody on this socket: only root is"),
            )
            .hint("use the TCP address with a token"));
        }
        let principal = Principal { name: "socket:root".to_owned(), role: Role::Admin, token: None };
        Ok(Context::with(principal, request, Credential::Socket))
    }

    /// Makes (or makes anew) the admin token; the one before and all that came of it ends, and so do links that root made without
    /// a token, with the sessions that they opened. The daemon calls it when the token file is missing.
    ///
    /// # Errors
    /// The store's.
    pub async fn first_access(&self) -> Result<FirstAccess, Error> {
        let bearer = Bearer::new(random()?)?;
        let row = TokenRow {
            id: bearer.id,
            name: ADMIN.to_owned(),
            role: Role::Admin,
            hash: bearer.hash(),
            created_at: now(),
            expires_at: None,
            expires_given: None,
            created_by: "netloom".to_owned(),
            revision: 0,
            last_used_at: None,
        };
        self.inner.commit(false, NewAdmin(row)).await?;
        self.inner.access.send_modify(|changes| *changes += 1);
        Ok(FirstAccess { token: bearer.secret().reveal().to_owned() })
    }
}

struct NewAdmin(TokenRow);

#[async_trait]
impl Job for NewAdmin {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let mut row = self.0.clone();
        let (actor, now) = (Actor::netloom(), row.created_at);
        if let Some(former) = access::token_by_name(tx, ADMIN).await? {
            access::remove_token(tx, former.id).await?;
            let message = format!("token `{}` revoked: its file is gone, or has another", former.name);
            let event = actor.event("token.revoked", token_ref(&former), message, now);
            let seq = events::append(tx, &event).await?;
            let entry = own_entry("token.revoke", &former, seq, Difference::removed(&spec_of(&former)), now);
            audit::append(tx, &entry).await?;
        }
        access::remove_access_of_root(tx).await?;
        let message = format!("token `{}` made, for the file of the administrator", row.name);
        row.revision = events::append(tx, &actor.event("token.created", token_ref(&row), message, now)).await?;
        access::insert_token(tx, &row).await?;
        let entry = own_entry("token.create", &row, row.revision, Difference::made(&spec_of(&row)), now);
        audit::append(tx, &entry).await?;
        Ok(())
    }
}

/// The entry of what Netloom does to a token by itself: nobody asked, and it is to be known all the same.
fn own_entry(action: &str, token: &TokenRow, event: u64, change: Difference, now: Timestamp) -> NewAudit {
    let object = token_ref(token);
    NewAudit {
        object: Some(netloom_model::audit::AuditObject {
            kind: object.kind,
            id: Some(object.id),
            name: Some(object.name),
        }),
        event: Some(event),
        before: change.before,
        after: change.after,
        ..Actor::netloom().entry(action, Decision::Allowed, now)
    }
}

/// A token as it was asked for.
pub(crate) fn spec_of(row: &TokenRow) -> TokenSpec {
    TokenSpec { name: row.name.clone(), role: row.role, expires_at: row.expires_given.clone() }
}
