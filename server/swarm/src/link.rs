//! One connection of a node to a manager, and the requests over it, one at a time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use netloom_control::members::{AskError, Forwarded, ForwardedAnswer};
use netloom_model::member::{Denied, DeniedCode};
use rustls::{AlertDescription, CertificateError, ClientConfig};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::options::Waits;
use crate::{forwarded, problem, tls};

/// Longest answer, in bytes.
const ANSWER_MAX: usize = 32 << 20;

/// How long a connection that failed may take to say why.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A connection whose other end is the manager: that was proven in the handshake.
#[derive(Debug)]
pub(crate) struct Link {
    manager: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    carrier: JoinHandle<hyper::Result<()>>,
    answer: Duration,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// When nobody is there, or somebody else.
    pub(crate) async fn open(manager: SocketAddr, config: Arc<ClientConfig>, waits: &Waits) -> Result<Self, AskError> {
        let late = |what: &str| unreachable(manager, format!("{what} in {} s", waits.connect.as_secs_f32()));
        let stream = match timeout(waits.connect, TcpStream::connect(manager)).await {
            Ok(stream) => stream.map_err(|error| unreachable(manager, error.to_string()))?,
            Err(_) => return Err(late("nobody answered")),
        };
        // What is said is small, and waited for.
        let _ = stream.set_nodelay(true);
        let handshake = TlsConnector::from(config).connect(tls::server_name(), stream);
        let stream = match timeout(waits.connect, handshake).await {
            Ok(stream) => stream.map_err(|error| told(manager, &error))?,
            Err(_) => return Err(late("it did not speak TLS")),
        };
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| told(manager, &error))?;
        Ok(Self { manager, sender, carrier: tokio::spawn(connection), answer: waits.answer })
    }

    /// Asks for something with a JSON body. After an error of another kind than a denial the link is of no use.
    ///
    /// # Errors
    /// As the manager denies; when no answer comes.
    pub(crate) async fn ask<T: DeserializeOwned>(&mut self, route: &str, body: &impl Serialize) -> Result<T, AskError> {
        let body = Body::of(body).map_err(|error| self.unwritable(&error))?;
        self.ask_with(route, body).await
    }

    /// The failure to write what is to be asked.
    pub(crate) fn unwritable(&self, error: &serde_json::Error) -> AskError {
        unreachable(self.manager, error.to_string())
    }

    /// Asks with a body that is written already.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) async fn ask_with<T: DeserializeOwned>(&mut self, route: &str, Body(body): Body) -> Result<T, AskError> {
        let manager = self.manager;
        let unreadable =
            |error: &dyn ToString| unreachable(manager, format!("its answer can't be read: {}", error.to_string()));
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/swarm/v1/{route}"))
            .header(HOST, netloom_pki::SERVER_NAME)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| unreachable(manager, error.to_string()))?;
        let (status, bytes) = match timeout(self.answer, self.exchange(request)).await {
            Ok(done) => done?,
            Err(_) => {
                return Err(unreachable(manager, format!("it did not answer in {} s", self.answer.as_secs_f32())));
            }
        };
        if !status.is_success() {
            return Err(problem::read(status, &bytes).into());
        }
        // An answer without a body is JSON's null.
        let bytes = if bytes.is_empty() { Bytes::from_static(b"null") } else { bytes };
        serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))
    }

    /// Asks for an answer that goes on. The connection lives as long as what is given back with it.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) async fn listen(mut self, path: &str) -> Result<(Self, Incoming), AskError> {
        let manager = self.manager;
        let request = Request::builder()
            .method(Method::GET)
            .uri(path)
            .header(HOST, netloom_pki::SERVER_NAME)
            .body(Full::default())
            .map_err(|error| unreachable(manager, error.to_string()))?;
        if let Err(error) = self.sender.ready().await {
            return Err(self.why(&error).await);
        }
        let late = || unreachable(manager, format!("it did not answer in {} s", self.answer.as_secs_f32()));
        let response = match timeout(self.answer, self.sender.send_request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.why(&error).await),
            Err(_) => return Err(late()),
        };
        let status = response.status();
        if status.is_success() {
            return Ok((self, response.into_body()));
        }
        let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
        let body = body.map_err(|error| unreachable(manager, format!("its answer broke off: {error}")))?;
        Err(problem::read(status, &body.to_bytes()).into())
    }

    /// Hands a request on, for its caller.
    ///
    /// # Errors
    /// When no answer comes.
    pub(crate) async fn forward(mut self, request: Forwarded, within: Duration) -> Result<ForwardedAnswer, AskError> {
        let manager = self.manager;
        let request = forwarded::request(forwarded::BELOW, netloom_pki::SERVER_NAME, request)
            .map_err(|error| unreachable(manager, error.to_string()))?;
        let answered = async {
            let response = self.send(request).await?;
            forwarded::read_handed_on(response)
                .await
                .map_err(|reason| unreachable(manager, reason))?
                .map_err(AskError::from)
        };
        let late = |_| unreachable(manager, format!("it did not answer in {} s", within.as_secs_f32()));
        timeout(within, answered).await.map_err(late)?
    }

    /// Sends a request; the head of the answer.
    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, AskError> {
        if let Err(error) = self.sender.ready().await {
            return Err(self.why(&error).await);
        }
        match self.sender.send_request(request).await {
            Ok(response) => Ok(response),
            Err(error) => Err(self.why(&error).await),
        }
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), AskError> {
        let response = self.send(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
        let body = body.map_err(|error| unreachable(self.manager, format!("its answer broke off: {error}")))?;
        Ok((status, body.to_bytes()))
    }

    /// Why the connection ended: its carrier knows more than who waits for an answer.
    async fn why(&mut self, error: &hyper::Error) -> AskError {
        match timeout(LAST_WORDS, &mut self.carrier).await {
            Ok(Ok(Err(cause))) => told(self.manager, &cause),
            _ => told(self.manager, error),
        }
    }
}

/// The JSON body of a request.
pub(crate) struct Body(Bytes);

impl Body {
    /// Of a value.
    ///
    /// # Errors
    /// What can't be written as JSON.
    pub(crate) fn of(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self(Bytes::from(serde_json::to_vec(value)?)))
    }

    /// Its length, in bytes.
    pub(crate) fn length(&self) -> usize {
        self.0.len()
    }
}

fn unreachable(manager: SocketAddr, reason: String) -> AskError {
    AskError::Unreachable { manager, reason }
}

/// What an error of the connection means.
fn told(manager: SocketAddr, error: &(dyn std::error::Error + 'static)) -> AskError {
    match rustls_error(error) {
        Some(error) => told_by_tls(manager, error),
        None => unreachable(manager, last(error)),
    }
}

fn told_by_tls(manager: SocketAddr, error: &rustls::Error) -> AskError {
    use rustls::Error as E;
    let impostor = |reason: String| AskError::Impostor { manager, reason };
    match error {
        E::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => unreachable(
            manager,
            format!("{error}: the clocks of the two hosts differ, or its certificate is out of date"),
        ),
        E::InvalidCertificate(CertificateError::Other(why)) => impostor(why.0.to_string()),
        E::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            impostor("its certificate is not one of the swarm's authority".to_owned())
        }
        E::InvalidCertificate(_) | E::NoCertificatesPresented => impostor(error.to_string()),
        E::AlertReceived(AlertDescription::CertificateExpired) => AskError::Expired,
        // It has proven itself by then: it is the manager, and knows another authority than it did.
        E::AlertReceived(
            AlertDescription::UnknownCA | AlertDescription::BadCertificate | AlertDescription::DecryptError,
        ) => AskError::Denied(
            Denied::new(
                DeniedCode::RequestInvalid,
                "the manager does not take this node's certificate for one of its swarm",
            )
            .hint("let this host leave (`netloom swarm leave --force`) and join again"),
        ),
        E::InvalidMessage(_) | E::PeerIncompatible(_) | E::PeerMisbehaved(_) | E::AlertReceived(_) => impostor(
            format!("it does not speak as a manager does ({error}): is that the swarm's port, 2377 unless said?"),
        ),
        _ => unreachable(manager, error.to_string()),
    }
}

/// TLS's own error, in what wraps it.
fn rustls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        // What an I/O error carries is not its source, but in it.
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn std::error::Error + 'static)),
            None => error.source(),
        };
    }
    None
}

/// The first cause, in words.
fn last(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
