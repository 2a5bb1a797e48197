//! Probes from inside a sandbox.

use actix_web::{HttpResponse, post};
use netloom_control::command::Probe;
use netloom_model::probe::{ProbeReport, ProbeSpec};

use super::State;
use crate::answer;
use crate::auth::Caller;
use crate::body::Document;
use crate::problem::Problem;
use crate::query::{Filter, NoQuery};

/// Sends a probe.
///
/// ARP (or neighbour solicitation), ICMP echo or TCP, natively from inside a sandbox. No reply is an answer too: `reason` says why.
#[utoipa::path(tag = "sandboxes", request_body = ProbeSpec,
    responses((status = 200, description = "What came of it.", body = ProbeReport)))]
#[post("/probes")]
pub(crate) async fn probe_create(
    state: State,
    Caller(caller): Caller,
    _: Filter<NoQuery>,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let command = Probe(document.whole::<ProbeSpec>()?);
    let report = state.control.probe(caller.authorize(command)?).await?;
    Ok(answer::found(&report))
}
