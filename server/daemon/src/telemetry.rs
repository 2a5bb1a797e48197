//! Logs: one human line each, to standard error, where a terminal or the journal takes them.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

/// What can be asked for.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
/// The crates that say something, without `netloom_` before it.
const CRATES: [&str; 14] = [
    "agent", "api", "control", "daemon", "fault", "ipam", "kernel", "model", "names", "nftables", "pki", "plan",
    "store", "swarm",
];
/// What libraries may say. The DNS library complains of every malformed message, and any program in a sandbox can send as many of
/// those as it likes; the HTTP library calls it an error of the service's when a client's request can't be read.
const LIBRARIES: &str = "warn,hickory_proto=off,actix_http::h1=off";

/// Starts logging, as [`directives`] says.
///
/// # Errors
/// When the directives can't be read.
pub(crate) fn start(directives: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(directives).with_context(|| format!("{directives} can't be logged by"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}

/// What a value of `--log` stands for. A bare level speaks of Netloom's own crates; libraries only warn.
///
/// # Errors
/// A level or a target that is none, with what there is: nothing would be logged for it.
pub(crate) fn directives(log: &str) -> Result<String, String> {
    let mut all = vec![LIBRARIES.to_owned(), "netloom=info".to_owned()];
    for part in log.split(',').map(str::trim) {
        // Directives match by the start of the target: `netloom` stands for all crates of the workspace.
        let (target, level) = part.split_once('=').unwrap_or(("netloom", part));
        if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            return Err(format!("`{level}` is no level: give {}, or TARGET=LEVEL after a comma", LEVELS.join(", ")));
        }
        if !is_ours(target) {
            let crates = CRATES.map(|name| format!("netloom_{name}")).join(", ");
            return Err(format!("`{target}` is no target: give {crates}, netloom_web, or netloom for all of them"));
        }
        all.push(format!("{target}={}", level.to_ascii_lowercase()));
    }
    Ok(all.join(","))
}

fn is_ours(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    let known = |name| name == "web" || CRATES.contains(&name);
    name == "netloom" || name.strip_prefix("netloom_").is_some_and(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_speaks_of_netloom_and_keeps_libraries_quiet() {
        let said = |log| directives(log).expect("good");
        assert_eq!(said("debug"), "warn,hickory_proto=off,actix_http::h1=off,netloom=info,netloom=debug");
        let both = "warn,hickory_proto=off,actix_http::h1=off,netloom=info,netloom=info,netloom_agent::pass=trace";
        assert_eq!(said("info, netloom_agent::pass=trace"), both);
        EnvFilter::try_new(both).expect("the library reads it");
    }

    #[test]
    fn what_would_log_nothing_is_refused_with_what_there_is() {
        for (log, word) in [
            ("bogus", "`bogus` is no level: give error, warn"),
            ("", "`` is no level"),
            ("info,netloom_agnt=trace", "`netloom_agnt` is no target: give netloom_agent"),
            ("info,netloom_agent=loud", "`loud` is no level"),
            ("hickory_proto=trace", "`hickory_proto` is no target"),
        ] {
            assert!(directives(log).is_err_and(|why| why.contains(word)), "{log}");
        }
    }

    #[test]
    fn every_crate_is_a_target() {
        let server = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).expect("the crates");
        for name in server.map(|entry| entry.expect("an entry").file_name()) {
            assert!(is_ours(&format!("netloom_{}", name.display())), "{}", name.display());
        }
    }
}
