//! Clients that generators make of the documents compile, and run exercise A against the real daemon.

use std::path::Path;
use std::process::Command;

use netloom_tests::host::LISTEN;
use netloom_tests::process::run;
use netloom_tests::tools::{command, command_in, repository, tool};
use netloom_tests::{Host, Snapshot, host};

/// Runs a client's exercise against a daemon on a fresh host, which must be as before when it is over.
fn exercise(host: &Host, client: &mut Command) {
    let before = Snapshot::of(host);
    host.start();
    let said = run(client.env("TOKEN", host.token()).args([&format!("http://{LISTEN}"), "parent0"])).ok();
    assert!(said.contains("exercise A: done"), "{said}");
    Snapshot::of(host).same_as(&before);
}

/// Makes a Python package of a document, and compiles it.
fn python_client(document: &str, dir: &Path) {
    let package = dir.join("netloom_client");
    run(command("openapi-python-client")
        .args(["generate", "--meta", "none", "--fail-on-warning"])
        .arg("--path")
        .arg(repository(document))
        .arg("--config")
        .arg(repository("tests/clients/python/generator.yaml"))
        .arg("--output-path")
        .arg(&package))
    .ok();
    run(command("python").args(["-m", "compileall", "-q"]).arg(&package)).ok();
}

#[test]
fn a_python_client_runs_the_exercise() {
    let host = host!();
    python_client("openapi/netloom-v1.json", host.dir());
    let mut client = command_in(&host.net, "python");
    client.env("PYTHONPATH", host.dir()).arg(repository("tests/clients/python/exercise.py"));
    exercise(&host, &mut client);
}

#[test]
fn a_python_client_of_the_older_document_runs_it_too() {
    let host = host!();
    python_client("openapi/netloom-v1-3.0.json", host.dir());
    let mut client = command_in(&host.net, "python");
    client.env("PYTHONPATH", host.dir()).arg(repository("tests/clients/python/exercise.py"));
    exercise(&host, &mut client);
}

/// A directory with the program, the types that are made of a document, and the packages that both need.
fn typescript_client(document: &str, dir: &Path) {
    for file in ["exercise.ts", "package.json", "tsconfig.json"] {
        std::fs::copy(repository("tests/clients/typescript").join(file), dir.join(file)).unwrap();
    }
    let packages = tool("typescript/node_modules");
    std::os::unix::fs::symlink(&packages, dir.join("node_modules")).unwrap();
    run(command("node")
        .arg(packages.join("openapi-typescript/bin/cli.js"))
        .arg(repository(document))
        .arg("-o")
        .arg(dir.join("schema.d.ts")))
    .ok();
    run(command("node").arg(packages.join("typescript/bin/tsc")).arg("--project").arg(dir)).ok();
}

#[test]
fn a_typescript_client_compiles_and_runs_the_exercise() {
    let host = host!();
    typescript_client("openapi/netloom-v1.json", host.dir());
    let mut client = command_in(&host.net, "node");
    client.arg(host.dir().join("exercise.ts"));
    exercise(&host, &mut client);
}

#[test]
fn a_typescript_client_of_the_older_document_compiles() {
    let dir = tempfile::tempdir().unwrap();
    typescript_client("openapi/netloom-v1-3.0.json", dir.path());
}
