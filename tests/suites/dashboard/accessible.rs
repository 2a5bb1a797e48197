//! No page keeps anybody out: axe-core finds nothing, in both themes, on a wide and on a narrow screen. What must not live here: our own rules of structure,
//! which `web/tests` has.

use netloom_tests::browser::{Page, browse};

use super::layout::{LONG, PAGES, crowded};
use super::{link, log_in};

/// What axe finds on all pages, by width and theme.
fn barriers(screens: &'static [(u32, bool)]) {
    let host = crowded();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        let mut found = Vec::new();
        for (width, dark) in screens {
            page.dress(*width, 900, *dark).await;
            for (name, path) in PAGES {
                let path = path.replace("LONG", LONG);
                page.window.goto(&format!("http://127.0.0.1:8080{path}")).await.unwrap();
                let theme = if *dark { "dark" } else { "light" };
                found.extend(page.barriers().await.iter().map(|one| format!("{name} at {width}, {theme}: {one}")));
            }
        }
        assert!(found.is_empty(), "{}", found.join("\n"));
    });
}

#[test]
fn no_page_keeps_anybody_out() {
    barriers(&[(1280, false), (1280, true)]);
}

#[test]
fn no_page_keeps_anybody_out_on_a_telephone() {
    barriers(&[(360, false)]);
}
