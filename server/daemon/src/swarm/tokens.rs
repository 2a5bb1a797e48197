//! `netloom swarm token`: the tokens that let hosts in.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use netloom_model::swarm::{JoinToken, JoinTokenState};
use serde_json::{Map, Value, json};

use super::UNREADABLE;
use crate::cli::JoinTokenCommand;
use crate::socket::{self, segment};
use crate::table::table;
use crate::tokens::{end, now};

const TOKENS: &str = "/api/v1/swarm/join-tokens";

pub(super) fn run(command: &JoinTokenCommand) -> anyhow::Result<ExitCode> {
    match command {
        JoinTokenCommand::Create(options) => {
            let mut spec = json!({"name": options.name, "role": "worker"});
            if let Some(expires) = &options.expires {
                spec["expires_at"] = end(expires, now())?.into();
            }
            if let Some(uses) = options.uses {
                spec["max_uses"] = uses.into();
            }
            if !options.labels.is_empty() {
                let labels = options.labels.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
                spec["node_labels"] = labels.collect::<Map<_, _>>().into();
            }
            let made = socket::request_with(&options.run.socket(), "POST", TOKENS, &spec)?.expected(201)?;
            shown(&made, options.quiet)
        }
        JoinTokenCommand::List(options) => list(&options.run.socket(), options.json),
        JoinTokenCommand::Rotate(options) => {
            let path = format!("{TOKENS}/{}/rotate", segment(&options.token));
            let rotated = socket::request(&options.run.socket(), "POST", &path)?.expected(200)?;
            shown(&rotated, options.quiet)
        }
        JoinTokenCommand::Revoke(options) => {
            let path = format!("{TOKENS}/{}", segment(&options.token));
            socket::request(&options.run.socket(), "DELETE", &path)?.expected(204)?;
            println!("join token `{}` is revoked", options.token);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn shown(made: &Value, quiet: bool) -> anyhow::Result<ExitCode> {
    let text = |key: &str| made[key].as_str().context(UNREADABLE);
    if quiet {
        println!("{}", text("secret")?);
    } else {
        let (role, command) = (text("role")?, text("command")?);
        println!("To add a {role} to this swarm, run the following command:\n\n    {command}\n");
    }
    Ok(ExitCode::SUCCESS)
}

fn list(socket: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut rows = vec![["NAME", "ROLE", "STATE", "USES", "EXPIRES", "LAST USED", "ID"].map(str::to_owned)];
    for item in socket::items(socket, &format!("{TOKENS}?limit=1000"))? {
        if as_json {
            println!("{item}");
        } else {
            rows.push(row(serde_json::from_value(item).context(UNREADABLE)?));
        }
    }
    if !as_json {
        print!("{}", table(&rows));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(token: JoinToken) -> [String; 7] {
    let never = || "never".to_owned();
    let (spec, status) = (token.spec, token.status);
    let uses = match spec.max_uses {
        Some(most) => format!("{} of {most}", status.uses),
        None => status.uses.to_string(),
    };
    let state = match status.state {
        JoinTokenState::Active => "active",
        JoinTokenState::Expired => "expired",
        JoinTokenState::UsedUp => "used up",
    };
    [
        spec.name,
        spec.role.as_str().to_owned(),
        state.to_owned(),
        uses,
        spec.expires_at.unwrap_or_else(never),
        status.last_used_at.map_or_else(never, |at| at.to_string()),
        token.id.to_string(),
    ]
}
