//! TCP between sandboxes on two hosts, over an overlay network; in turns with the same between two namespaces whose VXLAN device, bridge and pair were made by
//! hand on the same two hosts, as a manual tells: with learning and one flooding entry.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use netloom_tests::process::run as said;
use netloom_tests::{Lab, LabHost, Namespace, Value, json, until};

use crate::Plan;
use crate::figures::{Table, verdict};

/// How many pairs of runs.
const PAIRS: usize = 10;
/// Least that is to be had of what the one by hand has.
const GOAL: f64 = 0.97;
/// Where iperf3 listens.
const PORT: u16 = 5201;
/// Subnet by hand, and the number in its packets.
const HAND: &str = "10.247.0.";
const VNI: u32 = 77;

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    if Command::new("iperf3").arg("--version").stdout(Stdio::null()).status().is_err() {
        let mut table = Table::new("Throughput");
        table.figure("iperf3 (Debian package iperf3)", "NOT INSTALLED", "", "");
        table.print();
        return Ok(());
    }
    let lab = Lab::joined(&plan.netloom.to_string_lossy(), 2);
    let hosts = lab.hosts();
    let [one, two] = hosts.as_slice() else { bail!("two hosts") };
    let ours = overlay(one, two)?;
    let sandboxes = [Namespace::new(), Namespace::new()];
    by_hand([one, two], &sandboxes);
    let hand = Way { from: sandboxes[0].path(), to: sandboxes[1].path(), address: format!("{HAND}2") };
    let seconds = if plan.runs < 100 { 1 } else { 4 };
    let ways = [&ours, &hand];
    let _servers = [Server::start(&ours)?, Server::start(&hand)?];
    for way in ways {
        // Neighbours are asked for, and both programs are in memory.
        way.measure(1)?;
    }
    let mut figures = [Vec::new(), Vec::new()];
    for pair in 0..PAIRS {
        for turn in [pair % 2, (pair + 1) % 2] {
            figures[turn].push(ways[turn].measure(seconds)?);
        }
    }
    let mut ratios: Vec<f64> = figures[0].iter().zip(&figures[1]).map(|(ours, hand)| ours / hand).collect();
    let ratio = median(&mut ratios);
    let mut table = Table::new(&format!("TCP over an overlay network, {PAIRS} interleaved pairs of {seconds} s"));
    let [ours, hand] = &mut figures;
    table.figure("VXLAN by hand: median", &format!("{:.2} Gbit/s", median(hand) / 1e9), "1", "");
    table.figure("Netloom: median", &format!("{:.2} Gbit/s", median(ours) / 1e9), "", "");
    let spread = format!("{:.2} to {:.2}", ratios[0], ratios[PAIRS - 1]);
    let met = verdict(ratio >= GOAL, &format!("at least {GOAL}"));
    table.figure("median of the pairs' ratios", &format!("{ratio:.3}"), &spread, &met);
    table.print();
    lab.netloom("lab down").ok();
    Ok(())
}

/// The median; what is given is sorted then.
fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.len() % 2 == 1 { figures[middle] } else { f64::midpoint(figures[middle - 1], figures[middle]) }
}

/// From where to where is measured.
struct Way {
    from: PathBuf,
    to: PathBuf,
    address: String,
}

impl Way {
    /// Bits a second that arrived.
    fn measure(&self, seconds: u32) -> anyhow::Result<f64> {
        let mut client = within(&self.from, "iperf3");
        let port = PORT.to_string();
        client.args(["--client", &self.address, "--port", &port, "--time", &seconds.to_string(), "--json"]);
        let answer: Value = serde_json::from_str(&said(&mut client).ok())?;
        answer["end"]["sum_received"]["bits_per_second"].as_f64().with_context(|| format!("no figure: {answer}"))
    }
}

/// iperf3, as long as this is.
struct Server(Child);

impl Server {
    fn start(way: &Way) -> anyhow::Result<Self> {
        let mut command = within(&way.to, "iperf3");
        let mut server = Self(
            command
                .args(["--server", "--port", &PORT.to_string()])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?,
        );
        until("iperf3 to listen", Duration::from_secs(10), || {
            assert!(matches!(server.0.try_wait(), Ok(None)), "iperf3 ended");
            let listed = said(within(&way.to, "ss").args(["-Hltn"])).ok();
            listed.contains(&format!(":{PORT} ")).then_some(())
        });
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program in the namespace at a path.
fn within(namespace: &std::path::Path, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", namespace.display())).args(["--", program]);
    command
}

/// Ours: a sandbox on each host.
fn overlay(one: &LabHost<'_>, two: &LabHost<'_>) -> anyhow::Result<Way> {
    let pools = json!({"v4": {"subnet": "10.246.0.0/24"}});
    one.client().post("networks", &json!({"name": "bench", "driver": "overlay", "pools": pools})).is(201);
    until("the worker knows the network", Duration::from_secs(10), || {
        (two.client().get("networks/bench").status == 200).then_some(())
    });
    one.client().post("sandboxes", &json!({"name": "from", "networks": {"bench": {}}})).is(201);
    let to = two.client().post("sandboxes", &json!({"name": "to", "networks": {"bench": {}}})).is(201);
    let address = to["status"]["endpoints"]["bench"]["address"].as_str().context("it has an address")?.to_owned();
    Ok(Way { from: one.netns_of("from"), to: two.netns_of("to"), address })
}

/// The one by hand: on each host a VXLAN device, a bridge and a pair, whose other end is in a namespace.
fn by_hand(hosts: [&LabHost<'_>; 2], sandboxes: &[Namespace; 2]) {
    for (number, (host, sandbox)) in hosts.iter().zip(sandboxes).enumerate() {
        let (local, remote) = (&host.address, &hosts[1 - number].address);
        for line in [
            "ip link add hand0 type bridge".to_owned(),
            format!("ip link add hand1 type vxlan id {VNI} local {local} remote {remote} dstport 4789 dev eth0"),
            format!("ip link add hand2 type veth peer name eth0 netns {}", sandbox.pid()),
            "ip link set hand1 master hand0 up".to_owned(),
            "ip link set hand2 mtu 1450 master hand0 up".to_owned(),
            "ip link set hand0 up".to_owned(),
        ] {
            host.run(&line);
        }
        sandbox.run(&format!("ip addr add {HAND}{}/24 dev eth0", number + 1));
        sandbox.run("ip link set eth0 mtu 1450 up");
    }
}
