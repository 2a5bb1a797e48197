//! Plans that dry runs made: listed, shown, applied, discarded.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use netloom_control::Error;
use netloom_control::command::{Applied, ApplyPlan, DiscardPlan, GetPlan, ListPlans, Outcome, WriteOptions, Written};
use netloom_model::lease::Lease;
use netloom_model::network::Network;
use netloom_model::plan::{Plan, PlanHead};
use netloom_model::sandbox::Sandbox;
use serde::{Deserialize, Serialize};

use super::State;
use super::ipam::ReclaimReport;
use super::prune::PruneReport;
use crate::answer::{self, Addressed, Listed};
use crate::auth::Caller;
use crate::body::NoBody;
use crate::precondition::IfNoneMatch;
use crate::problem::Problem;
use crate::query::{Filter, NoQuery, OnFailure, Wait, one, options, page};

/// Part of the list of plans.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanPage {
    /// How many items, 100 unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next_page_token` of the page before.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 1024)]
    page_token: Option<String>,
}

/// How a plan is applied.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplyQuery {
    /// How long to wait until the kernel is verified: `30s`, `500ms`, `0s`; at most 300 s, `30s` unless said. When it runs out, the answer is 202.
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<String>, pattern = "^[0-9]+(ms|s|m)$", max_length = 12, example = "30s")]
    wait: Option<Wait>,
    /// What becomes of what the kernel refuses while the call waits: `rollback` (unless said) undoes it, `keep` keeps it as `failed`.
    #[param(inline)]
    on_failure: Option<OnFailure>,
}

/// What an applied plan did to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Effect {
    /// It was made.
    Created,
    /// It has the planned spec, which is another than it had.
    Updated,
    /// It had the planned spec already.
    Unchanged,
    /// It is gone, or on its way out.
    Removed,
}

/// What came of a plan: of the members besides `plan` one is there, that of the kind of object that the plan is about.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct PlanOutcome {
    /// The plan.
    plan: PlanHead,
    /// What was done to the one object that the plan is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
    /// The network, as it is now; a removed one as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Network>,
    /// The sandbox, as it is now; a removed one as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    sandbox: Option<Sandbox>,
    /// The lease, as it is now; a released one as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<Lease>,
    /// What nothing used and was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pruned: Option<PruneReport>,
    /// What orphans held and was released.
    #[serde(skip_serializing_if = "Option::is_none")]
    reclaimed: Option<ReclaimReport>,
}

/// Lists the plans that are kept.
///
/// Oldest first, without their operations; those that were applied stay until they expire.
#[utoipa::path(tag = "plans", params(PlanPage),
    responses((status = 200, description = "The plans.", body = Listed<PlanHead>)))]
#[get("/plans")]
pub(crate) async fn plan_list(
    state: State,
    request: HttpRequest,
    Caller(caller): Caller,
    Filter(PlanPage { limit, page_token }): Filter<PlanPage>,
) -> Result<HttpResponse, Problem> {
    let command = ListPlans { page: page(limit, page_token) };
    let found = state.control.list_plans(caller.authorize(command)?).await?;
    Ok(answer::listed(&request, found))
}

/// Shows a plan.
///
/// As the dry run answered it, and whether it was applied.
#[utoipa::path(tag = "plans", params(("id" = String, Path, description = "The plan's ID."), IfNoneMatch),
    responses((status = 200, description = "The plan.", body = Plan)))]
#[get("/plans/{id}")]
pub(crate) async fn plan_get(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    _: Filter<NoQuery>,
    known: IfNoneMatch,
) -> Result<HttpResponse, Problem> {
    let plan = state.control.get_plan(caller.authorize(GetPlan(id.into_inner()))?).await?;
    Ok(answer::shown_unnumbered(&plan, &known))
}

/// Applies a plan.
///
/// Does what it says, to the address, or refuses: 409 `plan-stale` names what has changed since it was made, 409 `plan-applied` says that it was
/// applied before, by `Location` to what. Whoever applies needs the role that the planned write needs.
#[utoipa::path(tag = "plans", params(("id" = String, Path, description = "The plan's ID."), ApplyQuery), responses(
    (status = 200, description = "Done as planned, and verified in the kernel.", body = PlanOutcome),
    (status = 202, description = "Committed as planned; the wait ran out before the kernel was verified.", body = PlanOutcome)))]
#[post("/plans/{id}/apply")]
pub(crate) async fn plan_apply_create(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    Filter(ApplyQuery { wait, on_failure }): Filter<ApplyQuery>,
    _: NoBody,
) -> Result<HttpResponse, Problem> {
    let id = id.into_inner();
    let keep_on_failure = on_failure == Some(OnFailure::Keep);
    let options = WriteOptions { keep_on_failure, ..options(None, wait) };
    let (plan, applied) = state.control.apply_plan(caller.authorize(ApplyPlan(id))?, options).await.map_err(located)?;
    Ok(outcome(plan, applied))
}

/// Discards a plan.
///
/// It is forgotten. One who didn't make it needs role admin for that. A plan that was applied stays until it expires, as the record of it: 409
/// `plan-applied`.
#[utoipa::path(tag = "plans", params(("id" = String, Path, description = "The plan's ID.")),
    responses((status = 204, description = "The plan is forgotten.")))]
#[delete("/plans/{id}")]
pub(crate) async fn plan_delete(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    _: Filter<NoQuery>,
) -> Result<HttpResponse, Problem> {
    state.control.discard_plan(caller.authorize(DiscardPlan(id.into_inner()))?).await.map_err(located)?;
    Ok(HttpResponse::NoContent().finish())
}

/// A refusal with the path of the object that the plan was applied to before.
fn located(error: Error) -> Problem {
    let fact = |name: &str| error.facts.get(name).cloned();
    let collection = match fact("object_kind").as_deref() {
        Some("network") => "networks",
        Some("sandbox") => "sandboxes",
        Some("lease") => "leases",
        _ => return error.into(),
    };
    let path = fact("object_id").map(|id| format!("/api/v1/{collection}/{id}"));
    let problem = Problem::from(error);
    match path {
        Some(path) => problem.header(LOCATION, &path),
        None => problem,
    }
}

fn outcome(plan: PlanHead, applied: Applied) -> HttpResponse {
    let mut body =
        PlanOutcome { plan, effect: None, network: None, sandbox: None, lease: None, pruned: None, reclaimed: None };
    let (done, path) = match applied {
        Applied::Network(outcome) => of(outcome, &mut body.effect, &mut body.network),
        Applied::Sandbox(outcome) => of(outcome, &mut body.effect, &mut body.sandbox),
        Applied::Lease(outcome) => of(outcome, &mut body.effect, &mut body.lease),
        Applied::Pruned(written) => of_many(written, &mut body.pruned),
        Applied::Reclaimed(written) => of_many(written, &mut body.reclaimed),
    };
    answer::applied(done, path.as_deref(), &body)
}

/// Puts the object of an outcome into its place; whether it is verified, and its path while it is there.
fn of<T: Addressed>(outcome: Outcome<T>, effect: &mut Option<Effect>, place: &mut Option<T>) -> (bool, Option<String>) {
    let (done, written) = match outcome {
        Outcome::Made(written) => (Effect::Created, written),
        Outcome::Changed(written) => (Effect::Updated, written),
        Outcome::Unchanged(written) => (Effect::Unchanged, written),
        Outcome::Removed(written) => (Effect::Removed, written),
    };
    let (verified, object) = parts(written);
    let there = done != Effect::Removed || !verified;
    let path = there.then(|| object.path());
    *effect = Some(done);
    *place = Some(object);
    (verified, path)
}

fn of_many<T, R: From<T>>(written: Written<T>, place: &mut Option<R>) -> (bool, Option<String>) {
    let (verified, what) = parts(written);
    *place = Some(R::from(what));
    (verified, None)
}

fn parts<T>(written: Written<T>) -> (bool, T) {
    match written {
        Written::Done(object) => (true, object),
        Written::Pending(object) | Written::Planned(object, _) => (false, object),
    }
}
