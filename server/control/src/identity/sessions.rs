//! Sessions of the dashboard, and the links that open one without anybody typing a token.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use netloom_model::{Timestamp, TokenId};
use netloom_store::{NewSession, SessionRow, TokenRow, WriteTx, access};

use super::secret::{hash, new_secret};
use super::{LOGIN_LINK, holder, millis, unknown};
use crate::audit::Noted;
use crate::clock::now;
use crate::command::CreateLoginLink;
use crate::commit::Job;
use crate::control::{Control, Session};
use crate::error::{Error, ErrorKind};
use crate::journal::Actor;
use crate::principal::{Authorized, Context, Credential, Principal, Request, Role, good};
use crate::rate::{Rate, TooOften};

/// A session's end is moved on no more often than this, so that reading is not writing.
const TOUCH_MILLIS: i64 = 10 * 60 * 1000;

/// Most sessions at a time that come of one token, or of root's links together: the oldest makes room.
const SESSIONS_AT_ONCE: u32 = 100;
/// How often a session may be opened with one token: so many times at once, and then one more each minute. Each is an entry of the audit.
const LOGINS_AT_ONCE: u32 = 20;
const LOGIN_EVERY: Duration = Duration::from_secs(60);

/// How often sessions are opened with each token.
#[derive(Debug)]
pub(crate) struct Logins(Rate<TokenId>);

impl Default for Logins {
    fn default() -> Self {
        Self(Rate::new(LOGINS_AT_ONCE, LOGIN_EVERY))
    }
}

impl Logins {
    fn one_more(&self, token: TokenId) -> Result<(), Error> {
        self.0.take(token, Instant::now()).map_err(|TooOften { wait, .. }| {
            let detail = format!(
                "with one token {LOGINS_AT_ONCE} sessions may be opened at once, and then one each {} seconds",
                LOGIN_EVERY.as_secs()
            );
            Error::new(ErrorKind::TooOften, "too-many-logins", detail)
                .hint("use a session that is open; a program sends the token itself, with each request")
                .retry_after(wait)
        })
    }
}

/// Whoever a login link let in, that was made with this token, or by root without one.
fn let_in(token: Option<TokenId>) -> Principal {
    Principal { name: LOGIN_LINK.to_owned(), role: Role::Admin, token }
}

impl Control {
    /// Who holds this session; its end moves on with use.
    ///
    /// # Errors
    /// `unauthenticated`, whatever is wrong with it.
    pub async fn authenticate_session(
        &self,
        secret: &str,
        request: impl Into<Request> + Send,
    ) -> Result<Context, Error> {
        let hash = hash(secret);
        let read =
            self.inner.store.ask(move |tx| Box::pin(async move { Ok::<_, Error>(access::session(tx, hash).await?) }));
        let SessionRow { token, by_link, created_at, expires_at } = read.await?.ok_or_else(unknown)?;
        let now = now();
        if !good(Some(expires_at), now) || !good(token.as_ref().and_then(|token| token.expires_at), now) {
            return Err(unknown());
        }
        if let Some(token) = &token {
            self.inner.usage.note(token.id, now);
        }
        let end = self.session_end(created_at);
        if end.millis() - expires_at.millis() > TOUCH_MILLIS {
            // A disk that can't be written shortens the session and is no reason to refuse a reader.
            if let Err(error) = self.inner.commit(false, TouchSession { hash, end }).await {
                tracing::debug!(%error, "a session's end could not be moved on");
            }
        }
        let principal = match &token {
            Some(token) if !by_link => holder(token),
            maker => let_in(maker.as_ref().map(|token| token.id)),
        };
        Ok(Context::with(principal, request, Credential::Session(hash)))
    }

    /// When a session that began then ends, if it is not used again.
    fn session_end(&self, created_at: Timestamp) -> Timestamp {
        let config = &self.inner.config;
        let idle = now().plus_millis(millis(config.session_idle));
        idle.min(created_at.plus_millis(millis(config.session_max)))
    }

    /// Opens a session with a token.
    ///
    /// # Errors
    /// `unauthenticated`, whatever is wrong with the token; `too-many-logins`.
    pub async fn login_with_token(&self, token: &str, request: impl Into<Request> + Send) -> Result<Session, Error> {
        let token = self.token(token.trim()).await?;
        self.inner.logins.one_more(token.id)?;
        self.open_session(Opener::Token(token.id), request.into()).await
    }

    /// Opens a session with a login link's secret, which is used up by it.
    ///
    /// # Errors
    /// `unauthenticated`, when the link is unknown, used or expired, or the token with which it was made is no longer good.
    pub async fn login_with_link(&self, secret: &str, request: impl Into<Request> + Send) -> Result<Session, Error> {
        self.open_session(Opener::Link(hash(secret)), request.into()).await
    }

    /// Whether a login link's secret would open a session now. Uses nothing up.
    ///
    /// # Errors
    /// The store's.
    pub async fn knows_link(&self, secret: &str) -> Result<bool, Error> {
        let (hash, now) = (hash(secret), now());
        self.inner.store.ask(move |tx| Box::pin(async move { Ok(access::knows_link(tx, hash, now).await?) })).await
    }

    async fn open_session(&self, opener: Opener, request: Request) -> Result<Session, Error> {
        let secret = new_secret()?;
        let created_at = now();
        let max = created_at.plus_millis(millis(self.inner.config.session_max));
        let expires_at = self.session_end(created_at);
        let job = OpenSession { hash: hash(&secret), opener, request, created_at, expires_at };
        if self.inner.commit(false, job).await? > 0 {
            self.inner.access.send_modify(|changes| *changes += 1);
        }
        Ok(Session { secret, expires_at: max })
    }

    /// Ends a session. One that is unknown has ended already.
    ///
    /// # Errors
    /// The store's.
    pub async fn logout(&self, secret: &str) -> Result<(), Error> {
        self.inner.commit(false, CloseSession(hash(secret))).await?;
        self.inner.access.send_modify(|changes| *changes += 1);
        Ok(())
    }

    /// Makes a secret for a link that logs in once, good for one hour, for whoever asks for it. The link, and the session that it opens,
    /// end with the token that was shown, or with which the session is open that was; root at the local socket shows none.
    ///
    /// # Errors
    /// `unauthenticated`, when that token was revoked meanwhile.
    pub async fn create_login_link(&self, c: Authorized<CreateLoginLink>) -> Result<String, Error> {
        let (_, context) = c.into_parts();
        self.new_link(context.principal.token, Noted::of(&context, context.action)).await
    }

    /// The same for the console on which the service was started: whoever reads that is root on the host.
    ///
    /// # Errors
    /// The store's.
    pub async fn login_link(&self) -> Result<String, Error> {
        self.new_link(None, Noted { actor: Actor::netloom(), action: "login_link.create" }).await
    }

    async fn new_link(&self, token: Option<TokenId>, noted: Noted) -> Result<String, Error> {
        let secret = new_secret()?;
        let expires_at = now().plus_millis(millis(self.inner.config.link_life));
        self.inner.commit(false, NewLink { hash: hash(&secret), token, expires_at, noted }).await?;
        Ok(secret)
    }
}

struct TouchSession {
    hash: [u8; 32],
    end: Timestamp,
}

#[async_trait]
impl Job for TouchSession {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        // Logged out meanwhile: stays so.
        Ok(access::prolong_session(tx, self.hash, self.end).await?)
    }
}

/// What opens a session.
#[derive(Debug, Clone, Copy)]
enum Opener {
    Token(TokenId),
    /// A login link, by the hash of its secret.
    Link([u8; 32]),
}

impl Opener {
    /// Who it lets in; a link is used up by it.
    async fn let_in(self, tx: &mut WriteTx<'_>, now: Timestamp) -> Result<Principal, Error> {
        match self {
            Self::Token(id) => Ok(holder(&still_good(tx, id, now).await?)),
            Self::Link(link) => {
                let maker = access::use_link(tx, link, now).await?.ok_or_else(unknown)?;
                if let Some(id) = maker {
                    still_good(tx, id, now).await?;
                }
                Ok(let_in(maker))
            }
        }
    }
}

/// The token of this ID, which may have been revoked since it was looked at.
async fn still_good(tx: &mut WriteTx<'_>, id: TokenId, now: Timestamp) -> Result<TokenRow, Error> {
    access::token_by_id(tx, id).await?.filter(|token| good(token.expires_at, now)).ok_or_else(unknown)
}

struct OpenSession {
    hash: [u8; 32],
    opener: Opener,
    request: Request,
    created_at: Timestamp,
    expires_at: Timestamp,
}

#[async_trait]
impl Job for OpenSession {
    /// How many others made room.
    type Output = u64;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<u64, Error> {
        let Self { created_at, expires_at, .. } = *self;
        let who = self.opener.let_in(tx, created_at).await?;
        let (token_id, by_link) = (who.token, matches!(self.opener, Opener::Link(_)));
        let ended = access::keep_latest_sessions(tx, token_id, SESSIONS_AT_ONCE - 1).await?;
        let session = NewSession { token_id, by_link, created_at, expires_at };
        access::insert_session(tx, self.hash, &session).await?;
        Noted::of(&Context::new(who, self.request.clone()), "session.open").add(tx, created_at).await?;
        Ok(ended)
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

struct NewLink {
    hash: [u8; 32],
    token: Option<TokenId>,
    expires_at: Timestamp,
    noted: Noted,
}

#[async_trait]
impl Job for NewLink {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let now = now();
        if let Some(token) = self.token {
            still_good(tx, token, now).await?;
        }
        access::insert_link(tx, self.hash, self.token, self.expires_at).await?;
        self.noted.add(tx, now).await
    }
}
