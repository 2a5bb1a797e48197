//! `/ui/sandboxes/{sandbox}`: one sandbox, wanted and live.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{GetSandbox, ListLeases, PageRequest};
use netloom_model::sandbox::Sandbox;

use crate::view::frame::{Frame, Section};
use crate::view::sandbox::{SandboxJsonPage, SandboxPage};
use crate::visit::Visit;

/// Endpoints, interfaces as they are now, leases.
pub async fn summary(visit: Visit) -> HttpResponse {
    visit.show(show_summary).await
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
