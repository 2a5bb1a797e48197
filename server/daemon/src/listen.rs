//! The listeners: TCP for people and programs, and a unix socket where the kernel says who is at the other end.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::Path;

use anyhow::Context as _;
use nix::sys::socket::{getsockopt, sockopt};

use crate::explained;

/// The TCP socket that whoever started this program opened for it, as standard input.
///
/// # Errors
/// When standard input is no listening TCP socket, or is one that [`tcp`] would refuse.
pub(crate) fn given(allow_remote: bool) -> anyhow::Result<TcpListener> {
    let socket =
        std::io::stdin().as_fd().try_clone_to_owned().context("cannot take the socket that is standard input")?;
    let listening = getsockopt(&socket, sockopt::AcceptConn).unwrap_or(false);
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().ok().filter(|_| listening);
    let address = address.ok_or_else(|| {
        explained(
            "standard input is not a listening TCP socket",
            "without --listen-stdin, the service opens one itself: --listen",
        )
    })?;
    require_local(address, allow_remote)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Listens on TCP.
///
/// # Errors
/// When the address is not this host's own and that was not allowed, or can't be had, with the reason.
pub(crate) fn tcp(address: SocketAddr, allow_remote: bool) -> anyhow::Result<TcpListener> {
    require_local(address, allow_remote)?;
    let listener = TcpListener::bind(address).map_err(|error| refused(address, &error))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn require_local(address: SocketAddr, allow_remote: bool) -> anyhow::Result<()> {
    if address.ip().is_loopback() || allow_remote {
        return Ok(());
    }
    Err(explained(
        format_args!(
            "--listen {address} is not a loopback address: other machines could reach the API, and it has no TLS yet"
        ),
        "keep to 127.0.0.1 or [::1] behind a proxy that speaks TLS; or, on a network that you trust, say --allow-remote",
    ))
}

/// Why an address can't be listened on.
pub(crate) fn refused(address: SocketAddr, error: &std::io::Error) -> anyhow::Error {
    let port = address.port();
    match error.kind() {
        ErrorKind::AddrInUse => explained(
            format_args!("port {port} of {} is in use by another program", address.ip()),
            format_args!(
                "see which: ss -ltnp 'sport = :{port}'; or choose another port: --listen {}",
                SocketAddr::new(address.ip(), port.wrapping_add(1).max(1024))
            ),
        ),
        ErrorKind::AddrNotAvailable => explained(
            format_args!("{} is not an address of this host", address.ip()),
            "see `ip addr`; 127.0.0.1 always works once the loopback is up (`ip link set lo up`)",
        ),
        ErrorKind::PermissionDenied => {
            explained(format_args!("port {port} is for root only"), "run as root, or choose a port from 1024 on")
        }
        _ => anyhow::anyhow!("cannot listen on {address}: {error}"),
    }
}

/// Listens on the unix socket, for root only. The caller holds the run directory's lock, so what a socket file is left
/// from is dead.
///
/// # Errors
/// When something else is at that path, or the directory can't be written.
pub(crate) fn unix(path: &Path) -> anyhow::Result<UnixListener> {
    match path.symlink_metadata() {
        Ok(found) if found.file_type().is_socket() => {
            std::fs::remove_file(path).with_context(|| format!("cannot remove the old socket {}", path.display()))?;
        }
        Ok(_) => {
            anyhow::bail!("{} is in the way: it is not a socket. Move it, or choose another --run-dir", path.display())
        }
        Err(_) => {}
    }
    // Between bind and chmod the socket would be open to others: bind it under a umask that keeps them out.
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(path);
    nix::sys::stat::umask(before);
    let listener = bound.map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => explained(
            format_args!("the path {} is too long for a unix socket (107 bytes)", path.display()),
            "choose a shorter --run-dir",
        ),
        _ => anyhow::anyhow!("cannot listen on {}: {error}", path.display()),
    })?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_reach_needs_a_word() {
        let address: SocketAddr = "0.0.0.0:0".parse().expect("an address");
        let error = tcp(address, false).expect_err("refused").to_string();
        assert!(error.contains("--allow-remote"), "{error}");
        tcp(address, true).expect("allowed");
    }

    #[test]
    fn a_taken_port_is_named() {
        let held = tcp("127.0.0.1:0".parse().expect("an address"), false).expect("a free port");
        let address = held.local_addr().expect("bound");
        let error = tcp(address, false).expect_err("taken").to_string();
        assert!(error.contains(&format!("port {}", address.port())), "{error}");
    }
}
