//! `netloom openapi`: the API's description, as served at `/openapi.json` and `/openapi-3.0.json`, and kept in `openapi/`. What must not live here: what it says (api).

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Context;

/// Prints the document, as 3.1 or 3.0. Who reads only its beginning (`| head`) has what he wanted.
///
/// # Errors
/// Standard output takes nothing.
pub(crate) fn run(version: &str) -> anyhow::Result<ExitCode> {
    let document = match version {
        "3.0" => netloom_api::openapi::document_3_0(),
        _ => netloom_api::openapi::document(),
    };
    match writeln!(std::io::stdout(), "{}", document.trim_end()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("printing the document"),
        _ => Ok(ExitCode::SUCCESS),
    }
}
