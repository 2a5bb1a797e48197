//! Making a lab. Each step leaves what `down` finds by itself, so that it may be cut off anywhere.

use std::fs::DirBuilder;
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt as _;
use std::process::{Child, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};
use netloom_kernel::lab::{self, Plug};

use super::directory::{Directory, Found, Host, Record};
use super::{addresses, counted, daemon, down, greeting, join, require_root, say};
use crate::cli::Make;
use crate::explained;
use crate::shutdown::Signals;

/// What a host's link to the others is called, in the host.
pub(super) const INTERFACE: &str = "eth0";

/// Makes the lab and says what there is. What was made is taken back when a step fails, or on Ctrl-C.
///
/// # Errors
/// When there is one already, or a step fails.
pub(crate) fn run(options: &Make) -> anyhow::Result<ExitCode> {
    require_root()?;
    let directory = Directory::new(&options.lab.dir)?;
    require_none(&directory)?;
    let routes = lab::routes()?;
    let chosen = addresses::choose(options.address, options.hosts, &routes)
        .map_err(|why| explained(why, "choose with --address, such as --address 10.77.0.11/24"))?;
    let listeners = daemon::listen(chosen.hosts.len())?;
    let hosts = chosen.hosts.iter().zip(&listeners).enumerate().map(|(number, (address, listener))| {
        let port = listener.local_addr().context("cannot read a listener's address")?.port();
        Ok(Host { name: Directory::host_name(number + 1), address: *address, port })
    });
    let hosts: Vec<Host> = hosts.collect::<anyhow::Result<_>>()?;

    let interrupted = heed_signals()?;
    let (made_directory, _lock) = directory.make(hosts.len())?;
    // Somebody may have been faster, until the lock was taken.
    require_none(&directory)?;
    let mut record = Record { made_directory, whole: false, gateway: chosen.gateway, hosts };
    let made = directory.write(&record).and_then(|()| {
        steps(&directory, &record, listeners, &interrupted)?;
        if options.no_join { Ok(()) } else { join::all(&directory, &record, &interrupted) }
    });
    if let Err(error) = made {
        say("It failed: what was made is taken back.");
        if let Err(left) = down::remove(&directory, Some(&record)) {
            eprintln!("netloom: {left:#}\n  help: netloom lab down{} tries again", directory.flag());
        }
        return Err(error);
    }
    record.whole = true;
    directory.write(&record)?;
    greeting::greet(&directory, &record);
    Ok(ExitCode::SUCCESS)
}

fn require_none(directory: &Directory) -> anyhow::Result<()> {
    let flag = directory.flag();
    match directory.look()? {
        Found::Nothing => Ok(()),
        Found::Lab(Some(record)) if record.whole => Err(explained(
            format_args!("there is a lab of {} in {} already", counted(record.hosts.len()), directory.path().display()),
            format_args!(
                "see it with netloom lab status{flag}, end it with netloom lab down{flag}, or make another beside it with --dir"
            ),
        )),
        Found::Lab(_) => directory.whole().map(|_| ()),
    }
}

/// The steps to hosts that are ready, in order.
fn steps(
    directory: &Directory,
    record: &Record,
    listeners: Vec<TcpListener>,
    interrupted: &AtomicBool,
) -> anyhow::Result<()> {
    let count = record.hosts.len();
    say(format_args!("Making a lab of {} in {}", counted(count), directory.path().display()));
    netloom_fault::point("lab.make.after_record")?;
    lab::make(&directory.underlay())?;
    lab::make_underlay(&directory.underlay(), record.gateway)?;
    netloom_fault::point("lab.make.after_underlay")?;
    for host in &record.hosts {
        make_host(directory, record, host)?;
        go_on(interrupted)?;
    }
    let mut daemons: Vec<(&Host, Child)> = Vec::with_capacity(count);
    for (host, listener) in record.hosts.iter().zip(listeners) {
        daemons.push((host, daemon::start(host, &directory.host(&host.name), listener)?));
        netloom_fault::point("lab.make.after_start")?;
        go_on(interrupted)?;
    }
    for (host, child) in &mut daemons {
        daemon::await_ready(host, &directory.host(&host.name), child, interrupted)?;
        say(format_args!("  {} at {} is ready", host.name, host.address));
        netloom_fault::point("lab.make.after_ready")?;
        go_on(interrupted)?;
    }
    Ok(())
}

fn make_host(directory: &Directory, record: &Record, host: &Host) -> anyhow::Result<()> {
    let place = directory.host(&host.name);
    let made = DirBuilder::new().mode(0o755).create(place.root());
    made.with_context(|| format!("cannot make the directory {}", place.root().display()))?;
    netloom_fault::point("lab.make.after_directory")?;
    lab::make(&place.namespace())?;
    netloom_fault::point("lab.make.after_namespace")?;
    let address = ipnet::Ipv4Net::new(host.address, record.gateway.prefix_len())?;
    let plug = Plug { port: &host.name, interface: INTERFACE, address, gateway: record.gateway.addr() };
    lab::plug_in(&directory.underlay(), &place.namespace(), plug)?;
    Ok(netloom_fault::point("lab.make.after_plug")?)
}

/// Between steps: whether to go on.
///
/// # Errors
/// When the caller was interrupted.
pub(super) fn go_on(interrupted: &AtomicBool) -> anyhow::Result<()> {
    if interrupted.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// From now on Ctrl-C and SIGTERM are noted, instead of ending this program half-way.
fn heed_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let noted = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = runtime.block_on(async { Signals::catch() })?;
    let note = noted.clone();
    std::thread::spawn(move || {
        runtime.block_on(signals.wait());
        note.store(true, Ordering::Relaxed);
    });
    Ok(noted)
}
