//! `netloom login-link`: asks the running service for a link that logs a browser in, once.

use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::cli::LoginLink;
use crate::{greeting, socket};

/// Prints the link.
///
/// # Errors
/// When no service answers, or it refuses.
pub(crate) fn run(options: &LoginLink) -> anyhow::Result<ExitCode> {
    let answer = socket::request(&options.directories.socket(), "POST", "/api/v1/login-links")?;
    if answer.status != 200 {
        bail!(answer.problem());
    }
    let path = answer.body["path"].as_str().context("the service's answer has no path")?;
    println!("{}{path}", greeting::base_url(options.listen));
    Ok(ExitCode::SUCCESS)
}
