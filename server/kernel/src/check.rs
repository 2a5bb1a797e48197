//! `netloom doctor`: whether this host can carry Netloom.

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

/// Looks at everything; blocks for some milliseconds, changes nothing that lasts.
pub fn run(config: &Config) -> Vec<Check> {
    let _ = config;
    unimplemented!()
}
