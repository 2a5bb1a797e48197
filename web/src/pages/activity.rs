//! `/ui/activity`: what happened, and who asked for what, the latest first; and where the two were before they were one page.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{ListAudit, ListEvents, PageRequest};
use netloom_model::audit::{AuditEntry, Decision};
use netloom_model::order::EventOrder;

use super::leases::parse;
use super::{ROWS, existing, nodes_among, objects_of, part, parties, text, word};
use crate::view::activity::{ActivityFilter, ActivityPage, FormerQuery, Show};
use crate::view::frame::Section;
use crate::visit::{Visit, moved};

/// What happened, or who asked for what.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.show(show).await
}

/// Where the events were.
pub async fn former_events(visit: Visit) -> HttpResponse {
    former(&visit, Show::Events).await
}

/// Where the audit was.
pub async fn former_audit(visit: Visit) -> HttpResponse {
    former(&visit, Show::Audit).await
}

async fn former(visit: &Visit, show: Show) -> HttpResponse {
    match visit.query::<FormerQuery>() {
        Ok(query) => moved(&query.moved(show)),
        // What is wrong with it is told where it leads to.
        Err(_) => moved(&format!("/ui/activity?show={}&{}", show.as_str(), visit.query_string())),
    }
}

async fn show(visit: &Visit) -> Result<ActivityPage, Error> {
    let filter: ActivityFilter = visit.query()?;
    let mut frame = visit.frame("Activity", Section::Activity);
    match filter.show {
        Show::Events => {
            let command = ListEvents { limit: Some(ROWS), before: text(&filter.page_token), ..events(&filter)? };
            let page = visit.control.list_events(visit.authorize(command)?).await?;
            let existing = existing(visit, objects_of(&page.items)).await?;
            frame.nodes = nodes_among(visit, page.items.iter().map(|event| event.actor.as_str())).await?;
            let audit = visit.may(&ListAudit::default());
            Ok(ActivityPage::of_events(frame, filter, &page, &existing, audit))
        }
        Show::Audit => {
            let command = ListAudit { page: part(&filter.page_token), ..audit(&filter)? };
            let page = visit.control.list_audit(visit.authorize(command)?).await?;
            let existing = existing(visit, objects_of_entries(&page.items)).await?;
            let parties = page.items.iter().flat_map(|entry| parties(&entry.actor, &entry.circumstances));
            frame.nodes = nodes_among(visit, parties).await?;
            Ok(ActivityPage::of_audit(frame, filter, &page, &existing))
        }
    }
}

/// What a filter asks for of events.
pub(super) fn events(filter: &ActivityFilter) -> Result<ListEvents, Error> {
    Ok(ListEvents {
        actor: text(&filter.actor),
        object: text(&filter.object),
        kinds: text(&filter.kind).into_iter().collect(),
        request_id: text(&filter.request_id),
        from: text(&filter.from_zoned()).map(|from| parse("?from", &from)).transpose()?,
        until: text(&filter.until_zoned()).map(|until| parse("?until", &until)).transpose()?,
        order: EventOrder::Latest,
        ..ListEvents::default()
    })
}

/// What a filter asks for of the audit.
pub(super) fn audit(filter: &ActivityFilter) -> Result<ListAudit, Error> {
    Ok(ListAudit {
        actor: text(&filter.actor),
        object: text(&filter.object),
        actions: text(&filter.kind).into_iter().collect(),
        request_id: text(&filter.request_id),
        decision: word("?decision", &filter.decision, &Decision::ALL, Decision::as_str)?,
        since: text(&filter.from_zoned()).map(|from| parse("?from", &from)).transpose()?,
        until: text(&filter.until_zoned()).map(|until| parse("?until", &until)).transpose()?,
        page: PageRequest::default(),
    })
}

fn objects_of_entries(entries: &[AuditEntry]) -> impl Iterator<Item = String> {
    entries.iter().filter_map(|entry| entry.object.as_ref()?.id.clone())
}
