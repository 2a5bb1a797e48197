//! Drift: where the kernel differs from what is wanted.

use actix_web::{HttpResponse, get};
use netloom_control::command::GetDrift;
use netloom_model::drift::Drift;

use super::State;
use crate::answer::{self, Whole};
use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::{Filter, NoQuery};

/// Lists differences.
///
/// Looks at the kernel afresh. An empty list means that it holds what is wanted; what differs is repaired by itself.
#[utoipa::path(tag = "service", responses((status = 200, description = "The differences.", body = Whole<Drift>)))]
#[get("/drift")]
pub(crate) async fn drift_list(
    state: State,
    Caller(caller): Caller,
    _: Filter<NoQuery>,
) -> Result<HttpResponse, Problem> {
    let items = state.control.drift(caller.authorize(GetDrift)?).await?;
    Ok(answer::found(&Whole { items }))
}
