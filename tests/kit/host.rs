//! A throw-away host: a namespace, a LAN on the other end of its links, directories, and the daemon in it.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Client;
use crate::namespace::Namespace;
use crate::process::{Said, run};
use crate::until;

/// Where every host's daemon listens, inside its own network namespace.
pub const LISTEN: &str = "127.0.0.1:8080";

/// How the daemon is started.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// `NETLOOM_FAULT`: `<point>:<action>[:<nth>]`.
    pub fault: Option<String>,
    /// Further flags.
    pub flags: Vec<String>,
    /// Further variables of its environment.
    pub env: Vec<(String, String)>,
    /// Directory of the store, instead of the host's own.
    pub data_dir: Option<PathBuf>,
    /// Address and port, instead of [`LISTEN`].
    pub listen: Option<&'static str>,
}

impl Start {
    /// With a fault.
    pub fn fault(fault: impl Into<String>) -> Self {
        Self { fault: Some(fault.into()), ..Self::default() }
    }
}

/// A host.
#[derive(Debug)]
pub struct Host {
    daemon: Mutex<Option<Child>>,
    /// The host's own stack.
    pub net: Namespace,
    /// What is on the wire: the other ends of the host's links are here.
    pub lan: Namespace,
    dir: TempDir,
    binary: PathBuf,
}

impl Host {
    /// A host with the link `parent0`, up, without addresses; its other end is `wire0` in the LAN. The daemon isn't started.
    pub fn new(binary: &str) -> Self {
        let host = Self {
            daemon: Mutex::new(None),
            net: Namespace::new(),
            lan: Namespace::new(),
            dir: TempDir::with_prefix("netloom-test-").expect("a temporary directory can be made"),
            binary: binary.into(),
        };
        // The resolver is part of what the daemon reads of a host: every host has the same, whatever the machine's is.
        let resolver = host.dir.path().join("resolv.conf");
        std::fs::write(&resolver, "nameserver 192.0.2.53\n").expect("the directory is writable");
        host.net.run(&format!("mount --bind {} /etc/resolv.conf", resolver.display()));
        host.add_parent("parent0", "wire0");
        host
    }

    /// A host whose daemon is up.
    pub fn started(binary: &str) -> Self {
        let host = Self::new(binary);
        host.start();
        host
    }

    /// Adds a link, up, with its other end in the LAN.
    pub fn add_parent(&self, parent: &str, wire: &str) {
        self.net.run(&format!("ip link add {parent} type veth peer name {wire} netns {}", self.lan.pid()));
        // No link-local addresses: they come a while after a link is up, and would look like changes of the daemon's.
        self.lan.run(&format!("ip link set {wire} addrgenmode none up"));
        self.net.run(&format!("ip link set {parent} addrgenmode none up"));
        until("the link runs", Duration::from_secs(5), || {
            (self.net.json(&format!("ip -j link show {parent}"))[0]["operstate"] == "UP").then_some(())
        });
    }

    /// The directory for what a test needs besides.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where the store is.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Where sockets and namespaces are.
    pub fn run_dir(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// The unix socket.
    pub fn socket(&self) -> PathBuf {
        self.run_dir().join("netloom.sock")
    }

    /// The admin token that the first start wrote.
    ///
    /// # Panics
    /// When it wrote none.
    pub fn token(&self) -> String {
        let path = self.data_dir().join("admin.token");
        std::fs::read_to_string(path).expect("the first start writes the admin token").trim().to_owned()
    }

    /// The one-time link to the dashboard that the first start printed.
    ///
    /// # Panics
    /// When it printed none.
    pub fn login_link(&self) -> String {
        let (log, begin) = (self.log_text(), format!("http://{LISTEN}/"));
        let found = log.split_whitespace().find(|word| word.starts_with(&begin) && word.len() > 40);
        found.expect("the first start prints the dashboard's link").to_owned()
    }

    /// A client over the unix socket.
    pub fn client(&self) -> Client {
        Client::unix(&self.socket())
    }

    /// A client over the unix socket for streams.
    pub fn endless(&self) -> Client {
        Client::endless(&self.socket())
    }

    /// A client over TCP, without a token.
    pub fn tcp(&self) -> Client {
        Client::tcp(&self.net, LISTEN)
    }

    /// Starts the daemon and waits until it is ready.
    ///
    /// # Panics
    /// When it ends or isn't ready within 30 s, with its log.
    #[track_caller]
    pub fn start(&self) -> Client {
        self.start_with(&Start::default())
    }

    /// As [`Self::start`], in a certain way.
    #[track_caller]
    pub fn start_with(&self, start: &Start) -> Client {
        if let Err(why) = self.try_start(start) {
            panic!("the daemon did not get ready: {why}\n{}", self.log_tail());
        }
        self.client()
    }

    /// Starts the daemon and waits until it is ready or has ended.
    ///
    /// # Errors
    /// When it ended, or isn't ready within 30 s.
    pub fn try_start(&self, start: &Start) -> Result<(), String> {
        self.spawn(start);
        let client = self.client();
        let begin = Instant::now();
        loop {
            if self.has_ended() {
                return Err("it ended".to_owned());
            }
            if client.send("GET", "/readyz", None).is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if begin.elapsed() > Duration::from_secs(30) {
                return Err("/readyz said no for 30 s".to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts the daemon and does not wait.
    ///
    /// # Panics
    /// When one runs already.
    pub fn spawn(&self, start: &Start) {
        let mut daemon = self.lock();
        assert!(daemon.as_mut().is_none_or(|d| !matches!(d.try_wait(), Ok(None))), "a daemon runs already");
        let mut command = self.net.command(&self.binary.to_string_lossy());
        command.arg("serve").args(["--listen", start.listen.unwrap_or(LISTEN)]);
        command.arg("--data-dir").arg(start.data_dir.clone().unwrap_or_else(|| self.data_dir()));
        command.arg("--run-dir").arg(self.run_dir());
        command.args(&start.flags).env_remove("NETLOOM_FAULT");
        command.envs(start.env.iter().cloned());
        command.envs(start.fault.iter().map(|fault| ("NETLOOM_FAULT", fault)));
        command.stdin(Stdio::null()).stdout(self.log()).stderr(self.log());
        *daemon = Some(command.spawn().expect("nsenter of util-linux is installed"));
    }

    /// The daemon's process.
    ///
    /// # Panics
    /// When it wasn't started.
    pub fn pid(&self) -> u32 {
        self.lock().as_ref().expect("the daemon was started").id()
    }

    /// Whether the daemon has ended, or was never started.
    pub fn has_ended(&self) -> bool {
        self.lock().as_mut().is_none_or(|daemon| !matches!(daemon.try_wait(), Ok(None)))
    }

    /// Waits for the daemon to end by itself.
    ///
    /// # Panics
    /// When it goes on.
    #[track_caller]
    pub fn wait_end(&self, within: Duration) -> ExitStatus {
        until("the daemon's end", within, || {
            self.lock().as_mut().and_then(|daemon| daemon.try_wait().expect("a child can be waited for"))
        })
    }

    /// SIGKILL: nothing is put in order.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
        self.wait_end(Duration::from_secs(10));
    }

    /// SIGTERM, and waits until the daemon has drained; it must end well.
    #[track_caller]
    pub fn stop(&self) {
        self.signal(Signal::SIGTERM);
        let status = self.wait_end(Duration::from_secs(45));
        assert!(status.success(), "after SIGTERM the daemon ended with {status}\n{}", self.log_tail());
    }

    /// Sends a signal to the daemon, and to nothing else.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).expect("a pid fits");
        kill(Pid::from_raw(pid), signal).expect("the daemon is ours to signal");
    }

    /// What a reboot does to a host: the run directory is empty, the namespaces and links of sandboxes are gone.
    /// The parents stay; a test that wants them late removes them.
    pub fn reboot(&self) {
        if !self.has_ended() {
            self.kill();
        }
        let run = self.run_dir();
        // The links first: the kernel takes its time over those of a namespace that nobody holds any more.
        self.net.shell(&format!(
            r#"links='ip -o link show group 28268 | cut -d: -f2 | cut -d@ -f1 | xargs -r -n1 ip link del'
            grep -o ' {0}/netns[^ ]*' /proc/self/mountinfo | sort -r | while read m; do
                nsenter --net="$m" sh -c "$links" 2>/dev/null
                umount -l "$m"
            done
            rm -rf {0} && mkdir {0} && sh -c "$links""#,
            run.display()
        ));
    }

    /// Runs the binary under test inside, with words split at spaces.
    pub fn netloom(&self, line: &str) -> Said {
        let mut command = self.net.command(&self.binary.to_string_lossy());
        run(command.args(line.split_whitespace()))
    }

    /// Where the binary under test is.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// The last of what the daemon said.
    pub fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.dir.path().join("daemon.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        format!("--- the daemon's last words:\n{}\n---", lines[lines.len().saturating_sub(60)..].join("\n"))
    }

    /// All that the daemon said, over every start.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("daemon.log")).unwrap_or_default()
    }

    /// Runs a line in a sandbox's namespace.
    #[track_caller]
    pub fn in_sandbox(&self, sandbox: &str, line: &str) -> String {
        self.net.run_in(&self.netns(sandbox), line)
    }

    /// Runs a line in a sandbox's namespace, whatever comes of it.
    #[track_caller]
    pub fn try_in_sandbox(&self, sandbox: &str, line: &str) -> Said {
        self.net.try_run_in(&self.netns(sandbox), line)
    }

    /// Runs a line in a sandbox's namespace and reads JSON.
    #[track_caller]
    pub fn json_in_sandbox(&self, sandbox: &str, line: &str) -> Value {
        self.net.json_in(&self.netns(sandbox), line)
    }

    /// Whether somebody answers a sandbox's ping, as [`Namespace::pings`].
    #[track_caller]
    pub fn pings(&self, sandbox: &str, to: &str) -> bool {
        self.net.pings_in(&self.netns(sandbox), to)
    }

    /// Path of a sandbox's namespace, as the API says it.
    #[track_caller]
    pub fn netns(&self, sandbox: &str) -> String {
        let answer = self.client().get(&format!("sandboxes/{sandbox}")).is(200);
        answer["status"]["netns"].as_str().unwrap_or_else(|| panic!("{sandbox} has no namespace: {answer}")).to_owned()
    }

    /// Creates a macvlan network on `parent0`, without probing unless asked for elsewhere: tests of probing say so.
    #[track_caller]
    pub fn macvlan(&self, name: &str, subnet: &str) -> Value {
        self.client().post("networks", &macvlan(name, subnet)).is(201)
    }

    /// Creates a bridge network with an IPv4 subnet and an automatic IPv6 one.
    #[track_caller]
    pub fn bridge(&self, name: &str, subnet: &str) -> Value {
        let pools = json!({"v4": {"subnet": subnet}, "v6": {"family": 6}});
        self.client().post("networks", &json!({"name": name, "driver": "bridge", "pools": pools})).is(201)
    }

    /// Creates a sandbox on one network.
    #[track_caller]
    pub fn sandbox(&self, name: &str, network: &str) -> Value {
        self.client().post("sandboxes", &json!({"name": name, "networks": {network: {}}})).is(201)
    }

    fn log(&self) -> File {
        let path = self.dir.path().join("daemon.log");
        OpenOptions::new().create(true).append(true).open(path).expect("the directory is writable")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.daemon.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log_tail());
        }
        if let Some(daemon) = self.lock().as_mut() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// The document of a macvlan network on `parent0` in mode bridge, without probing.
pub fn macvlan(name: &str, subnet: &str) -> Value {
    json!({
        "name": name, "driver": "macvlan",
        "pools": {"v4": {"subnet": subnet}},
        "macvlan": {"parent": "parent0", "mode": "bridge", "probe": false},
    })
}
