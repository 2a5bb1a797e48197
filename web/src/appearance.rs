//! The theme that somebody chose: a form without a script sends it, a cookie keeps it. It is the browser's, and nobody needs to be signed in.

use actix_web::http::header;
use actix_web::web::Form;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::view::theme::{COOKIE, Theme};
use crate::visit::{fail_outside, request_id};
use crate::{form, session};

/// How long the choice is kept, in seconds: a year.
const KEPT: u32 = 31_536_000;

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Choice {
    theme: String,
    next: Option<String>,
}

/// Keeps the choice, and leads back to the page.
pub(crate) async fn choose(request: HttpRequest, choice: Form<Choice>) -> HttpResponse {
    if !session::same_origin(&request) {
        return fail_outside(&request, &form::foreign(), &request_id(&request));
    }
    let theme = Theme::from_word(&choice.theme).as_str();
    HttpResponse::SeeOther()
        .insert_header((header::SET_COOKIE, format!("{COOKIE}={theme}; SameSite=Lax; Path=/ui; Max-Age={KEPT}")))
        .insert_header((header::LOCATION, session::destination(choice.next.as_deref())))
        .finish()
}

/// The theme that a request asks for.
pub(crate) fn chosen(request: &HttpRequest) -> Theme {
    let lines = request.headers().get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, word)| Theme::from_word(word)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let asked = |cookie: &str| chosen(&TestRequest::get().insert_header(("cookie", cookie)).to_http_request());
        assert_eq!(asked("a=b; netloom-theme=dark; c=d"), Theme::Dark);
        assert_eq!(asked("a=b"), Theme::System);
        assert_eq!(asked("netloom-theme=<x>"), Theme::System);
    }
}
