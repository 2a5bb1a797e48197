//! The rules that all pages follow.

use std::collections::BTreeSet;

use crate::fixture::{HOSTILE, PLAIN, every_page};
use crate::html::{Piece, pieces};

/// Elements without content.
const VOID: [&str; 8] = ["meta", "link", "input", "br", "rect", "circle", "path", "polyline"];

/// Every address that a page may lead to.
const ROUTES: &[&str] = &[
    "/ui",
    "/ui/networks",
    "/ui/networks/*",
    "/ui/networks/*/leases",
    "/ui/networks/*/endpoints",
    "/ui/networks/*/map",
    "/ui/networks/*/config",
    "/ui/networks/*/history",
    "/ui/networks/*/health",
    "/ui/networks/*/json",
    "/ui/sandboxes",
    "/ui/sandboxes/*",
    "/ui/sandboxes/*/endpoints.csv",
    "/ui/sandboxes/*/history",
    "/ui/sandboxes/*/history.csv",
    "/ui/sandboxes/*/json",
    "/ui/ipam",
    "/ui/ipam/free.csv",
    "/ui/leases",
    "/ui/leases/*/history",
    "/ui/leases/*/history.csv",
    "/ui/addresses/*",
    "/ui/swarm",
    "/ui/swarm/join",
    "/ui/swarm/join.csv",
    "/ui/swarm/join/*/rotate",
    "/ui/swarm/join/*/revoke",
    "/ui/nodes",
    "/ui/nodes/*",
    "/ui/nodes/*/history",
    "/ui/nodes/*/history.csv",
    "/ui/nodes/*/remove",
    "/ui/topology",
    "/ui/topology.csv",
    "/ui/networks/*/history.csv",
    "/ui/drift",
    "/ui/activity",
    "/ui/ipam/*/*",
    "/ui/networks.csv",
    "/ui/networks/*/config.csv",
    "/ui/networks/*/health.csv",
    "/ui/networks/*/leases.csv",
    "/ui/networks/*/map.csv",
    "/ui/networks/*/endpoints.csv",
    "/ui/sandboxes.csv",
    "/ui/ipam.csv",
    "/ui/leases.csv",
    "/ui/nodes.csv",
    "/ui/drift.csv",
    "/ui/activity.csv",
    "/ui/tokens.csv",
    "/ui/tokens",
    "/ui/search",
    "/ui/login",
    "/ui/logout",
    "/ui/static/*/*",
    "/ui/theme",
    "/ui/api",
    "/ui/api/*",
    "/ui/api/schemas/*",
    "/openapi.json",
    "/openapi-3.0.json",
    "/problems",
    "/problems/*",
    "/api/v1/*",
    "/api/v1/*/*",
    "/api/v1/*/*/leases",
    "/api/v1/*/*/map",
    "/api/v1/*/*/history",
    "/api/v1/*/*/free-ranges",
    "/api/v1/*/*/health",
    "/api/v1/swarm/join-tokens/*",
    "#main",
    "#past/*/*",
];

fn pages() -> Vec<(&'static str, Vec<Piece>)> {
    let both = every_page(&PLAIN).into_iter().chain(every_page(&HOSTILE));
    both.map(|(name, page)| (name, pieces(&page))).collect()
}

fn known(link: &str) -> bool {
    let path = link.split('?').next().unwrap_or_default();
    // A place on a page; what is nothing else is a place on this one.
    let path = path.split_once('#').map(|(path, _)| path).filter(|path| !path.is_empty()).unwrap_or(path);
    let segments: Vec<&str> = path.split('/').collect();
    ROUTES.iter().any(|route| {
        let wanted: Vec<&str> = route.split('/').collect();
        wanted.len() == segments.len()
            && wanted
                .iter()
                .zip(&segments)
                .all(|(wanted, given)| wanted == given || (*wanted == "*" && !given.is_empty()))
    })
}

#[test]
fn elements_are_closed_in_order() {
    for (name, pieces) in pages() {
        let mut open = Vec::new();
        for piece in &pieces {
            match piece {
                Piece::Open { name: tag, closed, .. } if !closed && !VOID.contains(&tag.as_str()) => {
                    open.push(tag.clone())
                }
                Piece::Close(tag) => assert_eq!(open.pop().as_deref(), Some(tag.as_str()), "{name}"),
                _ => {}
            }
        }
        assert!(open.is_empty(), "{name}: {open:?}");
    }
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    for (name, pieces) in pages() {
        for piece in &pieces {
            let Piece::Open { name: tag, attributes, .. } = piece else { continue };
            assert_ne!(tag, "style", "{name}");
            if tag == "script" {
                assert!(
                    piece
                        .attribute("src")
                        .is_some_and(|src| src.starts_with("/ui/static/") && src.ends_with("/app.js")),
                    "{name}"
                );
            }
            for (key, value) in attributes {
                assert!(key != "style" && !key.starts_with("on"), "{name}: <{tag} {key}>");
                let value = value.as_deref().unwrap_or_default();
                assert!(!value.trim_start().to_ascii_lowercase().starts_with("javascript:"), "{name}: {value}");
                if matches!(key.as_str(), "href" | "src" | "action") {
                    assert!(known(value), "{name}: <{tag} {key}=\"{value}\"> leads nowhere");
                }
            }
        }
        let scripts: Vec<usize> =
            pieces.iter().enumerate().filter(|(_, piece)| piece.is("script")).map(|(at, _)| at).collect();
        assert_eq!(scripts.len(), 1, "{name}");
        assert_eq!(pieces[scripts[0] + 1], Piece::Close("script".to_owned()), "{name}: a script with content");
    }
}

#[test]
fn one_heading_one_main_and_named_landmarks() {
    for (name, pieces) in pages() {
        let count = |tag: &str| pieces.iter().filter(|piece| piece.is(tag)).count();
        assert_eq!(
            (count("h1"), count("main"), count("title"), count("header"), count("footer")),
            (1, 1, 1, 1, 1),
            "{name}"
        );
        let html = pieces.iter().find(|piece| piece.is("html")).expect("a root");
        assert_eq!(html.attribute("lang"), Some("en"));
        assert_eq!(
            pieces.iter().find(|piece| piece.is("a")).and_then(|skip| skip.attribute("href")),
            Some("#main"),
            "{name}"
        );
        let named = |piece: &Piece| {
            piece.attribute("aria-label").or(piece.attribute("aria-labelledby")).is_some_and(|n| !n.is_empty())
        };
        for piece in pieces.iter().filter(|piece| piece.is("nav") || piece.is("section") || piece.is("article")) {
            assert!(named(piece), "{name}: {piece:?} has no name");
        }
        let names: Vec<&str> =
            pieces.iter().filter(|piece| piece.is("nav")).filter_map(|nav| nav.attribute("aria-label")).collect();
        assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len(), "{name}: {names:?}");
    }
}

#[test]
fn headings_skip_no_level() {
    for (name, pieces) in pages() {
        let mut last = 1;
        for piece in &pieces {
            let Piece::Open { name: tag, .. } = piece else { continue };
            let Some(level) = tag.strip_prefix('h').and_then(|level| level.parse::<u8>().ok()) else { continue };
            assert!(level <= last + 1, "{name}: h{level} after h{last}");
            last = level;
        }
    }
}

#[test]
fn ids_are_unique_and_what_refers_to_them_finds_them() {
    for (name, pieces) in pages() {
        let ids: Vec<&str> = pieces.iter().filter_map(|piece| piece.attribute("id")).collect();
        let set: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), set.len(), "{name}: {ids:?}");
        for piece in &pieces {
            for key in ["for", "aria-labelledby", "aria-describedby"] {
                if let Some(id) = piece.attribute(key) {
                    assert!(set.contains(id), "{name}: {key}={id}");
                }
            }
        }
    }
}

#[test]
fn fields_have_labels_and_table_headers_a_scope() {
    for (name, pieces) in pages() {
        let labels: BTreeSet<&str> =
            pieces.iter().filter(|piece| piece.is("label")).filter_map(|l| l.attribute("for")).collect();
        for piece in &pieces {
            if (piece.is("input") && piece.attribute("type") != Some("hidden"))
                || piece.is("select")
                || piece.is("textarea")
            {
                assert!(piece.attribute("id").is_some_and(|id| labels.contains(id)), "{name}: {piece:?}");
            }
            if piece.is("th") {
                assert!(matches!(piece.attribute("scope"), Some("row" | "col" | "rowgroup")), "{name}");
            }
            if piece.is("svg") {
                // Of a group the links inside are there for everybody; of an image they would not be.
                let role = matches!(piece.attribute("role"), Some("img" | "group"));
                let named = role && piece.attribute("aria-label").is_some();
                assert!(named || piece.attribute("aria-hidden") == Some("true"), "{name}: a picture without a name");
            }
        }
    }
}

#[test]
fn links_and_buttons_say_where_they_lead() {
    for (name, pieces) in pages() {
        for (at, piece) in pieces.iter().enumerate().filter(|(_, piece)| piece.is("a") || piece.is("button")) {
            let Piece::Open { name: tag, .. } = piece else { continue };
            let inside = pieces[at + 1..].iter().take_while(|inner| **inner != Piece::Close(tag.clone()));
            let text: String = inside
                .filter_map(|inner| if let Piece::Text(text) = inner { Some(text.as_str()) } else { None })
                .collect();
            assert!(!text.trim().is_empty() || piece.attribute("aria-label").is_some(), "{name}: {piece:?}");
        }
    }
}

#[test]
fn pages_of_data_name_their_json_and_the_command() {
    for (name, page) in every_page(&PLAIN) {
        let without = name.starts_with("login") || name.starts_with("failure");
        if name.starts_with("api") {
            assert!(page.contains("rel=\"alternate\" type=\"application/json\" href=\"/openapi.json\""), "{name}");
            continue;
        }
        assert_eq!(page.contains("rel=\"alternate\" type=\"application/json\" href=\"/api/v1/"), !without, "{name}");
        assert_eq!(
            page.contains("Bearer $TOKEN&#34; http://127.0.0.1:8080/api/v1/")
                || page.contains("Bearer $TOKEN&#34; &#39;http://127.0.0.1:8080/api/v1/"),
            !without,
            "{name}"
        );
    }
}

#[test]
fn hostile_texts_stay_text() {
    for (name, page) in every_page(&HOSTILE) {
        for bad in ["<script>alert", "<img", "onerror=alert(1)>", "</code></pre><script"] {
            assert!(!page.contains(bad), "{name} holds {bad}");
        }
    }
    let page = every_page(&HOSTILE).into_iter().find(|(name, _)| *name == "network").expect("there").1;
    assert!(page.contains("&#60;script&#62;alert(1)&#60;/script&#62;"), "the name is shown, as text");
}

#[test]
fn pages_are_small() {
    for (name, page) in every_page(&PLAIN) {
        assert!(page.len() < 60_000, "{name} has {} bytes", page.len());
    }
}

#[test]
fn times_are_machine_readable() {
    for (name, pieces) in pages() {
        for piece in pieces.iter().filter(|piece| piece.is("time")) {
            let exact = piece.attribute("datetime").unwrap_or_default();
            assert!(exact.parse::<netloom_model::Timestamp>().is_ok(), "{name}: {exact}");
        }
    }
}

#[test]
fn cells_of_tables_have_the_label_that_a_card_shows() {
    for (name, pieces) in pages() {
        let mut inside = false;
        for piece in &pieces {
            inside = match piece {
                Piece::Open { name: tag, .. } if tag == "table" => piece.attribute("class").is_none(),
                Piece::Close(tag) if tag == "table" => false,
                _ => inside,
            };
            if inside && piece.is("td") {
                assert!(piece.attribute("data-label").is_some_and(|label| !label.is_empty()), "{name}: {piece:?}");
            }
        }
    }
}

#[test]
fn what_scrolls_can_be_reached_by_keyboard() {
    for (name, pieces) in pages() {
        for piece in &pieces {
            let class = piece.attribute("class").unwrap_or_default();
            if matches!(class, "table" | "map-frame" | "json" | "line") {
                assert_eq!(piece.attribute("tabindex"), Some("0"), "{name}: {piece:?}");
            }
        }
    }
}

#[test]
fn messages_show_code_and_not_backticks() {
    for (name, pieces) in pages() {
        for piece in &pieces {
            assert!(!matches!(piece, Piece::Text(text) if text.contains('`')), "{name}: {piece:?}");
        }
    }
}
