//! `/ui`: the front page.

use std::time::Duration;

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::{GetDrift, GetFacts, GetOverview, ListAudit, ListNodes, PageRequest};
use netloom_model::swarm::{Node, Swarm};
use tokio::time::timeout;

use super::{existing, nodes_among, objects_of, swarm};
use crate::view::frame::Section;
use crate::view::overview::{OverviewPage, is_fresh};
use crate::visit::Visit;

/// How long the front page waits for a look at the kernel, which waits in turn for what is being made there.
const LOOK: Duration = Duration::from_secs(2);

/// How many nodes are looked at for the front page.
const NODES: u32 = 1000;

/// The front page.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.show(show).await
}

async fn show(visit: &Visit) -> Result<OverviewPage, Error> {
    let command = visit.authorize(GetOverview)?;
    let look = timeout(LOOK, visit.control.drift_lately(visit.authorize(GetDrift)?));
    let (overview, unready, drift) = tokio::join!(visit.control.overview(command), visit.control.readiness(), look);
    let overview = overview?;
    // A kernel that can't be looked at is told by its own refusals; the front page is not to fail or wait for it.
    let drift = drift.ok().and_then(Result::ok);
    let facts = match is_fresh(&overview) {
        true => visit.control.facts(visit.authorize(GetFacts)?).await.ok(),
        false => None,
    };
    let existing = existing(visit, objects_of(&overview.events)).await?;
    let frame = visit.frame("Overview", Section::Overview);
    let page = OverviewPage::new(frame, &overview, unready, facts.as_ref(), &existing, drift.as_deref());
    let audit = ListAudit::default();
    let page = match visit.may(&audit) {
        true => {
            let (groups, since, left_out) = visit.control.refused_lately(visit.authorize(audit)?).await?;
            let nodes = nodes_among(visit, groups.iter().map(|group| group.latest.actor.as_str())).await?;
            page.with_refused(&groups, since, left_out, nodes)
        }
        false => page,
    };
    Ok(match of_swarm(visit).await? {
        Some((swarm, nodes)) => page.in_swarm(&swarm, &nodes),
        None => page,
    })
}

/// The swarm that this host is in, with its nodes where this is the manager.
async fn of_swarm(visit: &Visit) -> Result<Option<(Swarm, Vec<Node>)>, Error> {
    let Some(swarm) = swarm::own(visit).await? else { return Ok(None) };
    if !swarm::is_managed(&swarm) {
        return Ok(Some((swarm, Vec::new())));
    }
    let command = ListNodes { page: PageRequest { limit: Some(NODES), token: None }, ..ListNodes::default() };
    let nodes = visit.control.list_nodes(visit.authorize(command)?).await?.items;
    Ok(Some((swarm, nodes)))
}
