//! API tokens, without their secrets.

use askama::Template;
use netloom_control::command::Page;
use netloom_model::token::{Role, Token, TokenState};

use super::chip::{Chip, Tone};
use super::copy_as;
use super::csv_link::CsvLink;
use super::frame::Frame;
use super::link;
use super::when::When;

/// A token as a row.
#[derive(Debug, Clone)]
pub struct TokenRow {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) role: &'static str,
    pub(crate) state: Chip,
    pub(crate) expires: Option<When>,
    pub(crate) last_used: Option<When>,
    pub(crate) created: When,
    pub(crate) created_by: String,
    /// The audit of what its holder did.
    pub(crate) audit: String,
    /// Makes one like it; absent of one that is over.
    pub(crate) copy: Option<String>,
}

impl TokenRow {
    fn new(frame: &Frame, token: &Token) -> Self {
        let state = match token.status.state {
            TokenState::Active => Chip::new(Tone::Good, TokenState::Active.as_str()),
            TokenState::Expired => Chip::new(Tone::Quiet, TokenState::Expired.as_str()),
        };
        let id = token.id.to_string();
        let is_active = token.status.state == TokenState::Active;
        Self {
            copy: is_active.then(|| copy_as::token_like(frame, "/api/v1/tokens", &token.spec)),
            name: token.spec.name.clone(),
            role: token.spec.role.as_str(),
            state,
            expires: token.spec.expires_at.as_ref().and_then(|end| end.parse().ok()).map(|end| frame.when(end)),
            last_used: token.status.last_used_at.map(|at| frame.when(at)),
            created: frame.when(token.created_at),
            created_by: token.created_by.clone(),
            audit: format!("/ui/activity{}", link::query(&[("show", "audit"), ("actor", &id)])),
            id,
        }
    }
}

/// `/ui/tokens`.
#[derive(Debug, Template)]
#[template(path = "tokens.html")]
pub struct TokensPage {
    frame: Frame,
    rows: Vec<TokenRow>,
    create: String,
    revoke: String,
    first: Option<String>,
    next: Option<String>,
    csv: CsvLink,
}

impl TokensPage {
    /// The page of these tokens; `token` is the one that led here, of pages.
    pub fn new(frame: Frame, page: &Page<Token>, token: &str) -> Self {
        let frame = frame.api(format!("/api/v1/tokens{}", link::query(&[("page_token", token)])));
        let next = page.next_page_token.as_deref();
        Self {
            rows: page.items.iter().map(|token| TokenRow::new(&frame, token)).collect(),
            create: frame.netloom("token create", &format!("NAME --role {} --expires 90d", Role::Operator.as_str())),
            revoke: frame.netloom("token revoke", "NAME"),
            first: (!token.is_empty()).then(|| "/ui/tokens".to_owned()),
            next: next.map(|next| format!("/ui/tokens{}", link::query(&[("page_token", next)]))),
            csv: CsvLink::new("/ui/tokens", "", "tokens"),
            frame,
        }
    }
}
