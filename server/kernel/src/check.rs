//! `netloom doctor`: whether this host can carry Netloom.
//!
//! Each check is tried rather than guessed where that leaves nothing behind: in a namespace that goes with its thread. What must
//! not live here: the directories, the port and the database, which are the daemon's.

mod features;
mod host;
mod nftables;

use std::io;

use crate::Config;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Works, with a limit that is said.
    Warning,
    /// Netloom can't work (or not fully) like this.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, such as `kernel feature macvlan`.
    pub name: String,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found, in a sentence.
    pub found: String,
    /// What helps, when something is not as it should be.
    pub remedy: Option<String>,
}

impl Check {
    fn good(name: &str, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), verdict: Verdict::Good, found: found.into(), remedy: None }
    }

    fn warning(name: &str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into());
        Self { name: name.to_owned(), verdict: Verdict::Warning, found: found.into(), remedy }
    }

    fn bad(name: &str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into());
        Self { name: name.to_owned(), verdict: Verdict::Bad, found: found.into(), remedy }
    }

    /// What could not be looked at: not known to be wrong.
    fn unknown(name: &str, error: &io::Error) -> Self {
        Self::warning(name, format!("can't be looked at: {error}"), "run as root")
    }
}

/// Looks at everything; blocks for some milliseconds, changes nothing that lasts.
pub fn run(config: &Config) -> Vec<Check> {
    let mut checks = vec![host::capabilities(), host::kernel()];
    checks.extend(features::all());
    checks.push(host::mount_namespace(&config.run_dir));
    checks.push(host::shared_mount(&config.run_dir));
    checks.push(nftables::forward_chains());
    checks.push(nftables::legacy_tables());
    checks.extend(host::settings());
    checks.push(host::resolver());
    checks
}
