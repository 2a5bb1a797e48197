//! The peers: netavark and the CNI plugins, run as their engines run them, on a namespace that is there already.
//! What making the namespace costs is not counted against them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

/// Where Debian puts them.
const NETAVARK: &str = "/usr/lib/podman/netavark";
const CNI: &str = "/usr/lib/cni";

/// What a namespace is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On<'a> {
    /// A macvlan network on this parent.
    Macvlan(&'a str),
    /// A bridge network with masquerade, whose bridge stays.
    Bridge,
    /// One whose bridge is made with its first endpoint, under this name: what these programs know of a network.
    NewBridge(&'a str),
}

impl On<'_> {
    const fn driver(self) -> &'static str {
        match self {
            Self::Macvlan(_) => "macvlan",
            Self::Bridge | Self::NewBridge(_) => "bridge",
        }
    }
}

/// A program that attaches namespaces to networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Podman's.
    Netavark,
    /// The Container Network Interface's reference plugin, with its host-local address management.
    Cni,
}

impl Peer {
    /// Its name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Netavark => "netavark",
            Self::Cni => "CNI plugin + host-local",
        }
    }

    /// Whether it is installed; a benchmark without its peers says so.
    pub(crate) fn installed(self) -> bool {
        Path::new(if self == Self::Netavark { NETAVARK } else { CNI }).exists()
    }

    /// Attaches a namespace.
    pub(crate) fn attach(self, on: On<'_>, netns: &Path, id: u32, state: &Path) -> anyhow::Result<()> {
        match self {
            Self::Netavark => netavark("setup", on, netns, id, state),
            Self::Cni => cni("ADD", on, netns, id, state),
        }
    }

    /// Detaches it.
    pub(crate) fn detach(self, on: On<'_>, netns: &Path, id: u32, state: &Path) -> anyhow::Result<()> {
        match self {
            Self::Netavark => netavark("teardown", on, netns, id, state),
            Self::Cni => cni("DEL", on, netns, id, state),
        }
    }
}

fn netavark(verb: &str, on: On<'_>, netns: &Path, id: u32, state: &Path) -> anyhow::Result<()> {
    let link = match on {
        On::Macvlan(parent) => parent,
        On::Bridge => "peer-netavark",
        On::NewBridge(bridge) => bridge,
    };
    let network = json!({
        "name": "bench", "id": "0".repeat(64), "driver": on.driver(), "network_interface": link,
        "subnets": [{"subnet": "10.252.0.0/16", "gateway": "10.252.0.1"}],
        "ipv6_enabled": false, "internal": false, "dns_enabled": false, "ipam_options": {"driver": "host-local"},
    });
    let options = json!({
        "container_id": format!("{id:064x}"), "container_name": format!("c{id}"),
        "networks": {"bench": {"interface_name": "eth0", "static_ips": [format!("10.252.{}.{}", id / 200, 2 + id % 200)]}},
        "network_info": {"bench": network},
    });
    let mut command = Command::new(NETAVARK);
    command.arg("--config").arg(state.join("netavark")).arg(verb).arg(netns);
    feed(&mut command, &options)
}

fn cni(verb: &str, on: On<'_>, netns: &Path, id: u32, state: &Path) -> anyhow::Result<()> {
    let mut config = json!({
        "cniVersion": "0.4.0", "name": "bench", "type": on.driver(),
        "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.253.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": state.join("cni")},
    });
    let more = match on {
        On::Macvlan(parent) => json!({"master": parent, "mode": "bridge"}),
        On::Bridge => json!({"bridge": "peer-cni", "isGateway": true, "ipMasq": true}),
        On::NewBridge(bridge) => json!({"bridge": bridge, "isGateway": true, "ipMasq": true}),
    };
    if let (Some(config), Value::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
    let mut command = Command::new(Path::new(CNI).join(on.driver()));
    command
        .env("CNI_COMMAND", verb)
        .env("CNI_CONTAINERID", format!("c{id}"))
        .env("CNI_NETNS", netns)
        .env("CNI_IFNAME", "eth0")
        .env("CNI_PATH", CNI);
    feed(&mut command, &config)
}

fn feed(command: &mut Command, input: &Value) -> anyhow::Result<()> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("the input is piped")?.write_all(input.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    let said = || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{command:?} failed: {}", said());
    Ok(())
}
