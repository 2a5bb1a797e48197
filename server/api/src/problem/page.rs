//! Help pages of problems: the address in `type` answers, to people and to programs. Open without a token.

use actix_web::http::header::{ACCEPT, CACHE_CONTROL};
use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Serialize;

use super::Problem;
use super::catalogue::{self, Entry};

/// What a kind of problem means.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ProblemHelp)]
pub(crate) struct Help {
    /// The code.
    #[schema(max_length = 64)]
    code: &'static str,
    /// The HTTP status it comes with.
    status: u16,
    /// In a few words.
    #[schema(max_length = 128)]
    title: &'static str,
    /// What it means.
    #[schema(max_length = 1024)]
    meaning: &'static str,
    /// What to do.
    #[schema(max_length = 1024)]
    remedy: &'static str,
}

/// Explains a kind of problem.
///
/// The address in a problem's `type`. Answers JSON, or a plain page to a browser.
#[utoipa::path(tag = "service", params(("code" = String, Path, description = "The problem's `code`.")),
    responses((status = 200, description = "What it means and what to do.", body = Help)))]
#[get("/problems/{code}")]
pub(crate) async fn problem_get(request: HttpRequest, code: web::Path<String>) -> Result<HttpResponse, Problem> {
    let entry = catalogue::find(&code).ok_or_else(|| {
        let known: Vec<&str> = catalogue::ENTRIES.iter().map(|entry| entry.code).collect();
        Problem::new("resource-not-found", format!("there is no problem `{code}`"))
            .hint(format!("known: {}", known.join(", ")))
    })?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "max-age=3600")).insert_header(("vary", "accept"));
    if wants_html(&request) {
        return Ok(response.content_type("text/html; charset=utf-8").body(html(entry)));
    }
    let Entry { code, status, title, meaning, remedy } = *entry;
    Ok(response.json(Help { code, status, title, meaning, remedy }))
}

/// Whether the client is a browser that navigates.
pub(crate) fn wants_html(request: &HttpRequest) -> bool {
    request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|a| a.contains("text/html"))
}

/// A page without style or script: it is read once, when something went wrong, under the strictest policy.
fn html(entry: &Entry) -> String {
    let Entry { code, status, title, meaning, remedy } = entry;
    let (meaning, remedy) = (escape(meaning), escape(remedy));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · Netloom</title></head>\n\
         <body><main><h1>{title}</h1>\n<p><code>{code}</code>, HTTP status {status}</p>\n\
         <h2>What it means</h2><p>{meaning}</p>\n<h2>What to do</h2><p>{remedy}</p></main></body></html>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
