//! The hosts of a lab become a swarm: the first makes it, and the others join, by requests to their own services as a person's commands are.
//!
//! Nothing is written of it here: what a host is in a swarm its service knows, and is asked.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use netloom_model::swarm::PORT;
use serde_json::{Value, json};

use super::directory::{Directory, Host, Record};
use super::make::go_on;
use super::{counted, say};
use crate::socket::{self, Answer};
use crate::swarm::UNREADABLE;

/// How long a host may go on trying to join while its manager can't be reached: it begins to listen right after it made the swarm.
const JOINS_WITHIN: Duration = Duration::from_secs(30);

/// How long the manager may take to know all others as ready, once they joined.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// Makes the swarm, lets all hosts join, and waits until the manager knows them as ready.
///
/// # Errors
/// When a host's service refuses, with its reason; when the caller was interrupted.
pub(super) fn all(directory: &Directory, record: &Record, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let Some((manager, workers)) = record.hosts.split_first() else { return Ok(()) };
    let secret = make(directory, manager)?;
    say(format_args!("  {} made a swarm, and manages it", manager.name));
    netloom_fault::point("lab.make.after_swarm")?;
    for worker in workers {
        join(directory, manager, worker, &secret, interrupted)?;
        say(format_args!("  {} joined it as a worker", worker.name));
        netloom_fault::point("lab.make.after_join")?;
        go_on(interrupted)?;
    }
    await_ready(directory, manager, record.hosts.len(), interrupted)
}

/// What stands in tables for the role of a host in no swarm.
pub(super) const NO_ROLE: &str = "-";

/// What a host is in a swarm: manager or worker; nothing where it is in none, or can't be asked.
pub(super) fn role(directory: &Directory, host: &Host) -> Option<String> {
    let info = socket::request(&socket_of(directory, host), "GET", "/api/v1/info").ok()?;
    info.body["swarm"]["status"]["role"].as_str().map(str::to_owned)
}

fn socket_of(directory: &Directory, host: &Host) -> PathBuf {
    directory.host(&host.name).directories().socket()
}

/// Makes the swarm on the first host; the secret by which others join.
fn make(directory: &Directory, manager: &Host) -> anyhow::Result<String> {
    let spec = json!({"advertise_address": manager.address});
    let made = socket::put_new(&socket_of(directory, manager), "/api/v1/swarm", &spec)
        .and_then(|answer| answer.expected(201))
        .with_context(|| format!("{} could not make a swarm", manager.name))?;
    made["join_token"]["secret"].as_str().map(str::to_owned).context(UNREADABLE)
}

fn join(
    directory: &Directory,
    manager: &Host,
    worker: &Host,
    secret: &str,
    interrupted: &AtomicBool,
) -> anyhow::Result<()> {
    let body = json!({
        "token": secret, "manager": format!("{}:{PORT}", manager.address), "address": worker.address,
    });
    let begin = Instant::now();
    let ask = || socket::request_far(&socket_of(directory, worker), "PUT", "/api/v1/swarm/membership", Some(&body));
    let mut answer = ask();
    while answer.as_ref().is_ok_and(may_be_tried_again) && begin.elapsed() < JOINS_WITHIN {
        std::thread::sleep(PAUSE);
        go_on(interrupted)?;
        answer = ask();
    }
    let joined = answer.and_then(|answer| answer.expected(201));
    joined.map(drop).with_context(|| format!("{} could not join the swarm of {}", worker.name, manager.name))
}

fn may_be_tried_again(answer: &Answer) -> bool {
    answer.body["retryable"] == true
}

fn await_ready(directory: &Directory, manager: &Host, hosts: usize, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let socket = socket_of(directory, manager);
    let begin = Instant::now();
    loop {
        let nodes = socket::items(&socket, "/api/v1/nodes?limit=1000")?;
        let is_ready = |node: &&Value| node["status"]["state"] == "ready";
        let ready = nodes.iter().filter(is_ready).count();
        if ready == hosts {
            return Ok(());
        }
        if begin.elapsed() > READY_WITHIN {
            let (seconds, all) = (READY_WITHIN.as_secs(), counted(hosts));
            bail!("{} knew {ready} of {all} as ready nodes of the swarm after {seconds} s", manager.name);
        }
        go_on(interrupted)?;
        std::thread::sleep(PAUSE);
    }
}
