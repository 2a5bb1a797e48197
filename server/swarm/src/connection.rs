//! One connection to a manager: its handshake, who is at the other end, and its requests one after the other.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::routes::{self, Caller, Shared};

/// Longest head of a request, in bytes.
const HEAD_MAX: usize = 16 << 10;

/// Serves a connection until it ends.
pub(crate) async fn serve(stream: TcpStream, from: IpAddr, config: Arc<ServerConfig>, shared: Arc<Shared>) {
    let Some(stranger) = shared.doors.stranger(from) else {
        tracing::debug!(%from, "too many connections without a certificate: one more is closed");
        return;
    };
    // What is said is small, and waited for.
    let _ = stream.set_nodelay(true);
    let waits = &shared.options.waits;
    let tls = match timeout(waits.connect, TlsAcceptor::from(config).accept(stream)).await {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => return tracing::debug!(%from, %error, "a handshake failed"),
        Err(_) => return tracing::debug!(%from, "a handshake took too long"),
    };
    let shown = tls.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let Some(certificate) = shown else {
        let caller = Caller { peer: None, from };
        if timeout(waits.stranger, requests(tls, caller, shared.clone())).await.is_err() {
            tracing::debug!(%from, "a connection without a certificate lasted too long");
        }
        return;
    };
    // The handshake has proven that the authority issued it, and that it is good now.
    let peer = match netloom_pki::read_der(certificate) {
        Ok(peer) => peer,
        Err(error) => return tracing::warn!(%from, %error, "a certificate of the swarm's authority names no node"),
    };
    let node = peer.node;
    let Some(_place) = shared.doors.member(node) else {
        return tracing::debug!(%from, %node, "too many connections of one node: one more is closed");
    };
    drop(stranger);
    requests(tls, Caller { peer: Some(peer), from }, shared.clone()).await;
}

async fn requests(tls: TlsStream<TcpStream>, caller: Caller, shared: Arc<Shared>) {
    let from = caller.from;
    let idle = shared.options.waits.request;
    let service = service_fn(move |request: Request<Incoming>| {
        let longest = routes::longest(&shared.options, request.uri().path());
        let (caller, shared) = (caller.clone(), shared.clone());
        async move {
            let answered = timeout(longest, routes::answer(&shared, caller, request)).await;
            Ok::<_, Infallible>(answered.unwrap_or_else(|_| routes::whole(routes::too_slow())))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(tls), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%from, %error, "a connection broke off");
    }
}
