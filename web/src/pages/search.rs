//! `/ui/search?q=`: one box for everything. What is named exactly is gone to, unless `stay=1` says to list it.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{ListAudit, Search};
use serde::Deserialize;

use crate::view::frame::Section;
use crate::view::search::{SearchPage, only};
use crate::visit::{Shown, Visit};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    q: String,
    stay: String,
}

/// Goes to what the text names exactly, or lists what it may mean.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.show_or_go(show).await
}

async fn show(visit: &Visit) -> Result<Shown<SearchPage>, Error> {
    let query: Query = visit.query()?;
    let report = visit.control.search(visit.authorize(Search(query.q))?).await?;
    let audited = visit.may(&ListAudit::default());
    let frame = visit.frame("Search", Section::None);
    match only(&frame, &report, audited).filter(|_| query.stay.is_empty() && !visit.is_renewal()) {
        Some(page) => Ok(Shown::There(page)),
        None => Ok(Shown::Page(SearchPage::new(frame, &report, audited))),
    }
}
