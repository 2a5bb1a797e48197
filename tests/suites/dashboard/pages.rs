//! Every page, on every screen, in both themes, with scripts and without: whole, with what it is for on it, without a word in the console or a request to anybody else, and
//! open to everybody. The one list of pages is here, and is held against the routes. What must not live here: what a page's controls do, and hosts with much on them (`crowded`).

use std::path::Path;

use netloom_tests::browser::{Page, browse};
use netloom_tests::{Host, Value, json, number};

use super::crowded::{LONG, Swarm, crowded};
use super::{aside, picture, pictures_wanted};

/// A page: what it is called, its address with `LONG`, `NODE`, `LEASE` and `NETWORK` in place of names and IDs, and a fact that is on it.
pub(crate) type Shown = (&'static str, &'static str, &'static str);

/// What there is to see before anybody is signed in, and in no swarm.
const BEFORE: &[Shown] = &[("login", "/ui/login", "Sign in")];
const ALONE: &[Shown] = &[
    ("swarm-none", "/ui/swarm", "netloom swarm init"),
    ("join-no-swarm", "/ui/swarm/join", "in no swarm"),
    ("nodes-no-swarm", "/ui/nodes", "in no swarm"),
];

/// All others, on a host with everything on it.
const PAGES: &[Shown] = &[
    ("overview", "/ui", "Fullest pools"),
    ("networks", "/ui/networks", "192.168.122.0/24"),
    ("networks-none", "/ui/networks?q=nobody", "Show all"),
    ("network", "/ui/networks/web", "10.77.0.1"),
    ("network-long", "/ui/networks/LONG", "Front ends"),
    ("network-unused", "/ui/networks/bridge", "first attached"),
    ("network-overlay", "/ui/networks/mesh", "overlay"),
    ("network-leases", "/ui/networks/lan/leases", "192.168.122.1"),
    ("network-endpoints", "/ui/networks/web/endpoints", "shop.example.internal"),
    ("network-endpoints-overlay", "/ui/networks/mesh/endpoints", "far"),
    ("network-map", "/ui/networks/web/map", "Free ranges"),
    ("network-map-six", "/ui/networks/lan/map?pool=v6", "2001:db8:1234:5678::/64"),
    ("network-map-heat", "/ui/networks/wide/map", "of 65,534 addresses taken"),
    ("network-map-1024", "/ui/networks/wide/map?block=10.7.0.0/22", "10.7.0.0/22"),
    ("network-map-table", "/ui/networks/wide/map?as=table", "10.7.3.0/24"),
    ("network-health", "/ui/networks/mesh/health", "reached"),
    ("network-config", "/ui/networks/lan/config", "as wanted"),
    ("network-history", "/ui/networks/wide/history", "network.updated"),
    ("network-json", "/ui/networks/web/json", "\"driver\": \"bridge\""),
    ("sandboxes", "/ui/sandboxes", "idle"),
    ("sandboxes-stopped", "/ui/sandboxes?state=stopped", "idle"),
    ("sandbox", "/ui/sandboxes/LONG", "Received now"),
    ("sandbox-history", "/ui/sandboxes/LONG/history", "sandbox.created"),
    ("sandbox-json", "/ui/sandboxes/LONG/json", "\"managed_by\": \"ci\""),
    ("sandbox-orphaned", "/ui/sandboxes/gone", "orphaned"),
    ("sandbox-stopped", "/ui/sandboxes/idle", "stopped"),
    ("sandbox-host", "/ui/sandboxes/shared", "the host's own"),
    ("sandbox-alone", "/ui/sandboxes/alone", "no network"),
    ("sandbox-away", "/ui/sandboxes/far", "on another node"),
    ("ipam", "/ui/ipam", "10.77.0.0/24"),
    ("ipam-find", "/ui/ipam?free=/24&family=4", "Find a free subnet"),
    ("ipam-free", "/ui/ipam/lan/v4", "192.168.122.10"),
    ("ipam-free-long", "/ui/ipam/LONG/v4", "free"),
    ("leases", "/ui/leases?sort=owner", "printer"),
    ("leases-one", "/ui/leases?q=192.168.122.3", "idle"),
    ("leases-node", "/ui/leases?node=NODE", "far"),
    ("leases-none", "/ui/leases?q=nobody", "No lease is like that"),
    ("lease-history", "/ui/leases/LEASE/history", "lease.reserved"),
    ("address", "/ui/addresses/10.77.0.2", "Neighbours"),
    ("address-long", "/ui/addresses/2001:db8:1234:5678:9abc:def0:1234:5678", "lan"),
    ("address-orphaned", "/ui/addresses/10.77.0.3", "gone"),
    ("address-held", "/ui/addresses/192.168.122.3", "kept for it"),
    ("address-host", "/ui/addresses/203.0.113.7", "the host's own"),
    ("address-free", "/ui/addresses/192.168.122.77", "lan"),
    ("address-then", "/ui/addresses/10.77.0.2?at=2026-01-31T12:00:00", "History"),
    ("topology", "/ui/topology", "idle"),
    ("topology-graph", "/ui/topology?as=graph&of=network:lan", "lan"),
    ("topology-table", "/ui/topology?as=table", "idle"),
    ("search", "/ui/search?q=e&stay=1", "Sandboxes"),
    ("search-how", "/ui/search", "A label"),
    ("drift", "/ui/drift", "Latest repairs"),
    ("activity", "/ui/activity", "sandbox.created"),
    ("activity-none", "/ui/activity?object=nobody", "Nothing like that"),
    ("activity-former", "/ui/events", "sandbox.created"),
    ("audit", "/ui/activity?show=audit", "network.create"),
    ("audit-failed", "/ui/activity?show=audit&decision=failed", "pool-exhausted"),
    ("audit-former", "/ui/audit", "sandbox.create"),
    ("tokens", "/ui/tokens", "netloom token create"),
    ("swarm", "/ui/swarm", "Authority's digest"),
    ("join", "/ui/swarm/join", "Make a token"),
    ("join-rotate", "/ui/swarm/join/worker/rotate", "another secret"),
    ("join-revoke", "/ui/swarm/join/worker/revoke", "worker"),
    ("nodes", "/ui/nodes", "this host"),
    ("node", "/ui/nodes/NODE", "Latest events"),
    ("node-history", "/ui/nodes/NODE/history", "node.joined"),
    ("node-remove", "/ui/nodes/NODE/remove", "netloom node rm"),
    ("api", "/ui/api", "/api/v1/networks"),
    ("api-operation", "/ui/api/network_create", "POST"),
    ("api-schema", "/ui/api/schemas/NetworkWrite", "driver"),
    ("missing", "/ui/nowhere", "route-not-found"),
    ("problems", "/problems", "pool-exhausted"),
    ("problem", "/problems/address-conflict", "address-conflict"),
];

/// Widths in CSS pixels, each in both themes: a telephone, a window, and a wide screen.
const WIDTHS: [u32; 3] = [360, 1024, 2560];
/// Where only room can be short, in the light: what a screen of 1280 shows at 400 %, and between telephone and desk.
const NARROW: [u32; 2] = [320, 600];

/// The screens that a page is looked at on, as width and whether it is dark: half of them with scripts and the other half without, where room is the same; with `LOOPS` all of
/// them with both.
fn screens(scripts: bool) -> Vec<(u32, bool)> {
    let whole = number("LOOPS", 1) > 1;
    let turns = |at: usize, dark: bool| whole || at.is_multiple_of(2) == (dark == scripts);
    let both = |(at, width): (usize, &u32)| [(at, *width, true), (at, *width, false)];
    let wide = WIDTHS.iter().enumerate().flat_map(both);
    let all = wide.chain(NARROW.iter().enumerate().map(|(at, width)| (at, *width, false)));
    all.filter(|(at, _, dark)| turns(*at, *dark)).map(|(_, width, dark)| (width, dark)).collect()
}

/// What pictures are taken of.
const PICTURED: [(u32, bool); 4] = [(360, false), (360, true), (1440, false), (1440, true)];
/// Drawn as another page is, with more on it: axe-core would look at each of a thousand cells.
const LARGE: [&str; 1] = ["network-map-1024"];
/// What axe-core looks at: all where a page is drawn first; in the other theme and on a telephone what colours and want of room may break.
const BARRIERS: [(u32, bool, &[&str]); 2] = [
    (1280, false, &[]),
    (360, true, &["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"]),
];

/// What every page owes: a title, one main heading, heads of columns, nothing inline; and the fact.
const OWED: &str = r#"
    const found = [], said = document.body.innerText.replace(/\s+/g, ' ');
    if (!said.includes(arguments[0])) found.push(`\`${arguments[0]}\` is not on it: ${said}`);
    if (document.title.length < 3) found.push('no title');
    if (document.querySelectorAll('h1').length !== 1) found.push('not one main heading');
    for (const table of document.querySelectorAll('.table table'))
        if (!table.querySelector('thead th[scope=col]')) found.push('a table without heads');
    for (const what of ['[style]', 'style', 'script:not([src])', '[onclick]'])
        if (document.querySelector(what)) found.push(`${what} stands inline`);
    return found;"#;

/// What is wider than its box or sticks out of it, once every age is as long as one gets; whether the page scrolls sideways.
/// What is folded away is unfolded first. Left out is what is hidden from the eye, and what is meant to scroll in its frame: a field, a document as JSON, whose lines stay whole, a matrix and a graph.
pub(crate) const CUT_OFF: &str = r#"
    const found = [], root = document.documentElement;
    for (const folded of document.querySelectorAll('details')) folded.open = true;
    for (const age of document.querySelectorAll('td > time')) age.textContent = '59 min ago';
    if (root.scrollWidth > root.clientWidth) found.push(`the page: ${root.scrollWidth} in ${root.clientWidth}`);
    for (const one of document.querySelectorAll('body *')) {
        if (one.scrollWidth <= one.clientWidth + 1 || one.clientWidth <= 1) continue;
        if (one.closest('input, .unseen, svg, .json, .scrolls') || getComputedStyle(one).display === 'inline') continue;
        if (one.closest('thead') && one.closest('thead').clientWidth <= 1) continue;
        found.push(`${one.tagName}.${one.className}: ${one.scrollWidth} in ${one.clientWidth}`);
    }
    for (const table of document.querySelectorAll('.table'))
        if (table.scrollHeight > table.clientHeight + 1) found.push(`${table.className}: cut off below`);
    return found;"#;

fn texts(found: Value) -> Vec<String> {
    serde_json::from_value(found).expect("a list of texts")
}

/// What is wrong with a page on any screen; and what keeps somebody out of it, which is found by scripts.
pub(crate) async fn look(page: &Page, name: &str, path: &str, fact: &str, scripts: bool) -> Vec<String> {
    page.open(path).await;
    let owed = page.window.execute(OWED, vec![json!(fact)]).await.unwrap();
    let mut wrong: Vec<String> = texts(owed).into_iter().map(|one| format!("{name}: {one}")).collect();
    for (width, dark) in screens(scripts) {
        page.dress(width, 900, dark).await;
        let found = texts(page.window.execute(CUT_OFF, Vec::new()).await.unwrap());
        wrong.extend(found.iter().map(|one| format!("{name} at {width}, dark is {dark}: {one}")));
    }
    pictures(page, name).await;
    let complaints = page.complaints().await;
    // What is not there is answered so.
    let known = |said: &String| name == "missing" && said.contains("404") && said.contains(path);
    let said = complaints.console.into_iter().chain(complaints.requests).filter(|said| !known(said));
    wrong.extend(said.map(|one| format!("{name}: {one}")));
    for (width, dark, rules) in BARRIERS.iter().filter(|_| scripts && !LARGE.contains(&name)) {
        page.dress(*width, 900, *dark).await;
        let found = page.barriers(rules).await;
        wrong.extend(found.iter().map(|one| format!("{name} at {width}, dark is {dark}: {one}")));
    }
    wrong
}

/// Pictures of the whole page, for people, where they are asked for.
async fn pictures(page: &Page, name: &str) {
    for (width, dark) in PICTURED.into_iter().filter(|_| pictures_wanted()) {
        page.dress(width, 900, dark).await;
        let height = page.window.execute("return document.documentElement.scrollHeight", Vec::new()).await.unwrap();
        let height = height.as_u64().and_then(|height| u32::try_from(height).ok()).unwrap_or(900);
        page.dress(width, height.clamp(900, 4000), dark).await;
        picture(page, &format!("{name}-{width}-{}", if dark { "dark" } else { "light" })).await;
    }
}

/// Goes through all of them.
fn every_page(scripts: bool) {
    let host = crowded();
    let link = host.login_link();
    browse(&host, scripts, async |page: Page| {
        let mut wrong = Vec::new();
        // What the browser's own first page complains of.
        page.complaints().await;
        for (name, path, fact) in BEFORE {
            wrong.extend(look(&page, name, path, fact, scripts).await);
        }
        page.log_in(&link).await;
        for (name, path, fact) in ALONE {
            wrong.extend(look(&page, name, path, fact, scripts).await);
        }
        let swarm = aside(|| Swarm::made(&host));
        let lease = aside(|| lease(&host));
        for (name, path, fact) in PAGES {
            let path = path.replace("LONG", LONG).replace("NODE", &swarm.worker_id()).replace("LEASE", &lease);
            wrong.extend(look(&page, name, &path, fact, scripts).await);
            if !scripts {
                wrong.extend(aside(|| same_from_api(&host, name, &path)));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

/// What is wrong with what a page names as the same from the API.
fn same_from_api(host: &Host, name: &str, path: &str) -> Option<String> {
    let client = host.client().header("accept", "text/html");
    let html = client.get(path).text;
    let (_, rest) = html.split_once(r#"<link rel="alternate" type="application/json" href=""#)?;
    let named = rest.split('"').next().unwrap_or_default().replace("&#38;", "&").replace("&amp;", "&");
    let answer = host.client().get(&named);
    (answer.status != 200).then(|| format!("{name}: {named} is answered {}: {}", answer.status, answer.text))
}

/// The ID of a reservation.
fn lease(host: &Host) -> String {
    let found = host.client().get("networks/wide/leases/low").is(200);
    found["id"].as_str().expect("an ID").to_owned()
}

#[test]
fn every_page_is_whole_quiet_and_open_to_everybody() {
    every_page(true);
}

#[test]
fn every_page_is_whole_and_quiet_without_scripts() {
    every_page(false);
}

#[test]
fn no_route_is_without_its_page_here() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/src/routes.rs");
    let text = std::fs::read_to_string(path).expect("the routes are there");
    let begins = ["page(\"", "changed(\"", "web::resource(\""];
    let routes: Vec<&str> = text
        .lines()
        .filter_map(|line| begins.iter().find_map(|begin| line.split_once(begin)))
        .filter_map(|(_, rest)| rest.split_once('"').map(|(route, _)| route))
        // Files, what a form is sent to, and what leads to the overview are no pages.
        .filter(|route| !route.ends_with(".csv") && !["/logout", "/theme", "/static/{file:.*}", "/"].contains(route))
        .collect();
    assert!(routes.len() > 35, "{routes:?}");
    let shown = |route: &str| {
        let parts: Vec<&str> = route.split('/').collect();
        let fits = |path: &str| {
            let path = path.strip_prefix("/ui").map(|path| path.split('?').next().unwrap_or_default());
            let given: Vec<&str> = path.unwrap_or("none").split('/').collect();
            given.len() == parts.len()
                && given.iter().zip(&parts).all(|(one, part)| part.starts_with('{') || one == part)
        };
        [BEFORE, ALONE, PAGES].iter().flat_map(|list| list.iter()).any(|(_, path, _)| fits(path))
    };
    let forgotten: Vec<&str> = routes.into_iter().filter(|route| !shown(route)).collect();
    assert!(forgotten.is_empty(), "no page of these is in the list: {forgotten:?}");
}

#[test]
fn on_a_telephone_what_surrounds_a_page_leaves_it_room() {
    let host = super::furnished();
    let link = super::link(&host);
    browse(&host, true, async |page: Page| {
        page.log_in(&link).await;
        page.size(360, 800).await;
        page.open("/ui/networks").await;
        let top = "return document.querySelector('main').getBoundingClientRect().top";
        let top = page.window.execute(top, Vec::new()).await.unwrap().as_f64().unwrap();
        assert!(top < 200.0, "the page begins {top} pixels down");
    });
}
