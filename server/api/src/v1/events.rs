//! Events: a page of JSON, or a stream as Server-Sent Events or as lines of JSON.

pub(crate) mod stream;

use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, get};
use netloom_control::command::{ListEvents, WatchEvents};
use netloom_model::Since;
use netloom_model::Timestamp;
use netloom_model::event::Event;
use netloom_model::invalid::{Code, Invalid};
use netloom_model::order::EventOrder;
use serde::Deserialize;

use self::stream::Form;
use super::State;
use crate::answer::{self, Listed};
use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::{Filter, Texts, one};

/// Which events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventFilter {
    /// Only after this event: `<store>:<seq>`, or a bare number. A stream without it starts now, a page at the oldest event kept.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 64)]
    since: Option<String>,
    /// Only of these kinds, or of kinds that start with one of these and a dot: `sandbox`, `lease.reserved`. Several by commas or by repeating.
    #[serde(default)]
    #[param(value_type = Vec<String>, required = false, max_items = 32)]
    kinds: Texts,
    /// Only of the object with this ID or name.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 63)]
    object: Option<String>,
    /// Only what this actor did. Means nothing for a stream, and is refused there.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 80, example = "ci")]
    actor: Option<String>,
    /// Only what came of the request of this ID. Means nothing for a stream, and is refused there.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 128, example = "req-0f1e2d3c4b5a6978")]
    request_id: Option<String>,
    /// Only at this time or later, or since so long ago: `10m`, `1h`, `24h`, `7d` (`s`, `m`, `h` or `d` behind a number). Means nothing for a stream, and is refused there.
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<String>, max_length = 40, example = "2026-01-31T00:00:00Z")]
    from: Option<Since>,
    /// Only before this time. Means nothing for a stream, and is refused there.
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<String>, max_length = 40, example = "2026-02-01T00:00:00Z")]
    until: Option<Timestamp>,
    /// In which order: by `seq` (unless said), with a `-` before it the latest first. Means nothing for a stream, and is refused there.
    #[param(inline)]
    sort: Option<EventOrder>,
    /// How many items on a page, 100 unless said. Means nothing for a stream, and is refused there.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next_page_token` of the page before, with the same filters and order; of the oldest first it goes before `since`. Means nothing for a stream, and is refused there.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 64)]
    page_token: Option<String>,
}

/// Lists or follows events.
///
/// A page of JSON; with `Accept: text/event-stream` a stream that `Last-Event-ID` resumes without a gap, with a comment every 15 s;
/// with `Accept: application/x-ndjson` the same as lines, with an empty line every 15 s. A stream ends with a problem when the token or session
/// that opened it is no longer good.
#[utoipa::path(tag = "events",
    params(EventFilter, ("Last-Event-ID" = Option<String>, Header, description = "Resumes a stream after this event; goes before `since`.")),
    responses((status = 200, description = "The events.", content(
        (Listed<Event> = "application/json"), (String = "text/event-stream"), (String = "application/x-ndjson")))))]
#[get("/events")]
pub(crate) async fn event_list(
    state: State,
    request: HttpRequest,
    Caller(caller): Caller,
    Filter(filter): Filter<EventFilter>,
) -> Result<HttpResponse, Problem> {
    let EventFilter { since, kinds, object, actor, request_id, from, until, sort, limit, page_token } = filter;
    let kinds = kinds.into_words();
    let Some(form) = wanted_form(&request) else {
        let order = sort.unwrap_or_default();
        let (since, before) = match order {
            EventOrder::Oldest => (page_token.or(since), None),
            EventOrder::Latest => (since, page_token),
        };
        let command = ListEvents { since, before, kinds, object, actor, request_id, from, until, order, limit };
        let page = state.control.list_events(caller.authorize(command)?).await?;
        return Ok(answer::listed(&request, page));
    };
    let of_pages = [
        ("limit", limit.map(|limit| limit.to_string())),
        ("page_token", page_token),
        ("sort", sort.map(|_| "-seq".to_owned())),
        ("actor", actor),
        ("request_id", request_id),
        ("from", from.map(|from| from.to_string())),
        ("until", until.map(|until| until.to_string())),
    ];
    for (name, given) in of_pages {
        if let Some(given) = given {
            let rule = format!("`{name}` is for pages; a stream has no end");
            let invalid = Invalid::new(&format!("?{name}"), Code::NotAllowedHere, &given, rule.clone());
            return Err(Problem::new("invalid-query", rule).error(invalid));
        }
    }
    let last = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty());
    let since = last.map(str::to_owned).or(since);
    let events = state.control.watch_events(caller.authorize(WatchEvents { since, kinds, object })?).await?;
    let control = state.control.clone();
    let turned_away = Box::pin(async move { control.turned_away(&caller).await });
    Ok(stream::answer(form, events, turned_away, state.closing.subscribe()))
}

fn wanted_form(request: &HttpRequest) -> Option<Form> {
    let accept = request.headers().get(ACCEPT)?.to_str().ok()?;
    let named =
        |kind: &str| accept.split(',').any(|item| item.split(';').next().is_some_and(|name| name.trim() == kind));
    if named("text/event-stream") {
        Some(Form::ServerSentEvents)
    } else if named("application/x-ndjson") {
        Some(Form::Lines)
    } else {
        None
    }
}
