//! `netloom swarm`: asks the running service to make, join, leave and show a swarm, and for its join tokens. What is printed is Docker's
//! wording where Docker has the same thing.

mod info;
mod tokens;

use std::io::{BufRead as _, stdin};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

use crate::cli::{self, Init, Join, Leave, SwarmCommand};
use crate::explained;
use crate::socket::{self, Answer};

/// What an answer lacks that is not of this version.
pub(crate) const UNREADABLE: &str = "the service's answer can't be read";

/// How long a node that joined waits for the swarm's networks, and how often it looks.
const NETWORKS_WAIT: Duration = Duration::from_secs(5);
const NETWORKS_LOOK: Duration = Duration::from_millis(20);

/// For how long a manager is asked again that has too many hosts of one address before it.
const JOIN_WAIT: Duration = Duration::from_secs(120);

/// Runs the command.
///
/// # Errors
/// When no service answers, or it refuses.
pub(crate) fn run(options: &cli::Swarm) -> anyhow::Result<ExitCode> {
    match &options.command {
        SwarmCommand::Init(options) => init(options),
        SwarmCommand::Join(options) => join(options),
        SwarmCommand::Leave(options) => leave(options),
        SwarmCommand::Info(options) => info::run(&options.run.socket(), options.json),
        SwarmCommand::Token(options) => tokens::run(&options.command),
    }
}

fn init(options: &Init) -> anyhow::Result<ExitCode> {
    let mut spec = Map::new();
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            spec.insert(key.to_owned(), value);
        }
    };
    set("advertise_address", options.advertise_addr.clone().map(Value::from));
    set("name", options.name.clone().map(Value::from));
    let pools = Some(options.default_addr_pool.clone()).filter(|pools| !pools.is_empty());
    set("default_address_pools", pools.map(Value::from));
    set("subnet_size", options.default_addr_pool_mask_length.map(Value::from));
    set("data_path_port", options.data_path_port.map(Value::from));
    set("task_history_limit", options.task_history_limit.map(Value::from));
    set("certificate_validity_hours", options.cert_expiry.map(Value::from));
    set("segment_fence_seconds", options.segment_fence.map(Value::from));
    let answer = socket::put_new(&options.run.socket(), "/api/v1/swarm", &Value::Object(spec))?;
    if answer.status == 412 {
        return Err(explained(
            "this host is in a swarm already",
            "`netloom swarm info` shows it; `netloom swarm leave` leaves it, which with `--force` on the manager ends the swarm",
        ));
    }
    let made = answer.expected(201)?;
    let node = made["status"]["node"].as_str().context(UNREADABLE)?;
    let command = made["join_token"]["command"].as_str().context(UNREADABLE)?;
    println!("Swarm initialized: current node ({node}) is now a manager.\n");
    println!("To add a worker to this swarm, run the following command:\n\n    {command}\n");
    println!(
        "The token in it is shown this once: 'netloom swarm token rotate' makes it another, and 'netloom swarm token create' a further one."
    );
    Ok(ExitCode::SUCCESS)
}

fn join(options: &Join) -> anyhow::Result<ExitCode> {
    let token = match options.token.as_str() {
        "-" => {
            let mut line = String::new();
            stdin().lock().read_line(&mut line).context("cannot read standard input")?;
            line.trim().to_owned()
        }
        token => token.to_owned(),
    };
    let mut body = json!({"token": token, "manager": options.manager});
    for (key, value) in [("address", &options.advertise_addr), ("availability", &options.availability)] {
        if let Some(value) = value {
            body[key] = value.as_str().into();
        }
    }
    let joined = asked_to_join(&options.run.socket(), &body)?.expected(201)?;
    match joined["status"]["role"].as_str() {
        Some(role) => println!("This node joined a swarm as a {role}."),
        None => bail!(UNREADABLE),
    }
    if !has_networks(&options.run.socket())? {
        eprintln!(
            "netloom: the manager has not told of the swarm's networks yet; `netloom swarm info` says whether it is reached"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks to join; again, where the manager says that too many hosts do at once, when it says, for a while.
fn asked_to_join(socket: &Path, body: &Value) -> anyhow::Result<Answer> {
    let end = Instant::now() + JOIN_WAIT;
    loop {
        let answer = socket::request_far(socket, "PUT", "/api/v1/swarm/membership", Some(body))?;
        let wait = answer.retry_after().filter(|wait| Instant::now() + *wait < end);
        let Some(wait) = wait else { return Ok(answer) };
        eprintln!("netloom: many hosts of this address ask the manager at once; asked again in {} s", wait.as_secs());
        std::thread::sleep(wait);
    }
}

/// Waits for the swarm's networks, so that whoever goes on with one finds it: there is always `ingress`. Whether they came.
fn has_networks(socket: &Path) -> anyhow::Result<bool> {
    let end = Instant::now() + NETWORKS_WAIT;
    loop {
        let networks = socket::request(socket, "GET", "/api/v1/networks?scope=swarm&limit=1")?.expected(200)?;
        if networks["items"].as_array().is_some_and(|items| !items.is_empty()) {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        std::thread::sleep(NETWORKS_LOOK);
    }
}

fn leave(options: &Leave) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/swarm/membership?force={}", options.force);
    socket::request_far(&options.run.socket(), "DELETE", &path, None)?.expected(204)?;
    println!("Node left the swarm.");
    Ok(ExitCode::SUCCESS)
}
