//! The command line: commands, flags, their environment variables, and help that teaches by example. No work is done here.

mod exec;
mod lab;
mod node;
mod swarm;
mod token;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::error::{ContextKind, ContextValue};
use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand};
use netloom_model::document::nearest;

pub(crate) use exec::Exec;
pub(crate) use lab::{Down, Exercise, LAB_DIR, Lab, LabCommand, LabExec, Make, Start, Status, Stop};
pub(crate) use node::{Node, NodeCommand, Update as NodeUpdate};
pub(crate) use swarm::{Init, Join, JoinTokenCommand, Leave, Swarm, SwarmCommand};
pub(crate) use token::{Token, TokenCommand};

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"));

/// The version with what was built: enough to tell two binaries apart in a report.
const LONG_VERSION: &str = if cfg!(debug_assertions) {
    concat!(env!("CARGO_PKG_VERSION"), " (debug build, API v1)")
} else {
    concat!(env!("CARGO_PKG_VERSION"), " (release build, API v1)")
};

/// Where the database and the token are, unless said.
pub(crate) const DATA_DIR: &str = "/var/lib/netloom";

/// Name of the database in the data directory.
pub(crate) const DATABASE: &str = "netloom.db";

/// Where the socket and the namespaces are, unless said.
pub(crate) const RUN_DIR: &str = "/run/netloom";

/// What the service listens on, unless said.
pub(crate) const LISTEN: &str = "127.0.0.1:8080";

// Lines of these texts have at most 79 characters: a terminal of 80 then leaves them as they are.
const EXAMPLES: &str = "\
Examples:
  netloom doctor                      can this host run it? with remedies
  netloom serve                       run the service on 127.0.0.1:8080
  netloom lab --hosts 3               try it: three hosts on this machine
  netloom login-link                  a link that logs a browser in, once
  netloom token create ci             a token for a program, shown once
  netloom backup /srv/netloom.backup  copy the database, also while it runs
  netloom exec macvlan1 -- ip addr    run a command inside a sandbox
  netloom swarm init                  make a swarm of hosts, this one first
  netloom purge                       show what is Netloom's on this host

Networks and sandboxes are made over the API, not with this command: see /docs
and /openapi.json of a running service, and its dashboard, which shows them.

Flags of `serve` can be set by NETLOOM_ variables: see `netloom serve --help`.
A service with --run-dir or --data-dir (or their variables) is found by exec,
backup, restore, purge, login-link, token, swarm, node and doctor only if they
are given the same.";

/// What is said to a command that there is none of and that is no slip either.
const OVER_THE_API: &str = "networks and sandboxes are made over the API: /docs of a running service describes it, its \
                            dashboard shows them";

/// Reads the command line; ends the process after help, and when it can't be read.
pub(crate) fn parse() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| without_guesses(error).exit())
}

/// The library takes `network` for `restore`: what it offers for an unknown command is kept only where that is near. It is right about the
/// few commands of a command.
fn without_guesses(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand)
        && std::env::args_os().nth(1).is_some_and(|first| first == given.as_str())
    {
        let commands = Cli::command();
        let names: Vec<&str> = commands.get_subcommands().map(clap::Command::get_name).collect();
        if nearest(&names, given).is_none() {
            error.remove(ContextKind::SuggestedSubcommand);
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![OVER_THE_API.into()]));
        }
    }
    error
}

/// Manages container networks on a Linux host: networks, addresses and sandboxes over a REST API, with a dashboard.
#[derive(Debug, Parser)]
#[command(name = "netloom", version = VERSION, long_version = LONG_VERSION, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the service: API, dashboard, store and agent
    Serve(Serve),
    /// Check whether this host has what the service needs
    Doctor(Doctor),
    /// Copy the database into a file, while the service runs or not
    Backup(Backup),
    /// Put a backup in the place of the database, after showing what it holds
    Restore(Restore),
    /// Remove everything of Netloom's from this host, after showing what that is
    Purge(Purge),
    /// Run a command inside a sandbox, as root on this host
    Exec(Exec),
    /// Make a link that logs a browser in to the dashboard, once
    LoginLink(LoginLink),
    /// Make, list and revoke the tokens with which programs and people ask
    Token(Token),
    /// Make a swarm of hosts, join one, leave it, show it; the tokens that let hosts in
    Swarm(Swarm),
    /// List the nodes of the swarm, change and remove them
    Node(Node),
    /// Make several hosts on this machine, to try Netloom out
    Lab(Lab),
    /// Print the OpenAPI document
    Openapi(Openapi),
}

impl Command {
    /// Whether what it does is done by one request or by reading, so that it may end with whoever reads what it prints. One that changes things step by step goes on.
    pub(crate) const fn only_tells(&self) -> bool {
        matches!(self, Self::Doctor(_) | Self::LoginLink(_) | Self::Token(_) | Self::Swarm(_) | Self::Node(_))
    }
}

/// Which form of the document.
#[derive(Debug, Clone, Args)]
pub(crate) struct Openapi {
    /// Version of OpenAPI: 3.0 for tools that do not read 3.1
    #[arg(long, value_name = "VERSION", default_value = "3.1", value_parser = ["3.0", "3.1"])]
    pub(crate) version: String,
}

/// Where the service keeps its things.
#[derive(Debug, Clone, Args)]
pub(crate) struct Directories {
    /// Directory of the database and the admin token; `serve` makes it
    #[arg(long, env = "NETLOOM_DATA_DIR", default_value = DATA_DIR, value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// Directory of the unix socket and the namespaces; `serve` makes it, and it may be empty after a reboot
    #[arg(long, env = "NETLOOM_RUN_DIR", default_value = RUN_DIR, value_name = "DIR")]
    pub(crate) run_dir: PathBuf,
}

/// Where a running service is found.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunDirectory {
    /// Directory of the service's unix socket and the namespaces
    #[arg(long, env = "NETLOOM_RUN_DIR", default_value = RUN_DIR, value_name = "DIR")]
    pub(crate) run_dir: PathBuf,
}

impl RunDirectory {
    /// The unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        socket_in(&self.run_dir)
    }
}

fn socket_in(run_dir: &Path) -> PathBuf {
    run_dir.join("netloom.sock")
}

impl Directories {
    /// The database.
    pub(crate) fn database(&self) -> PathBuf {
        self.data_dir.join(DATABASE)
    }

    /// The admin token's file.
    pub(crate) fn token(&self) -> PathBuf {
        self.data_dir.join("admin.token")
    }

    /// The unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        socket_in(&self.run_dir)
    }

    /// The flag that another command needs to find the run directory: nothing for the usual one, else with a space before.
    pub(crate) fn run_flag(&self) -> String {
        flag("run-dir", &self.run_dir, RUN_DIR)
    }

    /// The flags that another command needs to find both directories, as [`Self::run_flag`].
    pub(crate) fn flags(&self) -> String {
        flag("data-dir", &self.data_dir, DATA_DIR) + &self.run_flag()
    }
}

impl Directories {
    /// The flags that name both directories, the usual ones too, each with a space before.
    pub(crate) fn all_flags(&self) -> String {
        flag("data-dir", &self.data_dir, "") + &flag("run-dir", &self.run_dir, "")
    }
}

fn flag(name: &str, value: &Path, usual: &str) -> String {
    if value == Path::new(usual) { String::new() } else { format!(" --{name} {}", quoted(value)) }
}

/// An address to listen on: never a name, which may stand for several.
fn address_and_port(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "an address and a port are needed, such as 127.0.0.1:8080 or [::1]:8080; a name such as localhost is no address".to_owned()
    })
}

/// A path as one word of a shell.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

const SERVE_EXAMPLES: &str = "\
Examples:
  netloom serve
  netloom serve --listen 127.0.0.1:9000 --log debug
  netloom serve --data-dir /tmp/try/data --run-dir /tmp/try/run

At the first start it makes the database, writes the admin token to
DATA_DIR/admin.token and prints a link to the dashboard. Nothing is changed on
the host before the first sandbox needs it. SIGTERM (or Ctrl-C) stops the
service and leaves the sandboxes running; the next start takes them up again.

With the token, and as root without one:
  TOKEN=$(cat /var/lib/netloom/admin.token)
  API=http://127.0.0.1:8080/api/v1
  curl -H \"Authorization: Bearer $TOKEN\" $API/networks
  curl --unix-socket /run/netloom/netloom.sock http://localhost/api/v1/networks";

/// Flags of `serve`.
#[derive(Debug, Clone, Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub(crate) struct Serve {
    /// Address and port of the API and the dashboard; port 0 takes a free one
    #[arg(long, env = "NETLOOM_LISTEN", default_value = LISTEN, value_name = "ADDRESS:PORT", value_parser = address_and_port)]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) directories: Directories,
    /// What to log: error, warn, info, debug, trace, also for a crate of Netloom's, as in `info,netloom_agent=debug`
    #[arg(long, env = "NETLOOM_LOG", default_value = "info", value_name = "LEVEL", value_parser = crate::telemetry::directives)]
    pub(crate) log: String,
    /// Listen on the socket that is standard input instead, as systemd's StandardInput=socket and inetd hand one over. It may be of another
    /// network namespace: so the hosts of a lab are reached from the machine
    #[arg(long, hide = true)]
    pub(crate) listen_stdin: bool,
    /// Listen on an address that other machines can reach. There is no TLS yet: tokens would cross the network in
    /// clear text, so put a proxy that speaks TLS in front
    #[arg(long, env = "NETLOOM_ALLOW_REMOTE")]
    pub(crate) allow_remote: bool,
    /// A further name that requests may have in their Host header, such as the name a proxy passes on; may be repeated
    #[arg(long, env = "NETLOOM_ALLOWED_HOSTS", value_name = "NAME", value_delimiter = ',')]
    pub(crate) allowed_host: Vec<String>,
    /// Whether Netloom, while a bridge network is in use, keeps one rule in the chain DOCKER-USER where Docker's firewall drops what it
    /// does not know: it accepts what Netloom's own rules let pass. With `off` no table of others is touched, and bridge networks
    /// that Docker's firewall blocks say so
    #[arg(long, env = "NETLOOM_COEXIST", default_value = "on", value_name = "on|off", action = ArgAction::Set, value_parser = PossibleValuesParser::new(["on", "off"]).map(|word| word == "on"))]
    pub(crate) coexist: bool,
    /// Address that nodes of the swarm are listened for at while this host manages one: all of the host's unless said. The port is that of
    /// the swarm's advertised address, TCP 2377 unless said. Nothing listens there before `netloom swarm init`
    #[arg(long, env = "NETLOOM_SWARM_LISTEN", value_name = "ADDRESS")]
    pub(crate) swarm_listen: Option<IpAddr>,
    /// Milliseconds between two heartbeats of the swarm, for tests: the same on all of its nodes
    #[arg(long, env = "NETLOOM_SWARM_HEARTBEAT", hide = true, value_name = "MILLIS", value_parser = clap::value_parser!(u64).range(50..=60_000))]
    pub(crate) swarm_heartbeat: Option<u64>,
    /// The service manager's socket to report readiness to; set by systemd
    #[arg(long, env = "NOTIFY_SOCKET", hide = true)]
    pub(crate) notify_socket: Option<String>,
}

const DOCTOR_EXAMPLES: &str = "\
Each line is a verdict: OK, WARN (works, but know this) or FAIL (must be put
right, with the remedy). The exit code is 0 without a FAIL, else 1. Nothing is
changed; kernel features are tried in a throw-away network namespace. Give it
the directories and the port that `serve` will get. The ports 2377/tcp and
4789/udp are a swarm's. To try networks and a swarm out on this machine alone,
there is `netloom lab`.";

/// Flags of `doctor`.
#[derive(Debug, Clone, Args)]
#[command(after_help = DOCTOR_EXAMPLES)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) directories: Directories,
    /// Address and port that `serve` will listen on
    #[arg(long, env = "NETLOOM_LISTEN", default_value = LISTEN, value_name = "ADDRESS:PORT", value_parser = address_and_port)]
    pub(crate) listen: SocketAddr,
}

const PURGE_EXAMPLES: &str = "\
Examples:
  netloom purge                 show what would be removed, change nothing
  netloom purge --yes           remove Netloom's namespaces, links and rules
  netloom purge --yes --data    remove the database and the token as well

It goes by Netloom's marks alone and needs no database, so it also cleans up
after a lost one. What carries no mark is never touched. Showing works at any
time; --yes is refused while a daemon runs.";

/// Flags of `purge`.
#[derive(Debug, Clone, Args)]
#[command(after_help = PURGE_EXAMPLES)]
pub(crate) struct Purge {
    #[command(flatten)]
    pub(crate) directories: Directories,
    /// Remove what is shown
    #[arg(long)]
    pub(crate) yes: bool,
    /// Remove the database and the admin token too: all definitions, leases and history
    #[arg(long)]
    pub(crate) data: bool,
}

const BACKUP_EXAMPLES: &str = "\
Examples:
  netloom backup /srv/netloom-monday.backup
  netloom backup /srv/netloom-$(date +%F).backup

A running service is asked through its unix socket, which needs root, and goes
on working; when it is stopped, the database is read where it is. Every write
that was acknowledged before is in the copy. FILE gets mode 0600 and appears
only once it is whole, checked and on the disk. It holds all definitions,
leases and history, and the hashes of tokens; the admin token's own file is not
in it. Put it back with `netloom restore`.";

/// Arguments of `backup`.
#[derive(Debug, Clone, Args)]
#[command(after_help = BACKUP_EXAMPLES)]
pub(crate) struct Backup {
    #[command(flatten)]
    pub(crate) directories: Directories,
    /// Where the copy goes; nothing may be there yet
    pub(crate) file: PathBuf,
}

const RESTORE_EXAMPLES: &str = "\
Examples:
  netloom restore /srv/netloom-monday.backup          show what it holds
  systemctl stop netloom
  netloom restore --yes /srv/netloom-monday.backup    put it in place
  systemctl start netloom

The file is checked first. The database that it replaces is kept beside it, as
netloom.db.replaced-DATE. The next start brings the kernel to what the restored
database says: sandboxes made since the backup are removed, those removed since
come back. --yes is refused while a daemon runs.";

/// Arguments of `restore`.
#[derive(Debug, Clone, Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub(crate) struct Restore {
    #[command(flatten)]
    pub(crate) directories: Directories,
    /// A file that `netloom backup` wrote
    pub(crate) file: PathBuf,
    /// Replace the database
    #[arg(long)]
    pub(crate) yes: bool,
}

const LOGIN_LINK_EXAMPLES: &str = "\
The link works once and for one hour. It is asked of the running service,
through its unix socket: that needs root.";

/// Flags of `login-link`.
#[derive(Debug, Clone, Args)]
#[command(after_help = LOGIN_LINK_EXAMPLES)]
pub(crate) struct LoginLink {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
}

#[cfg(test)]
mod tests;
