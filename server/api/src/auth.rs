//! Who asks. A bearer token, a dashboard session, or the peer of the local socket; anything else is a 401.
//!
//! The scopes that need a caller are wrapped in `require`, so that a route inside them can't be reached without one,
//! not even to learn whether it exists. Handlers take the `Caller`. What a caller may do is control's to say.

use std::future::{Ready, ready};

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, COOKIE, HeaderMap, WWW_AUTHENTICATE};
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, web};
use netloom_control::shown::{self, SESSION_COOKIE};
use netloom_control::{Context, Control, Failure, Request, Source};

use crate::forward::{self, FromNodes};
use crate::guard::{RequestId, origin};
use crate::problem::Problem;
use crate::state::ApiState;

/// User ID of the process at the other end of the local socket. The daemon puts it into a connection's data; a request that has
/// it came through the socket, so that the checks against browsers don't concern it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerUid(pub u32);

/// Who asks, authenticated.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) Context);

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or_else(nobody))
    }
}

/// How a caller shows who they are.
#[derive(Debug, PartialEq, Eq)]
enum Credential {
    Token(String),
    Session(String),
    Socket(u32),
}

/// Middleware that lets nobody through unknown, and has the audit note what failed.
pub(crate) async fn require(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, actix_web::Error> {
    let (control, context) = match identify(&mut request).await {
        Ok(Asked::Here(control, context)) => (control, context),
        Ok(Asked::Elsewhere(answer)) => return Ok(request.into_response(answer)),
        Err(problem) => return Ok(request.error_response(problem)),
    };
    request.extensions_mut().insert(Caller(context.clone()));
    let answered = next.call(request).await.map(ServiceResponse::map_into_boxed_body)?;
    if let Some(failure) = failure(&answered) {
        let dry_run = answered.request().query_string().split('&').any(|pair| pair == "dry_run=true");
        control.note_failure(&context, failure, dry_run).await;
    }
    Ok(answered)
}

/// The problem that is answered, if one is, as the audit tells of it.
fn failure(answered: &ServiceResponse) -> Option<Failure> {
    let problem = answered.response().error().and_then(|error| error.as_error::<Problem>());
    problem.map(|problem| {
        let body = problem.body();
        Failure::new(&body.code, &body.detail, body.errors.first().map(|wrong| wrong.pointer.as_str()))
    })
}

/// A request, as the audit tells of it.
fn asked(request: &ServiceRequest, peer: Option<PeerUid>) -> Request {
    let id = request.extensions().get::<RequestId>().map_or_else(String::new, |id| id.0.clone());
    let source = match (peer, forward::node_of(request)) {
        (Some(PeerUid(uid)), _) => Some(Source::Socket(uid)),
        (None, Some(node)) => Some(Source::Node(node)),
        (None, None) => request.peer_addr().map(|address| Source::Remote(address.ip())),
    };
    Request::new(&id, source, request.method().as_str(), request.path())
}

/// Whom a request asks.
enum Asked {
    /// This host, and who does.
    Here(Control, Context),
    /// Another host, which answered.
    Elsewhere(HttpResponse),
}

/// Who asks, and whom they ask.
async fn identify(request: &mut ServiceRequest) -> Result<Asked, Problem> {
    let peer = request.conn_data::<PeerUid>().copied();
    let state = request.app_data::<web::Data<ApiState>>();
    let control = state.map(|state| state.control.clone());
    let cookie = control.as_ref().map(|control| shown::session_cookie(control.node_id()));
    let cookie = cookie.as_deref().unwrap_or(SESSION_COOKIE);
    let credential = credential(request.headers(), cookie, peer)?.ok_or_else(nobody)?;
    if request.conn_data::<FromNodes>().is_some() && !matches!(credential, Credential::Token(_)) {
        return Err(nobody());
    }
    if matches!(credential, Credential::Session(_)) {
        // A browser sends the cookie by itself, so a write needs positive proof that our own page asked for it.
        origin::prove(request.method(), request.headers())?;
    }
    let control = control.ok_or_else(|| Problem::new("internal", "the service is not configured"))?;
    let asked = asked(request, peer);
    let context = match credential {
        Credential::Token(token) => match control.authenticate_token(&token, asked).await {
            Ok(context) => context,
            // It may be one of the manager's.
            Err(unknown) if unknown.code == "unauthenticated" => {
                let answer = forward::to_manager(&control, request).await?;
                return answer.map(Asked::Elsewhere).ok_or_else(|| forward::not_handed_on(&control, unknown.into()));
            }
            Err(error) => return Err(error.into()),
        },
        Credential::Session(secret) => control.authenticate_session(&secret, asked).await?,
        Credential::Socket(uid) => control.authenticate_socket(uid, asked)?,
    };
    if request.conn_data::<FromNodes>().is_some() {
        forward::admit(&control, request).await?;
    }
    Ok(Asked::Here(control, context))
}

/// The strongest statement in a request: a token goes before a cookie, and both before the socket's peer.
fn credential(headers: &HeaderMap, cookie: &str, peer: Option<PeerUid>) -> Result<Option<Credential>, Problem> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let token = value.to_str().ok().and_then(shown::bearer);
        let token = token.ok_or_else(|| nobody().hint("the form is `Authorization: Bearer TOKEN`"))?;
        return Ok(Some(Credential::Token(token.to_owned())));
    }
    let session = shown::session(headers.get_all(COOKIE).filter_map(|value| value.to_str().ok()), cookie);
    Ok(session
        .map(|secret| Credential::Session(secret.to_owned()))
        .or(peer.map(|PeerUid(uid)| Credential::Socket(uid))))
}

/// Tells a client how to authenticate (RFC 9110, 11.6.1).
pub(crate) fn challenge(problem: Problem) -> Problem {
    problem.header(WWW_AUTHENTICATE, "Bearer realm=\"netloom\"")
}

fn nobody() -> Problem {
    challenge(Problem::new("unauthenticated", "this needs a token or a session").hint(
        "send `Authorization: Bearer TOKEN`; the first start wrote a token to `admin.token` in the data directory",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn headers(lines: &[(actix_web::http::header::HeaderName, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_token_goes_before_a_cookie_and_a_cookie_before_the_socket() {
        let token = || Some(Credential::Token("abc".to_owned()));
        let session = || Some(Credential::Session("s3".to_owned()));
        let cases = [
            (headers(&[(AUTHORIZATION, "Bearer abc"), (COOKIE, "netloom-session=s3")]), Some(PeerUid(0)), token()),
            (headers(&[(AUTHORIZATION, "bearer  abc")]), None, token()),
            (headers(&[(COOKIE, "a=b; netloom-session=s3; c=d")]), Some(PeerUid(0)), session()),
            (headers(&[]), Some(PeerUid(7)), Some(Credential::Socket(7))),
            (headers(&[(COOKIE, "xnetloom-session=s3")]), None, None),
        ];
        for (headers, peer, wanted) in cases {
            assert_eq!(credential(&headers, SESSION_COOKIE, peer).expect("readable"), wanted);
        }
    }

    #[test]
    fn another_scheme_is_refused_rather_than_passed_over() {
        for value in ["Basic YTpi", "Bearer", "Bearer ", ""] {
            assert!(
                credential(&headers(&[(AUTHORIZATION, value)]), SESSION_COOKIE, Some(PeerUid(0))).is_err(),
                "{value}"
            );
        }
    }
}
