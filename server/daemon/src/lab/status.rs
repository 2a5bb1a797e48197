//! What a lab is like: a table for people, JSON for programs, and what is said when it was made.

use std::process::ExitCode;

use serde_json::json;

use super::daemon::{self, State};
use super::directory::{Directory, Record};
use super::{require_root, say};
use crate::cli::{Status, quoted};
use crate::socket;

/// Prints what there is. The exit code is 1 when a host is not ready.
///
/// # Errors
/// When there is no whole lab.
pub(crate) fn run(options: &Status) -> anyhow::Result<ExitCode> {
    require_root()?;
    let directory = Directory::new(&options.lab.dir)?;
    let record = directory.whole()?;
    let states: Vec<(State, Option<i32>)> =
        record.hosts.iter().map(|host| daemon::look(&directory.host(&host.name))).collect();
    if options.json {
        say(format_args!("{:#}", document(&directory, &record, &states)));
    } else {
        let rows = record.hosts.iter().zip(&states).map(|(host, (state, pid))| {
            let pid = pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
            let socket = directory.host(&host.name).directories().socket().display().to_string();
            [host.name.clone(), host.address.to_string(), state.as_str().to_owned(), pid, host.url() + "/ui", socket]
        });
        say(table(["HOST", "ADDRESS", "STATE", "PID", "DASHBOARD", "SOCKET"], rows.collect()));
        say(advice(&directory, &states));
    }
    let ready = states.iter().all(|(state, _)| *state == State::Ready);
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn document(directory: &Directory, record: &Record, states: &[(State, Option<i32>)]) -> serde_json::Value {
    let hosts = record.hosts.iter().zip(states).map(|(host, (state, pid))| {
        let place = directory.host(&host.name);
        let directories = place.directories();
        json!({
            "name": host.name, "address": host.address, "state": state, "pid": pid, "url": host.url(),
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
fn advice(directory: &Directory, states: &[(State, Option<i32>)]) -> String {
    let (flag, any) = (directory.flag(), |wanted| states.iter().any(|(state, _)| *state == wanted));
    if any(State::Gone) {
        format!("\nA host that is gone does not come back: netloom lab down{flag}, then make the lab anew.")
    } else if any(State::Stopped) {
        format!("\nWhat is stopped starts with: netloom lab start{flag}")
    } else {
        format!("\nLog in      netloom login-link --run-dir {}/HOST/run", quoted(directory.path()))
    }
}

/// What is said when a lab is ready: where everything is, and what to do next. Each host's dashboard has a link to log in with.
pub(crate) fn greet(directory: &Directory, record: &Record) {
    let rows = record.hosts.iter().map(|host| {
        let directories = directory.host(&host.name).directories();
        let socket = directories.socket();
        let link = socket::request(&socket, "POST", "/api/v1/login-links").ok();
        let link = link.and_then(|answer| answer.body["url"].as_str().map(str::to_owned));
        [
            host.name.clone(),
            host.address.to_string(),
            socket.display().to_string(),
            link.unwrap_or_else(|| host.url() + "/ui"),
        ]
    });
    let (path, flag) = (quoted(directory.path()), directory.flag());
    say(format_args!("\n{}", table(["HOST", "ADDRESS", "SOCKET", "DASHBOARD"], rows.collect())));
    say(format_args!(
        "\n\
         Log in      each link works once, for one hour; another: netloom login-link --run-dir {path}/HOST/run\n\
         Token       {path}/HOST/data/admin.token\n\
         Try         netloom lab exec{flag} host1                         a shell in host1\n\
         \x20           netloom lab exec{flag} host1 -- ping -c 3 {}\n\
         \x20           netloom lab exec{flag} host1 -- netloom token list   `netloom` asks host1's service there\n\
         \x20           netloom lab status{flag}\n\
         End         netloom lab down{flag}",
        record.hosts.last().map_or("localhost", |host| &host.name),
    ));
}

/// Columns as wide as they need to be; the last as wide as it is.
fn table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let line = |row: &[String; N]| {
        let cells: Vec<String> = (0..N).map(|column| format!("{:<1$}", row[column], width(column))).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_their_heads() {
        let rows = vec![["host1".to_owned(), "x".to_owned()], ["host10".to_owned(), "yy".to_owned()]];
        assert_eq!(table(["HOST", "B"], rows), "HOST    B\nhost1   x\nhost10  yy");
    }

    #[test]
    fn advice_is_about_the_worst() {
        let directory = Directory::new(std::path::Path::new("/srv/lab")).expect("absolute");
        let said =
            |states: &[State]| advice(&directory, &states.iter().map(|state| (*state, None)).collect::<Vec<_>>());
        assert!(said(&[State::Ready, State::Stopped, State::Gone]).contains("lab down --dir /srv/lab"));
        assert!(said(&[State::Ready, State::Stopped]).contains("lab start --dir /srv/lab"));
        assert!(said(&[State::Ready]).contains("/srv/lab/HOST/run"));
    }
}
