//! A loss of power: nothing is said before the disk has it, and a disk that does not keep what is written is said. The system calls of the
//! daemon tell, by strace; a disk that refuses is one whose answer strace changes.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use netloom_tests::stream::Stream;
use netloom_tests::{Host, host, json, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::agreement::agree;

/// The daemon under strace, until this is dropped.
struct Traced {
    strace: Child,
    log: PathBuf,
}

impl Traced {
    /// Follows every thread; returns once it does.
    fn start(host: &Host, what: &[&str]) -> Self {
        let log = host.dir().join("strace");
        let mut command = Command::new("strace");
        command.args(["-f", "-y", "-s", "4000", "-o"]).arg(&log).args(what).args(["-p", &host.pid().to_string()]);
        let strace = command.stderr(Stdio::null()).spawn().expect("strace can be started; is it installed?");
        let tasks = format!("/proc/{}/task", host.pid());
        until("strace follows every thread", Duration::from_secs(10), || {
            let mut tasks = std::fs::read_dir(&tasks).ok()?.flatten();
            let traced = |task: std::fs::DirEntry| {
                let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
                status.contains("TracerPid:") && !status.contains("TracerPid:\t0\n")
            };
            tasks.all(traced).then_some(())
        });
        Self { strace, log }
    }

    fn end(&mut self) {
        let _ = kill(Pid::from_raw(self.strace.id().cast_signed()), Signal::SIGTERM);
        self.strace.wait().expect("strace ends");
    }

    /// The calls seen so far, in order.
    fn calls(mut self) -> Vec<String> {
        self.end();
        let text = std::fs::read_to_string(&self.log).expect("a log");
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if matches!(self.strace.try_wait(), Ok(None)) {
            self.end();
        }
    }
}

/// What a call is to this test.
enum Step {
    /// Something is written to the database's log.
    Logged,
    /// The thread begins to have the log synced; or has it.
    Syncing,
    Synced,
    /// An answer leaves.
    Said,
    /// That many events leave.
    Told(usize),
}

/// Reads a line of strace's: the thread, then the call, which may be cut in two by others.
fn step(line: &str) -> Option<(&str, Step)> {
    let (thread, call) = line.split_once(char::is_whitespace)?;
    let call = call.trim_start();
    let of_log = call.contains("netloom.db-wal>");
    let step = match call {
        _ if call.starts_with("pwrite64(") && of_log => Step::Logged,
        _ if call.starts_with("<... fdatasync resumed>") && call.ends_with("= 0") => Step::Synced,
        _ if call.starts_with("fdatasync(") && of_log && call.ends_with("= 0") => Step::Synced,
        _ if call.starts_with("fdatasync(") && of_log => Step::Syncing,
        _ if call.contains("\"HTTP/1.1 2") => Step::Said,
        _ if call.contains("id: sto_") => Step::Told(call.matches("id: sto_").count()),
        _ => return None,
    };
    Some((thread, step))
}

#[test]
fn nothing_is_said_before_the_disk_has_it() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.187.0.0/24");
    host.sandbox("before", "n");
    let stream = Stream::open(&host.endless(), "events", None);
    let traced = Traced::start(&host, &["-e", "trace=pwrite64,fdatasync,write,writev,sendto,sendmsg"]);
    for turn in 0..5 {
        let name = format!("s{turn}");
        client.post("networks/n/leases", &json!({"key": name})).is(201);
        client.post("sandboxes", &json!({"name": name, "networks": {"n": {}}})).is(201);
        client.patch(&format!("sandboxes/{name}"), &json!({"description": "x"})).is(200);
        client.get(&format!("sandboxes/{name}")).is(200);
        client.delete(&format!("sandboxes/{name}")).is(204);
        client.delete(&format!("networks/n/leases/{name}")).is(204);
    }
    stream.wait_for("lease.released", Duration::from_secs(10));
    let calls = traced.calls();
    // Lines of the log by which what was written last is on the disk, and where each thread began to sync.
    let (mut logged, mut synced, mut said) = (0, 0, 0);
    // The next write may have begun when an event leaves, so events are counted: each has a commit of its own.
    let (mut commits, mut told) = (0, 0);
    let mut syncing = std::collections::HashMap::new();
    for (number, line) in calls.iter().enumerate() {
        match step(line) {
            Some((_, Step::Logged)) => logged = number,
            Some((thread, Step::Syncing)) => drop(syncing.insert(thread, number)),
            Some((thread, Step::Synced)) => {
                commits += 1;
                synced = synced.max(syncing.remove(thread).unwrap_or(number));
            }
            Some((_, Step::Said)) => {
                said += 1;
                let since = calls[logged.saturating_sub(1)..=number].join("\n");
                assert!(synced >= logged, "the disk did not have yet what was said:\n{since}");
            }
            Some((_, Step::Told(events))) => {
                told += events;
                assert!(told <= commits, "{told} events left when the disk had {commits} commits:\n{line}");
            }
            None => {}
        }
    }
    assert!(logged > 0 && said >= 30 && told >= 25, "{said} answers and {told} events in {} calls", calls.len());
    agree(&host, "the daemon was traced");
}

#[test]
fn a_disk_that_does_not_keep_what_is_written_is_said_and_ends_writing() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.187.0.0/24");
    host.sandbox("a", "n");
    host.sandbox("b", "n");
    let refusing = Traced::start(&host, &["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO"]);
    assert_eq!(client.get("networks").status, 200, "nothing is asked of the disk for it");
    let refused = client.post("networks/n/leases", &json!({"key": "k"})).problem(503, "store-not-kept");
    assert_eq!(refused["retryable"], false, "{refused}");
    drop(refusing);
    // A later sync would succeed, and would not prove that the disk has what it lost.
    client.post("sandboxes", &json!({"name": "c", "networks": {"n": {}}})).problem(503, "store-not-kept");
    client.patch("sandboxes/a", &json!({"description": "x"})).problem(503, "store-not-kept");
    client.delete("sandboxes/a").problem(503, "store-not-kept");
    assert_eq!(client.get("sandboxes").is(200)["items"].as_array().unwrap().len(), 2, "reading goes on");
    assert_eq!(client.get("/readyz").status, 503);
    client.get("events").problem(503, "store-not-kept");
    client.post("sandboxes?dry_run=true", &json!({"name": "c", "networks": {"n": {}}})).problem(503, "store-not-kept");
    assert_eq!(client.post("backups", &json!({})).status, 200, "what is there can be saved");
    assert!(host.pings("a", "10.187.0.3"), "sandboxes are not affected");
    assert!(host.log_text().contains("netloom.db-wal"), "{}", host.log_tail());
    host.stop();
    host.start();
    client.post("sandboxes", &json!({"name": "c", "networks": {"n": {}}})).is(201);
    agree(&host, "the disk did not keep what was written");
}
