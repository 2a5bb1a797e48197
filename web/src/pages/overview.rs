//! `/ui`: the front page.

use std::time::Duration;

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{GetDrift, GetFacts, GetOverview};
use tokio::time::timeout;

use super::{existing, objects_of};
use crate::view::frame::Section;
use crate::view::overview::{OverviewPage, is_fresh};
use crate::visit::Visit;

/// How long the front page waits for a look at the kernel, which waits in turn for what is being made there.
const LOOK: Duration = Duration::from_secs(2);

/// The front page.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.answer(show(&visit).await).await
}

async fn show(visit: &Visit) -> Result<OverviewPage, Error> {
    let command = visit.authorize(GetOverview)?;
    let look = timeout(LOOK, visit.control.drift_lately(visit.authorize(GetDrift)?));
    let (overview, unready, drift) = tokio::join!(visit.control.overview(command), visit.control.readiness(), look);
    let overview = overview?;
    // A kernel that can't be looked at is told by its own refusals; the front page is not to fail or wait for it.
    let drift = drift.ok().and_then(Result::ok);
    let facts = match is_fresh(&overview) {
        true => visit.control.facts(visit.authorize(GetFacts)?).await.ok(),
        false => None,
    };
    let existing = existing(visit, objects_of(&overview.events)).await?;
    let frame = visit.frame("Overview", Section::Overview);
    Ok(OverviewPage::new(frame, &overview, unready, facts.as_ref(), &existing, drift.as_deref()))
}
