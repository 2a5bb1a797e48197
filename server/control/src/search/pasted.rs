//! What a text is without what came along when it was copied: brackets and quotes around it, the punctuation of its sentence, the URL of a page or of the API that names an
//! object. What must not live here: what the rest may mean (`meaning`).

use std::net::IpAddr;

use ipnet::IpNet;
use percent_encoding::percent_decode_str;

/// Where the dashboard and the API begin in the path of a URL.
const ROOTS: [&str; 2] = ["/ui/", "/api/v1/"];
/// The collections whose items are searched for by name, each with the word that asks for one kind.
const COLLECTIONS: [(&str, &str); 6] = [
    ("networks", "net:"),
    ("sandboxes", "sandbox:"),
    ("nodes", "node:"),
    ("tokens", "token:"),
    ("leases", ""),
    ("addresses", ""),
];
/// The parameters of a URL that name something, the one that is meant most first.
const PARAMETERS: [&str; 9] = ["q", "of", "object", "request_id", "address", "within", "mac", "network", "owner"];

/// The text that is meant.
pub(super) fn meant(text: &str) -> String {
    let text = trimmed(text);
    of_url(text).unwrap_or_else(|| bare_address(text).to_owned())
}

/// Without quotes and brackets around it, and the comma or semicolon behind it. Square brackets around an IPv6 address are part of how it is written.
fn trimmed(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        let ended = text.trim_end_matches([',', ';']).trim_end();
        let ended = ended.strip_suffix('.').filter(|rest| rest.ends_with([')', '"', '\'', '>', '`'])).unwrap_or(ended);
        let around = [('<', '>'), ('(', ')'), ('"', '"'), ('\'', '\''), ('`', '`')];
        let inner = around.iter().find_map(|(open, close)| ended.strip_prefix(*open)?.strip_suffix(*close));
        let next = inner.map_or(ended, str::trim);
        if next == text {
            return text;
        }
        text = next;
    }
}

/// Without what stands behind an address: the end of a sentence, or the zone of a link-local one. Of `10.0.` the point is what is meant, and stays.
fn bare_address(text: &str) -> &str {
    let is_whole = |text: &&str| text.parse::<IpAddr>().is_ok() || text.parse::<IpNet>().is_ok();
    let without_end = text.strip_suffix(['.', ':', '?', '!']).filter(is_whole);
    let without_zone = text.split_once('%').map(|(address, _)| address).filter(is_whole);
    without_end.or(without_zone).unwrap_or(text)
}

/// What the URL of one of our pages, or of the API, names; of any other URL its host, where that is an address.
fn of_url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let is_url = matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https");
    let path_at = rest.find('/').unwrap_or(rest.len());
    let (host, place) = rest.split_at(path_at);
    let ours = ROOTS
        .iter()
        .find_map(|root| place.strip_prefix(root))
        .filter(|_| is_url || host.is_empty() || host.contains(':'));
    if let Some(place) = ours {
        return named(place);
    }
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    (is_url && !host.is_empty()).then(|| host.to_owned())
}

/// What the rest of a URL of ours names: an item of a collection, else what a parameter does.
fn named(place: &str) -> Option<String> {
    let place = place.split_once('#').map_or(place, |(place, _)| place);
    let (path, query) = place.split_once('?').unwrap_or((place, ""));
    let pairs: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(&value.replace('+', " "))))
        .collect();
    let of_query =
        PARAMETERS.iter().find_map(|name| pairs.iter().find(|(known, value)| known == name && !value.is_empty()));
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let item = segments.next().and_then(|collection| {
        let collection = if collection == "ipam" { "networks" } else { collection };
        let (_, word) = COLLECTIONS.iter().find(|(known, _)| *known == collection)?;
        Some(format!("{word}{}", decoded(segments.next()?)))
    });
    item.or_else(|| {
        of_query.map(|(name, value)| if name == "network" { format!("net:{value}") } else { value.clone() })
    })
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_a_text_is_taken_away() {
        for (text, wanted) in [
            ("10.0.0.5,", "10.0.0.5"),
            ("10.0.0.5;", "10.0.0.5"),
            (" (10.0.0.5), ", "10.0.0.5"),
            ("10.0.0.5.", "10.0.0.5"),
            ("(10.0.0.5).", "10.0.0.5"),
            ("10.0.0.5:", "10.0.0.5"),
            ("10.0.0.5:8080,", "10.0.0.5:8080"),
            ("\"fd00::1\"", "fd00::1"),
            ("<[fd00::1]:80>;", "[fd00::1]:80"),
            ("fe80::1%eth0", "fe80::1"),
            ("10.0.0.0/8.", "10.0.0.0/8"),
            ("`web`", "web"),
            ("10.0.", "10.0."),
            ("2001:db8:", "2001:db8:"),
            ("team=web", "team=web"),
            ("50%", "50%"),
            ("", ""),
        ] {
            assert_eq!(meant(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_url_of_ours_is_what_it_names() {
        for (text, wanted) in [
            ("http://127.0.0.1:8080/ui/networks/web", "net:web"),
            ("https://netloom.example/ui/networks/a%20b/leases?page_token=x", "net:a b"),
            ("/ui/sandboxes/near", "sandbox:near"),
            ("http://h/api/v1/sandboxes/sbx_x,", "sandbox:sbx_x"),
            ("127.0.0.1:8080/ui/nodes/host2/history", "node:host2"),
            ("http://h:8080/ui/addresses/fd00::1", "fd00::1"),
            ("/api/v1/leases/lse_x/history", "lse_x"),
            ("http://h/ui/ipam/web/v4", "net:web"),
            ("http://h/ui/search?q=10.0.0.5&stay=1", "10.0.0.5"),
            ("http://h/ui/topology?as=graph&of=network%3Aweb", "network:web"),
            ("http://h/ui/activity?show=audit&request_id=req-1", "req-1"),
            ("http://h/ui/sandboxes?network=web", "net:web"),
            ("http://10.0.0.5:8080/metrics", "10.0.0.5:8080"),
            ("http://user@[fd00::1]/x", "[fd00::1]"),
            ("http://h/ui/leases", "http://h/ui/leases"),
            ("a/ui/b", "a/ui/b"),
        ] {
            assert_eq!(meant(text), wanted, "{text}");
        }
    }
}
