//! `netloom lab exercise`: the usual exercise of a macvlan network on one host, and of a swarm with an overlay network on two, on the first hosts of
//! a lab, by the commands that a person types.
//!
//! | module | holds |
//! |---|---|
//! | `session` | running a command as it is printed, looking at its answer, and keeping count |
//! | `macvlan` | the steps on one host: two sandboxes on the network that the hosts are on |
//! | `swarm` | the steps to a swarm of two hosts |
//! | `overlay` | the steps to two sandboxes on different hosts that reach each other |
//!
//! What must not live here: requests that do something, which are commands in front of everybody. What is looked up silently only decides which
//! commands these are.

mod macvlan;
mod overlay;
mod session;
mod swarm;

use std::process::ExitCode;

use ipnet::Ipv4Net;

use self::session::{Session, Stopped};
use super::daemon::{self, State};
use super::directory::{Directory, Found, Host, Record};
use super::{join, require_root, say};
use crate::cli::Exercise;
use crate::explained;

/// The hosts that it is done on, and what they were in a swarm before.
struct Ground {
    first: Host,
    second: Host,
    /// The gateway of the hosts, with the length of the prefix.
    gateway: Ipv4Net,
    /// Whether the first manages a swarm already.
    is_swarm: bool,
    /// Whether the second is a worker already.
    has_joined: bool,
}

/// Does the exercise and says how it went. The exit code is 1 when something is not as it should be.
///
/// # Errors
/// When it can't be begun.
pub(crate) fn run(options: &Exercise) -> anyhow::Result<ExitCode> {
    require_root()?;
    let directory = Directory::new(&options.lab.dir)?;
    let mut session = Session::new(&directory)?;
    session.require_tools(&["curl", "jq", "ip", "ping"])?;
    let makes_lab = matches!(directory.look()?, Found::Nothing);
    if makes_lab {
        session.step("There is no lab: one of two hosts");
        let line = session.lab("--hosts 2 --no-join");
        let made = session.run(&line);
        if session.need("two hosts are ready", made.succeeded()).is_err() {
            return Ok(session.verdict());
        }
    }
    let done = exercise(&mut session, &directory, options.keep);
    if options.keep {
        say(format_args!("\nWhat was made is left. All of it goes with the lab: {}", session.lab("down")));
    } else if session.has_made() || makes_lab {
        take_back(&mut session, makes_lab);
    }
    match done {
        Ok(()) => Ok(session.verdict()),
        Err(error) => Err(error),
    }
}

/// The steps, up to the first without which those after it would mean nothing.
fn exercise(session: &mut Session, directory: &Directory, keep: bool) -> anyhow::Result<()> {
    let ground = ground(directory, &directory.whole()?)?;
    let steps = |session: &mut Session| -> Result<(), Stopped> {
        macvlan::steps(session, &ground)?;
        if !keep {
            session.step("What was made so far goes again");
            session.remove_made();
        }
        swarm::steps(session, &ground)?;
        overlay::steps(session, &ground)
    };
    if steps(session).is_err() {
        say("\nIt ends here: what comes next needs this.");
    }
    Ok(())
}

fn take_back(session: &mut Session, with_lab: bool) {
    session.step("What was made here goes again");
    session.remove_made();
    if with_lab {
        let line = session.lab("down");
        let gone = session.run(&line);
        session.check("nothing is left of the lab", gone.succeeded());
    }
}

/// Looks at the first two hosts.
fn ground(directory: &Directory, record: &Record) -> anyhow::Result<Ground> {
    let flag = directory.flag();
    let [first, second, ..] = record.hosts.as_slice() else {
        return Err(explained(
            "the exercise needs two hosts, and this lab has one",
            format_args!("netloom lab down{flag}, then netloom lab exercise{flag}, which makes one of two hosts"),
        ));
    };
    for host in [first, second] {
        let (state, _) = daemon::look(&directory.host(&host.name));
        if state != State::Ready {
            return Err(explained(
                format_args!("the exercise needs {}, which is {}", host.name, state.as_str()),
                format_args!("netloom lab status{flag} says what helps"),
            ));
        }
    }
    let (of_first, of_second) = (join::role(directory, first), join::role(directory, second));
    let (is_swarm, has_joined) = match (of_first.as_deref(), of_second.as_deref()) {
        (None, None) => (false, false),
        (Some("manager"), None) => (true, false),
        (Some("manager"), Some("worker")) => (true, true),
        (of_first, of_second) => {
            let say = |role: Option<&str>| role.map_or_else(|| "in no swarm".to_owned(), |role| format!("a {role}"));
            return Err(explained(
                format_args!(
                    "{} is {} and {} is {}: the exercise needs the first as the manager, or both in no swarm",
                    first.name,
                    say(of_first),
                    second.name,
                    say(of_second)
                ),
                format_args!("netloom lab down{flag}, then netloom lab exercise{flag}, which makes one of two hosts"),
            ));
        }
    };
    Ok(Ground { first: first.clone(), second: second.clone(), gateway: record.gateway, is_swarm, has_joined })
}
