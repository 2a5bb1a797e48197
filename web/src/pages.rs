//! A handler per page: authorise, ask control, hand the answer to the view model.

pub mod address;
pub mod events;
pub mod leases;
pub mod login;
pub mod missing;
pub mod network;
pub mod networks;
pub mod overview;
pub mod sandbox;
pub mod sandboxes;
pub mod search;

use netloom_control::command::PageRequest;

/// Rows on one page of a list.
const ROWS: u32 = 100;

/// The part of a list that a page shows.
fn part(token: &str) -> PageRequest {
    PageRequest { limit: Some(ROWS), token: text(token) }
}

/// A form's text, when it says anything.
fn text(value: &str) -> Option<String> {
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// What a list's page has in its query beside a filter.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Paging {
    page_token: String,
}
