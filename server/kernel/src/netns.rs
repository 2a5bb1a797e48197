//! Network namespaces.

use std::path::Path;

use crate::Error;

/// Moves the calling thread into the network namespace at `path`; for a process that is about to run a command there.
pub fn enter(path: &Path) -> Result<(), Error> {
    let _ = path;
    unimplemented!()
}
