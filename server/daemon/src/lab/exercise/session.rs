//! One going through the exercise: commands run by a shell exactly as they are printed, their answers, and what is to be thought of them.
//!
//! What must not live here: which commands, and what their answers should be.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;

use crate::cli::quoted;
use crate::lab::directory::{Directory, Host};
use crate::lab::say;
use crate::{explained, socket};

/// How long an answer may take to become what it should be, where hosts tell each other.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// Something is wrong that the next steps need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopped;

/// What a command said.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    code: Option<i32>,
    /// Standard output.
    pub(super) out: String,
    errors: String,
}

impl Said {
    /// Whether its exit code was 0.
    pub(super) fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// Whether it was, and this is a line of what it said, or the last part of one after blanks.
    pub(super) fn has_line(&self, wanted: &str) -> bool {
        self.succeeded() && self.out.lines().any(|line| line.trim() == wanted)
    }

    /// It as JSON; null where it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(self.out.trim()).unwrap_or_default()
    }

    /// What stands after `KEY: ` in a line of it.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.out.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "))
    }
}

/// Something that was made here, by a command of this session.
struct Made {
    /// The command that removes it.
    removal: String,
    /// What is then printed, where not only the exit code tells.
    answer: Option<&'static str>,
    what: String,
}

/// One going through.
pub(super) struct Session {
    directory: Directory,
    /// What this program is called.
    program: String,
    /// Where programs are looked for: this one first.
    path: OsString,
    steps: usize,
    right: usize,
    wrong: Vec<String>,
    made: Vec<Made>,
}

impl Session {
    /// Nothing done yet.
    ///
    /// # Errors
    /// When this program can't be found under a name.
    pub(super) fn new(directory: &Directory) -> anyhow::Result<Self> {
        let program: PathBuf = std::env::current_exe().context("cannot read which program this is")?;
        let name = program.file_name().context("this program has no name")?;
        Ok(Self {
            directory: directory.clone(),
            program: name.to_string_lossy().into_owned(),
            path: crate::lab::exec::path(),
            steps: 0,
            right: 0,
            wrong: Vec::new(),
            made: Vec::new(),
        })
    }

    /// Refuses to begin without the programs that the commands use.
    ///
    /// # Errors
    /// When one is missing, with the package that has it.
    pub(super) fn require_tools(&self, tools: &[&'static str]) -> anyhow::Result<()> {
        let missing: Vec<&'static str> = tools
            .iter()
            .copied()
            .filter(|tool| !std::env::split_paths(&self.path).any(|directory| directory.join(tool).is_file()))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let package = |tool: &&'static str| match *tool {
            "ping" => "iputils-ping",
            "ip" => "iproute2",
            other => other,
        };
        let packages: Vec<&str> = missing.iter().map(package).collect();
        Err(explained(
            format_args!("the exercise's commands need {}", missing.join(" and ")),
            format_args!("apt install {}", packages.join(" ")),
        ))
    }

    /// Begins the next step.
    pub(super) fn step(&mut self, title: &str) {
        self.steps += 1;
        say(format_args!("\n== {}. {title}", self.steps));
    }

    /// A command about the lab.
    pub(super) fn lab(&self, rest: &str) -> String {
        let (program, flag) = (&self.program, self.directory.flag());
        // The flag stands before what a host is to run.
        match rest.split_once(' ') {
            Some((command, rest)) if !command.starts_with('-') => format!("{program} lab {command}{flag} {rest}"),
            _ => format!("{program} lab {rest}{flag}"),
        }
    }

    /// A command of this program in a host.
    pub(super) fn on(&self, host: &Host, rest: &str) -> String {
        self.lab(&format!("exec {} -- {} {rest}", host.name, self.program))
    }

    /// A request to a host's service; `more` are further options of `curl`.
    pub(super) fn api(&self, host: &Host, path: &str, more: &str) -> String {
        let socket = self.directory.host(&host.name).directories().socket();
        format!("curl -sS --unix-socket {}{more} http://localhost/api/v1/{path}", quoted(&socket))
    }

    /// The command that puts an object by name, and shows of the answer what the filter of `jq` leaves, or the reason of a refusal.
    pub(super) fn put(&self, host: &Host, path: &str, body: &str, filter: &str) -> String {
        let more = format!(" -X PUT -H 'Content-Type: application/json' -d '{body}'");
        format!("{} | jq -c '.detail // {filter}'", self.api(host, path, &more))
    }

    /// Runs such a command. What was not there before it is removed in the end.
    pub(super) fn run_put(&mut self, host: &Host, path: &str, line: &str) -> Said {
        let there = self.is_there(host, path);
        let said = self.run(line);
        if !there && self.is_there(host, path) {
            let removal = self.api(host, path, " -X DELETE -w '%{http_code}\\n'");
            self.made(removal, Some("204"), &format!("{path} is gone from {}", host.name));
        }
        said
    }

    /// Whether a host has something by that path.
    pub(super) fn is_there(&self, host: &Host, path: &str) -> bool {
        let socket = self.directory.host(&host.name).directories().socket();
        socket::request(&socket, "GET", &format!("/api/v1/{path}")).is_ok_and(|answer| answer.status == 200)
    }

    /// Notes what removes something that was made.
    pub(super) fn made(&mut self, removal: String, answer: Option<&'static str>, what: &str) {
        self.made.push(Made { removal, answer, what: what.to_owned() });
    }

    /// Whether anything was made.
    pub(super) fn has_made(&self) -> bool {
        !self.made.is_empty()
    }

    /// Removes what was made, the last first.
    pub(super) fn remove_made(&mut self) {
        while let Some(made) = self.made.pop() {
            let said = self.run(&made.removal);
            let right = said.succeeded() && made.answer.is_none_or(|wanted| said.out.trim() == wanted);
            self.check(&made.what, right);
        }
    }

    /// Runs a command, with its answer below.
    pub(super) fn run(&self, line: &str) -> Said {
        say(format_args!("$ {line}"));
        let said = self.shell(line);
        show(&said);
        said
    }

    /// Runs a command until its answer is as it should be, or patience ends. The last answer is below.
    pub(super) fn run_until(&self, line: &str, is_right: impl Fn(&Said) -> bool) -> Said {
        say(format_args!("$ {line}"));
        let begin = Instant::now();
        let mut said = self.shell(line);
        while !is_right(&said) && begin.elapsed() < PATIENCE {
            std::thread::sleep(PAUSE);
            said = self.shell(line);
        }
        show(&said);
        said
    }

    fn shell(&self, line: &str) -> Said {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]).env("PATH", &self.path).stdin(Stdio::null());
        match command.output() {
            Ok(output) => Said {
                code: output.status.code(),
                out: String::from_utf8_lossy(&output.stdout).into_owned(),
                errors: String::from_utf8_lossy(&output.stderr).into_owned(),
            },
            Err(error) => Said { errors: format!("cannot run /bin/sh: {error}"), ..Said::default() },
        }
    }

    /// Says something about the step.
    pub(super) fn note(&self, text: &str) {
        say(format_args!("note   {text}"));
    }

    /// Says whether that is so; answers it.
    pub(super) fn check(&mut self, what: &str, right: bool) -> bool {
        if right {
            self.right += 1;
            say(format_args!("ok     {what}"));
        } else {
            self.wrong.push(format!("step {}: {what}", self.steps));
            say(format_args!("WRONG  not so: {what}"));
        }
        right
    }

    /// As [`Self::check`], where nothing more can be done without.
    ///
    /// # Errors
    /// When it is not so.
    pub(super) fn need(&mut self, what: &str, right: bool) -> Result<(), Stopped> {
        if self.check(what, right) { Ok(()) } else { Err(Stopped) }
    }

    /// How it went, in words and as an exit code.
    pub(super) fn verdict(&self) -> ExitCode {
        let all = self.right + self.wrong.len();
        if self.wrong.is_empty() {
            say(format_args!("\nAll is as it should be: {all} of {all}."));
            return ExitCode::SUCCESS;
        }
        say(format_args!("\nNot all is as it should be: {} of {all} are not.", self.wrong.len()));
        for what in &self.wrong {
            say(format_args!("  {what}"));
        }
        ExitCode::FAILURE
    }
}

fn show(said: &Said) {
    for text in [&said.out, &said.errors] {
        if !text.trim().is_empty() {
            say(text.trim_end());
        }
    }
    if !said.succeeded() {
        say(format_args!("(exit code {})", said.code.map_or_else(|| "none".to_owned(), |code| code.to_string())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(directory: &str) -> Session {
        Session::new(&Directory::new(std::path::Path::new(directory)).expect("absolute")).expect("a program")
    }

    #[test]
    fn commands_name_the_lab_where_it_is_another() {
        let host = Host { name: "host1".to_owned(), address: std::net::Ipv4Addr::LOCALHOST, port: 1 };
        let program = session("/srv/lab").program;
        let usual = session(crate::cli::LAB_DIR);
        assert_eq!(usual.lab("--hosts 2"), format!("{program} lab --hosts 2"));
        assert_eq!(usual.on(&host, "--version"), format!("{program} lab exec host1 -- {program} --version"));
        let other = session("/srv/lab");
        assert_eq!(other.lab("down"), format!("{program} lab down --dir /srv/lab"));
        assert_eq!(other.lab("--hosts 2"), format!("{program} lab --hosts 2 --dir /srv/lab"));
        assert_eq!(
            other.on(&host, "swarm init"),
            format!("{program} lab exec --dir /srv/lab host1 -- {program} swarm init")
        );
    }

    #[test]
    fn a_wrong_answer_makes_a_bad_verdict() {
        let mut session = session("/srv/lab");
        session.step("one");
        let said = session.run("echo ' Nodes: 2'");
        assert!(said.has_line("Nodes: 2") && said.value("Nodes") == Some("2") && said.value("Node").is_none());
        assert!(session.check("two nodes", said.has_line("Nodes: 2")));
        assert_eq!(format!("{:?}", session.verdict()), format!("{:?}", ExitCode::SUCCESS));
        assert!(!session.run("exit 3").succeeded());
        assert_eq!(session.need("it works", false), Err(Stopped));
        assert_eq!(format!("{:?}", session.verdict()), format!("{:?}", ExitCode::FAILURE));
    }

    #[test]
    fn programs_that_are_missing_are_named_with_their_package() {
        let said = session("/srv/lab").require_tools(&["sh", "no-such-program"]).expect_err("missing").to_string();
        assert!(said.contains("apt install no-such-program") && !said.contains("sh and"), "{said}");
    }
}
