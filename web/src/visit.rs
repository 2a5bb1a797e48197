//! One look at a page: who looks, with which request, at what time; and how an answer leaves.

mod objects;

use std::cell::RefCell;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError, web};
use askama::Template;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use netloom_control::command::Command;
use netloom_control::{Authorized, Context, Control, Error, ErrorKind, Request, Source, shown};
use netloom_model::Timestamp;
use serde::de::DeserializeOwned;

use crate::query::Asked;
use crate::view::failure::FailurePage;
use crate::view::frame::{Frame, Place, Section, Viewer};
use crate::view::gone::Gone;
use crate::view::link::encode_query;
use crate::view::refusal::Refusal;
use crate::view::wrong::Wrong;
use crate::{Dashboard, appearance, error, session};

pub(crate) use self::objects::OBJECTS;

/// Most wrong parameters that are told one after the other.
const PARAMETERS_WRONG: usize = 12;
/// What a page has found: itself, or that another one is meant.
pub(crate) enum Shown<T> {
    /// The page.
    Page(T),
    /// The path of the other one.
    There(String),
}

/// A request by somebody who is known.
pub struct Visit {
    request: HttpRequest,
    context: Context,
    by_session: bool,
    /// Where events were when the visit began.
    since: String,
    asked: RefCell<Asked>,
    pub(crate) control: Control,
}

impl Visit {
    /// Authorises a command for whoever looks.
    ///
    /// # Errors
    /// `forbidden`, when the role lacks the permission.
    pub(crate) fn authorize<C: Command>(&self, command: C) -> Result<Authorized<C>, Error> {
        self.context.authorize(command)
    }

    /// Whether whoever looks may do this: what is not allowed is not offered either.
    pub(crate) fn may<C: Command>(&self, command: &C) -> bool {
        self.context.may(command)
    }

    /// The query string as a type of its own, without what is set aside.
    ///
    /// # Errors
    /// What can't be read as that, naming the parameter.
    pub(crate) fn query<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.asked.borrow_mut().read()
    }

    /// The query as it was sent.
    pub(crate) fn query_string(&self) -> &str {
        self.request.query_string()
    }

    /// Sets a parameter aside, because of what the page knows of it.
    pub(crate) fn set_aside(&self, wrong: Wrong) {
        self.asked.borrow_mut().put_aside(wrong);
    }

    /// The page that `show` makes; where a parameter is wrong, the page without it, which says so at its field.
    pub(crate) async fn show<T: Template>(&self, show: impl AsyncFn(&Self) -> Result<T, Error>) -> HttpResponse {
        self.show_or_go(async |visit: &Self| show(visit).await.map(Shown::Page)).await
    }

    /// The same, where `show` may also find that another page is meant.
    pub(crate) async fn show_or_go<T: Template>(
        &self,
        show: impl AsyncFn(&Self) -> Result<Shown<T>, Error>,
    ) -> HttpResponse {
        let mut refused: Option<Error> = None;
        for _ in 0..PARAMETERS_WRONG {
            let before = self.asked.borrow().told();
            match (show(self).await, refused.take()) {
                (Ok(Shown::There(page)), _) => return to(&page),
                (Ok(Shown::Page(page)), None) => return self.page(&page),
                (Ok(Shown::Page(page)), Some(failure)) => return self.refuse(&failure, &page).await,
                (Err(failure), former) => {
                    // What the page itself said of a parameter is more than the failure says.
                    let told = self.asked.borrow().told() > before;
                    if !told && !self.asked.borrow_mut().set_aside(&failure) {
                        return self.fail(&failure).await;
                    }
                    refused = former.or(Some(failure));
                }
            }
        }
        self.fail(
            &refused.unwrap_or_else(|| Error::new(ErrorKind::Malformed, "malformed-query", "the query can't be read")),
        )
        .await
    }

    /// Whether it is a page that asks for itself again, to show what has changed: it wants no other page.
    pub(crate) fn is_renewal(&self) -> bool {
        self.request.headers().contains_key("x-netloom-live")
    }

    /// A segment of the path, decoded.
    pub(crate) fn segment(&self, name: &str) -> String {
        self.request.match_info().query(name).to_owned()
    }

    /// What surrounds the page.
    pub(crate) fn frame(&self, title: impl Into<String>, section: Section) -> Frame {
        let (wrong, ignored) = {
            let asked = self.asked.borrow();
            (asked.wrong(), asked.ignored())
        };
        self.bare_frame(title, section).asked(wrong, ignored)
    }

    /// The same without a word on the query.
    fn bare_frame(&self, title: impl Into<String>, section: Section) -> Frame {
        let mut frame = outer_frame(&self.request, title, section, &self.context.request_id);
        frame.since.clone_from(&self.since);
        frame.own = Some(self.control.node_id());
        frame.hostname = self.control.hostname();
        frame.place = match self.control.manager_elsewhere() {
            Some(address) => Place::Worker(address.to_string()),
            None if self.control.manages() => Place::Manager,
            None => Place::Alone,
        };
        frame.viewer = Some(Viewer {
            name: self.context.principal.name.clone(),
            role: self.context.principal.role.as_str(),
            can_leave: self.by_session,
        });
        frame
    }

    /// The page, or the failure as a page.
    pub(crate) async fn answer<T: Template>(&self, result: Result<T, Error>) -> HttpResponse {
        match result {
            Ok(page) => self.page(&page),
            Err(failure) => self.fail(&failure).await,
        }
    }

    fn page<T: Template>(&self, page: &T) -> HttpResponse {
        if !self.is_renewal() {
            return render(StatusCode::OK, page);
        }
        let Ok(html) = page.render() else { return render(StatusCode::OK, page) };
        let tag = tag(&html);
        let known = self.request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        if known == Some(tag.as_str()) {
            return HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish();
        }
        HttpResponse::Ok().content_type("text/html; charset=utf-8").insert_header((header::ETAG, tag)).body(html)
    }

    /// A failure, to be told beside the form that it is of.
    pub(crate) fn refusal(&self, failure: &Error) -> Refusal {
        Refusal::new(failure, &self.context.request_id)
    }

    /// The page with the form that was refused, as it was filled in; the audit notes who failed at what.
    pub(crate) async fn refuse<T: Template>(&self, failure: &Error, page: &T) -> HttpResponse {
        self.note(failure).await;
        render(error::status(failure.kind), page)
    }

    async fn note(&self, failure: &Error) {
        self.control.note_failure(&self.context, failure.into(), false).await;
        error::log(failure, &self.context.request_id);
    }

    /// A failure as a page; the audit notes who was denied what.
    pub(crate) async fn fail(&self, failure: &Error) -> HttpResponse {
        self.note(failure).await;
        let gone = match self.named().filter(|_| failure.kind == ErrorKind::NotFound) {
            Some((kind, object)) => self.gone(Some(kind), &object).await,
            None => None,
        };
        let title = gone.as_ref().map_or_else(|| error::title(failure.kind), Gone::title);
        let frame = self.bare_frame(title, Section::None);
        render(error::status(failure.kind), &FailurePage::new(frame, failure).of_gone(gone))
    }
}

/// Why there is no visit: nobody is signed in, or it could not be found out.
#[derive(Debug)]
pub struct Turned {
    request: HttpRequest,
    request_id: String,
    failure: Option<Error>,
}

impl Turned {
    /// Turned away whoever it is.
    pub(crate) fn refused(request: &HttpRequest, failure: Error) -> Self {
        Self { request: request.clone(), request_id: request_id(request), failure: Some(failure) }
    }
}

impl fmt::Display for Turned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the page needs somebody who is signed in")
    }
}

impl ResponseError for Turned {
    fn error_response(&self) -> HttpResponse {
        match &self.failure {
            Some(failure) => fail_outside(&self.request, failure, &self.request_id),
            None => to_login(&self.request),
        }
    }
}

impl FromRequest for Visit {
    type Error = Turned;
    type Future = LocalBoxFuture<'static, Result<Self, Turned>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let request_id = request_id(&request);
            let turned = |failure| Turned { request: request.clone(), request_id: request_id.clone(), failure };
            let Some(dashboard) = request.app_data::<web::Data<Dashboard>>() else { return Err(turned(None)) };
            let control = dashboard.control.clone();
            let bearer = bearer(&request);
            let secret = session::secret(&request);
            let by_session = bearer.is_none();
            let known = match (bearer, secret) {
                (Some(token), _) => {
                    control.authenticate_token(&token, asked(&request, &request_id)).await.map_err(Some)
                }
                (None, Some(secret)) => match control.authenticate_session(&secret, asked(&request, &request_id)).await
                {
                    Err(failure) if failure.kind == ErrorKind::Unauthenticated => Err(None),
                    other => other.map_err(Some),
                },
                (None, None) => Err(None),
            };
            match known {
                Ok(context) => {
                    let asked = RefCell::new(Asked::new(request.query_string()));
                    Ok(Self { request, context, by_session, since: control.cursor(), asked, control })
                }
                Err(failure) => Err(turned(failure)),
            }
        }
        .boxed_local()
    }
}

/// A request, as the audit tells of it.
pub(crate) fn asked(request: &HttpRequest, id: &str) -> Request {
    let source = request.peer_addr().map(|address| Source::Remote(address.ip()));
    Request::new(id, source, request.method().as_str(), request.path())
}

/// The token of an `Authorization: Bearer` header.
fn bearer(request: &HttpRequest) -> Option<String> {
    shown::bearer(request.headers().get(header::AUTHORIZATION)?.to_str().ok()?).map(str::to_owned)
}

/// The request's ID: the one it was given on the way in, else a fresh one.
pub(crate) fn request_id(request: &HttpRequest) -> String {
    let given = request.headers().get("x-request-id").and_then(|value| value.to_str().ok());
    if let Some(id) = given.filter(|id| !id.is_empty() && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic())) {
        return id.to_owned();
    }
    let mut bytes = [0_u8; 8];
    // An ID that repeats would only make a log line harder to find.
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().fold(String::from("req-"), |id, byte| format!("{id}{byte:02x}"))
}

/// Surroundings without a viewer.
pub(crate) fn outer_frame(
    request: &HttpRequest,
    title: impl Into<String>,
    section: Section,
    request_id: &str,
) -> Frame {
    let info = request.connection_info();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'-' | b'[' | b']');
    // The name that the guard let in, and none that a client says it was forwarded from.
    let named = request.uri().authority().map(|authority| authority.as_str());
    let named = named.or_else(|| request.headers().get(header::HOST)?.to_str().ok());
    let host = named.filter(|host| !host.is_empty() && host.bytes().all(plain));
    let base =
        format!("{}://{}", if info.scheme() == "https" { "https" } else { "http" }, host.unwrap_or("127.0.0.1:8080"));
    let mut frame = Frame::new(title, section, base, now(), request_id);
    frame.theme = appearance::chosen(request);
    if let Some(here) = request.uri().path_and_query() {
        here.as_str().clone_into(&mut frame.here);
    }
    match request.app_data::<web::Data<Dashboard>>() {
        Some(dashboard) => frame.kept_in(&dashboard.run_dir, &dashboard.data_dir),
        None => frame,
    }
}

/// A failure as a page, for somebody unknown.
pub(crate) fn fail_outside(request: &HttpRequest, failure: &Error, request_id: &str) -> HttpResponse {
    error::log(failure, request_id);
    let frame = outer_frame(request, error::title(failure.kind), Section::None, request_id);
    let mut answer = render(error::status(failure.kind), &FailurePage::new(frame, failure));
    if failure.kind == ErrorKind::Unauthenticated {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = failure.retry_after_seconds {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}

/// To the login page, and back here afterwards.
fn to_login(request: &HttpRequest) -> HttpResponse {
    let here = request.uri().path_and_query().map_or("/ui", |here| here.as_str());
    let login = if here == "/ui" { "/ui/login".to_owned() } else { format!("/ui/login?next={}", encode_query(here)) };
    HttpResponse::SeeOther().insert_header((header::LOCATION, login)).finish()
}

/// To where a page is now, for good.
pub(crate) fn moved(path: &str) -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, path)).finish()
}

/// To another page.
pub(crate) fn to(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, path)).finish()
}

/// A template as an answer.
pub(crate) fn render<T: Template>(status: StatusCode, page: &T) -> HttpResponse {
    match page.render() {
        Ok(html) => HttpResponse::build(status).content_type("text/html; charset=utf-8").body(html),
        Err(cause) => {
            tracing::error!("a template failed: {cause}");
            HttpResponse::InternalServerError()
                .content_type("text/plain; charset=utf-8")
                .body("the page can't be drawn\n")
        }
    }
}

/// What tells one state of a page from another: its title and what is in its `main`. All else is of the request, and differs each time.
fn tag(html: &str) -> String {
    let part = |begin: &str, end: &str| html.split_once(begin)?.1.split_once(end).map(|(part, _)| part);
    let mut hasher = DefaultHasher::new();
    (part("<title>", "</title>"), part("<main", "</main>")).hash(&mut hasher);
    format!("W/\"{:016x}\"", hasher.finish())
}

/// The wall clock, for `3 minutes ago`.
fn now() -> Timestamp {
    let millis = time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}
