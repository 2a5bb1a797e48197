//! The command line of `swarm`. Words and flags are Docker's where there is the same thing.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use super::RunDirectory;

const SWARM_EXAMPLES: &str = "\
Examples:
  netloom swarm init                          on the first host: the manager
  netloom swarm join --token SWMTKN-1-... 192.168.122.185:2377
  netloom swarm info                          what this host is in its swarm
  netloom swarm token create rack-7 --uses 3  another token, for three hosts
  netloom swarm leave

The manager must be reachable at TCP port 2377. The running service is asked,
through its unix socket: that needs root.";

/// Arguments of `swarm`.
#[derive(Debug, Clone, Args)]
#[command(after_help = SWARM_EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Swarm {
    #[command(subcommand)]
    pub(crate) command: SwarmCommand,
}

/// What to do with the swarm.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum SwarmCommand {
    /// Make a swarm with this host as its manager, and print the command that joins others
    Init(Init),
    /// Make this host a worker of a swarm
    Join(Join),
    /// Leave the swarm
    Leave(Leave),
    /// Show the swarm, and what this host is in it
    Info(Info),
    /// Make, list, rotate and revoke the tokens that let hosts in
    Token(JoinToken),
}

const INIT_EXAMPLES: &str = "\
Examples:
  netloom swarm init
  netloom swarm init --advertise-addr 192.168.122.185
  netloom swarm init --default-addr-pool 10.20.0.0/16 \\
      --default-addr-pool-mask-length 26

The settings can be changed later: PATCH /api/v1/swarm.";

/// Arguments of `swarm init`.
#[derive(Debug, Clone, Args)]
#[command(after_help = INIT_EXAMPLES)]
pub(crate) struct Init {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
    /// Where nodes reach this host: one of its addresses, and a port unless that is 2377. Needed where the host has several
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    pub(crate) advertise_addr: Option<String>,
    /// Name of the swarm, for people; `default` unless said
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Subnets that overlay networks are cut from; 10.0.0.0/8 unless said. May be repeated
    #[arg(long, value_name = "SUBNET", value_delimiter = ',')]
    pub(crate) default_addr_pool: Vec<String>,
    /// Prefix length of what is cut; 24 unless said
    #[arg(long, value_name = "LENGTH")]
    pub(crate) default_addr_pool_mask_length: Option<u8>,
    /// UDP port of the overlays' packets; 4789 unless said
    #[arg(long, value_name = "PORT")]
    pub(crate) data_path_port: Option<u16>,
    /// How many ended tasks of each replica are remembered; 5 unless said
    #[arg(long, value_name = "NUMBER")]
    pub(crate) task_history_limit: Option<u32>,
    /// How long a node's certificate is good for, in hours; 2160 (90 days) unless said. It is renewed by itself
    #[arg(long, value_name = "HOURS", value_parser = hours)]
    pub(crate) cert_expiry: Option<u32>,
    /// After how many seconds without the manager's answer links on macvlan and bridge networks of the swarm are taken down; 60 unless said, 0 for never
    #[arg(long, value_name = "SECONDS")]
    pub(crate) segment_fence: Option<u32>,
}

/// A number of hours, as Docker writes it (`2160h`) or without the unit.
fn hours(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('h').or_else(|| text.strip_suffix("h0m0s")).unwrap_or(text);
    number.parse().map_err(|_| "a number of hours is needed, such as 2160 or 2160h".to_owned())
}

const JOIN_EXAMPLES: &str = "\
Example:
  netloom swarm join --token SWMTKN-1-... 192.168.122.185:2377

`netloom swarm init` and `netloom swarm token create` on the manager print this
command. The token's secret is said only to a manager whose certificate
authority is the one that the token names.";

/// Arguments of `swarm join`.
#[derive(Debug, Clone, Args)]
#[command(after_help = JOIN_EXAMPLES)]
pub(crate) struct Join {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
    /// The join token; `-` reads it from standard input, where no list of processes shows it
    #[arg(long, env = "NETLOOM_JOIN_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) token: String,
    /// Address at which the other nodes reach this host; the one that the manager sees it come from unless said
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) advertise_addr: Option<String>,
    /// Noted for services, of which there are none yet: active, pause (nothing new), drain (nothing at all)
    #[arg(long, value_name = "AVAILABILITY", value_parser = PossibleValuesParser::new(["active", "pause", "drain"]))]
    pub(crate) availability: Option<String>,
    /// The manager's address, and its port unless that is 2377
    #[arg(value_name = "ADDRESS[:PORT]")]
    pub(crate) manager: String,
}

/// Arguments of `swarm leave`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Leave {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
    /// Also where the manager can't be told, or where this host is the manager, which ends the swarm
    #[arg(long, short)]
    pub(crate) force: bool,
}

/// Arguments of `swarm info`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Info {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const TOKEN_EXAMPLES: &str = "\
Examples:
  netloom swarm token create rack-7 --uses 3 --expires 12h
  netloom swarm token list
  netloom swarm token rotate worker
  netloom swarm token revoke rack-7

A token's secret is shown once, when it is made or rotated. Nodes that are in
stay in whatever becomes of the token that let them in.";

/// Arguments of `swarm token`.
#[derive(Debug, Clone, Args)]
#[command(after_help = TOKEN_EXAMPLES, arg_required_else_help = true)]
pub(crate) struct JoinToken {
    #[command(subcommand)]
    pub(crate) command: JoinTokenCommand,
}

/// What to do with join tokens.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum JoinTokenCommand {
    /// Make a join token, and print the command that joins a host by it, this once
    Create(CreateJoinToken),
    /// List the join tokens there are, without their secrets
    List(ListJoinTokens),
    /// Give a join token another secret: the one before lets nobody in any more
    Rotate(RotateJoinToken),
    /// Revoke a join token: it lets nobody in any more
    Revoke(RevokeJoinToken),
}

/// Arguments of `swarm token create`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CreateJoinToken {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
    /// Unique name, such as that of the rack whose hosts will join by it
    pub(crate) name: String,
    /// When it ends: after a while (90d, 12h, 30m), or a time such as 2027-01-31T12:00:00Z; without it the token lasts until it is
    /// revoked
    #[arg(long, value_name = "WHEN")]
    pub(crate) expires: Option<String>,
    /// How many hosts may join by it; any number unless said
    #[arg(long, value_name = "NUMBER")]
    pub(crate) uses: Option<u32>,
    /// A label that nodes get by it; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = super::node::label)]
    pub(crate) labels: Vec<(String, String)>,
    /// Print the token alone
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// Arguments of `swarm token list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListJoinTokens {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
    /// Print JSON, one token a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `swarm token rotate`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RotateJoinToken {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
    /// The join token, by name or ID
    #[arg(value_name = "NAME|ID")]
    pub(crate) token: String,
    /// Print the token alone
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// Arguments of `swarm token revoke`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RevokeJoinToken {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
    /// The join token, by name or ID
    #[arg(value_name = "NAME|ID")]
    pub(crate) token: String,
}
