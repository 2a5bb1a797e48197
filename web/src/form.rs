//! Forms that change something: who sends one, and how it is read. One that no page of ours sent is refused before anything else.

use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::web::FormConfig;
use actix_web::{FromRequest, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use netloom_control::{Error, ErrorKind};

use crate::session;
use crate::visit::{Turned, Visit, fail_outside, request_id};

/// Largest form of somebody unknown, in bytes: a token or a secret, and where to go.
pub(crate) const LOGIN_MAX: usize = 8192;
/// Largest other form, in bytes: all labels that a node may have fit in.
pub(crate) const FORM_MAX: usize = 128 * 1024;

/// How forms are read: bounded, and refused as a page.
pub(crate) fn config(limit: usize) -> FormConfig {
    FormConfig::default().limit(limit).error_handler(|cause, request| {
        let failure = Error::new(ErrorKind::Malformed, "malformed-form", format!("the form can't be read: {cause}"));
        let answer = fail_outside(request, &failure, &request_id(request));
        actix_web::error::InternalError::from_response(cause, answer).into()
    })
}

/// Why a form of another site is refused.
pub(crate) fn foreign() -> Error {
    Error::new(ErrorKind::Forbidden, "cross-site-request", "this form was not sent by a page of the dashboard")
        .hint("open the dashboard by the address it has in your browser, and send the form there")
}

/// A visit that sends a form of ours. Handlers that change something take this in the place of a [`Visit`].
pub struct Sender(Visit);

impl Deref for Sender {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.0
    }
}

impl FromRequest for Sender {
    type Error = Turned;
    type Future = LocalBoxFuture<'static, Result<Self, Turned>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if !session::same_origin(request) {
            return std::future::ready(Err(Turned::refused(request, foreign()))).boxed_local();
        }
        let visit = Visit::from_request(request, payload);
        async move { visit.await.map(Self) }.boxed_local()
    }
}
