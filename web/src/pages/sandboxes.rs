//! `/ui/sandboxes`: all sandboxes.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::ListSandboxes;
use netloom_model::Invalid;
use netloom_model::invalid::Code;

use super::{pair, part, some_network, text};
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
    let labels = text(&filter.label).map(|label| pair(&label)).into_iter().collect();
    Ok(ListSandboxes { network, labels, running: running(&filter.state)?, q, ..ListSandboxes::default() })
}

fn running(word: &str) -> Result<Option<bool>, Error> {
    match word {
        "" => Ok(None),
        "running" => Ok(Some(true)),
        "stopped" => Ok(Some(false)),
        _ => Err(Invalid::new("?state", Code::Format, word, "not a state that can be wanted")
            .hint("running or stopped")
            .into()),
    }
}
