//! `/ui/sandboxes/{sandbox}`: one sandbox, wanted and live.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{GetSandbox, ListLeases, PageRequest};
use netloom_model::sandbox::Sandbox;
use netloom_model::swarm_endpoint::SwarmEndpoint;

use crate::view::frame::{Frame, Section};
use crate::view::sandbox::{SandboxJsonPage, SandboxPage};
use crate::view::sandbox_away::SandboxesAwayPage;
use crate::visit::Visit;

/// Endpoints, interfaces as they are now, leases.
pub async fn summary(visit: Visit) -> HttpResponse {
    match away(&visit).await {
        Ok(found) if !found.is_empty() => visit.show(async |visit: &Visit| show_away(visit, &found)).await,
        Ok(_) => visit.show(show_summary).await,
        Err(failure) => visit.fail(&failure).await,
    }
}

/// Its JSON.
pub async fn json(visit: Visit) -> HttpResponse {
    visit.show(show_json).await
}

async fn show_summary(visit: &Visit) -> Result<SandboxPage, Error> {
    let command = GetSandbox(visit.segment("sandbox"));
    let (sandbox, seen) = visit.control.sandbox_traffic(visit.authorize(command)?).await?;
    let page = PageRequest { limit: Some(1000), token: None };
    let command = ListLeases { owner: Some(sandbox.id.to_string()), page, ..ListLeases::default() };
    let leases = visit.control.list_leases(visit.authorize(command)?).await?;
    Ok(SandboxPage::new(frame(visit, &sandbox), &sandbox, &leases.items, &seen))
}

/// What is known of sandboxes of other nodes that the path names, where it names none of this host's own.
pub(super) async fn away(visit: &Visit) -> Result<Vec<SwarmEndpoint>, Error> {
    let command = GetSandbox(visit.segment("sandbox"));
    visit.control.sandboxes_away(visit.authorize(command)?).await
}

fn show_away(visit: &Visit, found: &[SwarmEndpoint]) -> Result<SandboxesAwayPage, Error> {
    let name = found.first().map(|endpoint| endpoint.sandbox.clone()).unwrap_or_default();
    let frame = visit.frame(name, Section::Sandboxes);
    Ok(SandboxesAwayPage::new(frame, &visit.segment("sandbox"), found))
}

async fn show_json(visit: &Visit) -> Result<SandboxJsonPage, Error> {
    let sandbox = get(visit).await?;
    Ok(SandboxJsonPage::new(frame(visit, &sandbox), &sandbox))
}

/// The sandbox that the path names.
pub(super) async fn get(visit: &Visit) -> Result<Sandbox, Error> {
    visit.control.get_sandbox(visit.authorize(GetSandbox(visit.segment("sandbox")))?).await
}

pub(super) fn frame(visit: &Visit, sandbox: &Sandbox) -> Frame {
    visit.frame(&sandbox.spec.name, Section::Sandboxes)
}
