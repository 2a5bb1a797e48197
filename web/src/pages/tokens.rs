//! `/ui/tokens`: the API tokens there are. They are made and revoked elsewhere.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::ListTokens;

use super::{Paging, part};
use crate::view::frame::Section;
use crate::view::tokens::TokensPage;
use crate::visit::Visit;

/// The tokens.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.show(show).await
}

async fn show(visit: &Visit) -> Result<TokensPage, Error> {
    let paging: Paging = visit.query()?;
    let command = ListTokens { role: None, page: part(&paging.page_token) };
    let page = visit.control.list_tokens(visit.authorize(command)?).await?;
    Ok(TokensPage::new(visit.frame("Tokens", Section::Tokens), &page, &paging.page_token))
}
