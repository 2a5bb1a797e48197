//! The link to a table as CSV, which stands beside its pages: all rows of the same filter.

use askama::Template;

/// The link.
#[derive(Debug, Clone, Template)]
#[template(path = "component/csv.html")]
pub struct CsvLink {
    href: String,
    what: &'static str,
}

impl askama::filters::HtmlSafe for CsvLink {}

impl CsvLink {
    /// To the table of the page at `path`, with the query that it is filtered by; `what` says what its rows are.
    pub fn new(path: &str, query: &str, what: &'static str) -> Self {
        Self { href: format!("{path}.csv{query}"), what }
    }
}
