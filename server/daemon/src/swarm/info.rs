//! `netloom swarm info`: the swarm in the lines that `docker info` has of it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use netloom_model::swarm::{Info, SwarmRole, SwarmState};

use super::UNREADABLE;
use crate::socket;

pub(super) fn run(socket: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let answer = socket::request(socket, "GET", "/api/v1/info")?.expected(200)?;
    if as_json {
        println!("{answer}");
    } else {
        let info: Info = serde_json::from_value(answer).context(UNREADABLE)?;
        print!("{}", lines(&info));
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(info: &Info) -> String {
    let mut text = String::new();
    let mut line = |depth: usize, key: &str, value: &dyn std::fmt::Display| {
        // Writing into a text can't fail.
        let _ = writeln!(text, "{:depth$}{key}: {value}", "");
    };
    line(0, "Name", &info.hostname);
    line(0, "Netloom Version", &info.version);
    line(0, "Kernel Version", &info.kernel);
    line(0, "Networks", &info.networks);
    line(0, "Sandboxes", &info.sandboxes);
    let state = match info.swarm_state {
        SwarmState::Inactive => "inactive",
        SwarmState::Active => "active",
        SwarmState::Disconnected => "disconnected",
    };
    line(0, "Swarm", &state);
    line(1, "NodeID", &info.node);
    let Some(swarm) = &info.swarm else { return text };
    let (status, settings) = (&swarm.status, &swarm.status.settings);
    if let Some(trouble) = &status.trouble {
        line(1, "Error", trouble);
    }
    line(1, "Is Manager", &(status.role == SwarmRole::Manager));
    line(1, "ClusterID", &swarm.id);
    line(1, "Name", &settings.name);
    line(1, "Managers", &status.managers);
    line(1, "Nodes", &status.nodes);
    line(1, "Default Address Pool", &settings.default_address_pools.join(", "));
    line(1, "SubnetSize", &settings.subnet_size);
    line(1, "Data Path Port", &settings.data_path_port);
    match settings.segment_fence_seconds {
        0 => line(1, "Segment Fence", &"never"),
        seconds => line(1, "Segment Fence", &format_args!("{seconds} seconds")),
    }
    line(1, "Orchestration", &"");
    line(2, "Task History Retention Limit", &settings.task_history_limit);
    line(1, "CA Configuration", &"");
    line(2, "Expiry Duration", &format_args!("{} hours", settings.certificate_validity_hours));
    line(2, "Digest", &status.ca_digest);
    line(1, "Certificate Expires", &status.certificate_expires_at);
    line(1, "Manager Address", &status.manager);
    if let Some(last) = status.last_contact {
        line(1, "Last Contact", &last);
    }
    text.lines().map(str::trim_end).fold(String::new(), |all, line| all + line + "\n")
}
