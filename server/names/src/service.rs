//! Answering one sandbox, on its two sockets. What the directory knows is answered on the spot; what is forwarded runs in a
//! task of its own, and only so many at once: a sandbox that floods its resolver gets SERVFAIL and takes nothing from the others.
//! What must not live here: what the answer is.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use crate::directory::Directory;
use crate::request::{Received, Request, Transport};
use crate::resolver::Options;
use crate::view::View;
use crate::{answer, forward, framing, request};

/// Longest question that is taken over UDP, in bytes; one with every option there is stays far below it.
const QUESTION_MAX: usize = 4096;
/// How long to leave a socket alone that just gave an error: the cause (no file descriptors, no memory) takes a while to pass.
const RECOVERY: Duration = Duration::from_millis(50);

/// A value that is replaced as a whole and read often.
#[derive(Debug)]
pub(crate) struct Shared<T: ?Sized>(RwLock<Arc<T>>);

impl<T: ?Sized> Shared<T> {
    pub(crate) fn new(value: Arc<T>) -> Self {
        Self(RwLock::new(value))
    }

    pub(crate) fn get(&self) -> Arc<T> {
        // A replaced pointer is whole, whatever panicked beside it.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, value: Arc<T>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

/// What is needed to answer one sandbox.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) directory: Directory,
    pub(crate) view: Shared<View>,
    pub(crate) upstreams: Arc<Shared<[SocketAddr]>>,
    /// What this sandbox may have outstanding.
    pub(crate) own: Arc<Semaphore>,
    /// What all together may.
    pub(crate) total: Arc<Semaphore>,
    pub(crate) options: Options,
}

/// What to do about a message.
enum Step {
    Nothing,
    Reply(Vec<u8>),
    Forward(Forward),
}

/// A question on its way to the upstreams, with its share of what may be outstanding.
struct Forward {
    request: Box<Request>,
    upstreams: Arc<[SocketAddr]>,
    patience: Duration,
    _permits: [OwnedSemaphorePermit; 2],
}

impl Forward {
    async fn run(self) -> Option<Vec<u8>> {
        match forward::ask(&self.upstreams, &self.request, self.patience).await {
            Some(wire) => sendable(answer::pass_on(wire, &self.request)),
            None => reply(answer::error(&self.request, ResponseCode::ServFail), self.request.limit()),
        }
    }
}

impl Service {
    /// Answers until told to stop; returns when everything that uses the sockets has ended and they are closed.
    pub(crate) async fn run(self: Arc<Self>, udp: UdpSocket, tcp: TcpListener, stop: Arc<Notify>) {
        let udp = Arc::new(udp);
        let (mut forwards, mut connections) = (JoinSet::new(), JoinSet::new());
        tokio::select! {
            () = stop.notified() => {}
            () = self.datagrams(&udp, &mut forwards) => {}
            () = self.connections(&tcp, &mut connections) => {}
        }
        // New connections are refused from here on; then each task that holds a socket is broken off and waited for.
        drop(tcp);
        connections.shutdown().await;
        forwards.shutdown().await;
        drop(udp);
    }

    /// What to do about a message. Permits are taken here, before anything is spent on the question.
    fn consider(&self, wire: &[u8], transport: Transport) -> Step {
        let request = match request::read(wire, transport) {
            Received::Noise => return Step::Nothing,
            Received::Wrong(message) => return reply(message, QUESTION_MAX).map_or(Step::Nothing, Step::Reply),
            Received::Request(request) => request,
        };
        let view = self.view.get();
        let refuse = |request: &Request| answer::error(request, ResponseCode::ServFail);
        let message = match answer::local(&self.directory, &view, &request) {
            Some(message) => message,
            None if view.internal => refuse(&request),
            None => match (self.own.clone().try_acquire_owned(), self.total.clone().try_acquire_owned()) {
                (Ok(own), Ok(total)) => {
                    let (upstreams, patience) = (self.upstreams.get(), self.options.upstream_timeout);
                    return Step::Forward(Forward { request, upstreams, patience, _permits: [own, total] });
                }
                _ => refuse(&request),
            },
        };
        reply(message, request.limit()).map_or(Step::Nothing, Step::Reply)
    }

    async fn datagrams(&self, socket: &Arc<UdpSocket>, forwards: &mut JoinSet<()>) {
        let mut buffer = vec![0; QUESTION_MAX];
        loop {
            let (length, client) = tokio::select! {
                Some(ended) = forwards.join_next() => {
                    told(ended);
                    continue;
                }
                received = socket.recv_from(&mut buffer) => match received {
                    Ok(received) => received,
                    Err(error) => {
                        tracing::debug!(%error, "a question could not be received");
                        sleep(RECOVERY).await;
                        continue;
                    }
                },
            };
            match self.consider(&buffer[..length], Transport::Udp) {
                Step::Nothing => {}
                Step::Reply(wire) => send(socket, &wire, client),
                Step::Forward(forward) => {
                    let socket = socket.clone();
                    forwards.spawn(async move {
                        if let Some(wire) = forward.run().await {
                            send(&socket, &wire, client);
                        }
                    });
                }
            }
        }
    }

    async fn connections(self: &Arc<Self>, listener: &TcpListener, connections: &mut JoinSet<()>) {
        loop {
            let accepted = tokio::select! {
                // First, so that one that ended makes room for the next.
                biased;
                Some(ended) = connections.join_next() => {
                    told(ended);
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) if connections.len() < self.options.tcp_connections => {
                    let service = self.clone();
                    connections.spawn(async move { service.connection(stream).await });
                }
                // One too many is closed at once, which its client can see.
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    sleep(RECOVERY).await;
                }
            }
        }
    }

    /// Answers one message after the other, until the client ends, errs or idles. A message that trickles in or an answer
    /// that nobody fetches is idling too.
    async fn connection(&self, mut stream: TcpStream) {
        let idle = self.options.tcp_idle;
        while let Ok(Ok(wire)) = timeout(idle, framing::read(&mut stream)).await {
            let wire = match self.consider(&wire, Transport::Tcp) {
                Step::Nothing => None,
                Step::Reply(wire) => Some(wire),
                Step::Forward(forward) => forward.run().await,
            };
            // A message that has no answer ends the connection: whoever sent it does not speak DNS.
            let Some(wire) = wire else { return };
            let Ok(Ok(())) = timeout(idle, framing::write(&mut stream, &wire)).await else { return };
        }
    }
}

/// Sends an answer, or drops it when there is no room: nobody must be made to wait for one client, and it asks again.
fn send(socket: &UdpSocket, wire: &[u8], client: SocketAddr) {
    if let Err(error) = socket.try_send_to(wire, client) {
        tracing::debug!(%client, %error, "an answer could not be sent");
    }
}

fn reply(message: Message, limit: usize) -> Option<Vec<u8>> {
    sendable(answer::encode(message, limit))
}

fn sendable(encoded: Result<Vec<u8>, hickory_proto::ProtoError>) -> Option<Vec<u8>> {
    encoded.inspect_err(|error| tracing::warn!(%error, "an answer could not be written")).ok()
}

fn told(ended: Result<(), JoinError>) {
    if let Err(panic) = ended {
        tracing::error!(%panic, "answering a question broke off");
    }
}
