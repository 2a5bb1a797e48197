//! Who asks: tokens, sessions, login links, and root on the socket. Secrets are stored hashed and shown once.

mod secret;

use async_trait::async_trait;
use netloom_model::{Timestamp, TokenId};
use netloom_store::{SessionRow, TokenRow, WriteTx, access};

use crate::clock::{now, random};
use crate::commit::Job;
use crate::control::{Control, FirstAccess, Session};
use crate::error::{Error, ErrorKind};
use crate::principal::{Context, Principal, Role};
use secret::{Bearer, hash, same};

/// Name of the token that the first start makes.
const ADMIN: &str = "admin";
/// A session's end is moved on no more often than this, so that reading is not writing.
const TOUCH_MILLIS: i64 = 10 * 60 * 1000;

/// One answer for every way of not being known, so that it tells nothing.
fn unknown() -> Error {
    Error::new(ErrorKind::Unauthenticated, "unauthenticated", "the token or session is missing, unknown or expired")
        .hint("send `Authorization: Bearer <token>`; the admin token stands in DATA_DIR/admin.token")
}

fn context(token: &TokenRow, request_id: &str) -> Result<Context, Error> {
    let role = match token.role.as_str() {
        "viewer" => Role::Viewer,
        "operator" => Role::Operator,
        "admin" => Role::Admin,
        _ => return Err(unknown()),
    };
    let principal = Principal { name: token.name.clone(), role };
    Ok(Context { principal, request_id: request_id.to_owned() })
}

fn good(expires_at: Option<Timestamp>) -> bool {
    expires_at.is_none_or(|end| now() < end)
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Control {
    /// Who holds this token.
    ///
    /// # Errors
    /// `unauthenticated`, whatever is wrong with it.
    pub async fn authenticate_token(&self, bearer: &str, request_id: &str) -> Result<Context, Error> {
        context(&self.token(bearer).await?, request_id)
    }

    /// The token with this secret.
    async fn token(&self, bearer: &str) -> Result<TokenRow, Error> {
        let bearer = Bearer::parse(bearer).ok_or_else(unknown)?;
        let id = bearer.id;
        let read =
            self.inner.store.ask(move |tx| Box::pin(async move { Ok::<_, Error>(access::token_by_id(tx, id).await?) }));
        let token = read.await?.filter(|token| good(token.expires_at)).ok_or_else(unknown)?;
        if same(&token.hash, &bearer.hash()) { Ok(token) } else { Err(unknown()) }
    }

    /// Who holds this session; its end moves on with use.
    ///
    /// # Errors
    /// `unauthenticated`, whatever is wrong with it.
    pub async fn authenticate_session(&self, secret: &str, request_id: &str) -> Result<Context, Error> {
        let hash = hash(secret);
        let read =
            self.inner.store.ask(move |tx| Box::pin(async move { Ok::<_, Error>(access::session(tx, hash).await?) }));
        let session = read.await?.ok_or_else(unknown)?;
        if !good(Some(session.expires_at)) || !good(session.token.expires_at) {
            return Err(unknown());
        }
        let end = self.session_end(session.created_at);
        if end.millis() - session.expires_at.millis() > TOUCH_MILLIS {
            // A disk that can't be written shortens the session and is no reason to refuse a reader.
            let touch = TouchSession { hash, session: session.clone(), end };
            if let Err(error) = self.inner.commit(false, touch).await {
                tracing::debug!(%error, "a session's end could not be moved on");
            }
        }
        context(&session.token, request_id)
    }

    /// When a session that began then ends, if it is not used again.
    fn session_end(&self, created_at: Timestamp) -> Timestamp {
        let config = &self.inner.config;
        let idle = now().plus_millis(millis(config.session_idle));
        idle.min(created_at.plus_millis(millis(config.session_max)))
    }

    /// Who is on the socket: root is the administrator, without a token.
    ///
    /// # Errors
    /// `unauthenticated`, for every other user.
    pub fn authenticate_socket(&self, uid: u32, request_id: &str) -> Result<Context, Error> {
        if uid != 0 {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "unauthenticated",
                format!("user {uid} is nobody on this socket: only root is"),
            )
            .hint("use the TCP address with a token"));
        }
        let principal = Principal { name: "socket:root".to_owned(), role: Role::Admin };
        Ok(Context { principal, request_id: request_id.to_owned() })
    }

    /// Opens a session with a token.
    ///
    /// # Errors
    /// `unauthenticated`, whatever is wrong with the token.
    pub async fn login_with_token(&self, token: &str) -> Result<Session, Error> {
        let token = self.token(token.trim()).await?;
        self.open_session(Some(token.id), None).await
    }

    /// Opens a session with a login link's secret, which is used up by it.
    ///
    /// # Errors
    /// `unauthenticated`, when the link is unknown, used or expired.
    pub async fn login_with_link(&self, secret: &str) -> Result<Session, Error> {
        self.open_session(None, Some(hash(secret))).await
    }

    /// Whether a login link's secret would open a session now. Uses nothing up.
    ///
    /// # Errors
    /// The store's.
    pub async fn knows_link(&self, secret: &str) -> Result<bool, Error> {
        let (hash, now) = (hash(secret), now());
        self.inner.store.ask(move |tx| Box::pin(async move { Ok(access::knows_link(tx, hash, now).await?) })).await
    }

    async fn open_session(&self, token: Option<TokenId>, link: Option<[u8; 32]>) -> Result<Session, Error> {
        let secret = secret::new_secret()?;
        let created_at = now();
        let max = created_at.plus_millis(millis(self.inner.config.session_max));
        let job =
            OpenSession { hash: hash(&secret), token, link, created_at, expires_at: self.session_end(created_at) };
        self.inner.commit(false, job).await?;
        Ok(Session { secret, expires_at: max })
    }

    /// Ends a session. One that is unknown has ended already.
    ///
    /// # Errors
    /// The store's.
    pub async fn logout(&self, secret: &str) -> Result<(), Error> {
        self.inner.commit(false, CloseSession(hash(secret))).await
    }

    /// Makes (or makes anew) the admin token; the one before and its sessions end. The daemon calls it when the token file is missing.
    ///
    /// # Errors
    /// The store's.
    pub async fn first_access(&self) -> Result<FirstAccess, Error> {
        let bearer = Bearer::new(TokenId::from_random(random()?))?;
        let row = TokenRow {
            id: bearer.id,
            name: ADMIN.to_owned(),
            role: Role::Admin.as_str().to_owned(),
            hash: bearer.hash(),
            created_at: now(),
            expires_at: None,
        };
        self.inner.commit(false, NewAdmin(row)).await?;
        Ok(FirstAccess { token: bearer.to_string() })
    }

    /// Makes a secret for a link that logs in once, good for one hour.
    ///
    /// # Errors
    /// The store's.
    pub async fn login_link(&self) -> Result<String, Error> {
        let secret = secret::new_secret()?;
        let expires_at = now().plus_millis(millis(self.inner.config.link_life));
        self.inner.commit(false, NewLink { hash: hash(&secret), expires_at }).await?;
        Ok(secret)
    }
}

struct TouchSession {
    hash: [u8; 32],
    session: SessionRow,
    end: Timestamp,
}

#[async_trait]
impl Job for TouchSession {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        // Logged out meanwhile: stays so.
        if access::session(tx, self.hash).await?.is_some() {
            access::remove_session(tx, self.hash).await?;
            access::insert_session(tx, self.hash, self.session.token.id, self.session.created_at, self.end).await?;
        }
        Ok(())
    }
}

struct OpenSession {
    hash: [u8; 32],
    token: Option<TokenId>,
    link: Option<[u8; 32]>,
    created_at: Timestamp,
    expires_at: Timestamp,
}

#[async_trait]
impl Job for OpenSession {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let token = match (self.token, self.link) {
            (Some(token), _) => token,
            (None, Some(link)) => {
                if !access::use_link(tx, link, self.created_at).await? {
                    return Err(unknown());
                }
                access::token_by_name(tx, ADMIN).await?.ok_or_else(unknown)?.id
            }
            (None, None) => return Err(unknown()),
        };
        access::insert_session(tx, self.hash, token, self.created_at, self.expires_at).await?;
        Ok(())
    }
}

struct CloseSession([u8; 32]);

#[async_trait]
impl Job for CloseSession {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        if access::session(tx, self.0).await?.is_some() {
            access::remove_session(tx, self.0).await?;
        }
        Ok(())
    }
}

struct NewAdmin(TokenRow);

#[async_trait]
impl Job for NewAdmin {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        access::remove_token_by_name(tx, ADMIN).await?;
        access::insert_token(tx, &self.0).await?;
        Ok(())
    }
}

struct NewLink {
    hash: [u8; 32],
    expires_at: Timestamp,
}

#[async_trait]
impl Job for NewLink {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        access::insert_link(tx, self.hash, self.expires_at).await?;
        Ok(())
    }
}
