//! Programs that are written in Python and come from its package index: each list of requirements in a virtual environment of its own
//! below `target/`, made once and used by every test and every run after it.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::fcntl::{Flock, FlockArg};

use crate::process::run;

/// A virtual environment that holds what a requirements file lists, versions pinned there. `below` is `env!("CARGO_TARGET_TMPDIR")`.
/// The answer is its directory of programs; `python` is one of them.
///
/// # Panics
/// When it can't be made, with what `venv` or `pip` said.
#[track_caller]
pub fn environment(below: &str, requirements: &Path) -> PathBuf {
    let text = std::fs::read(requirements).unwrap_or_else(|error| panic!("{}: {error}", requirements.display()));
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let environment = Path::new(below).join(format!("python-{:016x}", hasher.finish()));
    std::fs::create_dir_all(&environment).expect("the target directory is writable");
    // Tests run side by side, in several processes: one makes it, the others wait.
    let file = File::create(environment.join("lock")).expect("the target directory is writable");
    let _lock = Flock::lock(file, FlockArg::LockExclusive).expect("a file of ours can be locked");
    let (programs, complete) = (environment.join("venv/bin"), environment.join("complete"));
    if !complete.exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment.join("venv"))).ok();
        let pip = programs.join("pip");
        run(Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(requirements)).ok();
        File::create(&complete).expect("the target directory is writable");
    }
    programs
}
