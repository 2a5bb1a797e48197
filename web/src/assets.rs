//! Stylesheet, script and pictures, embedded in the binary. A link carries the content's hash, so that a browser may keep
//! a file for ever and still gets the new one after an upgrade. Open to everyone: nothing here is about the installation.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// A year: the URL changes with the content.
const KEPT: &str = "public, max-age=31536000, immutable";

fn hash(file: &EmbeddedFile) -> String {
    let digest = file.metadata.sha256_hash();
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Where a file of `static/` is: with its hash when it exists.
pub(crate) fn url(file: &str) -> String {
    match Files::get(file) {
        Some(found) => format!("/ui/static/{file}?v={}", hash(&found)),
        None => format!("/ui/static/{file}"),
    }
}

/// `GET /ui/static/{file}`.
pub(crate) async fn serve(request: HttpRequest) -> HttpResponse {
    let name = request.match_info().query("file");
    let Some(file) = Files::get(name) else {
        return HttpResponse::NotFound().content_type("text/plain; charset=utf-8").body("there is no such file\n");
    };
    let tag = format!("\"{}\"", hash(&file));
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let fresh = known.is_some_and(|tags| tags.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let mut answer = if fresh { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((header::CACHE_CONTROL, KEPT)).insert_header((header::ETAG, tag));
    if fresh {
        return answer.finish();
    }
    let mut kind = mime_guess::from_path(name).first_or_octet_stream().to_string();
    if kind.starts_with("text/") {
        kind.push_str("; charset=utf-8");
    }
    answer.content_type(kind).body(file.data.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_the_content() {
        let link = url("app.css");
        assert!(link.starts_with("/ui/static/app.css?v="), "{link}");
        assert_eq!(link.len(), "/ui/static/app.css?v=".len() + 16);
    }

    #[test]
    fn every_file_that_the_layout_names_is_there() {
        for file in ["app.css", "app.js", "favicon.svg"] {
            assert!(Files::get(file).is_some(), "{file}");
        }
    }
}
