//! The examples under `docs/automation`, run as a reader would run them, against the real daemon and the real kernel.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "automation/ansible.rs"]
mod ansible;
#[path = "automation/shell.rs"]
mod shell;
#[path = "automation/terraform.rs"]
mod terraform;

use std::path::{Path, PathBuf};

use netloom_tests::Client;

/// A file of the examples.
fn example(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/automation");
    directory.join(name).canonicalize().unwrap_or_else(|error| panic!("docs/automation/{name}: {error}"))
}

/// Number of the last event.
fn seq(client: &Client) -> u64 {
    client.get("networks?limit=1").is(200)["seq"].as_u64().unwrap()
}
