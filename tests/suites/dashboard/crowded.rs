//! Every page on every width that people have, with names, addresses and ports as long as they get: nothing is cut off. What
//! must not live here: what the pages' controls do.

use std::time::Duration;

use netloom_tests::browser::{Page, browse};
use netloom_tests::{Host, host, json, until};

use super::{link, log_in, picture};

/// What is wider than its box or sticks out of it, once every age is as long as one gets; whether the page scrolls sideways; what has no title, heading or column heads.
/// Left out is what is hidden from the eye, and what is meant to scroll in its frame: a document as JSON, whose lines stay whole, a matrix and a graph.
pub(crate) const CUT_OFF: &str = r#"
    const found = [], root = document.documentElement;
    for (const age of document.querySelectorAll('td > time')) age.textContent = '59 min ago';
    if (root.scrollWidth > root.clientWidth) found.push(`the page: ${root.scrollWidth} in ${root.clientWidth}`);
    for (const one of document.querySelectorAll('body *')) {
        if (one.closest('.unseen, svg, .json, .scrolls') || getComputedStyle(one).display === 'inline' || one.clientWidth <= 1) continue;
        if (one.closest('thead') && one.closest('thead').clientWidth <= 1) continue;
        if (one.scrollWidth > one.clientWidth + 1) found.push(`${one.tagName}.${one.className}: ${one.scrollWidth} in ${one.clientWidth}`);
    }
    for (const table of document.querySelectorAll('.table'))
        if (table.scrollHeight > table.clientHeight + 1) found.push(`${table.className}: cut off below`);
    if (document.title.length < 3) found.push('no title');
    if (document.querySelectorAll('h1').length !== 1) found.push('not one main heading');
    for (const table of document.querySelectorAll('.table table'))
        if (!table.querySelector('thead th[scope=col]')) found.push('a table without heads');
    return found;"#;

/// A name as orchestrators make them, as long as one may be.
pub(crate) const LONG: &str = "shop-production-europe-frontend-7f9c6d5b8-x2x9z-replica-000001";

/// A host with everything on it that takes room: both families, aliases, ports in rows, long names, an orphan, a full pool, a condition.
pub(crate) fn crowded() -> Host {
    let host = host!();
    host.net.run("ip addr add 192.168.122.185/24 dev parent0");
    host.net.run("ip addr add 203.0.113.7/24 dev parent0");
    let client = host.start();
    host.bridge("web", "10.77.0.0/24");
    let lan = json!({"v4": {"subnet": "192.168.122.0/24", "gateway": "192.168.122.1", "reserved": {"printer": "192.168.122.9"}},
        "v6": {"subnet": "2001:db8:1234:5678::/64"}});
    let parent = json!({"parent": "parent0", "probe": false});
    client.post("networks", &json!({"name": "lan", "driver": "macvlan", "pools": lan, "macvlan": parent})).is(201);
    let tiny = json!({"v4": {"subnet": "10.50.0.0/30"}});
    client.post("networks", &json!({"name": "tiny", "driver": "macvlan", "pools": tiny, "macvlan": parent})).is(201);
    let long = json!({"name": LONG, "driver": "bridge", "managed_by": "terraform: production/europe", "description": "Front ends"});
    client.post("networks", &long).is(201);
    let ports = json!({
        "http": {"target": 80, "published": 8088}, "https": {"target": 443, "published": 8443, "host_address": "0.0.0.0"},
        "media": {"protocol": "udp", "target": 20000, "published": 20000, "count": 100, "host_address": "203.0.113.7"},
        "six": {"target": 443, "published": 8443, "host_address": "::"}, "any": {"target": 9000},
    });
    let web = json!({"aliases": ["shop", "shop.example.internal"], "ports": ports});
    let wide = json!({"address6": "2001:db8:1234:5678:9abc:def0:1234:5678"});
    let networks = json!({"web": web, "lan": wide, LONG: {}});
    client.post("sandboxes", &json!({"name": LONG, "managed_by": "ci", "networks": networks})).is(201);
    client.post("sandboxes", &json!({"name": "idle", "desired_state": "stopped", "networks": {"lan": {}}})).is(201);
    client.post("sandboxes", &json!({"name": "shared", "networks": {"host": {}}})).is(201);
    client.post("sandboxes", &json!({"name": "alone", "networks": {}})).is(201);
    host.sandbox("last", "tiny");
    orphan(&host);
    host
}

/// Adopts the namespace of a process, which then ends.
fn orphan(host: &Host) {
    let client = host.client();
    let mut process = host.net.command("unshare").args(["--net", "sleep", "600"]).spawn().unwrap();
    let ports = json!({"http": {"target": 80, "published": 8099}});
    until("the process is in a namespace that can be adopted", Duration::from_secs(5), || {
        let body = json!({"name": "gone", "pid": process.id(), "networks": {"web": {"ports": ports}}});
        (client.post("sandboxes", &body).status == 201).then_some(())
    });
    process.kill().unwrap();
    process.wait().unwrap();
    until("the sandbox is an orphan", Duration::from_secs(10), || {
        (client.get("sandboxes/gone").is(200)["status"]["state"] == "orphaned").then_some(())
    });
}

pub(crate) const PAGES: &[(&str, &str)] = &[
    ("overview", "/ui"),
    ("networks", "/ui/networks"),
    ("network", "/ui/networks/web"),
    ("network-leases", "/ui/networks/lan/leases"),
    ("network-endpoints", "/ui/networks/web/endpoints"),
    ("network-json", "/ui/networks/web/json"),
    ("network-map", "/ui/networks/web/map"),
    ("network-map-wide", "/ui/networks/lan/map?pool=v6"),
    ("network-config", "/ui/networks/lan/config"),
    ("network-history", "/ui/networks/lan/history"),
    ("topology", "/ui/topology"),
    ("topology-graph", "/ui/topology?as=graph&of=network:lan"),
    ("topology-table", "/ui/topology?as=table"),
    ("network-unused", "/ui/networks/bridge"),
    ("sandboxes", "/ui/sandboxes"),
    ("sandbox", "/ui/sandboxes/LONG"),
    ("sandbox-history", "/ui/sandboxes/LONG/history"),
    ("sandbox-orphaned", "/ui/sandboxes/gone"),
    ("sandbox-stopped", "/ui/sandboxes/idle"),
    ("sandbox-host", "/ui/sandboxes/shared"),
    ("sandbox-alone", "/ui/sandboxes/alone"),
    ("ipam", "/ui/ipam"),
    ("leases", "/ui/leases"),
    ("leases-none", "/ui/leases?q=nobody"),
    ("address-long", "/ui/addresses/2001:db8:1234:5678:9abc:def0:1234:5678"),
    ("address-orphaned", "/ui/addresses/10.77.0.3"),
    ("address-held", "/ui/addresses/192.168.122.3"),
    ("address-host", "/ui/addresses/203.0.113.7"),
    ("address-free", "/ui/addresses/192.168.122.77"),
    ("search", "/ui/search?q=e"),
    ("swarm-none", "/ui/swarm"),
    ("nodes-no-swarm", "/ui/nodes"),
    ("drift", "/ui/drift"),
    ("events", "/ui/events"),
    ("events-none", "/ui/events?object=nobody"),
    ("api", "/ui/api"),
    ("api-operation", "/ui/api/network_create"),
    ("api-schema", "/ui/api/schemas/NetworkWrite"),
    ("missing", "/ui/nowhere"),
    ("problems", "/problems"),
    ("problem", "/problems/address-conflict"),
];

#[test]
fn nothing_is_cut_off_on_any_screen() {
    let host = crowded();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        let mut cut = Vec::new();
        for (width, dark) in [(360, true), (1024, false), (2560, true)] {
            page.dress(width, 900, dark).await;
            for (name, path) in PAGES {
                let path = path.replace("LONG", LONG);
                page.window.goto(&format!("http://127.0.0.1:8080{path}")).await.unwrap();
                let found = page.window.execute(CUT_OFF, Vec::new()).await.unwrap();
                if found != json!([]) {
                    cut.push(format!("{name} at {width}: {found}"));
                }
                if width < 2000 {
                    picture(&page, &format!("{width}-{name}")).await;
                }
            }
        }
        assert!(cut.is_empty(), "{}", cut.join("\n"));
    });
}

#[test]
fn an_orphan_is_told_of_once_and_what_is_the_hosts_own_is_called_so() {
    let host = crowded();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        for (path, there, not) in [
            ("/ui/sandboxes/gone", "/api/v1/ipam/reclaim", "netloom exec"),
            ("/ui/addresses/203.0.113.7", "the host's own", "in no pool"),
            ("/ui/addresses/192.168.122.185", "parent0 of the host", "Nobody"),
            ("/ui/addresses/192.168.122.3", "kept for it while it is stopped", "Nobody"),
            ("/ui/sandboxes/shared", "the host's own", "not Netloom's"),
            ("/ui/networks/web/endpoints", "203.0.113.7:20000-20099/udp to ports 20000-20099", "no pool"),
            ("/ui/networks/web/endpoints", "also called shop.example.internal", "no pool"),
        ] {
            page.window.goto(&format!("http://127.0.0.1:8080{path}")).await.unwrap();
            let main = page.window.find(fantoccini::Locator::Css("main")).await.unwrap().text().await.unwrap();
            let text = main.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains(there) && !text.contains(not), "{path}: {text}");
        }
        page.window.goto("http://127.0.0.1:8080/ui").await.unwrap();
        let attention = page.window.find(fantoccini::Locator::Css(".notices")).await.unwrap().text().await.unwrap();
        assert_eq!(attention.matches("namespace is gone").count(), 1, "{attention}");
    });
}

#[test]
fn the_longest_name_makes_no_page_scroll_sideways() {
    let host = crowded();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        let mut cut = Vec::new();
        for width in [320, 360, 600, 1280] {
            page.dress(width, 900, false).await;
            for (name, path) in [
                ("overview", "/ui"),
                ("sandbox", "/ui/sandboxes/LONG"),
                ("network", "/ui/networks/LONG"),
                ("free", "/ui/ipam/LONG/v4"),
                ("audit", "/ui/activity?show=audit"),
            ] {
                let path = path.replace("LONG", LONG);
                page.window.goto(&format!("http://127.0.0.1:8080{path}")).await.unwrap();
                let found = page.window.execute(CUT_OFF, Vec::new()).await.unwrap();
                if found != json!([]) {
                    cut.push(format!("{name} at {width}: {found}"));
                }
                picture(&page, &format!("{width}-long-{name}")).await;
            }
        }
        assert!(cut.is_empty(), "{}", cut.join("\n"));
    });
}
