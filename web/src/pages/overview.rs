//! `/ui`: the front page.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{GetFacts, GetOverview};

use super::{existing, objects_of};
use crate::view::frame::Section;
use crate::view::overview::{OverviewPage, is_fresh};
use crate::visit::Visit;

/// The front page.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.answer(show(&visit).await)
}

async fn show(visit: &Visit) -> Result<OverviewPage, Error> {
    let command = visit.authorize(GetOverview)?;
    let (overview, unready) = tokio::join!(visit.control.overview(command), visit.control.readiness());
    let overview = overview?;
    let facts = match is_fresh(&overview) {
        true => visit.control.facts(visit.authorize(GetFacts)?).await.ok(),
        false => None,
    };
    let existing = existing(visit, objects_of(&overview.events)).await?;
    Ok(OverviewPage::new(visit.frame("Overview", Section::Overview), &overview, unready, facts.as_ref(), &existing))
}
