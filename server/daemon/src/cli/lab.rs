//! The command line of `lab`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ipnet::Ipv4Net;

/// Where the lab is, unless said.
pub(crate) const LAB_DIR: &str = "/run/netloom-lab";

const LAB_EXAMPLES: &str = "\
Examples:
  netloom lab --hosts 3                  make hosts host1, host2 and host3
  netloom lab exercise                   macvlan, swarm, overlay: step by step
  netloom lab exec host1                 a shell in host1
  netloom lab exec host1 -- ping host2   a command in host1
  netloom lab status                     what there is, and whether it runs
  netloom lab stop host2                 end host2's service ...
  netloom lab start host2                ... and start it again
  netloom lab down                       remove all of it

A lab is several hosts on this machine, to try Netloom out: each is a network
namespace, with a `netloom serve` of its own and its own files below DIR, and
they share a network that is theirs alone. They are a swarm: host1 manages it,
the others are workers, unless --no-join is said. Their services are reached
from this machine at ports of 127.0.0.1, from 8081 on. The hosts' gateway
answers, and leads nowhere: nothing in the lab reaches this machine's network,
and no link, route or firewall rule of this machine is changed. It needs root.
A service that this machine runs itself is not touched.";

/// Arguments of `lab`.
#[derive(Debug, Clone, Args)]
#[command(after_help = LAB_EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Lab {
    #[command(subcommand)]
    pub(crate) command: Option<LabCommand>,
    #[command(flatten)]
    pub(crate) make: Make,
}

/// What to do with a lab.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum LabCommand {
    /// The same as `lab` without a command
    #[command(hide = true)]
    Up(Make),
    /// Show the hosts, where they are reached, and whether they are ready
    Status(Status),
    /// Run a command in a host, as root on this machine
    Exec(LabExec),
    /// Start the services of hosts that do not run
    Start(Start),
    /// End the service of a host; what it made stays, as on any host
    Stop(Stop),
    /// Do the exercise step by step: each command, its answer, and whether that is as it should be
    Exercise(Exercise),
    /// Remove the lab: services, sandboxes, namespaces and files
    Down(Down),
}

/// Which lab.
#[derive(Debug, Clone, Args)]
pub(crate) struct LabDirectory {
    /// Directory of the lab; another one is another lab, beside the first
    #[arg(long, env = "NETLOOM_LAB_DIR", default_value = LAB_DIR, value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// Flags of `lab` itself, which makes one.
#[derive(Debug, Clone, Args)]
pub(crate) struct Make {
    /// How many hosts
    #[arg(long, default_value_t = 3, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=32))]
    pub(crate) hosts: u8,
    /// Address of the first host, with the length of the prefix; the others follow, and the subnet's first address is their gateway
    /// [default: 192.168.122.185/24, or the like where this machine has a route to that]
    #[arg(long, value_name = "ADDRESS/LENGTH", value_parser = first_address)]
    pub(crate) address: Option<Ipv4Net>,
    /// Leave the hosts as they are, each by itself, instead of joining them into a swarm with host1 as its manager
    #[arg(long)]
    pub(crate) no_join: bool,
    #[command(flatten)]
    pub(crate) lab: LabDirectory,
}

/// An address with the length of its prefix.
fn first_address(text: &str) -> Result<Ipv4Net, String> {
    text.parse()
        .map_err(|_| "an IPv4 address and the length of its prefix are needed, such as 192.168.122.185/24".to_owned())
}

/// Flags of `lab status`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "The exit code is 0 when every host is ready, else 1.")]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) lab: LabDirectory,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const EXEC_EXAMPLES: &str = "\
Examples:
  netloom lab exec host1                                   a shell
  netloom lab exec host1 -- ping -c 3 host2
  netloom lab exec host1 -- netloom token list             asks host1's service
  netloom lab exec host1 -- netloom exec SANDBOX -- ip addr
  netloom lab exec host1 -- sh -c 'curl --unix-socket \\
      $NETLOOM_RUN_DIR/netloom.sock http://localhost/api/v1/networks'

The command has the network and the name of the host, finds the other hosts by
name, and has the files of this machine. NETLOOM_RUN_DIR and NETLOOM_DATA_DIR
are set to the host's, and `netloom` is this program. The exit code is the
command's; 125 when the host is unknown or can't be entered, 126 when the
command can't be run, 127 when there is none of that name.";

/// Arguments of `lab exec`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXEC_EXAMPLES)]
pub(crate) struct LabExec {
    #[command(flatten)]
    pub(crate) lab: LabDirectory,
    /// The host, such as host1
    pub(crate) host: String,
    /// The command and its arguments; $SHELL when absent
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD")]
    pub(crate) command: Vec<std::ffi::OsString>,
    /// The shell to run when no command is given
    #[arg(long, env = "SHELL", default_value = "/bin/sh", hide = true)]
    pub(crate) shell: PathBuf,
}

/// Arguments of `lab start`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Start {
    #[command(flatten)]
    pub(crate) lab: LabDirectory,
    /// The host; all whose services do not run when absent
    pub(crate) host: Option<String>,
}

/// Arguments of `lab stop`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    pub(crate) lab: LabDirectory,
    /// The host
    pub(crate) host: String,
}

const DOWN_EXAMPLES: &str = "\
Ends every process in the hosts and their sandboxes, removes what the services
made there, the hosts, and their files: definitions, leases, tokens and logs.
It also removes what is left of a lab whose making or removal was cut off, or
that was there before the machine was started anew. What is not the lab's is
not touched.";

/// Flags of `lab down`.
#[derive(Debug, Clone, Args)]
#[command(after_help = DOWN_EXAMPLES)]
pub(crate) struct Down {
    #[command(flatten)]
    pub(crate) lab: LabDirectory,
}

const EXERCISE_EXAMPLES: &str = "\
Runs on the lab that there is, on its first two hosts. Where there is none it
makes one of two hosts, and removes it at the end. On hosts that are a swarm
already, as `lab` makes them, they are shown as such; `lab --no-join` leaves
making and joining the swarm to the exercise.

Every command is printed as one types it, with its answer below and a line on
whether that is as it should be. The network and the sandboxes that it makes it
also removes; a swarm that it made stays. With --keep all stays to be looked
at, and `netloom lab down` removes it; so it does after an exercise that was
cut off.

First come two sandboxes on a macvlan network of host1, then a swarm of host1
and host2, and two sandboxes that reach each other over an overlay network.
Where Docker's exercise makes a service of two tasks, a sandbox on each host
stands for a task: Netloom has no services. It needs curl, jq, ip and ping.
The exit code is 0 when everything was as it should be, else 1.";

/// Flags of `lab exercise`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXERCISE_EXAMPLES)]
pub(crate) struct Exercise {
    #[command(flatten)]
    pub(crate) lab: LabDirectory,
    /// Leave what was made, to be looked at
    #[arg(long)]
    pub(crate) keep: bool,
}
