//! Requests forged by other sites. Browsers say on whose behalf they ask (Fetch Metadata, else `Origin`);
//! programs say neither, and carry no cookie that could be abused.

use actix_web::http::Method;
use actix_web::http::header::{HOST, HeaderMap, ORIGIN};

use crate::problem::Problem;

/// What a request says of its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Provenance {
    /// Our own page, or the user by hand.
    Own,
    /// Another site's.
    Foreign,
    /// Nothing is said: not a browser, or a very old one.
    Unsaid,
}

/// Refuses a changing request that a browser sends for another site.
pub(crate) fn check(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if method.is_safe() || provenance(headers) != Provenance::Foreign { Ok(()) } else { Err(refuse(headers)) }
}

/// Refuses a changing request that does not prove that our own page sent it.
pub(crate) fn prove(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if method.is_safe() || provenance(headers) == Provenance::Own { Ok(()) } else { Err(refuse(headers)) }
}

fn text(headers: &HeaderMap, name: impl actix_web::http::header::AsHeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn provenance(headers: &HeaderMap) -> Provenance {
    match text(headers, "sec-fetch-site") {
        Some("same-origin" | "none") => return Provenance::Own,
        Some(_) => return Provenance::Foreign,
        None => {}
    }
    let Some(origin) = text(headers, ORIGIN) else { return Provenance::Unsaid };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    match (authority, text(headers, HOST)) {
        (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host) => Provenance::Own,
        _ => Provenance::Foreign,
    }
}

fn refuse(headers: &HeaderMap) -> Problem {
    let said = ["sec-fetch-site", "origin", "host"]
        .into_iter()
        .filter_map(|name| Some(format!("{name}: {}", text(headers, name)?)))
        .collect::<Vec<_>>()
        .join(", ");
    Problem::new("cross-site-request", format!("a changing request must come from this service's own pages ({said})"))
        .hint("programs send a bearer token and neither Origin nor a cookie; a proxy must pass the Host header on unchanged")
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn headers(site: Option<&'static str>, origin: Option<&'static str>) -> HeaderMap {
        let mut map = HeaderMap::new();
        map.insert(HOST, HeaderValue::from_static("localhost:8080"));
        let lines = [("sec-fetch-site", site), ("origin", origin)];
        for (name, value) in lines.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            map.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn browsers_are_believed_about_the_site() {
        let cases = [
            (Some("same-origin"), Some("http://localhost:8080"), Provenance::Own),
            (Some("none"), None, Provenance::Own),
            (Some("same-site"), Some("http://localhost:9090"), Provenance::Foreign),
            (Some("cross-site"), None, Provenance::Foreign),
            (None, Some("http://localhost:8080"), Provenance::Own),
            (None, Some("http://localhost:9090"), Provenance::Foreign),
            (None, Some("https://evil.example"), Provenance::Foreign),
            (None, Some("null"), Provenance::Foreign),
            (None, None, Provenance::Unsaid),
        ];
        for (site, origin, wanted) in cases {
            assert_eq!(provenance(&headers(site, origin)), wanted, "{site:?} {origin:?}");
        }
    }

    #[test]
    fn reading_is_free_and_writing_is_not() {
        let foreign = headers(Some("cross-site"), None);
        assert!(check(&Method::GET, &foreign).is_ok() && check(&Method::POST, &foreign).is_err());
        let unsaid = headers(None, None);
        assert!(check(&Method::DELETE, &unsaid).is_ok() && prove(&Method::DELETE, &unsaid).is_err());
    }
}
