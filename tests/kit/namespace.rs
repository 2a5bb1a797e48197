//! A network namespace and a mount namespace of their own, with a process that holds them and goes with the value.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::process::{Said, run, words};

/// What the holder does: a tree of mounts that is shared within itself, as a host booted by systemd has, a `/sys` of its own
/// network namespace, loopback up, itself in the place of process 1 (whose namespaces are the host's on a real one); then it waits for its standard input to close, which also happens when the test process dies,
/// and takes with it whatever still runs in its mount namespace.
const HOLDER: &str = r#"
mount --make-rshared / && mount --bind /proc/$$ /proc/1 && mount -t sysfs sysfs /sys && ip link set lo up && echo ready || exit 1
cat >/dev/null
mine=$(readlink /proc/self/ns/mnt)
for p in /proc/[0-9]*; do
  pid=${p#/proc/}
  [ "$pid" != "$$" ] && [ "$(readlink $p/ns/mnt 2>/dev/null)" = "$mine" ] && kill -9 "$pid" 2>/dev/null
done
exit 0
"#;

/// A network and mount namespace.
#[derive(Debug)]
pub struct Namespace {
    holder: Child,
}

impl Namespace {
    /// Makes one; loopback is up, nothing else is there.
    ///
    /// # Panics
    /// Without root, or when the kernel refuses.
    pub fn new() -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "these tests make network namespaces and run the daemon in them: run them as root"
        );
        let mut holder = Command::new("unshare")
            .args(["--net", "--mount", "--propagation", "private", "sh", "-c", HOLDER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare of util-linux is installed");
        let mut line = String::new();
        let said = holder.stdout.take().expect("the output is piped");
        BufReader::new(said).read_line(&mut line).expect("the holder's output can be read");
        assert_eq!(line.trim(), "ready", "a network and a mount namespace can't be made here (see the message above)");
        Self { holder }
    }

    /// The holder's process.
    pub fn pid(&self) -> u32 {
        self.holder.id()
    }

    /// Path of the network namespace, good in every mount namespace.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.pid()).into()
    }

    /// Path, seen from outside, of a file as it is called inside: mounts made inside are passed through.
    pub fn outside(&self, inside: &str) -> PathBuf {
        format!("/proc/{}/root{inside}", self.pid()).into()
    }

    /// A command that will run inside.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.pid()));
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.pid()));
        command.args(["--", program]);
        command
    }

    /// Runs a line inside: words split at spaces, no quoting.
    pub fn try_run(&self, line: &str) -> Said {
        let words = words(line);
        run(self.command(words[0]).args(&words[1..]))
    }

    /// Runs a line inside, which must end well.
    #[track_caller]
    pub fn run(&self, line: &str) -> String {
        self.try_run(line).ok()
    }

    /// Runs a line inside and reads its output as JSON; no output is null.
    #[track_caller]
    pub fn json(&self, line: &str) -> Value {
        parse(line, &self.run(line))
    }

    /// Runs a line of shell inside, which must end well.
    #[track_caller]
    pub fn shell(&self, script: &str) -> String {
        run(self.command("sh").args(["-c", script])).ok()
    }

    /// Runs a line in another network namespace, named by its path as seen from inside here (a sandbox's `status.netns`).
    pub fn try_run_in(&self, netns: &str, line: &str) -> Said {
        let words = words(line);
        let path = self.outside(netns);
        run(Command::new("nsenter").arg(format!("--net={}", path.display())).arg("--").args(&words))
    }

    /// Whether somebody answers a ping from inside. One answer to two requests suffices: on a busy machine the first may be late, while a
    /// neighbour is still asked for.
    pub fn pings(&self, to: &str) -> bool {
        self.try_run(&ping(to)).code == 0
    }

    /// The same from another network namespace, named as in [`Self::try_run_in`].
    pub fn pings_in(&self, netns: &str, to: &str) -> bool {
        self.try_run_in(netns, &ping(to)).code == 0
    }

    /// As [`Self::try_run_in`], and it must end well.
    #[track_caller]
    pub fn run_in(&self, netns: &str, line: &str) -> String {
        self.try_run_in(netns, line).ok()
    }

    /// As [`Self::run_in`], with the output read as JSON.
    #[track_caller]
    pub fn json_in(&self, netns: &str, line: &str) -> Value {
        parse(line, &self.run_in(netns, line))
    }

    /// Calls something on a thread in this network namespace. Sockets made there stay there, and so do threads started there.
    ///
    /// # Panics
    /// When the namespace can't be entered, and when the call panics.
    pub fn inside<T: Send>(&self, call: impl FnOnce() -> T + Send) -> T {
        crate::echo::inside(&self.path(), call)
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Closing its input lets the holder clean up; a holder that hangs is ended, which frees the namespaces all the same.
        drop(self.holder.stdin.take());
        for _ in 0..200 {
            if !matches!(self.holder.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn ping(to: &str) -> String {
    format!("ping -c 2 -i 0.5 -W 1 {to}")
}

#[track_caller]
fn parse(line: &str, text: &str) -> Value {
    if text.trim().is_empty() {
        return Value::Null;
    }
    serde_json::from_str(text).unwrap_or_else(|error| panic!("`{line}` gave no JSON ({error}):\n{text}"))
}
