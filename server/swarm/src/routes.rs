//! What can be asked of a manager, and by whom. The node is whom its certificate names, never whom a body says.
//!
//! | route | by |
//! |---|---|
//! | `POST /swarm/v1/join`, `POST /swarm/v1/readmit` | anybody |
//! | `POST /swarm/v1/renew`, `POST /swarm/v1/heartbeat`, `POST /swarm/v1/leave` | a node with a certificate that is good now |
//! | any method, `/swarm/v1/forwarded/api/v1/...` | likewise; for a caller whose token the manager's API looks at (`forwarded`) |
//! | `POST /swarm/v1/attach`, `POST /swarm/v1/spread`, `POST /swarm/v1/held`, `GET /swarm/v1/assignment` | likewise; of networks (`told`) |

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use netloom_control::members::Manager;
use netloom_model::NodeId;
use netloom_model::member::{Admission, Denied, DeniedCode, PROTOCOL, Peer, ReadmitRequest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::doors::{Doors, Place, Source};
use crate::forwarded::{self, Api};
use crate::options::Options;
use crate::problem;
use crate::told::{self, Held, SpreadRequest};

pub(crate) type Answer = Response<Full<Bytes>>;

/// Any answer, one that goes on included.
pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A member asks for a new certificate.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RenewRequest {
    /// Certificate signing request, PEM.
    pub(crate) csr: String,
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) manager: Arc<dyn Manager>,
    pub(crate) api: Arc<dyn Api>,
    pub(crate) doors: Doors,
    pub(crate) options: Options,
    /// The authority's certificate, PEM.
    pub(crate) ca: String,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The node, by its certificate; nobody known where it showed none.
    pub(crate) peer: Option<Peer>,
    /// The address it comes from.
    pub(crate) from: IpAddr,
}

/// Answers one request.
pub(crate) async fn answer(shared: &Arc<Shared>, caller: Caller, request: Request<Incoming>) -> Response<Body> {
    if (request.uri().path(), request.method()) == (told::ASSIGNMENT, &Method::GET) {
        return match caller.peer {
            Some(peer) => told::assignment(shared, peer).await.unwrap_or_else(|denied| whole(problem::denied(denied))),
            None => whole(problem::refused(StatusCode::UNAUTHORIZED, NO_CERTIFICATE)),
        };
    }
    if forwarded::is_one(request.uri().path()) {
        let answer = match caller.peer {
            Some(peer) => forwarded::answer(shared, &peer, request).await.unwrap_or_else(|refused| refused),
            None => problem::refused(StatusCode::UNAUTHORIZED, NO_CERTIFICATE),
        };
        return whole(answer);
    }
    whole(at_once(shared, caller, request).await)
}

/// An answer as one of any kind.
pub(crate) fn whole(answer: Answer) -> Response<Body> {
    answer.map(|body| body.boxed_unsync())
}

const NO_CERTIFICATE: &str = "a certificate of the swarm is needed for this";

async fn at_once(shared: &Shared, caller: Caller, request: Request<Incoming>) -> Answer {
    let done = match (request.uri().path().strip_prefix("/swarm/v1/"), request.method()) {
        (Some("join"), &Method::POST) => join(shared, caller, request).await,
        (Some("readmit"), &Method::POST) => readmit(shared, caller, request).await,
        (Some(route), &Method::POST) if OF_MEMBERS.contains(&route) => match caller.peer.clone() {
            Some(peer) => member(shared, peer, caller.from, request).await,
            None => Err(problem::refused(StatusCode::UNAUTHORIZED, NO_CERTIFICATE)),
        },
        (Some("assignment"), _) => Err(not_allowed("GET")),
        (Some(route), _) if OF_MEMBERS.contains(&route) || matches!(route, "join" | "readmit") => {
            Err(not_allowed("POST"))
        }
        _ => Err(problem::refused(StatusCode::NOT_FOUND, "there is nothing of this name")),
    };
    done.unwrap_or_else(|refused| refused)
}

async fn join(shared: &Shared, caller: Caller, request: Request<Incoming>) -> Result<Answer, Answer> {
    let attempt = attempt(shared, caller.from)?;
    let request = body(shared, request, shared.options.limits.stranger_body).await?;
    ended(shared, attempt, shared.manager.admit(request, caller.from).await)
}

async fn readmit(shared: &Shared, caller: Caller, request: Request<Incoming>) -> Result<Answer, Answer> {
    let attempt = attempt(shared, caller.from)?;
    let request: ReadmitRequest = body(shared, request, shared.options.limits.stranger_body).await?;
    let former = former(&request, &shared.ca)
        .map_err(|detail| problem::denied(Denied::new(DeniedCode::RequestInvalid, detail)))?;
    ended(shared, attempt, shared.manager.readmit(request, former, caller.from).await)
}

/// Whom the old certificate names, it being proven that the swarm's authority issued it, and that who asks has its key.
fn former(request: &ReadmitRequest, ca: &str) -> Result<Peer, String> {
    netloom_pki::issued_by(&request.certificate, ca).map_err(|error| error.to_string())?;
    let signature = data_encoding::BASE64
        .decode(request.signature.as_bytes())
        .map_err(|_| "the signature is not base64".to_owned())?;
    netloom_pki::verify(&request.certificate, request.csr.as_bytes(), &signature).map_err(|error| error.to_string())?;
    netloom_pki::read(&request.certificate).map_err(|error| error.to_string())
}

/// What members send.
const OF_MEMBERS: [&str; 6] = ["renew", "heartbeat", "leave", "attach", "spread", "held"];

async fn member(shared: &Shared, peer: Peer, from: IpAddr, request: Request<Incoming>) -> Result<Answer, Answer> {
    let route = request.uri().path().to_owned();
    let Room { most, _place } = room(shared, &peer, &request).await?;
    let done = match route.as_str() {
        "/swarm/v1/renew" => {
            let RenewRequest { csr } = body(shared, request, most).await?;
            shared.manager.renew(peer, csr).await.map(|admission| json(&admission))
        }
        "/swarm/v1/heartbeat" => {
            let heartbeat = body(shared, request, most).await?;
            shared.manager.heartbeat(peer, heartbeat, from).await.map(|answer| json(&answer))
        }
        "/swarm/v1/attach" => {
            let request = body(shared, request, most).await?;
            Ok(json(&told::Given::from(shared.manager.attach(peer, request).await)))
        }
        "/swarm/v1/spread" => {
            let SpreadRequest { networks, revision, millis } = body(shared, request, most).await?;
            let within = Duration::from_millis(millis).min(shared.options.waits.answer);
            shared.manager.stands(&peer).await.map_err(problem::denied)?;
            Ok(json(&shared.manager.spread(peer, networks, revision, within).await))
        }
        "/swarm/v1/held" => {
            let Held { revision } = body(shared, request, most).await?;
            shared.manager.stands(&peer).await.map_err(problem::denied)?;
            shared.manager.held(&peer, revision);
            Ok(nothing())
        }
        _ => shared.manager.leaves(peer).await.map(|()| nothing()),
    };
    done.map_err(problem::denied)
}

/// How much of a member's body is read.
struct Room {
    most: usize,
    /// Held until the request is answered.
    _place: Option<Place<NodeId>>,
}

/// Makes room for a member's body. What is long, or may be, is read of nodes in good standing alone, and of few at a time: it takes much more memory than it is long.
async fn room(shared: &Shared, peer: &Peer, request: &Request<Incoming>) -> Result<Room, Answer> {
    let limits = &shared.options.limits;
    let length = request.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
    if length.is_some_and(|length| length <= limits.large_body) {
        return Ok(Room { most: limits.large_body, _place: None });
    }
    shared.manager.stands(peer).await.map_err(problem::denied)?;
    let Some(place) = shared.doors.large(peer.node) else {
        let detail = "another long request of that node, or of others, is being read";
        return Err(problem::denied(Denied::new(DeniedCode::TooMany, detail).hint("try again in 1 s").retry_after(1)));
    };
    Ok(Room { most: limits.member_body, _place: Some(place) })
}

/// Takes one attempt from what an address may fail at.
fn attempt(shared: &Shared, from: IpAddr) -> Result<Source, Answer> {
    let source = Source::of(from);
    shared.doors.attempts.take(source, Instant::now()).map(|()| source).map_err(|too_often| {
        let seconds = too_often.wait.as_secs() + 1;
        let detail = "too many requests to join or to be let back in come from that address, or were denied";
        problem::denied(
            Denied::new(DeniedCode::TooMany, detail).hint(format!("try again in {seconds} s")).retry_after(seconds),
        )
    })
}

/// Answers an attempt. It does not count where it was good, or where it failed for no fault of the one who asks.
fn ended(shared: &Shared, attempt: Source, done: Result<Admission, Denied>) -> Result<Answer, Answer> {
    let counts = done.as_ref().is_err_and(|denied| {
        !matches!(denied.code, DeniedCode::ReadmissionPending | DeniedCode::Unavailable | DeniedCode::NotManager)
    });
    if !counts {
        shared.doors.attempts.give_back(&attempt);
    }
    done.map(|admission| json(&admission)).map_err(problem::denied)
}

/// Reads a JSON body.
async fn body<T: DeserializeOwned + Send + 'static>(
    shared: &Shared,
    request: Request<Incoming>,
    most: usize,
) -> Result<T, Answer> {
    let whole = Limited::new(request.into_body(), most).collect();
    let Ok(read) = tokio::time::timeout(shared.options.waits.request, whole).await else {
        return Err(problem::refused(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"));
    };
    let bytes = match read {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let detail = format!("the body is longer than {most} bytes");
            return Err(problem::refused(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        Err(_) => return Err(problem::refused(StatusCode::BAD_REQUEST, "the body broke off")),
    };
    let read = move || serde_json::from_slice(&bytes).map_err(|error| unreadable(&bytes, &error));
    if most <= shared.options.limits.large_body {
        return read();
    }
    // It may take a good part of a second.
    let read = tokio::task::spawn_blocking(read).await;
    read.unwrap_or_else(|_| Err(problem::refused(StatusCode::INTERNAL_SERVER_ERROR, "the body could not be read")))
}

/// A body that can't be read may be one of another version: then that is what is wrong.
fn unreadable(bytes: &[u8], error: &serde_json::Error) -> Answer {
    #[derive(Deserialize)]
    struct Asks {
        hello: Hello,
    }
    #[derive(Deserialize)]
    struct Hello {
        protocol: u32,
    }
    let other = serde_json::from_slice(bytes).ok().filter(|asks: &Asks| asks.hello.protocol != PROTOCOL);
    problem::denied(match other {
        Some(Asks { hello }) => Denied::new(
            DeniedCode::VersionMismatch,
            format!("the node speaks version {} of the protocol, the manager version {PROTOCOL}", hello.protocol),
        )
        .hint("bring both hosts to the same version of Netloom"),
        None => Denied::new(DeniedCode::RequestInvalid, format!("the body can't be read: {error}")),
    })
}

fn not_allowed(method: &'static str) -> Answer {
    let refused = problem::refused(StatusCode::METHOD_NOT_ALLOWED, format!("this is asked for with {method}"));
    problem::header(refused, ALLOW, HeaderValue::from_static(method))
}

fn json<T: Serialize>(value: &T) -> Answer {
    match serde_json::to_vec(value) {
        Ok(bytes) => {
            let mut answer = Response::new(Full::new(Bytes::from(bytes)));
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            answer
        }
        Err(error) => {
            tracing::error!(%error, "an answer to a node can't be written");
            problem::refused(StatusCode::INTERNAL_SERVER_ERROR, "the answer can't be written")
        }
    }
}

fn nothing() -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

/// How long a request may take in all before its connection is given up: its body, the manager's disk, the answer.
pub(crate) fn longest(options: &Options, path: &str) -> Duration {
    let waits = &options.waits;
    waits.request.saturating_add(if forwarded::is_one(path) { waits.forwarded } else { waits.answer })
}

/// The answer where that is over.
pub(crate) fn too_slow() -> Answer {
    problem::denied(Denied::new(DeniedCode::Unavailable, "the manager could not do it in time"))
}
