//! Small servers in network namespaces, and questions to them: who answers, and as whom one is seen.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_millis(700);
/// How often a server looks whether it is to end.
const PAUSE: Duration = Duration::from_millis(20);

/// A server on one port, over TCP and UDP. It answers `<name> <address of who asks>`, and ends when it is dropped.
pub struct Echo {
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Echo {
    /// Starts one in the namespace at a path, on an address and port.
    ///
    /// # Panics
    /// When the namespace or the port can't be had.
    pub fn start(namespace: &Path, at: &str, name: &str) -> Self {
        let (listener, socket) = inside(namespace, || {
            let listener = TcpListener::bind(at).unwrap_or_else(|error| panic!("{at} over TCP: {error}"));
            (listener, UdpSocket::bind(at).unwrap_or_else(|error| panic!("{at} over UDP: {error}")))
        });
        listener.set_nonblocking(true).expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        let ended = Arc::new(AtomicBool::new(false));
        let tcp = {
            let (ended, name) = (ended.clone(), name.to_owned());
            std::thread::spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    match listener.accept() {
                        Ok((mut stream, peer)) => drop(stream.write_all(format!("{name} {}", peer.ip()).as_bytes())),
                        Err(_) => std::thread::sleep(PAUSE),
                    }
                }
            })
        };
        let udp = {
            let (ended, name) = (ended.clone(), name.to_owned());
            std::thread::spawn(move || {
                let mut buffer = [0; 64];
                while !ended.load(Ordering::Relaxed) {
                    match socket.recv_from(&mut buffer) {
                        Ok((_, peer)) => drop(socket.send_to(format!("{name} {}", peer.ip()).as_bytes(), peer)),
                        Err(_) => std::thread::sleep(PAUSE),
                    }
                }
            })
        };
        Self { ended, threads: vec![tcp, udp] }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// What a server says over TCP to somebody in a namespace; nothing when nobody answers.
pub fn ask_tcp(namespace: &Path, to: &str) -> Option<String> {
    inside(namespace, || {
        let to: SocketAddr = to.parse().expect("an address and a port");
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut said = String::new();
        stream.read_to_string(&mut said).ok()?;
        Some(said).filter(|said| !said.is_empty())
    })
}

/// The same over UDP.
pub fn ask_udp(namespace: &Path, to: &str) -> Option<String> {
    let socket = inside(namespace, || {
        let own = if to.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
        UdpSocket::bind(own).expect("a port of one's own")
    });
    say(&socket, to)
}

/// Asks over a socket that is there already.
pub fn say(socket: &UdpSocket, to: &str) -> Option<String> {
    let to: SocketAddr = to.parse().expect("an address and a port");
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.send_to(b"who?", to).ok()?;
    let mut buffer = [0; 64];
    let (length, _) = socket.recv_from(&mut buffer).ok()?;
    String::from_utf8(buffer[..length].to_vec()).ok()
}

/// Calls something on a thread in the namespace at a path. Sockets made there stay there.
///
/// # Panics
/// When the namespace can't be entered, and when the call panics.
pub fn inside<T: Send>(namespace: &Path, call: impl FnOnce() -> T + Send) -> T {
    let namespace = std::fs::File::open(namespace).unwrap_or_else(|error| panic!("{}: {error}", namespace.display()));
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET).expect("root may enter it");
            call()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
