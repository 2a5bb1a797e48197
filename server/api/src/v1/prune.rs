//! Pruning: removing what nothing uses.

use actix_web::{HttpResponse, post};
use netloom_control::command::{Prune, Pruned, Written};
use netloom_model::event::ObjectRef;
use serde::Serialize;

use super::State;
use crate::answer;
use crate::auth::Caller;
use crate::body::NoBody;
use crate::problem::Problem;
use crate::query::{Filter, RemoveQuery};

/// What a prune removed, or would remove.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct PruneReport {
    /// Stopped sandboxes.
    sandboxes: Vec<ObjectRef>,
    /// Networks that nothing uses.
    networks: Vec<ObjectRef>,
    /// How many addresses came free, or would.
    addresses: u64,
}

impl From<Pruned> for PruneReport {
    fn from(pruned: Pruned) -> Self {
        let Pruned { sandboxes, networks, addresses } = pruned;
        Self { sandboxes, networks, addresses }
    }
}

/// Removes what nothing uses.
///
/// Stopped sandboxes, then networks without endpoints; predefined and protected ones stay. With `dry_run=true` the answer
/// is a `PruneReportDryRun` that lists what would go.
#[utoipa::path(tag = "service", params(RemoveQuery), responses(
    (status = 200, description = "What was removed.", body = PruneReport),
    (status = 202, description = "What is being removed; the wait ran out before the kernel was clean.", body = PruneReport)))]
#[post("/prune")]
pub(crate) async fn prune_create(
    state: State,
    Caller(caller): Caller,
    Filter(query): Filter<RemoveQuery>,
    _: NoBody,
) -> Result<HttpResponse, Problem> {
    let written = state.control.prune(caller.authorize(Prune)?, query.options()).await?;
    Ok(match written {
        Written::Done(pruned) => answer::found(&PruneReport::from(pruned)),
        Written::Pending(pruned) => HttpResponse::Accepted().json(PruneReport::from(pruned)),
        Written::Planned(pruned, plan) => answer::planned(PruneReport::from(pruned), plan),
    })
}
