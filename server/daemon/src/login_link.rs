//! `netloom login-link`: asks the running service for a link that logs a browser in, once.

use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::cli::LoginLink;
use crate::socket;

/// Prints the link.
///
/// # Errors
/// When no service answers, or it refuses.
pub(crate) fn run(options: &LoginLink) -> anyhow::Result<ExitCode> {
    let answer = socket::request(&options.run.socket(), "POST", "/api/v1/login-links")?;
    if answer.status != 200 {
        bail!(answer.problem());
    }
    let url = answer.body["url"].as_str().context("the service's answer has no URL")?;
    println!("{url}");
    Ok(ExitCode::SUCCESS)
}
