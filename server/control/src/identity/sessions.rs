//! Sessions of the dashboard, and the links that open one without anybody typing a token.

use async_trait::async_trait;
use netloom_model::{Timestamp, TokenId};
use netloom_store::{SessionRow, WriteTx, access};

use super::secret::{hash, new_secret};
use super::{LOGIN_LINK, holder, millis, unknown};
use crate::audit::Noted;
use crate::clock::now;
use crate::command::CreateLoginLink;
use crate::commit::Job;
use crate::control::{Control, Session};
use crate::error::Error;
use crate::journal::Actor;
use crate::principal::{Authorized, Context, Credential, Principal, Request, Role, good};

/// A session's end is moved on no more often than this, so that reading is not writing.
const TOUCH_MILLIS: i64 = 10 * 60 * 1000;

/// Whoever a login link let in.
fn let_in() -> Principal {
    Principal { name: LOGIN_LINK.to_owned(), role: Role::Admin, token: None }
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
        let SessionRow { token, created_at, expires_at } = read.await?.ok_or_else(unknown)?;
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
        let principal = token.as_ref().map_or_else(let_in, holder);
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
    /// `unauthenticated`, whatever is wrong with the token.
    pub async fn login_with_token(&self, token: &str, request: impl Into<Request> + Send) -> Result<Session, Error> {
        let token = self.token(token.trim()).await?;
        self.open_session(holder(&token), None, request.into()).await
    }

    /// Opens a session with a login link's secret, which is used up by it.
    ///
    /// # Errors
    /// `unauthenticated`, when the link is unknown, used or expired.
    pub async fn login_with_link(&self, secret: &str, request: impl Into<Request> + Send) -> Result<Session, Error> {
        self.open_session(let_in(), Some(hash(secret)), request.into()).await
    }

    /// Whether a login link's secret would open a session now. Uses nothing up.
    ///
    /// # Errors
    /// The store's.
    pub async fn knows_link(&self, secret: &str) -> Result<bool, Error> {
        let (hash, now) = (hash(secret), now());
        self.inner.store.ask(move |tx| Box::pin(async move { Ok(access::knows_link(tx, hash, now).await?) })).await
    }

    async fn open_session(&self, who: Principal, link: Option<[u8; 32]>, request: Request) -> Result<Session, Error> {
        let secret = new_secret()?;
        let created_at = now();
        let max = created_at.plus_millis(millis(self.inner.config.session_max));
        let token = who.token;
        let noted = Noted::of(&Context::new(who, request), "session.open");
        let expires_at = self.session_end(created_at);
        let job = OpenSession { hash: hash(&secret), token, link, created_at, expires_at, noted };
        self.inner.commit(false, job).await?;
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

    /// Makes a secret for a link that logs in once, good for one hour, for whoever asks for it.
    ///
    /// # Errors
    /// The store's.
    pub async fn create_login_link(&self, c: Authorized<CreateLoginLink>) -> Result<String, Error> {
        let (_, context) = c.into_parts();
        self.new_link(Noted::of(&context, context.action)).await
    }

    /// The same for the console on which the service was started.
    ///
    /// # Errors
    /// The store's.
    pub async fn login_link(&self) -> Result<String, Error> {
        self.new_link(Noted { actor: Actor::netloom(), action: "login_link.create" }).await
    }

    async fn new_link(&self, noted: Noted) -> Result<String, Error> {
        let secret = new_secret()?;
        let expires_at = now().plus_millis(millis(self.inner.config.link_life));
        self.inner.commit(false, NewLink { hash: hash(&secret), expires_at, noted }).await?;
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

struct OpenSession {
    hash: [u8; 32],
    token: Option<TokenId>,
    link: Option<[u8; 32]>,
    created_at: Timestamp,
    expires_at: Timestamp,
    noted: Noted,
}

#[async_trait]
impl Job for OpenSession {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        if let Some(link) = self.link
            && !access::use_link(tx, link, self.created_at).await?
        {
            return Err(unknown());
        }
        if let Some(token) = self.token {
            // Revoked meanwhile.
            access::token_by_id(tx, token).await?.ok_or_else(unknown)?;
        }
        access::insert_session(tx, self.hash, self.token, self.created_at, self.expires_at).await?;
        self.noted.add(tx, self.created_at).await
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
    expires_at: Timestamp,
    noted: Noted,
}

#[async_trait]
impl Job for NewLink {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        access::insert_link(tx, self.hash, self.expires_at).await?;
        self.noted.add(tx, now()).await
    }
}
