//! `/ui/events`: what happened. Without a filter the latest first; of one object or kind from its beginning.

use actix_web::HttpResponse;
use netloom_control::command::{GetOverview, ListEvents};
use netloom_control::{Error, ErrorKind};
use netloom_model::Invalid;
use netloom_model::event::Event;
use netloom_model::invalid::Code;

use super::{ROWS, existing, objects_of, text};
use crate::view::events::{EventFilter, EventsPage};
use crate::view::frame::Section;
use crate::visit::Visit;

/// What happened.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.answer(show(&visit).await).await
}

async fn show(visit: &Visit) -> Result<EventsPage, Error> {
    let filter: EventFilter = visit.query()?;
    if filter.is_set() { of_some(visit, filter).await } else { latest(visit, filter).await }
}

async fn of_some(visit: &Visit, filter: EventFilter) -> Result<EventsPage, Error> {
    let command = ListEvents {
        since: text(&filter.since),
        kinds: text(&filter.kind).into_iter().collect(),
        object: text(&filter.object),
        limit: Some(ROWS),
        latest: false,
    };
    let page = visit.control.list_events(visit.authorize(command)?).await?;
    // A page that isn't full is the last one for now, even where there is a place to go on from later.
    let more = page.next_page_token.filter(|_| page.items.len() >= ROWS as usize);
    draw(visit, filter, &page.items, more.as_deref()).await
}

async fn latest(visit: &Visit, filter: EventFilter) -> Result<EventsPage, Error> {
    let end = match text(&filter.before) {
        Some(before) => before.parse::<u64>().map_err(|_| {
            Invalid::new("?before", Code::Format, &before, "not the number of an event")
                .hint("leave it out for the latest")
        })?,
        None => visit.control.metrics(visit.authorize(GetOverview)?).await?.event_seq.saturating_add(1),
    };
    let start = end.saturating_sub(1 + u64::from(ROWS));
    let window = ListEvents { since: Some(start.to_string()), limit: Some(ROWS), ..ListEvents::default() };
    let found = visit.control.list_events(visit.authorize(window)?).await;
    let mut events = match found {
        // What lies before the oldest event kept is gone: the page ends there.
        Err(failure) if failure.kind == ErrorKind::Gone => {
            let oldest = ListEvents { limit: Some(ROWS), ..ListEvents::default() };
            visit.control.list_events(visit.authorize(oldest)?).await?.items
        }
        other => other?.items,
    };
    events.retain(|event| event.seq < end);
    events.reverse();
    let more = events.last().map(|event| event.seq).filter(|seq| start > 0 && *seq > 1).map(|seq| seq.to_string());
    draw(visit, filter, &events, more.as_deref()).await
}

async fn draw(visit: &Visit, filter: EventFilter, events: &[Event], more: Option<&str>) -> Result<EventsPage, Error> {
    let existing = existing(visit, objects_of(events)).await?;
    Ok(EventsPage::new(visit.frame("Events", Section::Activity), filter, events, &existing, more))
}
