//! The command line of `exec`.

use std::path::PathBuf;

use clap::Args;

use super::RunDirectory;

const EXEC_EXAMPLES: &str = "\
Examples:
  netloom exec macvlan1 -- ip -s addr
  netloom exec macvlan1 -- arping -c 3 192.168.122.3
  netloom exec macvlan1                                    a shell

The command runs as root with the network of the sandbox and the files of this
host. It needs root on this host; the API has nothing like it. The exit code is
the command's; 125 when the sandbox is unknown or can't be entered, 126 when
the command can't be run, 127 when there is none of that name.";

/// Arguments of `exec`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXEC_EXAMPLES)]
pub(crate) struct Exec {
    #[command(flatten)]
    pub(crate) run: RunDirectory,
    /// The sandbox, by name or ID
    pub(crate) sandbox: String,
    /// The command and its arguments; $SHELL when absent
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD")]
    pub(crate) command: Vec<std::ffi::OsString>,
    /// The shell to run when no command is given
    #[arg(long, env = "SHELL", default_value = "/bin/sh", hide = true)]
    pub(crate) shell: PathBuf,
}
