//! Stylesheet, scripts and pictures, embedded in the binary. A link carries a hash of all of them, so that a browser may keep
//! a file for ever and still gets the new one after an upgrade. Open to everyone: nothing here is about the installation.

use std::sync::LazyLock;

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

/// What all files together are: it changes with any of them, because modules name each other without a hash.
fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let mut files: Vec<_> = Files::iter().collect();
        files.sort();
        let hashes: String = files.iter().filter_map(|name| Files::get(name)).map(|file| hash(&file)).collect();
        // Any mixing of them does, as long as it differs when one does.
        let mixed = hashes.as_bytes().chunks(16).fold(0_u64, |sum, one| {
            let text = std::str::from_utf8(one).unwrap_or_default();
            sum.rotate_left(7) ^ u64::from_str_radix(text, 16).unwrap_or_default()
        });
        format!("{mixed:016x}")
    });
    &VERSION
}

/// Where a file of `static/` is, under what all of them are now: what one names beside it is then of the same version.
pub(crate) fn url(file: &str) -> String {
    format!("/ui/static/{}/{file}", version())
}

/// `GET /ui/static/{version}/{file}`, or without a version, which no browser is to keep.
pub(crate) async fn serve(request: HttpRequest) -> HttpResponse {
    let asked = request.match_info().query("file");
    let ours = asked.strip_prefix(version()).and_then(|rest| rest.strip_prefix('/'));
    // An old page after an upgrade gets the file as it is now.
    let name = ours.unwrap_or_else(|| asked.rsplit('/').next().unwrap_or_default());
    let Some(file) = Files::get(name) else {
        return HttpResponse::NotFound().content_type("text/plain; charset=utf-8").body("there is no such file\n");
    };
    let kept = if ours.is_some() { KEPT } else { "no-cache" };
    let tag = format!("\"{}\"", hash(&file));
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let fresh = known.is_some_and(|tags| tags.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let mut answer = if fresh { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((header::CACHE_CONTROL, kept)).insert_header((header::ETAG, tag));
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
        assert_eq!(url("app.css"), format!("/ui/static/{}/app.css", version()));
        assert!(version().len() == 16 && version().bytes().all(|b| b.is_ascii_hexdigit()));
    }

    #[test]
    fn every_file_that_the_layout_names_is_there() {
        for file in [
            "app.css",
            "app.js",
            "copy.js",
            "keys.js",
            "live.js",
            "patch.js",
            "place.js",
            "say.js",
            "stream.js",
            "favicon.svg",
        ] {
            assert!(Files::get(file).is_some(), "{file}");
        }
    }
}
