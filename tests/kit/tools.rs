//! Programs from PyPI and npm that the tests use as eyes and clients independent of ours. `tests/tools/fetch` puts them there.

use std::path::PathBuf;
use std::process::Command;

use crate::Namespace;

/// A path in the repository.
pub fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A path among the tools.
///
/// # Panics
/// When nothing is there, with the way to get it.
pub fn tool(path: &str) -> PathBuf {
    // Not the path itself: an environment's `python` is a link that leads out of it.
    let tools = repository("target/tools").canonicalize().unwrap_or_default();
    let path = tools.join(path);
    assert!(path.exists(), "target/tools/{} is not there: run tests/tools/fetch (tests/run does)", path.display());
    path
}

/// A command of Python's environment (`python`, `st`, `node`, ...), which finds the others.
pub fn command(program: &str) -> Command {
    with_path(Command::new(tool("python/bin").join(program)))
}

/// The same, to run inside a namespace.
pub fn command_in(namespace: &Namespace, program: &str) -> Command {
    with_path(namespace.command(&tool("python/bin").join(program).to_string_lossy()))
}

fn with_path(mut command: Command) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", tool("python/bin").display()));
    // Nothing is written into the repository.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}
