//! `/ui/swarm`: what this host is in a swarm; and what is shown in the place of pages that only a manager has.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{GetSwarm, UpdateSwarm};
use netloom_model::swarm::{Swarm, SwarmRole};
use serde_json::Value;

use crate::view::frame::Section;
use crate::view::swarm::{ElsewherePage, SwarmPage};
use crate::visit::Visit;

/// The swarm, or how to make or join one.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.show(show).await
}

async fn show(visit: &Visit) -> Result<SwarmPage, Error> {
    let swarm = own(visit).await?;
    let may_change = visit.may(&UpdateSwarm(Value::Null));
    Ok(SwarmPage::new(visit.frame("Swarm", Section::Swarm), swarm.as_ref(), may_change))
}

/// The swarm that this host is in, if any.
pub(super) async fn own(visit: &Visit) -> Result<Option<Swarm>, Error> {
    match visit.control.get_swarm(visit.authorize(GetSwarm)?).await {
        Err(failure) if failure.code == "no-swarm" => Ok(None),
        other => other.map(Some),
    }
}

/// Whether that is the swarm of which this host is the manager.
pub(super) fn is_managed(swarm: &Swarm) -> bool {
    swarm.status.role == SwarmRole::Manager
}

/// What a host that is no manager answers in the place of a manager's page; nothing on a manager.
pub(super) async fn not_here(visit: &Visit, title: &str, section: Section) -> Option<HttpResponse> {
    match own(visit).await {
        Ok(Some(swarm)) if is_managed(&swarm) => None,
        Ok(other) => Some(visit.answer(Ok(elsewhere(visit, title, section, other.as_ref()))).await),
        Err(failure) => Some(visit.fail(&failure).await),
    }
}

/// What a host that is no manager shows in the place of a manager's page.
pub(super) fn elsewhere(visit: &Visit, title: &str, section: Section, swarm: Option<&Swarm>) -> ElsewherePage {
    ElsewherePage::new(visit.frame(title, section), swarm)
}
