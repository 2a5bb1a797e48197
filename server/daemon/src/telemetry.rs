//! Logs: one human line each, to standard error, where a terminal or the journal takes them.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

/// Starts logging. A bare level speaks of Netloom's own crates; libraries then only warn.
///
/// # Errors
/// When the directives can't be read.
pub(crate) fn start(log: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(directives(log)).with_context(|| {
        format!("--log {log}: give error, warn, info, debug or trace, or directives such as info,netloom_agent=debug")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}

fn directives(log: &str) -> String {
    match log.parse::<tracing::Level>() {
        // Directives match by the start of the target: `netloom` stands for all crates of the workspace.
        Ok(level) => format!("warn,netloom={level}"),
        Err(_) => log.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_level_keeps_libraries_quiet() {
        assert_eq!(directives("debug"), "warn,netloom=DEBUG");
        assert_eq!(directives("info,netloom_agent=trace"), "info,netloom_agent=trace");
    }
}
