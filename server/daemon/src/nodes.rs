//! `netloom node`: asks the running service of the manager for the swarm's nodes.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use netloom_model::swarm::{Node, SwarmRole};
use serde_json::{Map, Value, json};

use crate::cli::{self, NodeCommand, NodeUpdate};
use crate::socket::{self, segment};
use crate::table::table;

/// Runs the command.
///
/// # Errors
/// When no service answers, or it refuses.
pub(crate) fn run(options: &cli::Node) -> anyhow::Result<ExitCode> {
    match &options.command {
        NodeCommand::Ls(options) => list(&options.run.socket(), options.json)?,
        NodeCommand::Inspect(options) => {
            let node = socket::request(&options.run.socket(), "GET", &path(&options.node))?.expected(200)?;
            println!("{node:#}");
        }
        NodeCommand::Update(options) => update(options)?,
        NodeCommand::Rm(options) => {
            let path = format!("{}?force={}&off={}", path(&options.node), options.force, options.off);
            socket::request(&options.run.socket(), "DELETE", &path)?.expected(204)?;
            println!("{}", options.node);
        }
        NodeCommand::Readmit(options) => {
            let path = format!("{}/readmit", path(&options.node));
            let node = socket::request(&options.run.socket(), "POST", &path)?.expected(200)?;
            let name = node["status"]["hostname"].as_str().unwrap_or(&options.node).to_owned();
            println!("node `{name}` gets a new certificate when it asks next");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn path(node: &str) -> String {
    format!("/api/v1/nodes/{}", segment(node))
}

fn list(socket: &Path, as_json: bool) -> anyhow::Result<()> {
    let nodes = socket::items(socket, "/api/v1/nodes?limit=1000")?;
    if as_json {
        for node in nodes {
            println!("{node}");
        }
        return Ok(());
    }
    let info = socket::request(socket, "GET", "/api/v1/info")?.expected(200)?;
    let head = ["ID", "HOSTNAME", "STATUS", "AVAILABILITY", "MANAGER STATUS", "ADDRESS", "VERSION"];
    let mut rows = vec![head.map(str::to_owned)];
    for node in nodes {
        let node: Node = serde_json::from_value(node).context("the service's answer can't be read")?;
        let own = info["node"].as_str() == Some(&node.id.to_string());
        rows.push(row(node, own));
    }
    print!("{}", table(&rows));
    Ok(())
}

fn row(node: Node, own: bool) -> [String; 7] {
    let status = node.status;
    let mark = if own { " *" } else { "" };
    let leads = if status.role == SwarmRole::Manager { "Leader" } else { "" };
    let state = match status.readmission_asked_at {
        Some(_) => format!("{}, asks to be readmitted", capital(status.state.as_str())),
        None => capital(status.state.as_str()),
    };
    [
        format!("{}{mark}", node.id),
        status.hostname,
        state,
        capital(node.spec.availability.unwrap_or_default().as_str()),
        leads.to_owned(),
        status.address,
        status.version,
    ]
}

/// A word with a capital, as Docker shows states.
fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn update(options: &NodeUpdate) -> anyhow::Result<()> {
    let mut patch = json!({});
    if let Some(availability) = &options.availability {
        patch["availability"] = availability.as_str().into();
    }
    let added = options.label_add.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
    let removed = options.label_rm.iter().map(|key| (key.clone(), Value::Null));
    let labels: Map<_, _> = added.chain(removed).collect();
    if !labels.is_empty() {
        patch["labels"] = labels.into();
    }
    socket::request_with(&options.run.socket(), "PATCH", &path(&options.node), &patch)?.expected(200)?;
    println!("{}", options.node);
    Ok(())
}
