//! `/ui/login` and `/ui/logout`. A login link's GET changes nothing, so that a preview of the link doesn't use it up;
//! its POST does. Tokens and secrets come in bodies and in that one query, and go into no page but the form itself.

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Form, Query};
use actix_web::{HttpRequest, HttpResponse};
use netloom_control::ErrorKind;
use serde::Deserialize;

use crate::view::frame::Section;
use crate::view::login::LoginPage;
use crate::visit::{asked, fail_outside, outer_frame, render, request_id};
use crate::{Dashboard, form, session};

/// What the login page's address may carry.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    next: Option<String>,
    link: Option<String>,
}

/// What the login form sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Given {
    token: Option<String>,
    link: Option<String>,
    next: Option<String>,
}

/// The form; with a link's secret, one button.
pub async fn show_form(request: HttpRequest, dashboard: Data<Dashboard>, asked: Option<Query<Asked>>) -> HttpResponse {
    let asked = asked.map(Query::into_inner).unwrap_or_default();
    let next = session::destination(asked.next.as_deref());
    let link = asked.link.as_deref().filter(|secret| !secret.is_empty());
    match link {
        Some(secret) => match dashboard.control.knows_link(secret).await {
            Ok(true) => show(&request, StatusCode::OK, next, link, None),
            Ok(false) => show(&request, StatusCode::UNAUTHORIZED, next, None, Some(refusal(true))),
            Err(failure) => fail_outside(&request, &failure, &request_id(&request)),
        },
        None => show(&request, StatusCode::OK, next, None, None),
    }
}

/// Opens a session, and goes on to where the visitor wanted to be.
pub async fn submit(request: HttpRequest, dashboard: Data<Dashboard>, given: Form<Given>) -> HttpResponse {
    if !session::same_origin(&request) {
        return fail_outside(&request, &form::foreign(), &request_id(&request));
    }
    let given = given.into_inner();
    let next = session::destination(given.next.as_deref());
    let by_link = given.link.is_some();
    let known_as = asked(&request, &request_id(&request));
    let opened = match (&given.link, &given.token) {
        (Some(secret), _) => dashboard.control.login_with_link(secret, known_as).await,
        (None, token) => {
            dashboard.control.login_with_token(token.as_deref().unwrap_or_default().trim(), known_as).await
        }
    };
    match opened {
        Ok(opened) => HttpResponse::SeeOther()
            .insert_header((
                header::SET_COOKIE,
                session::cookie(&session::name(&request), &opened.secret, dashboard.tls),
            ))
            .insert_header((header::LOCATION, next))
            .finish(),
        Err(failure)
            if matches!(failure.kind, ErrorKind::Unauthenticated | ErrorKind::Malformed | ErrorKind::Invalid) =>
        {
            show(&request, StatusCode::UNAUTHORIZED, next, None, Some(refusal(by_link)))
        }
        Err(failure) => fail_outside(&request, &failure, &request_id(&request)),
    }
}

/// Ends the session.
pub async fn logout(request: HttpRequest, dashboard: Data<Dashboard>) -> HttpResponse {
    if !session::same_origin(&request) {
        return fail_outside(&request, &form::foreign(), &request_id(&request));
    }
    if let Some(secret) = session::secret(&request)
        && let Err(failure) = dashboard.control.logout(&secret).await
        && failure.kind != ErrorKind::Unauthenticated
    {
        return fail_outside(&request, &failure, &request_id(&request));
    }
    HttpResponse::SeeOther()
        .insert_header((header::SET_COOKIE, session::ended(&session::name(&request), dashboard.tls)))
        .insert_header((header::LOCATION, "/ui/login"))
        .finish()
}

fn show(
    request: &HttpRequest,
    status: StatusCode,
    next: &str,
    link: Option<&str>,
    problem: Option<&str>,
) -> HttpResponse {
    let frame = outer_frame(request, "Sign in", Section::None, &request_id(request));
    render(status, &LoginPage::new(frame, next, link, problem))
}

/// What a person can do about it; which of the causes it was is nobody's business.
fn refusal(by_link: bool) -> &'static str {
    if by_link {
        "This link is not known here: it has been used, or its hour is over. Make another, or sign in with a token."
    } else {
        "This token is not known here, or it has expired."
    }
}
