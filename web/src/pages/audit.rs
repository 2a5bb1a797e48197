//! `/ui/audit`: who asked for what, the latest first.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{ListAudit, PageRequest};
use netloom_model::audit::{AuditEntry, Decision};

use super::leases::{parse, word};
use super::{existing, part, text};
use crate::view::audit::{AuditFilter, AuditPage};
use crate::view::frame::Section;
use crate::visit::Visit;

/// The audit.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.answer(show(&visit).await).await
}

async fn show(visit: &Visit) -> Result<AuditPage, Error> {
    let filter: AuditFilter = visit.query()?;
    let command = ListAudit { page: part(&filter.page_token), ..command(&filter)? };
    let page = visit.control.list_audit(visit.authorize(command)?).await?;
    let existing = existing(visit, objects_of(&page.items)).await?;
    Ok(AuditPage::new(visit.frame("Audit", Section::Audit), filter, &page, &existing))
}

/// What a filter asks for.
pub(super) fn command(filter: &AuditFilter) -> Result<ListAudit, Error> {
    Ok(ListAudit {
        actor: text(&filter.actor),
        object: text(&filter.object),
        actions: text(&filter.action).into_iter().collect(),
        decision: word("?decision", &filter.decision, &Decision::ALL, Decision::as_str)?,
        since: text(&filter.since).map(|since| parse("?since", &since)).transpose()?,
        until: text(&filter.until).map(|until| parse("?until", &until)).transpose()?,
        page: PageRequest::default(),
    })
}

fn objects_of(entries: &[AuditEntry]) -> impl Iterator<Item = String> {
    entries.iter().filter_map(|entry| entry.object.as_ref()?.id.clone())
}
