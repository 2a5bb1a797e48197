//! The command line of `token`.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use super::RunDirectory;

const TOKEN_EXAMPLES: &str = "\
Examples:
  netloom token create ci --role operator --expires 90d
  netloom token create grafana --role viewer
  netloom token list
  netloom token revoke ci

viewer reads; operator also changes networks, leases and sandboxes; admin may
do everything, tokens and the audit included. The running service is asked,
through its unix socket: that needs root.";

/// Arguments of `token`.
#[derive(Debug, Clone, Args)]
#[command(after_help = TOKEN_EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Token {
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
}

/// What to do with tokens.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print its secret, this once
    Create(Create),
    /// List the tokens there are, without their secrets
    List(List),
    /// Revoke a token: it opens nothing from then on
    Revoke(Revoke),
}

const CREATE_EXAMPLES: &str = "\
Examples:
  TOKEN=$(netloom token create ci --expires 90d)
  netloom token create night --role admin --expires 2027-01-31T12:00:00Z

The secret is all that goes to standard output: nobody can show it again. What
the holder does is in events and in the audit under NAME.";

/// Arguments of `token create`.
#[derive(Debug, Clone, Args)]
#[command(after_help = CREATE_EXAMPLES)]
pub(crate) struct Create {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
    /// Unique name, such as that of the program that will have it
    pub(crate) name: String,
    /// What the holder may do
    #[arg(long, default_value = "operator", value_parser = PossibleValuesParser::new(["viewer", "operator", "admin"]))]
    pub(crate) role: String,
    /// When it ends: after a while (90d, 12h, 30m), or a time such as 2027-01-31T12:00:00Z; without it the token lasts until it is
    /// revoked
    #[arg(long, value_name = "WHEN")]
    pub(crate) expires: Option<String>,
}

/// Arguments of `token list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
    /// Print JSON, one token a line
    #[arg(long)]
    pub(crate) json: bool,
}

const REVOKE_EXAMPLES: &str = "\
Example:
  netloom token revoke ci

Sessions that were opened with it end too. The token in DATA_DIR/admin.token is
called `admin`: the next start of the service writes a new one. Root gets in
through the unix socket whatever tokens there are.";

/// Arguments of `token revoke`.
#[derive(Debug, Clone, Args)]
#[command(after_help = REVOKE_EXAMPLES)]
pub(crate) struct Revoke {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
    /// The token, by name or ID
    #[arg(value_name = "NAME|ID")]
    pub(crate) token: String,
}
