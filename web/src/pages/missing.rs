//! What isn't there: unknown pages, and methods that a page doesn't have.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use netloom_control::{Error, ErrorKind};

use crate::visit::{Visit, fail_outside, moved, request_id};

/// No such page.
pub async fn page(request: HttpRequest, visit: Option<Visit>) -> HttpResponse {
    // A page that is asked for as if it were a folder.
    if let Some(path) = request.path().strip_suffix('/').filter(|path| path.starts_with("/ui/") && !path.contains("//"))
    {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        return moved(&format!("{path}{query}"));
    }
    let failure = Error::new(ErrorKind::NotFound, "route-not-found", format!("there is no page `{}`", request.path()))
        .hint("the navigation and the search box lead to everything there is");
    match visit {
        Some(visit) => visit.fail(&failure).await,
        None => fail_outside(&request, &failure, &request_id(&request)),
    }
}

/// The page is there, but only to be read.
pub async fn method(request: HttpRequest) -> HttpResponse {
    let detail = format!("{} can't be done with the page `{}`", request.method(), request.path());
    let failure = Error::new(ErrorKind::Malformed, "method-not-allowed", detail).hint("pages are read with GET");
    let mut answer = fail_outside(&request, &failure, &request_id(&request));
    *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    answer
}
