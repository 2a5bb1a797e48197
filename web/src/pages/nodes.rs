//! `/ui/nodes`: the nodes of the swarm.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::ListNodes;
use netloom_model::Invalid;
use netloom_model::invalid::Code;
use netloom_model::swarm::{Swarm, SwarmRole};

use super::swarm::{elsewhere, is_managed, own};
use super::{pair, part, text};
use crate::view::frame::Section;
use crate::view::nodes::{NodeFilter, NodesPage};
use crate::visit::Visit;

/// The nodes, or where to ask for them.
pub async fn page(visit: Visit) -> HttpResponse {
    match own(&visit).await {
        Ok(Some(swarm)) if is_managed(&swarm) => visit.show(async |visit: &Visit| show(visit, &swarm).await).await,
        Ok(other) => visit.answer(Ok(elsewhere(&visit, "Nodes", Section::Nodes, other.as_ref()))).await,
        Err(failure) => visit.fail(&failure).await,
    }
}

async fn show(visit: &Visit, swarm: &Swarm) -> Result<NodesPage, Error> {
    let filter: NodeFilter = visit.query()?;
    let command = ListNodes { page: part(&filter.page_token), ..command(&filter)? };
    let page = visit.control.list_nodes(visit.authorize(command)?).await?;
    Ok(NodesPage::new(visit.frame("Nodes", Section::Nodes), filter, &page, swarm.status.node))
}

/// What a filter asks for.
pub(super) fn command(filter: &NodeFilter) -> Result<ListNodes, Error> {
    let role = text(&filter.role).map(|word| role(&word)).transpose()?;
    let labels = text(&filter.label).map(|label| pair(&label)).into_iter().collect();
    Ok(ListNodes { role, labels, ..ListNodes::default() })
}

fn role(word: &str) -> Result<SwarmRole, Invalid> {
    SwarmRole::ALL
        .into_iter()
        .find(|role| role.as_str() == word)
        .ok_or_else(|| Invalid::new("?role", Code::Format, word, "no role of a node").hint("`manager` or `worker`"))
}
