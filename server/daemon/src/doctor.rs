//! `netloom doctor`: whether this host has what the service needs, thing by thing, with a remedy for what it lacks.
//! The kernel's part is the kernel crate's; here are the directories, the port and the database, and the report.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::ExitCode;

use netloom_kernel::check::{self, Check, Verdict};
use netloom_model::swarm::{DATA_PATH_PORT, PORT};
use netloom_store::Store;

use crate::cli::{Directories, Doctor};
use crate::socket::{self, Presence};
use crate::{explained, listen, lock};

/// Looks at everything and prints it. The exit code is 1 when something must be put right.
///
/// # Errors
/// When no runtime can be started.
pub(crate) fn run(options: &Doctor) -> anyhow::Result<ExitCode> {
    let service_is = socket::presence(&options.directories.socket());
    let mut checks = check::run(&netloom_kernel::Config { run_dir: options.directories.run_dir.clone() });
    checks.push(service(service_is, &options.directories));
    checks.push(directory("data directory", &options.directories.data_dir));
    checks.push(directory("run directory", &options.directories.run_dir));
    checks.push(port(options.listen, service_is));
    checks.extend(swarm_ports(service_is));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    checks.push(runtime.block_on(store(&options.directories.database(), service_is)));
    checks.extend(copies(&options.directories.database()));
    print!("{}", report(&checks));
    let bad = checks.iter().any(|check| check.verdict == Verdict::Bad);
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Fails with every missing thing that the service can't do without, before it starts.
///
/// # Errors
/// When a check came out bad; the text names all of them with their remedies.
pub(crate) fn require(run_dir: &Path) -> anyhow::Result<()> {
    let checks = check::run(&netloom_kernel::Config { run_dir: run_dir.to_owned() });
    for check in checks.iter().filter(|check| check.verdict == Verdict::Warning) {
        let text = format!("{}: {}{}", check.name, check.found, remedy(check, "; "));
        // A feature that is missing is named again when somebody asks for it; the rest may bite unasked.
        if check.name.starts_with("kernel feature") {
            tracing::debug!("{text}");
        } else {
            tracing::warn!("{text}");
        }
    }
    let bad: Vec<String> = checks
        .iter()
        .filter(|check| check.verdict == Verdict::Bad)
        .map(|check| format!("\n  {}: {}{}", check.name, check.found, remedy(check, "\n    help: ")))
        .collect();
    if bad.is_empty() {
        return Ok(());
    }
    Err(explained(
        format_args!("this host lacks what the service needs:{}", bad.concat()),
        "`netloom doctor` checks everything",
    ))
}

fn remedy(check: &Check, before: &str) -> String {
    check.remedy.as_ref().map_or_else(String::new, |remedy| format!("{before}{remedy}"))
}

fn found(name: &str, verdict: Verdict, found: impl Into<String>, remedy: Option<&str>) -> Check {
    Check { name: name.to_owned(), verdict, found: found.into(), remedy: remedy.map(str::to_owned) }
}

/// Root alone may look: what somebody else can't see is no verdict.
fn hidden(name: &str, path: &Path) -> Check {
    let text = format!("{} can't be looked at without root", path.display());
    found(name, Verdict::Warning, text, Some("run doctor as root"))
}

fn service(service_is: Presence, directories: &Directories) -> Check {
    const NAME: &str = "service";
    let at = directories.socket();
    match service_is {
        Presence::Running => found(NAME, Verdict::Good, format!("answers at {}", at.display()), None),
        Presence::Hidden => hidden(NAME, &at),
        Presence::Absent => match lock::running() {
            Some(holder) => found(
                NAME,
                Verdict::Bad,
                format!(
                    "another runs in this network namespace ({holder}), and not in {}",
                    directories.run_dir.display()
                ),
                Some("name its --run-dir and --data-dir, or stop it first"),
            ),
            None => found(NAME, Verdict::Good, format!("not running (nothing answers at {})", at.display()), None),
        },
    }
}

/// A directory can be used when it, or the nearest one above that exists, can be written.
fn directory(name: &str, path: &Path) -> Check {
    let there = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
    if !there.is_dir() {
        return found(
            name,
            Verdict::Bad,
            format!("{} is not a directory", there.display()),
            Some("move it, or choose another directory"),
        );
    }
    let text = if there == path {
        format!("{} can be written", path.display())
    } else {
        format!("{} will be made", path.display())
    };
    // Tried rather than asked: procfs and the like say yes to root and refuse all the same.
    let trial = there.join(format!(".netloom-doctor-{}", std::process::id()));
    match std::fs::create_dir(&trial).and_then(|()| std::fs::remove_dir(&trial)) {
        Ok(()) => found(name, Verdict::Good, text, None),
        Err(error) => found(
            name,
            Verdict::Bad,
            format!("{} can't be written: {error}", there.display()),
            Some("run as root, or choose another directory with --data-dir or --run-dir"),
        ),
    }
}

fn port(address: SocketAddr, service_is: Presence) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => found("port", Verdict::Good, format!("{address} is free"), None),
        Err(error) if error.kind() == ErrorKind::AddrInUse && service_is == Presence::Running => {
            found("port", Verdict::Good, format!("{address} is in use, as it should be while the service runs"), None)
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse && service_is == Presence::Hidden => {
            let text = format!("{address} is in use, by the service or by another program: only root can tell");
            found("port", Verdict::Warning, text, Some("run doctor as root"))
        }
        Err(error) => {
            let text = listen::refused(address, &error).to_string();
            let (what, help) = text.split_once("\n  help: ").unwrap_or((&text, "choose another with --listen"));
            found("port", Verdict::Bad, what, Some(help))
        }
    }
}

/// The ports of a swarm, which a host alone does without. While the service runs they are its own.
fn swarm_ports(service_is: Presence) -> [Check; 2] {
    let manager = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).map(drop);
    let overlay = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, DATA_PATH_PORT)).map(drop);
    [
        swarm_port(
            ("swarm port", format!("{PORT}/tcp")),
            "the manager of a swarm is reached there by the other nodes",
            &format!(
                "where this host is to manage a swarm: `netloom swarm init --advertise-addr ADDRESS:PORT` takes another; `ss -ltnp 'sport = :{PORT}'` says who has it"
            ),
            (manager, service_is),
        ),
        swarm_port(
            ("overlay port", format!("{DATA_PATH_PORT}/udp")),
            "overlay networks send their packets there, between all nodes of a swarm",
            &format!(
                "`ss -ulnp 'sport = :{DATA_PATH_PORT}'` says who has it: a VXLAN device, which has no name there, does no harm; for a program, `netloom swarm init --data-path-port` takes another"
            ),
            (overlay, service_is),
        ),
    ]
}

fn swarm_port(
    (name, port): (&str, String),
    purpose: &str,
    remedy: &str,
    (bound, service_is): (std::io::Result<()>, Presence),
) -> Check {
    match bound {
        Ok(()) => {
            found(name, Verdict::Good, format!("{port} is free; {purpose}, so firewalls must let it through"), None)
        }
        Err(error) if error.kind() != ErrorKind::AddrInUse => {
            found(name, Verdict::Warning, format!("{port} can't be tried: {error}"), Some("run doctor as root"))
        }
        Err(_) if service_is == Presence::Running => {
            found(name, Verdict::Good, format!("{port} is in use while the service runs; {purpose}"), None)
        }
        Err(_) => found(name, Verdict::Warning, format!("{port} is in use; {purpose}"), Some(remedy)),
    }
}

/// Reads the database, when there is one, and checks that ranges and leases make up the pools.
async fn store(path: &Path, service_is: Presence) -> Check {
    const NAME: &str = "database";
    if service_is == Presence::Running {
        let text = format!("{} is in use by the service; its contents are checked while it is stopped", path.display());
        return found(NAME, Verdict::Good, text, None);
    }
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => {
            return found(NAME, Verdict::Good, format!("{} will be made at the first start", path.display()), None);
        }
        Err(_) => return hidden(NAME, path),
    }
    let remedy =
        Some("see docs/operations.md, \"The database\"; keep a copy of the data directory before anything else");
    match Store::inspect(path).await {
        Ok(None) => found(
            NAME,
            Verdict::Good,
            format!("{} will be brought up to date at the next start, after a backup beside it", path.display()),
            None,
        ),
        Ok(Some(wrong)) if wrong.is_empty() => {
            found(NAME, Verdict::Good, format!("{}: free ranges and leases make up every pool", path.display()), None)
        }
        Ok(Some(wrong)) => {
            let first = wrong.first().map_or("", String::as_str);
            found(NAME, Verdict::Bad, format!("{} contradictions, the first: {first}", wrong.len()), remedy)
        }
        Err(error) => found(NAME, Verdict::Bad, format!("{}: {error}", path.display()), remedy),
    }
}

/// The databases that are kept beside the one in use, if there are any: nothing removes them.
fn copies(database: &Path) -> Option<Check> {
    let kept: Vec<(String, u64)> = netloom_store::backup::kept(database)
        .unwrap_or_default()
        .iter()
        .filter_map(|path| Some((path.file_name()?.to_string_lossy().into_owned(), path.metadata().ok()?.len())))
        .collect();
    let bytes: u64 = kept.iter().map(|(_, bytes)| bytes).sum();
    let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
    let text = format!("kept from before ({} MiB): {}; remove what is not needed", bytes >> 20, names.join(", "));
    (!names.is_empty()).then(|| found("copies", Verdict::Good, text, None))
}

fn report(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let verdict = match check.verdict {
            Verdict::Good => "OK  ",
            Verdict::Warning => "WARN",
            Verdict::Bad => "FAIL",
        };
        text.push_str(&format!("{verdict}  {:width$}  {}\n", check.name, check.found));
        if let Some(remedy) = &check.remedy {
            text.push_str(&format!("      {:width$}  help: {remedy}\n", ""));
        }
    }
    let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let (bad, warnings) = (count(Verdict::Bad), count(Verdict::Warning));
    text.push_str(&match (bad, warnings) {
        (0, 0) => "\nThis host has everything.\n".to_owned(),
        (0, warnings) => format!("\nThis host will do; warnings to know: {warnings}.\n"),
        (bad, _) => format!("\nTo be put right first: {bad}.\n"),
    });
    if bad == 0 {
        text.push_str("To try out bridge, macvlan and overlay networks, and a swarm, on this machine alone: netloom lab --hosts 3\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_says_verdict_and_remedy() {
        let checks =
            [found("a", Verdict::Good, "fine", None), found("long name", Verdict::Bad, "missing", Some("modprobe it"))];
        let text = report(&checks);
        assert!(text.starts_with("OK    a          fine\nFAIL  long name  missing\n"), "{text}");
        assert!(text.contains("help: modprobe it") && text.ends_with("To be put right first: 1.\n"), "{text}");
        assert!(report(&checks[..1]).ends_with("netloom lab --hosts 3\n"), "a host that will do says how to try it");
    }

    #[test]
    fn a_port_of_the_swarm_that_is_taken_says_by_whom_it_may_be() {
        let taken = || Err(std::io::Error::from(ErrorKind::AddrInUse));
        let check =
            |bound, service_is| swarm_port(("swarm port", "2377/tcp".into()), "why", "what helps", (bound, service_is));
        let of_another = check(taken(), Presence::Absent);
        assert_eq!((of_another.verdict, of_another.remedy.as_deref()), (Verdict::Warning, Some("what helps")));
        assert_eq!(check(taken(), Presence::Running).verdict, Verdict::Good, "the service has it");
        let free = check(Ok(()), Presence::Absent);
        assert!(free.verdict == Verdict::Good && free.found.contains("firewalls"), "{free:?}");
    }

    #[test]
    fn a_missing_directory_is_judged_by_the_one_above() {
        assert_eq!(
            directory("x", Path::new("/proc/no/such")).verdict,
            Verdict::Bad,
            "nobody makes directories in /proc"
        );
        assert_eq!(directory("x", &std::env::temp_dir().join("a/b/c")).verdict, Verdict::Good);
    }
}
