//! The OpenAPI document, and Swagger UI over it, from this binary alone.
//!
//! Both are open to all: they say nothing of this host, only what every copy of the program would say. A client generator
//! gets the document without a token; what the viewer sends to the API needs one, or the session of the dashboard.

use std::sync::{Arc, LazyLock};

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH, LOCATION,
};
use actix_web::{HttpRequest, HttpResponse, get, web};
use utoipa_swagger_ui::Config;

use crate::problem::Problem;
use crate::query::{Filter, NoQuery};

/// Swagger UI puts `style` attributes and elements into the page while it runs, and shows its icons as data URLs; without these two
/// allowances it is unreadable. Scripts come from files of ours only, and the page talks to this service only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    Arc::new(Config::from("/openapi.json").deep_linking(true).display_request_duration(true).validator_url("none"))
});

static DOCUMENT: LazyLock<Tagged> = LazyLock::new(|| Tagged::of(crate::openapi::CHECKED_IN));
static DOCUMENT_3_0: LazyLock<Tagged> = LazyLock::new(|| Tagged::of(crate::openapi::CHECKED_IN_3_0));

/// A text with its entity tag.
struct Tagged {
    text: &'static str,
    tag: String,
}

impl Tagged {
    fn of(text: &'static str) -> Self {
        let tag = format!("\"{}\"", crate::openapi::digest(text));
        Self { text, tag }
    }

    /// The text; 304 for whoever has it.
    fn answer(&'static self, request: &HttpRequest) -> HttpResponse {
        let unchanged =
            request.headers().get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == self.tag.as_bytes());
        let mut response = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response.insert_header((ETAG, self.tag.as_str())).insert_header((CACHE_CONTROL, "no-cache"));
        if unchanged { response.finish() } else { response.content_type("application/json").body(self.text) }
    }
}

/// Shows the OpenAPI document.
///
/// The contract of this API, as checked in with the source.
#[utoipa::path(tag = "service",
    responses((status = 200, description = "The document, OpenAPI 3.1.", body = Object, content_type = "application/json")))]
#[get("")]
pub(crate) async fn openapi_get(request: HttpRequest, _: Filter<NoQuery>) -> HttpResponse {
    DOCUMENT.answer(&request)
}

/// Shows the OpenAPI document for tools that read 3.0.
///
/// The same contract, made of the other document: what OpenAPI 3.0 says otherwise is said its way.
#[utoipa::path(tag = "service",
    responses((status = 200, description = "The document, OpenAPI 3.0.3.", body = Object, content_type = "application/json")))]
#[get("")]
pub(crate) async fn openapi_3_0_get(request: HttpRequest, _: Filter<NoQuery>) -> HttpResponse {
    DOCUMENT_3_0.answer(&request)
}

/// Sends a browser to the place from which the UI's relative addresses work.
#[get("")]
pub(crate) async fn docs_redirect() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, "/docs/")).finish()
}

/// A file of Swagger UI.
#[get("/{file:.*}")]
pub(crate) async fn docs_file(file: web::Path<String>) -> Result<HttpResponse, Problem> {
    let served = utoipa_swagger_ui::serve(&file, CONFIG.clone());
    let Ok(Some(found)) = served else {
        return Err(Problem::new("route-not-found", format!("the documentation has no file `{}`", *file)));
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_SECURITY_POLICY, POLICY)).insert_header((CACHE_CONTROL, "no-cache"));
    if found.gzpipped {
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    Ok(response.content_type(found.content_type.as_str()).body(found.bytes.into_owned()))
}
