//! The command line of `node`. Words and flags are Docker's where there is the same thing.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use super::RunDirectory;

const NODE_EXAMPLES: &str = "\
Examples:
  netloom node ls
  netloom node inspect machine2
  netloom node update --availability drain --label-add rack=7 machine2
  netloom node rm machine2
  netloom node rm --off machine2
  netloom node readmit machine2

A node is named by its ID, or by its host's name where one host alone has it.
Only the manager knows the nodes.";

/// Arguments of `node`.
#[derive(Debug, Clone, Args)]
#[command(after_help = NODE_EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Node {
    #[command(subcommand)]
    pub(crate) command: NodeCommand,
}

/// What to do with nodes.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum NodeCommand {
    /// List the nodes
    Ls(Ls),
    /// Show one node, as JSON
    Inspect(One),
    /// Change a node's availability and labels
    Update(Update),
    /// Remove a node: its certificate is good for nothing from then on
    Rm(Rm),
    /// Let a node back in whose certificate is out of date, once
    Readmit(One),
}

/// Arguments of `node ls`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
    /// Print JSON, one node a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// A node.
#[derive(Debug, Clone, Args)]
pub(crate) struct One {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
    /// The node, by its ID or its host's name
    #[arg(value_name = "NODE")]
    pub(crate) node: String,
}

/// Arguments of `node update`.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true, args = ["availability", "label_add", "label_rm"])]
pub(crate) struct Update {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
    /// Noted for services, of which there are none yet: active, pause (nothing new), drain (nothing at all). Sandboxes stay
    #[arg(long, value_name = "AVAILABILITY", value_parser = PossibleValuesParser::new(["active", "pause", "drain"]))]
    pub(crate) availability: Option<String>,
    /// Add a label, or give it another value; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) label_add: Vec<(String, String)>,
    /// Remove a label; may be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) label_rm: Vec<String>,
    /// The node, by its ID or its host's name
    #[arg(value_name = "NODE")]
    pub(crate) node: String,
}

/// Arguments of `node rm`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Rm {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
    /// Also while it is ready
    #[arg(long, short)]
    pub(crate) force: bool,
    /// Your word that its host is off: its addresses on a wire that hosts share are free at once. Also of a node that was removed before
    #[arg(long)]
    pub(crate) off: bool,
    /// The node, by its ID or its host's name
    #[arg(value_name = "NODE")]
    pub(crate) node: String,
}

/// A label with its value, which may be empty.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a label and its value are needed, such as rack=7".to_owned()),
    }
}
