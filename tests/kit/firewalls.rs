//! Firewalls of others on a host, as they set themselves up: Docker's daemon itself, and rule sets that mimic what is not installed here.
//!
//! What must not live here: anything of Netloom's.

use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::host::Host;
use crate::{Client, until};

/// Docker's daemon in a host's namespaces, with directories of its own. It goes with the value.
#[derive(Debug)]
pub struct Docker<'h> {
    host: &'h Host,
    daemon: Option<Child>,
}

impl<'h> Docker<'h> {
    /// Starts it and waits until it answers. It writes to `/etc/docker` and `/run` whatever it is told: both are the host's own from here on.
    ///
    /// # Panics
    /// When it does not answer within 60 s, with its log.
    pub fn start(host: &'h Host) -> Self {
        for directory in ["/etc/docker", "/run"] {
            host.net.run(&format!("mount -t tmpfs none {directory}"));
        }
        let mut docker = Self { host, daemon: None };
        docker.begin();
        docker
    }

    fn begin(&mut self) {
        let dir = self.host.dir().join("docker");
        std::fs::create_dir_all(&dir).expect("the directory is writable");
        let log = || {
            let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log"));
            log.expect("the directory is writable")
        };
        let mut command = self.host.net.command("dockerd");
        command.arg("--data-root").arg(dir.join("data")).arg("--exec-root").arg(dir.join("exec"));
        command.arg("--pidfile").arg(dir.join("pid"));
        command.arg("--host").arg(format!("unix://{}", dir.join("socket").display()));
        command.stdin(Stdio::null()).stdout(log()).stderr(log());
        self.daemon = Some(command.spawn().expect("nsenter of util-linux is installed"));
        let client = Client::unix(&dir.join("socket"));
        until("Docker's daemon to answer", Duration::from_secs(60), || {
            let ended = self.daemon.as_mut().is_none_or(|daemon| !matches!(daemon.try_wait(), Ok(None)));
            let said = || std::fs::read_to_string(dir.join("log")).unwrap_or_default();
            assert!(!ended, "Docker's daemon ended (is docker.io installed?):\n{}", said());
            client.send("GET", "/_ping", None).is_ok_and(|answer| answer.status == 200).then_some(())
        });
    }

    /// Ends it in good order, and starts it again.
    pub fn restart(&mut self) {
        self.end();
        self.begin();
    }

    /// Ends it in good order: its chains stay.
    pub fn end(&mut self) {
        let Some(mut daemon) = self.daemon.take() else { return };
        let pid = i32::try_from(daemon.id()).expect("a pid fits");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("the daemon is ours to signal");
        until("the end of Docker's daemon", Duration::from_secs(30), || {
            daemon.try_wait().expect("a child can be waited for")
        });
    }
}

impl Drop for Docker<'_> {
    fn drop(&mut self) {
        // What it started is ended with the host's mount namespace.
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Docker's chains alone, empty, without counters, of both families: for tests that have no need of the daemon.
pub fn docker_chains(host: &Host) {
    for family in ["ip", "ip6"] {
        for line in [
            format!("add table {family} filter"),
            format!("add chain {family} filter FORWARD {{ type filter hook forward priority 0 ; policy drop ; }}"),
            format!("add chain {family} filter DOCKER-USER"),
            format!("add rule {family} filter FORWARD jump DOCKER-USER"),
            format!("add rule {family} filter DOCKER-USER return"),
        ] {
            host.net.run(&format!("nft {line}"));
        }
    }
}

/// What `ufw enable` leaves in `iptables` of both families, as far as it is about forwarded packets: the policy drops, and its chains
/// lead into each other.
pub fn ufw(host: &Host) {
    for (program, prefix) in [("iptables", "ufw"), ("ip6tables", "ufw6")] {
        host.net.run(&format!("{program} -P FORWARD DROP"));
        for chain in ["before-logging-forward", "before-forward", "user-forward", "after-forward", "reject-forward"] {
            host.net.run(&format!("{program} -N {prefix}-{chain}"));
        }
        for chain in ["before-logging-forward", "before-forward", "after-forward", "reject-forward"] {
            host.net.run(&format!("{program} -A FORWARD -j {prefix}-{chain}"));
        }
        let before = format!("{program} -A {prefix}-before-forward");
        host.net.run(&format!("{before} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"));
        host.net.run(&format!("{before} -j {prefix}-user-forward"));
    }
}

/// What `firewalld` leaves in nftables, as far as it is about forwarded packets, with one link in the zone `public`.
pub fn firewalld(host: &Host, public: &str) {
    let table = "inet firewalld";
    for chain in [
        "filter_FORWARD { type filter hook forward priority 10 ; policy accept ; }".to_owned(),
        "filter_FORWARD_ZONES".to_owned(),
        "filter_FWD_public".to_owned(),
        "filter_FWD_trusted".to_owned(),
    ] {
        let verb = format!("add table {table} ; add chain {table} {chain}");
        host.net.shell(&format!("nft '{verb}'"));
    }
    for rule in [
        "filter_FORWARD ct state established,related accept".to_owned(),
        "filter_FORWARD ct status dnat accept".to_owned(),
        "filter_FORWARD iifname lo accept".to_owned(),
        "filter_FORWARD jump filter_FORWARD_ZONES".to_owned(),
        "filter_FORWARD ct state invalid drop".to_owned(),
        "filter_FORWARD reject with icmpx type admin-prohibited".to_owned(),
        format!("filter_FORWARD_ZONES iifname {public} goto filter_FWD_public"),
        "filter_FWD_public reject with icmpx type admin-prohibited".to_owned(),
        "filter_FWD_trusted accept".to_owned(),
    ] {
        host.net.run(&format!("nft add rule {table} {rule}"));
    }
}

/// What `firewall-cmd --zone=trusted --add-interface` does to that.
pub fn firewalld_trusts(host: &Host, link: &str) {
    host.net
        .run(&format!("nft insert rule inet firewalld filter_FORWARD_ZONES iifname {link} goto filter_FWD_trusted"));
}
