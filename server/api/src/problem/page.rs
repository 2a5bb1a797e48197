//! Help pages of problems: the address in `type` answers, to people and to programs. Open without a token.

use actix_web::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, get, web};
use serde::Serialize;

use super::Problem;
use super::catalogue::{self, Entry};
use crate::answer::Whole;

/// A page loads the dashboard's stylesheet, which is open to all, and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

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

impl From<&Entry> for Help {
    fn from(entry: &Entry) -> Self {
        let Entry { code, status, title, meaning, remedy } = *entry;
        Self { code, status, title, meaning, remedy }
    }
}

/// Lists the kinds of problem.
///
/// By status. Answers JSON, or a page to a browser.
#[utoipa::path(tag = "service", responses((status = 200, description = "All kinds of problem.", body = Whole<Help>)))]
#[get("/problems")]
pub(crate) async fn problem_list(request: HttpRequest) -> HttpResponse {
    let mut response = open();
    if wants_html(&request) {
        return page(response, &index());
    }
    response.json(Whole { items: catalogue::ENTRIES.iter().map(Help::from).collect() })
}

/// Explains a kind of problem.
///
/// The address in a problem's `type`. Answers JSON, or a page to a browser.
#[utoipa::path(tag = "service", params(("code" = String, Path, description = "The problem's `code`.")),
    responses((status = 200, description = "What it means and what to do.", body = Help)))]
#[get("/problems/{code}")]
pub(crate) async fn problem_get(request: HttpRequest, code: web::Path<String>) -> Result<HttpResponse, Problem> {
    let entry = catalogue::find(&code).ok_or_else(|| {
        Problem::new("resource-not-found", format!("there is no problem `{code:.100}`"))
            .hint("`GET /problems` lists them")
    })?;
    let mut response = open();
    Ok(if wants_html(&request) { page(response, &html(entry)) } else { response.json(Help::from(entry)) })
}

/// Whether the client is a browser that navigates.
pub(crate) fn wants_html(request: &HttpRequest) -> bool {
    request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|a| a.contains("text/html"))
}

fn open() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "max-age=3600")).insert_header(("vary", "accept"));
    response
}

fn page(mut response: HttpResponseBuilder, html: &str) -> HttpResponse {
    response.insert_header((CONTENT_SECURITY_POLICY, POLICY)).content_type("text/html; charset=utf-8");
    response.body(html.to_owned())
}

fn html(entry: &Entry) -> String {
    let Entry { code, status, title, meaning, remedy } = entry;
    let body = format!(
        "<div class=\"card stacked\"><p><code>{code}</code>, HTTP status {status}</p>\n\
         <h2>What it means</h2><p>{}</p>\n<h2>What to do</h2><p>{}</p></div>\n<p><a href=\"/problems\">All problems</a></p>",
        marked(meaning),
        marked(remedy)
    );
    frame(title, &body)
}

fn index() -> String {
    let row = |Entry { code, status, title, .. }: &Entry| {
        format!(
            "<tr><th scope=\"row\"><a href=\"/problems/{code}\"><code>{code}</code></a></th>\
             <td data-label=\"Status\">{status}</td><td data-label=\"Means\">{title}</td></tr>\n"
        )
    };
    let rows: String = catalogue::ENTRIES.iter().map(row).collect();
    let head = "<tr><th scope=\"col\">Code</th><th scope=\"col\">Status</th><th scope=\"col\">In a few words</th></tr>";
    frame(
        "Problems",
        &format!(
            "<div class=\"table\" role=\"region\" aria-label=\"Problems\" tabindex=\"0\">\
             <table><thead>{head}</thead>\n<tbody>{rows}</tbody></table></div>"
        ),
    )
}

/// A page in the dashboard's dress, without its script: it is read once, when something went wrong.
fn frame(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · Netloom</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"/ui/static/favicon.svg\" type=\"image/svg+xml\">\n\
         <link rel=\"stylesheet\" href=\"/ui/static/app.css\"></head>\n\
         <body><header class=\"top\"><a class=\"brand\" href=\"/ui\"><span>Netloom</span></a></header>\n\
         <div class=\"body\"><main id=\"main\"><div class=\"head\"><h1>{title}</h1></div>\n{body}\n</main></div></body></html>\n"
    )
}

/// Escapes a text; what stands between backticks becomes code.
fn marked(text: &str) -> String {
    let part = |(index, part): (usize, &str)| {
        let part = part.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        if index % 2 == 1 { format!("<code>{part}</code>") } else { part }
    };
    text.split('`').enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_code_where_the_texts_have_backticks() {
        assert_eq!(marked("a `b<c` & d"), "a <code>b&lt;c</code> &amp; d");
        for entry in catalogue::ENTRIES {
            let pairs = |text: &str| text.matches('`').count().is_multiple_of(2);
            assert!(pairs(entry.meaning) && pairs(entry.remedy), "{}", entry.code);
            assert!(!html(entry).contains('`') && index().contains(entry.code), "{}", entry.code);
        }
    }
}
