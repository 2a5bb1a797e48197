//! The benchmark: Netloom against the bare kernel, against its own store without HTTP, and against netavark and the CNI
//! plugins, always in one run and interleaved, in network namespaces of its own. Prints tables with ratios.
//!
//! ```text
//! cargo build --release -p netloom-daemon
//! cargo run --release -p netloom-tests --bin netloom-bench -- [--netloom PATH] [--quick] [attach] [bridge] [scale] [leases] [idle]
//! ```
//!
//! It needs root, and for the peers the Debian packages netavark and containernetworking-plugins. Nothing here may use
//! Netloom's code to touch the kernel: the floor is written by hand in `floor.rs`.

mod attach;
mod bridge;
mod figures;
mod floor;
mod http;
mod idle;
mod leases;
mod million;
mod node;
mod peers;
mod scale;

use std::path::PathBuf;

use anyhow::{Context, bail};

/// What to measure, with which program.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The release build of `netloom`.
    pub(crate) netloom: PathBuf,
    /// How often a single operation is measured.
    pub(crate) runs: usize,
    /// How many leases the large pool has.
    pub(crate) leases: u32,
    /// How many endpoints "at scale" means.
    pub(crate) endpoints: usize,
}

fn main() -> anyhow::Result<()> {
    private_mounts()?;
    let beside = std::env::current_exe().context("own path")?.with_file_name("netloom");
    let mut plan = Plan { netloom: beside, runs: 200, leases: 1_000_000, endpoints: 1000 };
    let mut parts = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--netloom" => {
                let path = PathBuf::from(arguments.next().context("--netloom takes a path")?);
                plan.netloom = path.canonicalize().with_context(|| format!("no program at {}", path.display()))?;
            }
            "--quick" => plan = Plan { runs: 30, leases: 50_000, endpoints: 100, ..plan },
            "attach" | "bridge" | "scale" | "leases" | "idle" => parts.push(argument),
            other => bail!("`{other}` is none of: --netloom PATH, --quick, attach, bridge, scale, leases, idle"),
        }
    }
    if !plan.netloom.exists() {
        bail!("{} does not exist: cargo build --release -p netloom-daemon", plan.netloom.display());
    }
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|p| p == part);
    println!("{}\n", figures::machine());
    if wanted("idle") {
        idle::run(&plan);
    }
    if wanted("attach") {
        attach::run(&plan)?;
    }
    if wanted("bridge") {
        bridge::run(&plan)?;
    }
    if wanted("scale") {
        scale::run(&plan)?;
    }
    if wanted("leases") {
        leases::run(&plan)?;
    }
    Ok(())
}

/// Namespaces that the floor mounts must be seen by nobody else, and go with this process.
fn private_mounts() -> anyhow::Result<()> {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    unshare(CloneFlags::CLONE_NEWNS).context("a mount namespace needs root")?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).context("mounts can't be made private")
}
