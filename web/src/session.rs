//! The session cookie, where a login leads to, and whether a form was sent by a page of ours.

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::Data;
use netloom_control::shown::{self, SESSION_COOKIE};

use crate::Dashboard;

/// The name of this host's cookie.
pub(crate) fn name(request: &HttpRequest) -> String {
    let dashboard = request.app_data::<Data<Dashboard>>();
    dashboard.map_or_else(|| SESSION_COOKIE.to_owned(), |one| shown::session_cookie(one.control.node_id()))
}

/// The `Set-Cookie` of a session: out of reach of scripts, never sent along by other sites. The cookie goes with the browser; the
/// server ends the session itself.
pub(crate) fn cookie(name: &str, secret: &str, tls: bool) -> String {
    format!("{name}={secret}; HttpOnly; SameSite=Strict; Path=/{}", if tls { "; Secure" } else { "" })
}

/// The `Set-Cookie` that takes the other one away.
pub(crate) fn ended(name: &str, tls: bool) -> String {
    format!("{}; Max-Age=0", cookie(name, "", tls))
}

/// The secret that a request carries, if any.
pub(crate) fn secret(request: &HttpRequest) -> Option<String> {
    let lines = request.headers().get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    shown::session(lines, &name(request)).map(str::to_owned)
}

/// Where to go after login: a page of the dashboard. Anything else (another site, a scheme-relative `//host`, a login again)
/// gives the front page.
pub(crate) fn destination(next: Option<&str>) -> &str {
    const HOME: &str = "/ui";
    let Some(next) = next else { return HOME };
    let path = next.split(['?', '#']).next().unwrap_or_default();
    let ours = path == HOME || path.starts_with("/ui/");
    let odd = next.contains("//") || next.contains('\\') || !next.bytes().all(|b| b.is_ascii_graphic());
    let round =
        path.split('/').any(|segment| segment == ".." || segment == ".") || next.contains('%') && odd_escape(path);
    let again = ["/ui/login", "/ui/logout", "/ui/theme"].iter().any(|form| path.starts_with(form));
    if ours && !odd && !round && !again { next } else { HOME }
}

/// Whether a path hides a dot, slash or backslash behind an escape.
fn odd_escape(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    ["%2e", "%2f", "%5c"].iter().any(|escape| lower.contains(escape))
}

/// Whether a form was sent by a page of this origin: by Fetch Metadata where the browser sends it, else by Origin against Host.
/// A client that sends neither is no browser, so nobody's cookie is being misused.
pub(crate) fn same_origin(request: &HttpRequest) -> bool {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN.as_str()) else { return true };
    let host = origin.split_once("://").map(|(_, host)| host);
    host.is_some() && host == text(header::HOST.as_str())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn login_leads_only_to_our_own_pages() {
        for good in ["/ui", "/ui/networks", "/ui/leases?state=held&q=a%20b", "/ui/addresses/fd00::1"] {
            assert_eq!(destination(Some(good)), good);
        }
        for bad in [
            "https://example.net/",
            "//example.net",
            "/ui//example.net",
            "/ui\\example.net",
            "/uix",
            "/api/v1/networks",
            "/ui/login?next=/ui",
            "/ui/logout",
            "/ui/../api",
            "/ui/%2e%2e/api",
            "/ui/a\r\nb",
            "",
        ] {
            assert_eq!(destination(Some(bad)), "/ui", "{bad}");
        }
        assert_eq!(destination(None), "/ui");
    }

    #[test]
    fn forms_of_other_sites_are_refused() {
        let from = |name: &'static str, value: &'static str| {
            let request = TestRequest::post().insert_header(("host", "127.0.0.1:8080")).insert_header((name, value));
            same_origin(&request.to_http_request())
        };
        assert!(from("sec-fetch-site", "same-origin"));
        assert!(!from("sec-fetch-site", "cross-site"));
        assert!(!from("sec-fetch-site", "same-site"));
        assert!(from("origin", "http://127.0.0.1:8080"));
        assert!(!from("origin", "http://127.0.0.1:9090"));
        assert!(!from("origin", "null"));
    }

    #[test]
    fn the_cookie_is_out_of_reach() {
        assert_eq!(cookie("netloom-session-x", "s", false), "netloom-session-x=s; HttpOnly; SameSite=Strict; Path=/");
        assert_eq!(cookie("n", "s", true), "n=s; HttpOnly; SameSite=Strict; Path=/; Secure");
        assert!(ended("n", false).starts_with("n=;") && ended("n", false).ends_with("Max-Age=0"));
    }
}
