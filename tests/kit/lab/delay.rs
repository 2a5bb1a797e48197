//! Frames of one host that take longer, each way. Userspace, for kernels without `netem`: good for delays, not for throughput.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::LabHost;

/// The relay: takes frames at one link, and sends them at another after a while.
const RELAY: &str = include_str!("delay.py");

/// A host whose frames are delayed, until this is dropped.
#[derive(Debug)]
pub struct Delay<'a> {
    host: &'a LabHost<'a>,
    relay: Child,
}

impl<'a> Delay<'a> {
    /// Delays what a host sends, and what it is sent.
    ///
    /// # Panics
    /// When the relay can't be started.
    pub(super) fn new(host: &'a LabHost<'a>, each_way: Duration) -> Self {
        let (near, far) = (format!("{}-near", host.name), format!("{}-far", host.name));
        host.cut();
        host.lab.on_the_underlay(&format!("ip link add {near} type veth peer name {far}"));
        host.lab.on_the_underlay(&format!("ip link set {near} addrgenmode none up"));
        host.lab.on_the_underlay(&format!("ip link set {far} addrgenmode none master underlay up"));
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", host.lab.machine.outside(&host.lab.underlay()).display()));
        command.args(["--", "python3", "-c", RELAY, &host.name, &near, &each_way.as_millis().to_string()]);
        let mut relay = command.stdout(Stdio::piped()).spawn().expect("nsenter of util-linux is installed");
        let mut said = String::new();
        let stdout = relay.stdout.take().expect("the output is piped");
        BufReader::new(stdout).read_line(&mut said).expect("the relay's output can be read");
        assert_eq!(said.trim(), "ready", "the relay did not start (see the message above)");
        Self { host, relay }
    }
}

impl Drop for Delay<'_> {
    fn drop(&mut self) {
        let _ = self.relay.kill();
        let _ = self.relay.wait();
        // In a test that fails, the lab may be gone already.
        let lab = self.host.lab;
        lab.machine.try_run_in(&lab.underlay(), &format!("ip link del {}-near", self.host.name));
        lab.machine.try_run_in(&lab.underlay(), &format!("ip link set {} master underlay", self.host.name));
    }
}
