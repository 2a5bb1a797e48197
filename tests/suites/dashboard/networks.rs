//! Pages of one network: its pools drawn block by block down to an address, what is wanted beside what there is, what happened to it; and who is on which network.
//! All without scripts, on a telephone and on a screen, light and dark.

use fantoccini::Locator;
use netloom_tests::browser::{Page, browse};
use netloom_tests::{Host, host, json};

use super::{link, log_in};

/// A wide network with leases here and there, one in two families, and sandboxes on both, on one, and on none.
fn furnished() -> Host {
    let host = host!();
    let client = host.start();
    let parent = json!({"parent": "parent0", "probe": false});
    let wide =
        json!({"name": "wide", "driver": "macvlan", "pools": {"v4": {"subnet": "10.7.0.0/16"}}, "macvlan": parent});
    client.post("networks", &wide).is(201);
    let pools = json!({"v4": {"subnet": "192.168.122.0/24"}, "v6": {"subnet": "fd00:122::/64"}});
    client.post("networks", &json!({"name": "both", "driver": "macvlan", "pools": pools, "macvlan": parent})).is(201);
    for (key, address) in [("low", "10.7.3.9"), ("next", "10.7.3.10"), ("high", "10.7.200.1")] {
        client.post("networks/wide/leases", &json!({"key": key, "address": address})).is(201);
    }
    client.post("sandboxes", &json!({"name": "two", "networks": {"wide": {}, "both": {}}})).is(201);
    client.post("sandboxes", &json!({"name": "one", "networks": {"both": {}}})).is(201);
    client.post("sandboxes", &json!({"name": "alone", "networks": {}})).is(201);
    client.patch("networks/wide", &json!({"description": "first", "labels": {"team": "a"}})).is(200);
    client.patch("networks/wide", &json!({"description": "second", "labels": null})).is(200);
    host
}

async fn open(page: &Page, path: &str) -> String {
    page.window.goto(&format!("http://127.0.0.1:8080{path}")).await.unwrap();
    let main = page.window.find(Locator::Css("main")).await.unwrap().text().await.unwrap();
    main.split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn follow(page: &Page, css: &str) -> String {
    page.press(Locator::Css(css)).await;
    let url = page.window.current_url().await.unwrap();
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

#[test]
fn a_map_leads_from_the_pool_to_an_address_without_scripts() {
    let host = furnished();
    let link = link(&host);
    browse(&host, false, async |page: Page| {
        log_in(&page, &link).await;
        let whole = open(&page, "/ui/networks/wide/map").await;
        assert!(whole.contains("of 65,534 addresses taken") && whole.contains("10.7.3.11"), "{whole}");
        let past = page.window.find(Locator::Css("a.past")).await.unwrap().attr("href").await.unwrap().unwrap();
        let behind = page.window.find(Locator::Id(past.trim_start_matches('#'))).await;
        assert!(behind.is_ok(), "a link leads past the map: {past}");
        let at = follow(&page, "[aria-label^=\"<1 %, 10.7.3.0/24, 2 of 256\"]").await;
        assert_eq!(at, "/ui/networks/wide/map?block=10.7.3.0/24");
        let at = follow(&page, "[rel=next]").await;
        assert_eq!(at, "/ui/networks/wide/map?block=10.7.4.0/24");
        let at = follow(&page, "[rel=prev]").await;
        assert_eq!(at, "/ui/networks/wide/map?block=10.7.3.0/24");
        assert_eq!(follow(&page, "[aria-label^=\"10.7.3.9 reserved\"]").await, "/ui/addresses/10.7.3.9");
        let table = open(&page, "/ui/networks/wide/map?block=10.7.3.0/24&as=table").await;
        assert!(table.contains("10.7.3.9") && table.contains("As a map"), "{table}");
        let six = open(&page, "/ui/networks/both/map?pool=v6").await;
        assert!(six.contains("fd00:122::/120") && six.contains("fd00:122::2"), "{six}");
        let refused = open(&page, "/ui/networks/wide/map?block=10.8.0.0/24&pool=v4").await;
        assert!(refused.contains("the block is not in 10.7.0.0/16"), "{refused}");
    });
}

#[test]
fn a_network_says_what_is_wanted_and_what_happened_to_it() {
    let host = furnished();
    let link = link(&host);
    browse(&host, false, async |page: Page| {
        log_in(&page, &link).await;
        let config = open(&page, "/ui/networks/wide/config").await;
        for fact in
            ["pools.v4.subnet 10.7.0.0/16 10.7.0.0/16", "chosen by Netloom", "What there is, is what is wanted."]
        {
            assert!(config.contains(fact), "{fact}: {config}");
        }
        let history = open(&page, "/ui/networks/wide/history").await;
        for fact in ["network.created", "network.updated", "description first", "second", "labels.team"] {
            assert!(history.contains(fact), "{fact}: {history}");
        }
        assert!(follow(&page, "tbody a.event-kind").await.starts_with("/ui/activity?object=net_"));
    });
}

#[test]
fn a_topology_is_a_matrix_a_table_and_a_graph() {
    let host = furnished();
    let link = link(&host);
    browse(&host, false, async |page: Page| {
        log_in(&page, &link).await;
        let matrix = open(&page, "/ui/topology").await;
        for fact in ["alone on no network", "10.7.0.2", "192.168.122.2 +1"] {
            assert!(matrix.contains(fact), "{fact}: {matrix}");
        }
        let graph = follow(&page, "[aria-label=\"Graph around network both\"]").await;
        assert!(graph.starts_with("/ui/topology?as=graph&of=net_"), "{graph}");
        let boxes = page.window.find_all(Locator::Css("svg.graph a")).await.unwrap();
        let mut labels = Vec::new();
        for one in &boxes {
            labels.push(one.attr("aria-label").await.unwrap().unwrap_or_default());
        }
        assert!(labels.iter().any(|label| label.starts_with("one on ")), "{labels:?}");
        assert!(labels.iter().any(|label| label.starts_with("wide macvlan")), "it is around `two` as well: {labels:?}");
        let table = open(&page, "/ui/topology?as=table&network=wide").await;
        assert!(table.contains("two") && !table.contains("alone"), "{table}");
    });
}

/// What of the drawings and tables of a page does not fit: by how much, in pixels.
const CUT: &str =
    "return [...document.querySelectorAll('.map-frame, .table, main svg, main table')].flatMap((piece) => {
    const over = Math.max(piece.getBoundingClientRect().right - document.documentElement.clientWidth,
        getComputedStyle(piece).overflowX === 'visible' ? 0 : piece.scrollWidth - piece.clientWidth);
    return over > 1 ? [piece.localName + '.' + piece.getAttribute('class') + ' ' + over] : [];
})";

#[test]
fn the_topology_is_whole_on_paper() {
    let host = furnished();
    let client = host.client();
    let names: Vec<String> = (0..8).map(|number| format!("production-network-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let pools = json!({"v4": {"subnet": format!("10.90.{number}.0/24")}});
        client.post("networks", &json!({"name": name, "driver": "bridge", "pools": pools})).is(201);
    }
    let on: serde_json::Map<String, netloom_tests::Value> =
        names.iter().map(|name| (name.clone(), json!({}))).collect();
    client.post("sandboxes", &json!({"name": "everywhere", "networks": on})).is(201);
    let link = link(&host);
    browse(&host, false, async |page: Page| {
        log_in(&page, &link).await;
        page.paper().await;
        for path in [
            "/ui/topology",
            "/ui/topology?as=table",
            "/ui/topology?as=graph&of=sandbox:everywhere",
            "/ui/topology?as=graph&of=network:both",
        ] {
            open(&page, path).await;
            let cut = page.window.execute(CUT, Vec::new()).await.unwrap();
            assert_eq!(cut, json!([]), "{path}");
        }
    });
}
