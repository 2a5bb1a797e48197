//! `/ui/drift`: where the kernel differs from what is wanted, by a look of its own, and what was put right lately.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{GetDrift, ListEvents};
use netloom_model::order::EventOrder;

use super::{existing, objects_of};
use crate::view::drift::DriftPage;
use crate::view::frame::Section;
use crate::visit::Visit;

/// How many repairs are shown.
const REPAIRS: u32 = 50;

/// What differs.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.show(show).await
}

async fn show(visit: &Visit) -> Result<DriftPage, Error> {
    let drift = visit.control.drift(visit.authorize(GetDrift)?).await?;
    // After the look, so that what it found and somebody repaired meanwhile is among them.
    let repairs = ListEvents {
        kinds: vec!["drift".into()],
        limit: Some(REPAIRS),
        order: EventOrder::Latest,
        ..ListEvents::default()
    };
    let repairs = visit.control.list_events(visit.authorize(repairs)?).await?.items;
    let existing = existing(visit, objects_of(&repairs)).await?;
    Ok(DriftPage::new(visit.frame("Drift", Section::Drift), &drift, &repairs, &existing))
}
