//! The host: privileges, kernel, mounts, settings, resolver.

use std::io;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::Check;
use crate::facts;
use crate::mounts::{self, Mount};
use crate::sysctl::Settings;

/// Bits of the effective set (capabilities(7)).
const CAPABILITIES: [(u32, &str); 4] =
    [(11, "CAP_NET_BROADCAST"), (12, "CAP_NET_ADMIN"), (13, "CAP_NET_RAW"), (21, "CAP_SYS_ADMIN")];
/// Marks on addresses (IFA_PROTO) came with it; the namespace cookie is a little older.
const OLDEST_KERNEL: (u32, u32) = (5, 18);

/// Whether the process may do what Netloom does.
pub(super) fn capabilities() -> Check {
    let name = "privileges";
    let status = match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => status,
        Err(error) => return Check::unknown(name, &error),
    };
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).map(str::trim);
    let effective = effective.and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or(0);
    let missing: Vec<&str> =
        CAPABILITIES.iter().filter(|(bit, _)| effective & (1 << bit) == 0).map(|(_, name)| *name).collect();
    if missing.is_empty() {
        return Check::good(name, CAPABILITIES.map(|(_, name)| name).join(", "));
    }
    Check::bad(name, format!("{} missing", missing.join(", ")), "run as root, or give the service these capabilities")
}

/// Whether the kernel is new enough.
pub(super) fn kernel() -> Check {
    let name = "kernel";
    let release = match nix::sys::utsname::uname() {
        Ok(names) => names.release().to_string_lossy().into_owned(),
        Err(errno) => return Check::unknown(name, &errno.into()),
    };
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version < OLDEST_KERNEL {
        let (major, minor) = OLDEST_KERNEL;
        let found = format!("Linux {release} can't mark addresses as Netloom's");
        return Check::bad(name, found, format!("Linux {major}.{minor} or newer"));
    }
    Check::good(name, format!("Linux {release}"))
}

const REMEDY: &str = "in a systemd unit drop PrivateTmp=, ProtectSystem=, PrivateMounts= and the like; don't start it from \
`ip netns exec`; in a container mount the run directory with propagation rshared";

/// Whether namespaces made here are seen by the rest of the host, that is by process 1.
pub(super) fn mount_namespace(run_dir: &Path) -> Check {
    let name = "mount namespace";
    // Mount numbers rather than `/proc/1/ns/mnt`, which a service with a part of root's capabilities may not read.
    let (ours, init) = match (mounts::all(), mounts::of_process("1")) {
        (Ok(ours), Ok(init)) => (ours, init),
        (Err(error), _) | (_, Err(error)) => return Check::unknown(name, &error),
    };
    let root = |mounts: &[Mount]| mounts::topmost(mounts, Path::new("/")).map(|mount| mount.id);
    if root(&ours) == root(&init) {
        return Check::good(name, "the host's");
    }
    let there = run_dir.ancestors().find_map(|path| path.canonicalize().ok());
    let peers = there.and_then(|path| mounts::under(&ours, &path)).and_then(|mount| mount.shared);
    if peers.is_some() && init.iter().any(|mount| mount.shared == peers) {
        return Check::good(name, format!("a private one, which shares {} with the host's", run_dir.display()));
    }
    Check::warning(
        name,
        "a private one: namespaces that Netloom makes here are not seen by `ip netns` or other programs of the host",
        REMEDY,
    )
}

/// Whether the run directory can hold a shared mount, tried in a mount namespace that goes with its thread.
pub(super) fn shared_mount(run_dir: &Path) -> Check {
    let name = "shared mount";
    let Some(there) = run_dir.ancestors().find_map(|path| path.canonicalize().ok()) else {
        return Check::good(name, "to be made at the first start");
    };
    let table = mounts::all().unwrap_or_default();
    let follows = mounts::under(&table, &there).is_some_and(|mount| mount.follows && mount.shared.is_none());
    let directory = there.clone();
    let tried = std::thread::spawn(move || -> nix::Result<()> {
        // With CLONE_FS undone first: a mount namespace can't be shared by threads that share a root directory.
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS)?;
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_PRIVATE | MsFlags::MS_REC, None::<&str>)?;
        mount(Some(&directory), &directory, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
        mount(None::<&str>, &directory, None::<&str>, MsFlags::MS_SHARED, None::<&str>)
    });
    match tried.join() {
        Ok(Ok(())) if follows => Check::warning(
            name,
            format!("possible, but what is mounted below {} is not seen outside", there.display()),
            "start Netloom in the host's mount namespace (see the mount namespace check)",
        ),
        Ok(Ok(())) => Check::good(name, format!("possible below {}", there.display())),
        Ok(Err(errno)) => Check::bad(
            name,
            format!("not possible below {}: {}", there.display(), errno.desc()),
            "CAP_SYS_ADMIN, and a run directory on a tmpfs such as /run",
        ),
        Err(_) => Check::unknown(name, &io::Error::other("the check ended early")),
    }
}

/// Settings of the host that matter. They are never changed.
pub(super) fn settings() -> Vec<Check> {
    let settings = Settings::here();
    let read = |path: &str| settings.read(path).map(|value| value.map(|value| value.trim().to_owned()));
    let check = |name: &str, path: &str, judge: fn(&str, &str) -> Check| match read(path) {
        Ok(Some(value)) => judge(name, &value),
        Ok(None) => Check::good(name, "not there"),
        Err(error) => Check::unknown(name, &error),
    };
    vec![
        check("setting ip_forward", "net/ipv4/ip_forward", |name, value| {
            Check::good(
                name,
                format!(
                    "{value}; bridge networks turn forwarding on link by link while they need it (docs/operations.md), the others do not need it"
                ),
            )
        }),
        check("setting arp_ignore", "net/ipv4/conf/all/arp_ignore", |name, value| match value {
            "0" => Check::good(name, value),
            _ => Check::warning(
                name,
                format!("{value}: with host_access the host does not answer its endpoints' ARP requests"),
                "sysctl -w net.ipv4.conf.all.arp_ignore=0, or do without host_access",
            ),
        }),
        check("setting rp_filter", "net/ipv4/conf/all/rp_filter", |name, value| match value {
            "1" => Check::warning(
                name,
                "1 (strict): with host_access the host drops what endpoints send to it through the parent",
                "sysctl -w net.ipv4.conf.all.rp_filter=2, or do without host_access",
            ),
            _ => Check::good(name, value),
        }),
        check("setting bridge-nf-call-iptables", "net/bridge/bridge-nf-call-iptables", |name, value| {
            let filtered = if value == "1" { "also" } else { "not" };
            Check::good(
                name,
                format!(
                    "{value}; what sandboxes of one bridge network send each other is {filtered} filtered as routed packets are, which Netloom works with"
                ),
            )
        }),
    ]
}

/// The nameservers that endpoints' addresses must keep clear of.
pub(super) fn resolver() -> Check {
    let servers = facts::nameservers();
    if servers.is_empty() {
        return Check::good("resolver", "no nameserver beside the local one");
    }
    let words: Vec<String> = servers.iter().map(ToString::to_string).collect();
    Check::good("resolver", format!("nameserver {}", words.join(", ")))
}
