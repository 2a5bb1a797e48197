//! A lab on a throw-away machine: made by the command that people make theirs with, `netloom lab`, so that the suites and the benchmark run
//! on what is shipped; and what may befall its hosts.

mod delay;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;
use crate::namespace::Namespace;
use crate::process::{Said, run, words};
use crate::until;

pub use delay::Delay;

/// What a host's link to the others is called in it.
pub const LINK: &str = "eth0";

/// A machine, with a lab or without.
#[derive(Debug)]
pub struct Lab {
    /// The machine's own stack, with nothing but a loopback.
    pub machine: Namespace,
    // After the machine: what runs there has ended when the directory goes.
    dir: TempDir,
    binary: PathBuf,
    /// How often the nodes of a swarm report, where that is other than usual.
    pub heartbeat: Option<Duration>,
}

/// A host of a lab.
#[derive(Debug)]
pub struct LabHost<'a> {
    lab: &'a Lab,
    /// Its name.
    pub name: String,
    /// Its address on the underlay.
    pub address: String,
    /// Its network namespace, as it is called on the machine.
    pub netns: String,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// Its run directory.
    pub run_dir: PathBuf,
    socket: PathBuf,
    log: PathBuf,
}

impl Lab {
    /// A machine without a lab.
    ///
    /// # Panics
    /// Without root, or when the kernel refuses.
    pub fn machine(binary: &str) -> Self {
        let dir = TempDir::with_prefix("netloom-lab-").expect("a temporary directory can be made");
        Self { machine: Namespace::new(), dir, binary: binary.into(), heartbeat: None }
    }

    /// Another program is the one under test from now on.
    pub fn run_as(&mut self, binary: &Path) {
        self.binary = binary.into();
    }

    /// A lab whose hosts are ready, each by itself.
    ///
    /// # Panics
    /// When it can't be made.
    #[track_caller]
    pub fn new(binary: &str, hosts: usize) -> Self {
        Self::made(binary, &format!("lab --hosts {hosts} --no-join"))
    }

    /// A lab whose hosts are a swarm, of which the first is the manager.
    ///
    /// # Panics
    /// When it can't be made.
    #[track_caller]
    pub fn joined(binary: &str, hosts: usize) -> Self {
        Self::made(binary, &format!("lab --hosts {hosts}"))
    }

    #[track_caller]
    fn made(binary: &str, line: &str) -> Self {
        let lab = Self::machine(binary);
        lab.netloom(line).ok();
        lab
    }

    /// The lab's directory, which is there while there is a lab.
    pub fn dir(&self) -> PathBuf {
        self.dir.path().join("lab")
    }

    /// The directory for what a test needs besides.
    pub fn beside(&self) -> &Path {
        self.dir.path()
    }

    /// A command line of the binary under test on the machine, about this lab; words split at spaces.
    pub fn command(&self, line: &str) -> Command {
        let mut command = self.machine.command(&self.binary.to_string_lossy());
        command.args(line.split_whitespace()).env("NETLOOM_LAB_DIR", self.dir()).env_remove("NETLOOM_FAULT");
        if let Some(heartbeat) = self.heartbeat {
            // The daemons have it from the command that starts them.
            command.env("NETLOOM_SWARM_HEARTBEAT", heartbeat.as_millis().to_string());
        }
        command
    }

    /// Runs such a command line to its end.
    #[track_caller]
    pub fn netloom(&self, line: &str) -> Said {
        run(&mut self.command(line))
    }

    /// As [`Self::netloom`], with a fault (`<point>:<action>[:<nth>]`) in it and in the daemons that it starts.
    #[track_caller]
    pub fn netloom_with(&self, line: &str, fault: &str) -> Said {
        run(self.command(line).env("NETLOOM_FAULT", fault))
    }

    /// What `lab status` says to programs, whether all hosts are ready or not.
    #[track_caller]
    pub fn status(&self) -> Value {
        let said = self.netloom("lab status --json");
        serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("no status: {}{}", said.stdout, said.stderr))
    }

    /// The host of a number, from 1 on.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn host(&self, number: usize) -> LabHost<'_> {
        let status = self.status();
        let host = &status["hosts"][number - 1];
        let text = |field: &str| host[field].as_str().unwrap_or_else(|| panic!("host {number}: {status}")).to_owned();
        LabHost {
            lab: self,
            name: text("name"),
            address: text("address"),
            netns: text("netns"),
            data_dir: text("data_dir").into(),
            run_dir: text("run_dir").into(),
            socket: text("socket").into(),
            log: text("log").into(),
        }
    }

    /// All hosts.
    #[track_caller]
    pub fn hosts(&self) -> Vec<LabHost<'_>> {
        let count = self.status()["hosts"].as_array().expect("a list").len();
        (1..=count).map(|number| self.host(number)).collect()
    }

    /// Runs a line where the underlay is; each host's port there has the host's name.
    #[track_caller]
    pub fn on_the_underlay(&self, line: &str) -> String {
        self.machine.run_in(&self.underlay(), line)
    }

    fn underlay(&self) -> String {
        self.dir().join("underlay").display().to_string()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() && self.dir().exists() {
            let said = self.netloom("lab status");
            eprintln!("{}{}", said.stdout, said.stderr);
        }
    }
}

impl LabHost<'_> {
    /// A client over the unix socket.
    pub fn client(&self) -> Client {
        Client::unix(&self.socket)
    }

    /// Runs a line in the host's network, whatever comes of it.
    #[track_caller]
    pub fn try_run(&self, line: &str) -> Said {
        self.lab.machine.try_run_in(&self.netns, line)
    }

    /// Runs a line in the host's network, which must end well.
    #[track_caller]
    pub fn run(&self, line: &str) -> String {
        self.try_run(line).ok()
    }

    /// As [`Self::run`], with the output read as JSON.
    #[track_caller]
    pub fn json(&self, line: &str) -> Value {
        self.lab.machine.json_in(&self.netns, line)
    }

    /// Runs a line in one of the host's sandboxes, whatever comes of it.
    #[track_caller]
    pub fn try_in_sandbox(&self, sandbox: &str, line: &str) -> Said {
        let answer = self.client().get(&format!("sandboxes/{sandbox}")).is(200);
        let netns = answer["status"]["netns"].as_str().unwrap_or_else(|| panic!("no namespace: {answer}"));
        self.lab.machine.try_run_in(netns, line)
    }

    /// As [`Self::try_in_sandbox`], with the output read as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json_in_sandbox(&self, sandbox: &str, line: &str) -> Value {
        let text = self.try_in_sandbox(sandbox, line).ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("`{line}` gave no JSON ({error}):\n{text}"))
    }

    /// Path of a sandbox's namespace, seen from the tests.
    ///
    /// # Panics
    /// When it has none.
    #[track_caller]
    pub fn netns_of(&self, sandbox: &str) -> PathBuf {
        let answer = self.client().get(&format!("sandboxes/{sandbox}")).is(200);
        let netns = answer["status"]["netns"].as_str().unwrap_or_else(|| panic!("no namespace: {answer}"));
        self.lab.machine.outside(netns)
    }

    /// Runs a line in the namespace that overlay networks are in on this host, whatever comes of it.
    #[track_caller]
    pub fn try_in_overlay(&self, line: &str) -> Said {
        self.lab.machine.try_run_in(&format!("{}/netns/overlay", self.run_dir.display()), line)
    }

    /// What is mounted under its run directory, which the machine sees.
    #[track_caller]
    pub fn mounts(&self) -> Vec<String> {
        let run = format!("{}/", self.run_dir.display());
        let mounts = self.lab.machine.run("awk {print$5} /proc/self/mountinfo");
        let mut own: Vec<String> = mounts.lines().filter(|mount| mount.starts_with(&run)).map(str::to_owned).collect();
        own.sort_unstable();
        own
    }

    /// Whether somebody answers a ping from the host.
    #[track_caller]
    pub fn pings(&self, to: &str) -> bool {
        self.lab.machine.pings_in(&self.netns, to)
    }

    /// A program in the host's network that goes on until it is ended.
    ///
    /// # Panics
    /// When the line is empty, or the program can't be started.
    pub fn leave_running(&self, line: &str) -> std::process::Child {
        let netns = self.lab.machine.outside(&self.netns);
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", netns.display())).arg("--").args(words(line));
        command.spawn().expect("nsenter of util-linux is installed")
    }

    /// The daemon's process, if it runs.
    #[track_caller]
    pub fn pid(&self) -> Option<i32> {
        let status = self.lab.status();
        let hosts = status["hosts"].as_array().expect("a list");
        let own = hosts.iter().find(|host| host["name"] == self.name.as_str()).expect("a host stays one");
        own["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok())
    }

    /// SIGKILL to the daemon: nothing is put in order.
    ///
    /// # Panics
    /// When it does not run.
    #[track_caller]
    pub fn kill(&self) {
        let pid = self.pid().expect("a daemon runs");
        let signal = nix::sys::signal::Signal::SIGKILL;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).expect("the daemon is ours to signal");
        until("the daemon's end", Duration::from_secs(10), || self.pid().is_none().then_some(()));
    }

    /// Starts the daemon and waits until it is ready.
    #[track_caller]
    pub fn start(&self) {
        self.lab.netloom(&format!("lab start {}", self.name)).ok();
    }

    /// As [`Self::start`], with a fault in the daemon.
    #[track_caller]
    pub fn start_with(&self, fault: &str) {
        self.lab.netloom_with(&format!("lab start {}", self.name), fault).ok();
    }

    /// Ends the daemon in order.
    #[track_caller]
    pub fn stop(&self) {
        self.lab.netloom(&format!("lab stop {}", self.name)).ok();
    }

    /// All that the daemon said.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Cuts the host off without a word: its link stays up, and nothing comes through, as behind a switch that lost its way.
    #[track_caller]
    pub fn cut(&self) {
        self.lab.on_the_underlay(&format!("ip link set {} nomaster", self.name));
    }

    /// Ends [`Self::cut`].
    #[track_caller]
    pub fn heal(&self) {
        self.lab.on_the_underlay(&format!("ip link set {} master underlay", self.name));
    }

    /// Pulls the cable: the host's link loses its carrier.
    #[track_caller]
    pub fn unplug(&self) {
        self.lab.on_the_underlay(&format!("ip link set {} down", self.name));
    }

    /// Ends [`Self::unplug`].
    #[track_caller]
    pub fn plug_in(&self) {
        self.lab.on_the_underlay(&format!("ip link set {} up", self.name));
    }

    /// Lets what the host sends and is sent take so much longer, each way, until the answer is dropped.
    ///
    /// # Panics
    /// When that can't be begun; python3 must be installed.
    #[must_use]
    pub fn delay(&self, each_way: Duration) -> Delay<'_> {
        Delay::new(self, each_way)
    }

    /// Gives the host another address in the same subnet (`192.168.122.200/24`), and the same default route. The lab goes on calling it
    /// by the first one.
    #[track_caller]
    pub fn change_address(&mut self, address: &str) {
        let route = self.json("ip -j route show default")[0]["gateway"].as_str().expect("a default route").to_owned();
        self.run(&format!("ip addr flush dev {LINK}"));
        self.run(&format!("ip addr add {address} brd + dev {LINK}"));
        self.run(&format!("ip route replace default via {route}"));
        address.split('/').next().unwrap_or_default().clone_into(&mut self.address);
    }

    /// Empties the run directory, as a reboot does: the namespaces of sandboxes are unmounted, the socket and locks are gone. The daemon must not run.
    ///
    /// # Panics
    /// When it runs.
    #[track_caller]
    pub fn wipe_run_dir(&self) {
        assert!(self.pid().is_none(), "end the daemon first");
        let run = self.run_dir.display();
        self.lab.machine.shell(&format!(
            "grep -o ' {run}/[^ ]*' /proc/self/mountinfo | sort -r | while read m; do umount -l \"$m\"; done
             rm -rf {run} && mkdir {run}"
        ));
    }

    /// As [`Self::wipe_run_dir`], and the links and rules that Netloom made go, too: all that a reboot takes.
    #[track_caller]
    pub fn forget_kernel(&self) {
        self.wipe_run_dir();
        self.lab.machine.shell(&format!(
            "nsenter --net={} sh -c 'nft flush ruleset
             for l in $(ip -o link show group 28268 | cut -d: -f2 | cut -d@ -f1); do ip link del $l; done; true'",
            self.netns
        ));
    }
}
