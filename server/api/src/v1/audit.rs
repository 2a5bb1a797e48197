//! The audit: who asked for what, from where, and what came of it.

use actix_web::{HttpRequest, HttpResponse, get};
use netloom_control::command::ListAudit;
use netloom_model::Since;
use netloom_model::Timestamp;
use netloom_model::audit::{AuditEntry, Decision};
use serde::Deserialize;

use super::State;
use crate::answer::{self, Listed};
use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::{Filter, Texts, one, page};

/// Which entries.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditFilter {
    /// Only of the actor with this name, or with the token of this ID.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 64, example = "ci")]
    actor: Option<String>,
    /// Only about the object with this ID or name.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 64, example = "macvlan1")]
    object: Option<String>,
    /// Only of these actions, or of actions that start with one of these and a dot: `network`, `sandbox.create`. Several by commas or by repeating.
    #[serde(default)]
    #[param(value_type = Vec<String>, required = false, max_items = 32)]
    action: Texts,
    /// Only of the request of this ID, as its answer has it in `X-Request-Id` and its problem in `request_id`.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 128, example = "req-0f1e2d3c4b5a6978")]
    request_id: Option<String>,
    /// Only with this outcome.
    #[param(inline)]
    decision: Option<Decision>,
    /// Only at this time or later, or since so long ago: `10m`, `1h`, `24h`, `7d` (`s`, `m`, `h` or `d` behind a number).
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<String>, max_length = 40, example = "2026-01-31T00:00:00Z")]
    since: Option<Since>,
    /// Only before this time.
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<String>, max_length = 40, example = "2026-02-01T00:00:00Z")]
    until: Option<Timestamp>,
    /// How many items, 100 unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next_page_token` of the page before, with the same filters.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 1024)]
    page_token: Option<String>,
}

/// Lists the audit.
///
/// The latest first. Each change that somebody asked for, with what it changed; each secret given out (tokens, login links, sessions, backups); and
/// what was denied or failed, with the problem's code, what it said and the field that it named. Reading is not in it. Entries are kept for 365 days, and nothing can change or remove them
/// before. Of what one actor is refused with one code in one action, ten are noted at once, and then one each ten minutes.
#[utoipa::path(tag = "access", params(AuditFilter),
    responses((status = 200, description = "The entries.", body = Listed<AuditEntry>)))]
#[get("/audit")]
pub(crate) async fn audit_list(
    state: State,
    request: HttpRequest,
    Caller(caller): Caller,
    Filter(filter): Filter<AuditFilter>,
) -> Result<HttpResponse, Problem> {
    let AuditFilter { actor, object, action, request_id, decision, since, until, limit, page_token } = filter;
    let (actions, page) = (action.into_words(), page(limit, page_token));
    let command = ListAudit { actor, object, actions, request_id, decision, since, until, page };
    let found = state.control.list_audit(caller.authorize(command)?).await?;
    Ok(answer::listed(&request, found))
}
