//! The benchmark: Netloom against the bare kernel, against its own store without HTTP, and against Docker, netavark and the CNI
//! plugins, always in one run and interleaved, in network namespaces of its own. Prints tables with ratios.
//!
//! ```text
//! cargo build --release -p netloom-daemon
//! cargo run --release -p netloom-tests --bin netloom-bench -- [--netloom PATH] [--quick] [PART]...
//! ```
//!
//! It needs root, and for the peers the Debian packages netavark, containernetworking-plugins and docker.io. Nothing here may use
//! Netloom's code to touch the kernel: the floors are written by hand in `floor.rs` and `floor_bridge.rs`.

mod attach;
mod bridge;
mod cascade;
mod docker;
mod drift;
mod figures;
mod floor;
mod floor_bridge;
mod http;
mod idle;
mod leases;
mod million;
mod names;
mod node;
mod peers;
mod ports;
mod reading;
mod reconcile;
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

/// Measures one thing and prints it.
type Part = fn(&Plan) -> anyhow::Result<()>;

/// What can be asked for, in the order in which it is measured.
const PARTS: &[(&str, Part)] = &[
    ("idle", |plan| always(idle::run, plan)),
    ("attach", attach::run),
    ("bridge", bridge::run),
    ("ports", |plan| always(ports::run, plan)),
    ("cascade", cascade::run),
    ("drift", drift::run),
    ("scale", scale::run),
    ("reconcile", reconcile::run),
    ("names", names::run),
    ("reading", reading::run),
    ("leases", leases::run),
];

/// A part that panics where it can't go on.
#[expect(clippy::unnecessary_wraps, reason = "the parts that can fail say so in the same way")]
fn always(run: fn(&Plan), plan: &Plan) -> anyhow::Result<()> {
    run(plan);
    Ok(())
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
            part if PARTS.iter().any(|(name, _)| *name == part) => parts.push(argument),
            other => {
                let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
                bail!("`{other}` is none of: --netloom PATH, --quick, {}", names.join(", "));
            }
        }
    }
    if !plan.netloom.exists() {
        bail!("{} does not exist: cargo build --release -p netloom-daemon", plan.netloom.display());
    }
    println!("{}\n", figures::machine());
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|asked| asked == part);
    for (_, run) in PARTS.iter().filter(|(name, _)| wanted(name)) {
        run(&plan)?;
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
