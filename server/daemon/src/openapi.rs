//! `netloom openapi`: the API's description, as served at `/openapi.json` and kept in `openapi/`.

use std::process::ExitCode;

/// Prints the document.
///
/// # Errors
/// None; the signature is that of the other commands.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    println!("{}", netloom_api::openapi::document().trim_end());
    Ok(ExitCode::SUCCESS)
}
