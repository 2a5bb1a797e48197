//! No page keeps anybody out: axe-core finds nothing, in both themes, on a wide and on a narrow screen. What must not live here: our own rules of structure,
//! which `web/tests` has.

use netloom_tests::browser::{Page, browse};

use super::layout::{LONG, PAGES, crowded};
use super::{link, log_in};

/// Every rule where all is as it is drawn first; in the other theme what colours may break, on a telephone what room may.
const SCREENS: [(u32, bool, &[&str]); 3] = [
    (1280, false, &[]),
    (1280, true, &["color-contrast", "link-in-text-block"]),
    (360, false, &["target-size", "scrollable-region-focusable"]),
];

#[test]
fn no_page_keeps_anybody_out() {
    let host = crowded();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        let mut found = Vec::new();
        for (width, dark, rules) in SCREENS {
            page.dress(width, 900, dark).await;
            for (name, path) in PAGES {
                let path = path.replace("LONG", LONG);
                page.window.goto(&format!("http://127.0.0.1:8080{path}")).await.unwrap();
                let theme = if dark { "dark" } else { "light" };
                let barriers = page.barriers(rules).await;
                found.extend(barriers.iter().map(|one| format!("{name} at {width}, {theme}: {one}")));
            }
        }
        assert!(found.is_empty(), "{}", found.join("\n"));
    });
}
