//! Tokens: making them, listing them, revoking them. A token never changes: another role or end is another token.

use async_trait::async_trait;
use netloom_model::invalid::Code;
use netloom_model::name::check_name;
use netloom_model::token::{Role, Token, TokenSpec, TokenState, TokenStatus};
use netloom_model::{Invalid, Timestamp, TokenId};
use netloom_store::{Place, ReadTx, TokenQuery, TokenRow, WriteTx, access, events};

use crate::audit::Difference;
use crate::clock::{now, random};
use crate::command::{CreateToken, GetToken, ListTokens, NewToken, Page, RevokeToken};
use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;
use crate::identity::{ADMIN, Bearer, LOGIN_LINK, spec_of};
use crate::journal::{Actor, token_ref};
use crate::page::Part;
use crate::principal::{Authorized, Credential, good};

/// Names under which Netloom itself acts: nobody else may.
const OWN_NAMES: [&str; 5] = [ADMIN, "agent", "join-token", "netloom", LOGIN_LINK];

impl Control {
    /// Makes a token. Its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// Everything wrong with the spec; `name-taken`.
    pub async fn create_token(&self, c: Authorized<CreateToken>) -> Result<NewToken, Error> {
        let (CreateToken(spec), context) = c.into_parts();
        let now = now();
        let expires_at = check(&spec, now)?;
        let bearer = Bearer::new(random::<16>()?)?;
        let row = TokenRow {
            id: bearer.id,
            name: spec.name.clone(),
            role: spec.role,
            hash: bearer.hash(),
            created_at: now,
            expires_at,
            expires_given: spec.expires_at.clone(),
            created_by: context.principal.name.clone(),
            revision: 0,
            last_used_at: None,
        };
        let row = self.inner.commit(false, Create { row, actor: Actor::from(&context) }).await?;
        Ok(NewToken { token: self.answered_token(row), secret: bearer.secret() })
    }

    /// Lists tokens by name, expired ones too.
    ///
    /// # Errors
    /// A bad page request.
    pub async fn list_tokens(&self, c: Authorized<ListTokens>) -> Result<Page<Token>, Error> {
        let (ListTokens { role, page }, _) = c.into_parts();
        let part = Part::new(&page, &format!("tokens {role:?}"))?;
        let query = TokenQuery { role, after: part.after.clone(), limit: part.read() };
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let mut rows = access::list_tokens(tx, &query).await?;
                let next = part.cut(&mut rows, Place::of_token);
                Ok::<_, Error>((rows, next, events::number(tx).await?))
            })
        });
        let (rows, next_page_token, seq) = read.await?;
        Ok(Page { items: rows.into_iter().map(|row| self.answered_token(row)).collect(), next_page_token, seq })
    }

    /// Gets a token.
    ///
    /// # Errors
    /// There is none of this ID or name.
    pub async fn get_token(&self, c: Authorized<GetToken>) -> Result<Token, Error> {
        let (GetToken(reference), _) = c.into_parts();
        let read = self.inner.store.ask(move |tx| Box::pin(async move { find(tx, &reference).await }));
        Ok(self.answered_token(read.await?))
    }

    /// Revokes a token; the answer is what it was. It opens nothing from then on; the sessions and login links that came of it end, and so
    /// do the streams that any of these opened. Tokens that were made with it stay: they are listed.
    ///
    /// # Errors
    /// There is none; `last-admin-token`, of the last that opens everything, unless root asks on the socket, who needs none.
    pub async fn revoke_token(&self, c: Authorized<RevokeToken>) -> Result<Token, Error> {
        let (RevokeToken(reference), context) = c.into_parts();
        let needs_none = context.credential == Credential::Socket;
        let row = self.inner.commit(false, Revoke { reference, needs_none, actor: Actor::from(&context) }).await?;
        let token = self.answered_token(row);
        self.inner.usage.forget(token.id);
        self.inner.access.send_modify(|changes| *changes += 1);
        Ok(token)
    }

    fn answered_token(&self, row: TokenRow) -> Token {
        let state = if good(row.expires_at, now()) { TokenState::Active } else { TokenState::Expired };
        Token {
            spec: spec_of(&row),
            id: row.id,
            revision: row.revision,
            created_at: row.created_at,
            created_by: row.created_by,
            status: TokenStatus { state, last_used_at: self.inner.usage.of(row.id).or(row.last_used_at) },
        }
    }
}

/// Checks a spec; answers when the token ends.
fn check(spec: &TokenSpec, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let mut wrong = Vec::new();
    if OWN_NAMES.contains(&spec.name.as_str()) {
        let message = "under this name Netloom itself acts";
        wrong.push(Invalid::new("/name", Code::NotAvailable, &spec.name, message).hint("choose another name"));
    } else if let Err(invalid) = check_name("/name", &spec.name) {
        wrong.push(invalid);
    }
    let end = spec.expires_at.as_deref().map(|text| ends_at(text, now)).transpose();
    match end {
        Ok(end) if wrong.is_empty() => Ok(end),
        Ok(_) => Err(Error::invalid(wrong)),
        Err(invalid) => {
            wrong.push(invalid);
            Err(Error::invalid(wrong))
        }
    }
}

/// When something that is asked for until a time of RFC 3339 ends: later than now.
pub(crate) fn ends_at(text: &str, now: Timestamp) -> Result<Timestamp, Invalid> {
    let end: Timestamp = text.parse().map_err(|_| {
        let message = "a time of RFC 3339 is needed, with its offset";
        Invalid::new("/expires_at", Code::Format, text, message).hint("for example 2027-01-31T12:00:00Z")
    })?;
    if end > now {
        return Ok(end);
    }
    let message = format!("the token would have expired already: it is {now} here");
    Err(Invalid::new("/expires_at", Code::OutOfRange, text, message).hint("leave it out for a token without an end"))
}

/// A token by ID or name.
async fn find(tx: &mut ReadTx<'_>, reference: &str) -> Result<TokenRow, Error> {
    let row = match reference.parse::<TokenId>() {
        Ok(id) => access::token_by_id(tx, id).await?,
        Err(_) => access::token_by_name(tx, reference).await?,
    };
    row.ok_or_else(|| Error::not_found("token", reference))
}

struct Create {
    row: TokenRow,
    actor: Actor,
}

#[async_trait]
impl Job for Create {
    type Output = TokenRow;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<TokenRow, Error> {
        let mut row = self.row.clone();
        if let Some(other) = access::token_by_name(tx, &row.name).await? {
            let ended = if good(other.expires_at, row.created_at) { "" } else { ", which has expired" };
            let detail = format!("there is a token `{}` already{ended}", other.name);
            let free = format!("revoke that one (`netloom token revoke {}`)", other.name);
            return Err(Error::name_taken(detail, token_ref(&other), &free));
        }
        let message = format!("token `{}` of role {} made", row.name, row.role.as_str());
        let event = self.actor.event("token.created", token_ref(&row), message, row.created_at);
        row.revision = self.actor.append(tx, &event, Difference::made(&spec_of(&row))).await?;
        access::insert_token(tx, &row).await?;
        Ok(row)
    }
}

struct Revoke {
    reference: String,
    /// Whether whoever asks gets in without a token.
    needs_none: bool,
    actor: Actor,
}

#[async_trait]
impl Job for Revoke {
    type Output = TokenRow;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<TokenRow, Error> {
        let row = find(tx, &self.reference).await?;
        let now = now();
        let opens_all = row.role == Role::Admin && good(row.expires_at, now);
        if opens_all && !self.needs_none && access::count_good(tx, Role::Admin, now).await? == 1 {
            let detail =
                format!("token `{}` is the last of role admin: nobody could manage access over the network", row.name);
            return Err(Error::conflict("last-admin-token", detail).blockers(vec![token_ref(&row)]).hint(
                "make another token of role admin first; or revoke it as root on the host, with `netloom token revoke`",
            ));
        }
        let event = self.actor.event("token.revoked", token_ref(&row), format!("token `{}` revoked", row.name), now);
        self.actor.append(tx, &event, Difference::removed(&spec_of(&row))).await?;
        access::remove_token(tx, row.id).await?;
        Ok(row)
    }
}
