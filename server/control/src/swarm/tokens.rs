//! Join tokens: making them, listing them, giving them other secrets, revoking them.

use std::net::SocketAddr;

use async_trait::async_trait;
use netloom_model::swarm::{JoinToken, JoinTokenSpec, JoinTokenState, JoinTokenStatus};
use netloom_model::{JoinTokenId, Timestamp};
use netloom_pki::JoinTokenText;
use netloom_store::{JoinTokenQuery, JoinTokenRow, Place, ReadTx, WriteTx, events, join_tokens};

use super::{certificates, managed, settings};
use crate::audit::Difference;
use crate::clock::{now, random};
use crate::command::{
    CreateJoinToken, GetJoinToken, ListJoinTokens, NewJoinToken, Page, RevokeJoinToken, RotateJoinToken,
};
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::identity::{Secret, hash};
use crate::journal::{Actor, join_token_ref};
use crate::page::Part;
use crate::principal::{Authorized, good};

/// A new secret of a join token, in its whole text.
pub(super) struct Minted(JoinTokenText);

impl Minted {
    /// One for the authority with this certificate.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub(super) fn new(ca: &str) -> Result<Self, Error> {
        let digest = netloom_pki::digest(ca).map_err(certificates::internal)?;
        Ok(Self(JoinTokenText::make(digest, random()?)))
    }

    /// What is kept of it: nothing is to be guessed in 128 random bits, so that a plain hash is enough.
    pub(super) fn hash(&self) -> [u8; 32] {
        hash(&self.0.secret)
    }

    /// A new token with this secret.
    pub(super) fn row(
        &self,
        id: JoinTokenId,
        spec: JoinTokenSpec,
        expires_at: Option<Timestamp>,
        created_by: &str,
        now: Timestamp,
    ) -> JoinTokenRow {
        let (hash, created_by) = (self.hash(), created_by.to_owned());
        JoinTokenRow {
            id,
            spec,
            hash,
            uses: 0,
            expires_at,
            last_used_at: None,
            created_at: now,
            created_by,
            revision: 0,
        }
    }

    /// A token as it is answered this once, with its text and the command to join by it.
    pub(super) fn shown(&self, row: JoinTokenRow, manager: SocketAddr) -> NewJoinToken {
        let text = self.0.to_string();
        let command = Secret::new(format!("netloom swarm join --token {text} {manager}"));
        NewJoinToken { token: answered(row, now()), secret: Secret::new(text), command }
    }
}

impl Control {
    /// Makes a join token. Its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// Everything wrong with the spec; `name-taken`; `no-swarm`; `not-manager`.
    pub async fn create_join_token(&self, c: Authorized<CreateJoinToken>) -> Result<NewJoinToken, Error> {
        let (CreateJoinToken(spec), context) = c.into_parts();
        let own = self.as_manager()?;
        let now = now();
        let expires_at = settings::check_token(&spec, now)?;
        let minted = Minted::new(&own.ca)?;
        let row = minted.row(JoinTokenId::from_random(random()?), spec, expires_at, &context.principal.name, now);
        let row = self.inner.commit(false, Create { row, actor: Actor::from(&context) }).await?;
        Ok(minted.shown(row, own.manager))
    }

    /// Lists join tokens by name, with those that let nobody in.
    ///
    /// # Errors
    /// A bad page request; `no-swarm`; `not-manager`.
    pub async fn list_join_tokens(&self, c: Authorized<ListJoinTokens>) -> Result<Page<JoinToken>, Error> {
        let (ListJoinTokens { role, page }, _) = c.into_parts();
        self.as_manager()?;
        let part = Part::new(&page, &format!("join tokens {role:?}"))?;
        let query = JoinTokenQuery { role, after: part.after.clone(), limit: part.read() };
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let mut rows = join_tokens::list(tx, &query).await?;
                let next = part.cut(&mut rows, Place::of_join_token);
                Ok::<_, Error>((rows, next, events::number(tx).await?))
            })
        });
        let (rows, next_page_token, seq) = read.await?;
        let now = now();
        Ok(Page { items: rows.into_iter().map(|row| answered(row, now)).collect(), next_page_token, seq })
    }

    /// Gets a join token.
    ///
    /// # Errors
    /// There is none of this ID or name; `no-swarm`; `not-manager`.
    pub async fn get_join_token(&self, c: Authorized<GetJoinToken>) -> Result<JoinToken, Error> {
        let (GetJoinToken(reference), _) = c.into_parts();
        self.as_manager()?;
        let read = self.inner.store.ask(move |tx| Box::pin(async move { find(tx, &reference).await }));
        Ok(answered(read.await?, now()))
    }

    /// Gives a join token another secret, which is in the answer and nowhere else. How often it was used stays.
    ///
    /// # Errors
    /// There is none of this ID or name; `no-swarm`; `not-manager`.
    pub async fn rotate_join_token(&self, c: Authorized<RotateJoinToken>) -> Result<NewJoinToken, Error> {
        let (RotateJoinToken(reference), context) = c.into_parts();
        let own = self.as_manager()?;
        let minted = Minted::new(&own.ca)?;
        let rotate = Rotate { reference, hash: minted.hash(), actor: Actor::from(&context) };
        let row = self.inner.commit(false, rotate).await?;
        Ok(minted.shown(row, own.manager))
    }

    /// Revokes a join token; the answer is what it was.
    ///
    /// # Errors
    /// There is none of this ID or name; `no-swarm`; `not-manager`.
    pub async fn revoke_join_token(&self, c: Authorized<RevokeJoinToken>) -> Result<JoinToken, Error> {
        let (RevokeJoinToken(reference), context) = c.into_parts();
        self.as_manager()?;
        let row = self.inner.commit(false, Revoke { reference, actor: Actor::from(&context) }).await?;
        Ok(answered(row, now()))
    }
}

/// Whether a token lets anybody in.
pub(super) fn state(row: &JoinTokenRow, now: Timestamp) -> JoinTokenState {
    if !good(row.expires_at, now) {
        JoinTokenState::Expired
    } else if row.spec.max_uses.is_some_and(|most| row.uses >= most) {
        JoinTokenState::UsedUp
    } else {
        JoinTokenState::Active
    }
}

fn answered(row: JoinTokenRow, now: Timestamp) -> JoinToken {
    let status = JoinTokenStatus { state: state(&row, now), uses: row.uses, last_used_at: row.last_used_at };
    let JoinTokenRow { id, spec, created_at, created_by, revision, .. } = row;
    JoinToken { spec, id, revision, created_at, created_by, status }
}

/// A join token by ID or name.
async fn find(tx: &mut ReadTx<'_>, reference: &str) -> Result<JoinTokenRow, Error> {
    let row = match reference.parse::<JoinTokenId>() {
        Ok(id) => join_tokens::by_id(tx, id).await?,
        Err(_) => join_tokens::by_name(tx, reference).await?,
    };
    row.ok_or_else(|| Error::not_found("join token", reference))
}

struct Create {
    row: JoinTokenRow,
    actor: Actor,
}

#[async_trait]
impl Job for Create {
    type Output = JoinTokenRow;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<JoinTokenRow, Error> {
        managed(tx).await?;
        let mut row = self.row.clone();
        if let Some(other) = join_tokens::by_name(tx, &row.spec.name).await? {
            let active = state(&other, row.created_at) == JoinTokenState::Active;
            let ended = if active { "" } else { ", which lets nobody in any more" };
            let name = &other.spec.name;
            let detail = format!("there is a join token `{name}` already{ended}");
            let free = format!("revoke that one (`netloom swarm token revoke {name}`)");
            return Err(Error::name_taken(detail, join_token_ref(&other), &free));
        }
        let message = format!("join token `{}` of role {} made", row.spec.name, row.spec.role.as_str());
        let event = self.actor.event("join_token.created", join_token_ref(&row), message, row.created_at);
        row.revision = self.actor.append(tx, &event, Difference::made(&row.spec)).await?;
        join_tokens::insert(tx, &row)?;
        Ok(row)
    }
}

struct Rotate {
    reference: String,
    hash: [u8; 32],
    actor: Actor,
}

#[async_trait]
impl Job for Rotate {
    type Output = JoinTokenRow;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<JoinTokenRow, Error> {
        let mut row = find(tx, &self.reference).await?;
        row.hash = self.hash;
        let message = format!("join token `{}` has another secret", row.spec.name);
        let event = self.actor.event("join_token.rotated", join_token_ref(&row), message, now());
        row.revision = self.actor.append(tx, &event, Difference::default()).await?;
        join_tokens::update(tx, &row);
        Ok(row)
    }
}

struct Revoke {
    reference: String,
    actor: Actor,
}

#[async_trait]
impl Job for Revoke {
    type Output = JoinTokenRow;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<JoinTokenRow, Error> {
        let row = find(tx, &self.reference).await?;
        let message = format!("join token `{}` revoked", row.spec.name);
        let event = self.actor.event("join_token.revoked", join_token_ref(&row), message, now());
        self.actor.append(tx, &event, Difference::removed(&row.spec)).await?;
        join_tokens::remove(tx, row.id);
        Ok(row)
    }
}
