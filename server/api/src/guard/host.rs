//! The Host allow-list. A web page can point a name of its own at 127.0.0.1 (DNS rebinding), and its script then reads us
//! as its own origin; it can't keep its name out of the `Host` header.

use std::net::IpAddr;

use actix_web::http::Uri;
use actix_web::http::header::{HOST, HeaderMap};
use actix_web::http::uri::Authority;

use crate::problem::Problem;
use crate::state::Settings;

/// Refuses a request under a name that the service was not told to answer to. The port is not looked at: it may be forwarded.
pub(crate) fn check(uri: &Uri, headers: &HeaderMap, settings: &Settings) -> Result<(), Problem> {
    // HTTP/2 and absolute-form requests carry the name in the URI; a Host header beside it must hold as well.
    let mut names: Vec<String> = uri.authority().map(|authority| authority.host().to_owned()).into_iter().collect();
    for value in headers.get_all(HOST) {
        let parsed = value.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
        names.push(parsed.map_or_else(String::new, |authority| authority.host().to_owned()));
    }
    if names.is_empty() {
        return Err(refuse(""));
    }
    match names.iter().find(|name| !allowed(name, settings)) {
        Some(name) => Err(refuse(name)),
        None => Ok(()),
    }
}

fn allowed(name: &str, settings: &Settings) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        let address = address.to_canonical();
        return address.is_loopback() || settings.listen.iter().any(|own| own.is_unspecified() || *own == address);
    }
    let bare = bare.trim_end_matches('.');
    bare.eq_ignore_ascii_case("localhost") || settings.allowed_hosts.iter().any(|own| own.eq_ignore_ascii_case(bare))
}

fn refuse(name: &str) -> Problem {
    let (detail, example) = if name.is_empty() {
        ("the request has no readable `Host` header".to_owned(), "NAME")
    } else {
        (format!("this service does not answer to the name `{name}`"), name)
    };
    Problem::new("host-not-allowed", detail).hint(format!(
        "use localhost or an address it listens on; to allow the name, start it with `--allowed-host {example}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn verdict(host: &'static str, listen: &str, public: &[&str]) -> bool {
        let settings = Settings {
            listen: vec![listen.parse().expect("an address")],
            allowed_hosts: public.iter().map(|&name| name.to_owned()).collect(),
            ..Settings::default()
        };
        let headers: HeaderMap = std::iter::once((HOST, HeaderValue::from_static(host))).collect();
        check(&Uri::from_static("/x"), &headers, &settings).is_ok()
    }

    #[test]
    fn loopback_names_and_the_listening_address_are_known() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "192.0.2.7:8080"] {
            assert!(verdict(host, "192.0.2.7", &[]), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "192.0.2.8", "", "a b", "127.0.0.1.evil.example"] {
            assert!(!verdict(host, "192.0.2.7", &[]), "{host}");
        }
    }

    #[test]
    fn a_public_name_is_allowed_when_it_was_given() {
        assert!(verdict("Netloom.example:443", "127.0.0.1", &["netloom.example"]));
        assert!(!verdict("netloom.example", "127.0.0.1", &[]));
    }

    #[test]
    fn listening_everywhere_allows_every_literal_but_no_name() {
        assert!(verdict("198.51.100.4", "0.0.0.0", &[]));
        assert!(!verdict("rebound.example", "0.0.0.0", &[]));
    }

    #[test]
    fn a_name_in_the_uri_counts_too() {
        let headers: HeaderMap = std::iter::once((HOST, HeaderValue::from_static("localhost"))).collect();
        assert!(check(&Uri::from_static("http://evil.example/x"), &headers, &Settings::default()).is_err());
    }
}
