//! The benchmark: Netloom against the bare kernel, against its own store without HTTP, and against Docker, netavark and the CNI
//! plugins, always in one run and interleaved, in network namespaces of its own. Prints tables with ratios.
//!
//! ```text
//! cargo build --release -p netloom-daemon
//! cargo run --release -p netloom-tests --bin netloom-bench -- [--netloom PATH] [--quick] [PART]...
//! ```
//!
//! It needs root, and for the peers the Debian packages netavark, containernetworking-plugins and docker.io, for throughput iperf3,
//! for live pages chromium and chromium-driver. Nothing here may use
//! Netloom's code to touch the kernel: the floors are written by hand in `floor.rs`, `floor_bridge.rs` and `floor_overlay.rs`. Of the swarm's wire the
//! benchmark uses a worker's side (`members.rs`), to be many nodes at once.

mod attach;
mod bridge;
mod cascade;
mod docker;
mod drift;
mod engines;
mod figures;
mod floor;
mod floor_bridge;
mod floor_overlay;
mod http;
mod idle;
mod leases;
mod live;
mod members;
mod million;
mod names;
mod node;
mod pages;
mod peers;
mod ports;
mod prober;
mod reading;
mod reconcile;
mod rejoin;
mod scale;
mod spread;
mod swarm;
mod throughput;
mod turns;

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
    /// How many nodes a swarm "at scale" has; networks and endpoints follow from it.
    pub(crate) members: usize,
    /// How many endpoints of other nodes a node is told of that comes back.
    pub(crate) peers: usize,
}

/// Measures one thing and prints it.
type Part = fn(&Plan) -> anyhow::Result<()>;

/// What can be asked for, in the order in which it is measured, and what it is.
const PARTS: &[(&str, &str, Part)] = &[
    ("idle", "memory and start", |plan| always(idle::run, plan)),
    ("attach", "one macvlan endpoint, beside bare netlink, netavark and CNI", attach::run),
    ("bridge", "bridge networks, beside bare netlink, netavark, CNI and Docker", bridge::run),
    ("ports", "published ports", |plan| always(ports::run, plan)),
    ("cascade", "a network removed with its endpoints", cascade::run),
    ("drift", "what somebody breaks, until it is whole", drift::run),
    ("scale", "the same beside many endpoints", scale::run),
    ("reconcile", "a cold start with many endpoints", reconcile::run),
    ("names", "names answered in a sandbox", names::run),
    ("reading", "lists and objects over HTTP", reading::run),
    ("pages", "the dashboard of a manager with much to show", pages::run),
    ("live", "a live page in a browser beside a hundred events a second", live::run),
    ("leases", "leases, beside the store without HTTP", leases::run),
    ("swarm", "attach on one node to first reply from another, beside Docker's swarm", |plan| always(swarm::run, plan)),
    ("throughput", "TCP over an overlay network, beside a VXLAN device made by hand", throughput::run),
    ("spread", "a manager of many nodes: what a change costs", spread::run),
    ("rejoin", "a node that comes back to many peers, beside bare netlink", rejoin::run),
];

/// A part that panics where it can't go on.
#[expect(clippy::unnecessary_wraps, reason = "the parts that can fail say so in the same way")]
fn always(run: fn(&Plan), plan: &Plan) -> anyhow::Result<()> {
    run(plan);
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let beside = std::env::current_exe().context("own path")?.with_file_name("netloom");
    let mut plan =
        Plan { netloom: beside, runs: 200, leases: 1_000_000, endpoints: 1000, members: 1000, peers: 10_000 };
    let mut parts = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => {
                print!("{}", help());
                return Ok(());
            }
            "--netloom" => {
                let path = PathBuf::from(arguments.next().context("--netloom takes a path")?);
                plan.netloom = path.canonicalize().with_context(|| format!("no program at {}", path.display()))?;
            }
            "--quick" => {
                plan = Plan { runs: 30, leases: 50_000, endpoints: 100, members: 100, peers: 1000, ..plan };
            }
            part if PARTS.iter().any(|(name, ..)| *name == part) => parts.push(argument),
            other => {
                let names: Vec<&str> = PARTS.iter().map(|(name, ..)| *name).collect();
                bail!("`{other}` is none of: --netloom PATH, --quick, --help, {}", names.join(", "));
            }
        }
    }
    if !plan.netloom.exists() {
        bail!("{} does not exist: cargo build --release -p netloom-daemon", plan.netloom.display());
    }
    private_mounts()?;
    println!("{}\n", figures::machine());
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|asked| asked == part);
    for (_, _, run) in PARTS.iter().filter(|(name, ..)| wanted(name)) {
        run(&plan)?;
    }
    Ok(())
}

/// What `--help` says.
fn help() -> String {
    let parts = PARTS.iter().map(|(name, what, _)| format!("  {name:<12}{what}\n")).collect::<String>();
    format!(
        "Measures Netloom beside the bare kernel and beside others, in network namespaces of its own, and prints tables.\n\n\
         Usage: netloom-bench [--netloom PATH] [--quick] [PART]...\n\n\
         Parts, all of them unless some are named:\n{parts}\n\
         Options:\n  \
           --netloom PATH  the program that is measured, instead of `netloom` beside this one\n  \
           --quick         smaller counts, for a look\n  \
           -h, --help      this\n\n\
         It needs root. docs/PERFORMANCE.md has the results, and the packages that the others come from.\n"
    )
}

/// Namespaces that the floor mounts must be seen by nobody else, and go with this process.
fn private_mounts() -> anyhow::Result<()> {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    unshare(CloneFlags::CLONE_NEWNS).context("a mount namespace needs root")?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).context("mounts can't be made private")
}
