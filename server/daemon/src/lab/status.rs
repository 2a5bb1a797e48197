//! What a lab is like: a table for people, JSON for programs.

use std::process::ExitCode;

use serde_json::json;

use super::daemon::{self, State};
use super::directory::{Directory, Host, Record};
use super::{join, require_root, say};
use crate::cli::{Status, quoted};
use crate::table::table;

/// What one host is like.
struct Seen {
    state: State,
    /// The process of its service.
    pid: Option<i32>,
    /// What it is in a swarm.
    role: Option<String>,
}

impl Seen {
    fn look(directory: &Directory, host: &Host) -> Self {
        let (state, pid) = daemon::look(&directory.host(&host.name));
        let role = if state == State::Ready { join::role(directory, host) } else { None };
        Self { state, pid, role }
    }
}

/// Prints what there is. The exit code is 1 when a host is not ready.
///
/// # Errors
/// When there is no whole lab.
pub(crate) fn run(options: &Status) -> anyhow::Result<ExitCode> {
    require_root()?;
    let directory = Directory::new(&options.lab.dir)?;
    let record = directory.whole()?;
    let seen: Vec<Seen> = record.hosts.iter().map(|host| Seen::look(&directory, host)).collect();
    if options.json {
        say(format_args!("{:#}", document(&directory, &record, &seen)));
    } else {
        say(rows(&directory, &record, &seen));
        say(advice(&directory, &seen.iter().map(|seen| seen.state).collect::<Vec<_>>()));
    }
    let ready = seen.iter().all(|seen| seen.state == State::Ready);
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn rows(directory: &Directory, record: &Record, seen: &[Seen]) -> String {
    let head = ["HOST", "ADDRESS", "STATE", "ROLE", "PID", "DASHBOARD", "SOCKET"].map(str::to_owned);
    let of_hosts = record.hosts.iter().zip(seen).map(|(host, seen)| {
        let pid = seen.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let role = seen.role.clone().unwrap_or_else(|| join::NO_ROLE.to_owned());
        let socket = directory.host(&host.name).directories().socket().display().to_string();
        let (name, state) = (host.name.clone(), seen.state.as_str().to_owned());
        [name, host.address.to_string(), state, role, pid, host.url() + "/ui", socket]
    });
    let all: Vec<_> = std::iter::once(head).chain(of_hosts).collect();
    table(&all).trim_end().to_owned()
}

fn document(directory: &Directory, record: &Record, seen: &[Seen]) -> serde_json::Value {
    let hosts = record.hosts.iter().zip(seen).map(|(host, seen)| {
        let place = directory.host(&host.name);
        let directories = place.directories();
        json!({
            "name": host.name, "address": host.address, "state": seen.state, "role": seen.role, "pid": seen.pid,
            "url": host.url(),
            "netns": place.namespace(), "socket": directories.socket(), "token": directories.token(),
            "data_dir": directories.data_dir, "run_dir": directories.run_dir, "log": place.log(),
        })
    });
    json!({
        "dir": directory.path(), "gateway": record.gateway, "underlay": directory.underlay(),
        "hosts": hosts.collect::<Vec<_>>(),
    })
}

/// What helps where something is not ready; else how to go on.
fn advice(directory: &Directory, states: &[State]) -> String {
    let (flag, any) = (directory.flag(), |wanted| states.contains(&wanted));
    if any(State::Gone) {
        format!("\nA host that is gone does not come back: netloom lab down{flag}, then make the lab anew.")
    } else if any(State::Stopped) {
        format!("\nWhat is stopped starts with: netloom lab start{flag}")
    } else {
        format!("\nLog in      netloom login-link --run-dir {}/HOST/run", quoted(directory.path()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_about_the_worst() {
        let directory = Directory::new(std::path::Path::new("/srv/lab")).expect("absolute");
        let said = |states: &[State]| advice(&directory, states);
        assert!(said(&[State::Ready, State::Stopped, State::Gone]).contains("lab down --dir /srv/lab"));
        assert!(said(&[State::Ready, State::Stopped]).contains("lab start --dir /srv/lab"));
        assert!(said(&[State::Ready]).contains("/srv/lab/HOST/run"));
    }
}
