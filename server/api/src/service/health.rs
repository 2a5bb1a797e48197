//! Liveness and readiness, open to all, for orchestrators and load balancers.

use actix_web::{HttpResponse, get};
use serde::Serialize;

use crate::answer;
use crate::problem::Problem;
use crate::state::ApiState;

/// How the service is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Health {
    /// `ok` from `/healthz`, `ready` from `/readyz`.
    #[schema(max_length = 16, example = "ok")]
    status: &'static str,
}

/// Tells whether the process lives.
///
/// Looks at nothing else: a failing store is no reason to restart the process.
#[utoipa::path(tag = "service", responses((status = 200, description = "It lives.", body = Health)))]
#[get("/healthz")]
pub(crate) async fn health_get() -> HttpResponse {
    answer::found(&Health { status: "ok" })
}

/// Tells whether the service answers well.
///
/// Not before the host and the kernel were looked at once after the start, and not while the store can't be written; `detail` says what is missing.
#[utoipa::path(tag = "service", responses((status = 200, description = "It is ready.", body = Health)))]
#[get("/readyz")]
pub(crate) async fn readiness_get(state: actix_web::web::Data<ApiState>) -> Result<HttpResponse, Problem> {
    let awaited = *state.awaited.borrow();
    let missing = match awaited {
        Some(awaited) => vec![awaited.to_owned()],
        None => state.control.readiness().await,
    };
    if missing.is_empty() {
        return Ok(answer::found(&Health { status: "ready" }));
    }
    Err(Problem::new("not-ready", missing.join("; ")).retryable())
}
