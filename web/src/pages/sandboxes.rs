//! `/ui/sandboxes`: all sandboxes.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::ListSandboxes;
use netloom_model::sandbox::SandboxState;

use super::{pair, part, some_network, text, word};
use crate::view::frame::Section;
use crate::view::sandboxes::{SandboxFilter, SandboxesPage};
use crate::visit::Visit;

/// All sandboxes.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.show(show).await
}

async fn show(visit: &Visit) -> Result<SandboxesPage, Error> {
    let filter: SandboxFilter = visit.query()?;
    let command = ListSandboxes { page: part(&filter.page_token), ..command(&filter)? };
    let page = visit.control.list_sandboxes(visit.authorize(command)?).await?;
    let network = if page.items.is_empty() { some_network(visit).await? } else { None };
    Ok(SandboxesPage::new(visit.frame("Sandboxes", Section::Sandboxes), filter, &page, network.as_deref()))
}

/// What a filter asks for.
pub(super) fn command(filter: &SandboxFilter) -> Result<ListSandboxes, Error> {
    let (network, q) = (text(&filter.network), text(&filter.q));
    let state = word("?state", &filter.state, &SandboxState::ALL, SandboxState::as_str)?;
    let labels = text(&filter.label).map(|label| pair(&label)).into_iter().collect();
    Ok(ListSandboxes { network, labels, state, q, ..ListSandboxes::default() })
}
