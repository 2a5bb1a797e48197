//! The pages of a swarm, on a manager and on its worker: a host is added by the command that is shown once, changed, and removed, all without
//! scripts; what is refused stands in place; who may not is refused. Nothing is cut off on any screen.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fantoccini::Locator;
use netloom_tests::browser::{Page, browse};
use netloom_tests::client::Answer;
use netloom_tests::{Host, json, until};

use super::pages::{Shown, look};
use super::{aside, link, log_in, picture};
use crate::kit::{MANAGER, Pair, info, netloom, swarm_state};

async fn open(page: &Page, path: &str) -> String {
    page.window.goto(&format!("http://127.0.0.1:8080{path}")).await.unwrap();
    text(page).await
}

/// What the page says, with single spaces.
async fn text(page: &Page) -> String {
    let main = page.window.find(Locator::Css("main")).await.unwrap().text().await.unwrap();
    main.split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn fill(page: &Page, name: &str, value: &str) {
    let field = page.window.find(Locator::Id(name)).await.unwrap();
    field.clear().await.unwrap();
    field.send_keys(value).await.unwrap();
}

/// Sends a form as a program would, with the token of a role.
fn send(host: &Host, role: &str, path: &str, form: &str) -> Answer {
    static SENT: AtomicU32 = AtomicU32::new(0);
    let name = format!("{role}-{}", SENT.fetch_add(1, Ordering::Relaxed));
    let made = host.client().post("tokens", &json!({"name": name, "role": role})).is(201);
    let client = host.tcp().header("authorization", &format!("Bearer {}", made["secret"].as_str().unwrap()));
    client.send("POST", path, Some(("application/x-www-form-urlencoded", form.into()))).unwrap()
}

#[test]
fn a_host_is_added_changed_and_removed_without_scripts() {
    let pair = Pair::new();
    pair.init();
    let client = pair.manager.client();
    let link = link(&pair.manager);
    browse(&pair.manager, false, async |page: Page| {
        log_in(&page, &link).await;
        open(&page, "/ui/swarm/join").await;
        fill(&page, "name", "rack-7").await;
        fill(&page, "uses", "1").await;
        fill(&page, "labels", "rack=7").await;
        page.press(Locator::Css("main form button")).await;
        let command = page.window.find(Locator::Css(".made pre code")).await.unwrap().text().await.unwrap();
        picture(&page, "join-made").await;
        let again = open(&page, "/ui/swarm/join").await;
        assert!(!again.contains("SWMTKN") && again.contains("rack-7"), "shown once: {again}");

        aside(|| {
            netloom(&pair.worker, command.strip_prefix("netloom ").unwrap()).ok();
            pair.becomes("ready");
        });
        assert!(open(&page, "/ui/swarm/join").await.contains("1 of 1"));

        // What is refused stands at its field, and what was filled in stays.
        fill(&page, "name", "a b").await;
        fill(&page, "uses", "many").await;
        page.press(Locator::Css("main form button")).await;
        let wrong = page.window.find(Locator::Id("uses-refused")).await.unwrap().text().await.unwrap();
        assert!(wrong.contains("whole number"), "{wrong}");
        page.window.find(Locator::Id("name-refused")).await.expect("everything at once");
        assert!(text(&page).await.contains("what is marked below"));
        let name = page.window.find(Locator::Id("name")).await.unwrap().prop("value").await.unwrap();
        assert_eq!(name.as_deref(), Some("a b"));
        picture(&page, "join-refused").await;

        // Another secret, after a question.
        page.press(Locator::Css("a[href$='/rotate']")).await;
        page.press(Locator::Css("main form button")).await;
        let shown = page.window.find(Locator::Css(".made pre code")).await.unwrap().text().await.unwrap();
        assert!(shown.contains("SWMTKN") && shown != command, "{shown}");
        open(&page, "/ui/swarm/join").await;
        page.press(Locator::Css("a[href$='/revoke']")).await;
        page.press(Locator::Css("main form button")).await;
        assert_eq!(aside(|| client.get("swarm/join-tokens").is(200)["items"].as_array().map(Vec::len)), Some(1));

        let node = aside(|| pair.node());
        let id = node["id"].as_str().unwrap();
        let nodes = open(&page, "/ui/nodes").await;
        assert!(nodes.contains(id) && nodes.contains("this host") && nodes.contains("rack=7"), "{nodes}");
        open(&page, &format!("/ui/nodes/{id}")).await;
        page.window.find(Locator::Id("availability")).await.unwrap().select_by_value("drain").await.unwrap();
        page.press(Locator::Css("main form button")).await;
        assert!(text(&page).await.contains("drain"));
        assert_eq!(aside(|| pair.node())["availability"], "drain");

        page.press(Locator::Css("a[href$='/remove']")).await;
        picture(&page, "node-remove").await;
        page.window.find(Locator::Id("force")).await.unwrap().click().await.unwrap();
        page.press(Locator::Css("main form button")).await;
        assert_eq!(page.window.current_url().await.unwrap().path(), "/ui/nodes");
        let left = aside(|| client.get("nodes").is(200));
        assert_eq!(left["items"].as_array().map(Vec::len), Some(1), "{left}");
    });
}

#[test]
fn who_may_not_change_is_refused_and_what_can_not_be_done_is_said_in_place() {
    let pair = Pair::joined();
    let node = pair.node();
    let id = node["id"].as_str().unwrap();
    let host = &pair.manager;
    let worker = host.client().get("swarm/join-tokens").is(200)["items"][0]["id"].as_str().unwrap().to_owned();
    for (path, form) in [
        ("/ui/swarm/join".to_owned(), "name=mine&lifetime=1h"),
        (format!("/ui/swarm/join/{worker}/rotate"), ""),
        (format!("/ui/swarm/join/{worker}/revoke"), ""),
        (format!("/ui/nodes/{id}"), "availability=drain"),
        (format!("/ui/nodes/{id}"), "readmit=yes"),
        (format!("/ui/nodes/{id}/remove"), "force=yes"),
    ] {
        for role in ["viewer", "operator"] {
            let answer = send(host, role, &path, form);
            assert_eq!(answer.status, 403, "{role} {path}: {}", answer.text);
            assert!(!answer.text.contains("SWMTKN"), "{}", answer.text);
        }
    }
    assert_eq!(pair.node()["spec_revision"], node["spec_revision"], "nothing of it was done");
    assert_eq!(host.client().get("swarm/join-tokens").is(200)["items"].as_array().map(Vec::len), Some(1));
    let denied = host.client().get("audit?decision=denied&limit=1000").is(200).to_string();
    for action in ["join_token.create", "join_token.rotate", "join_token.revoke", "node.update", "node.remove"] {
        assert!(denied.contains(action), "{action} is not in the audit: {denied}");
    }

    let odd = send(host, "admin", &format!("/ui/nodes/{id}"), "availability=odd");
    assert_eq!(odd.status, 422, "{}", odd.text);
    assert!(odd.text.contains("Change the availability") && !odd.text.contains("variant"), "{}", odd.text);
    let good = send(host, "admin", &format!("/ui/nodes/{id}"), "readmit=yes");
    assert_eq!(good.status, 409, "{}", good.text);
    assert!(good.text.contains("certificate-good") && good.text.contains("Change the availability"), "{}", good.text);
    let ready = send(host, "admin", &format!("/ui/nodes/{id}/remove"), "");
    assert_eq!(ready.status, 409, "{}", ready.text);
    assert!(ready.text.contains("node-ready") && ready.text.contains("name=\"force\""), "{}", ready.text);
    let taken = send(host, "admin", "/ui/swarm/join", "name=worker");
    assert_eq!(taken.status, 409, "{}", taken.text);
    assert!(taken.text.contains("name-taken") && taken.text.contains("value=\"worker\""), "{}", taken.text);
    pair.becomes("ready");
}

/// The pages of a manager whose worker is down, which is called `ID`.
const PAGES: &[Shown] = &[
    ("overview-swarm", "/ui", "1 of 2 ready"),
    ("swarm", "/ui/swarm", "Authority's digest"),
    ("join", "/ui/swarm/join", "Make a token"),
    ("join-rotate", "/ui/swarm/join/worker/rotate", "another secret"),
    ("nodes", "/ui/nodes", "it has not reported since"),
    ("node", "/ui/nodes/ID", "Latest events"),
    ("node-remove", "/ui/nodes/ID/remove", "netloom node rm"),
];

async fn walk(page: &Page, pages: &[Shown], id: &str) {
    let mut wrong = Vec::new();
    for (name, path, fact) in pages {
        wrong.extend(look(page, name, &path.replace("ID", id), fact, true).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_node_that_is_down_needs_attention_on_every_screen() {
    let pair = Pair::joined();
    pair.worker.kill();
    let id = pair.becomes("down")["id"].as_str().unwrap().to_owned();
    let link = link(&pair.manager);
    browse(&pair.manager, true, async |page: Page| {
        log_in(&page, &link).await;
        page.complaints().await;
        let front = open(&page, "/ui").await;
        assert!(front.contains("needs attention") && front.contains("the node is down"), "{front}");
        walk(&page, PAGES, &id).await;
    });
}

#[test]
fn what_a_silent_node_said_last_is_not_told_as_if_it_were_so() {
    let pair = Pair::joined();
    let mesh = json!({"name": "mesh", "driver": "overlay", "pools": {"v4": {"subnet": "10.99.0.0/24"}}});
    pair.manager.client().post("networks", &mesh).is(201);
    until("the worker knows the network", Duration::from_secs(15), || {
        (pair.worker.client().get("networks/mesh").status == 200).then_some(())
    });
    pair.worker.sandbox("there", "mesh");
    let client = pair.manager.client();
    let endpoint = || client.get("swarm/endpoints?sandbox=there").is(200)["items"][0].clone();
    assert_eq!((&endpoint()["state"], endpoint().get("silent_since")), (&json!("running"), None));
    let calm = client.get("topology?of=network:mesh").is(200);
    assert!(calm["nodes"].as_array().unwrap().iter().all(|node| node.get("silent_since").is_none()), "{calm}");
    pair.worker.kill();
    pair.becomes("down");
    let silent = endpoint();
    assert_eq!((&silent["state"], &silent["running"]), (&json!("unknown"), &json!(true)), "{silent}");
    let since = silent["silent_since"].as_str().expect("it says since when").to_owned();
    let lease = client.get("leases?owner=there").is(200)["items"][0].clone();
    assert_eq!(lease["status"]["node"]["silent_since"], since.as_str(), "{lease}");
    let topology = client.get("topology?of=network:mesh").is(200);
    assert!(
        topology["nodes"].as_array().unwrap().iter().any(|node| node["silent_since"] == since.as_str()),
        "{topology}"
    );
    let reader = pair.manager.tcp().header("authorization", &format!("Bearer {}", pair.manager.token()));
    for (path, said) in [
        ("/ui/sandboxes/there", "running when last heard of"),
        ("/ui/networks/mesh/endpoints", "running when last heard of"),
        ("/ui/networks/mesh/endpoints", "silent since"),
        ("/ui/leases?owner=there", "silent since"),
        ("/ui/addresses/10.99.0.2", "silent since"),
        ("/ui/topology", "unknown since"),
        ("/ui/topology?as=table", "unknown since"),
        ("/ui/topology?as=graph&of=network:mesh", ", unknown"),
    ] {
        let page = reader.get(path);
        assert!(page.status == 200 && page.text.contains(said), "{path} says `{said}`: {}", page.text);
    }
}

#[test]
fn a_worker_whose_manager_is_away_says_so_and_what_works_meanwhile() {
    let pair = Pair::joined();
    let link = link(&pair.worker);
    browse(&pair.worker, true, async |page: Page| {
        log_in(&page, &link).await;
        page.complaints().await;
        let (calm, front) = (open(&page, "/ui/swarm").await, open(&page, "/ui").await);
        assert!(calm.contains("worker, connected") && calm.contains("In touch with the manager"), "{calm}");
        assert!(front.contains("worker of a swarm") && front.contains("all is well"), "{front}");
        open(&page, "/ui/swarm").await;
        picture(&page, "swarm-worker").await;
        aside(|| {
            pair.manager.stop();
            swarm_state(&pair.worker, "disconnected");
        });
        let front = open(&page, "/ui").await;
        assert!(front.contains("needs attention") && front.contains("the manager is not reached"), "{front}");
        let pages = [
            ("overview-worker", "/ui", "what runs here goes on"),
            ("swarm-cut-off", "/ui/swarm", "What works meanwhile"),
            ("nodes-elsewhere", "/ui/nodes", "192.168.122.185"),
            ("join-elsewhere", "/ui/swarm/join", "192.168.122.185"),
        ];
        walk(&page, &pages, "").await;
    });
}

/// Where a page leads, and the data of it: what stands between quotes after `href=` within its `main`.
fn leads(html: &str) -> Vec<String> {
    let main = html.split_once("<main").and_then(|(_, rest)| rest.split_once("</main>")).expect("a main part").0;
    let hrefs = main.split("href=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    let plain = |href: &str| href.replace("&amp;", "&").replace("&#38;", "&");
    hrefs.map(|(href, _)| plain(href)).filter(|href| href.starts_with('/')).collect()
}

/// The pages of a network of the swarm with sandboxes on both hosts, of its objects, and around them.
const PLACES: &[&str] = &[
    "/ui",
    "/ui/networks/mesh",
    "/ui/networks/mesh/map",
    "/ui/networks/mesh/leases",
    "/ui/networks/mesh/endpoints",
    "/ui/networks/mesh/health",
    "/ui/networks/mesh/health?as=table",
    "/ui/networks/mesh/history",
    "/ui/ipam/mesh/v4",
    "/ui/leases",
    "/ui/sandboxes",
    "/ui/sandboxes/here",
    "/ui/sandboxes/there",
    "/ui/topology",
    "/ui/topology?as=table",
    "/ui/topology?as=graph&of=network:mesh",
    "/ui/topology?as=graph&of=sandbox:OWN",
    "/ui/addresses/10.99.0.1",
    "/ui/addresses/10.99.0.2",
    "/ui/addresses/10.99.0.3",
    "/ui/search?q=here&stay=1",
    "/ui/search?q=there&stay=1",
    "/ui/activity",
    "/ui/swarm",
];

#[test]
fn no_page_of_a_manager_or_a_worker_leads_to_what_it_does_not_have() {
    let pair = Pair::joined();
    let mesh = json!({"name": "mesh", "driver": "overlay", "pools": {"v4": {"subnet": "10.99.0.0/24"}}});
    pair.manager.client().post("networks", &mesh).is(201);
    pair.manager.sandbox("here", "mesh");
    until("the worker knows the network", Duration::from_secs(15), || {
        (pair.worker.client().get("networks/mesh").status == 200).then_some(())
    });
    pair.worker.sandbox("there", "mesh");
    let mut wrong = Vec::new();
    for (host, own) in [(&pair.manager, "here"), (&pair.worker, "there")] {
        let reader = host.tcp().header("authorization", &format!("Bearer {}", host.token()));
        let mut asked = std::collections::BTreeSet::new();
        for path in PLACES.iter().map(|path| path.replace("OWN", own)) {
            let page = reader.get(&path);
            assert_eq!(page.status, 200, "{own} {path}: {}", page.text);
            for lead in leads(&page.text).into_iter().filter(|lead| asked.insert(lead.clone())) {
                let status = reader.get(&lead).status;
                if status >= 400 {
                    wrong.push(format!("{own}: {path} leads to {lead}, which is {status}"));
                }
            }
        }
        assert!(asked.len() > 40, "{asked:?}");
    }
    assert_eq!(wrong, Vec::<String>::new());
    // What a worker knows of others it calls by name, and it says whom to ask for the rest.
    let reader = pair.worker.tcp().header("authorization", &format!("Bearer {}", pair.worker.token()));
    let graph = reader.get("/ui/topology?as=graph&of=network:mesh").text;
    let manager = info(&pair.manager)["hostname"].as_str().unwrap().to_owned();
    assert!(
        graph.contains(&format!("subgraph &#34;{manager}&#34;")) && !graph.contains("subgraph &#34;nod_"),
        "{graph}"
    );
    for path in
        ["/ui/networks/mesh/health", "/ui/networks/mesh/endpoints", "/ui/ipam/mesh/v4", "/ui/addresses/10.99.0.77"]
    {
        let page = reader.get(path).text;
        assert!(page.contains(&format!("ask the manager at {MANAGER}")), "{path}: {page}");
    }
    let map = reader.get("/ui/networks/mesh/map").text;
    assert!(map.contains("10.99.0.1 gateway"), "{map}");
    // What an object is of is told by name.
    for path in ["/ui", "/ui/networks/mesh", "/ui/sandboxes/there", "/ui/addresses/10.99.0.3"] {
        let page = reader.get(path).text;
        assert!(!page.contains(">nod_"), "{path}: {page}");
    }
    // A sandbox of another node has a page on both, while it is there, by its ID as by its name, and the search leads to it.
    let there = pair.worker.client().get("sandboxes/there").is(200);
    let reader_of = |host: &Host| host.tcp().header("authorization", &format!("Bearer {}", host.token()));
    let page = reader_of(&pair.manager).get(&format!("/ui/sandboxes/{}", there["id"].as_str().unwrap())).text;
    let endpoint = &there["status"]["endpoints"]["mesh"];
    for fact in ["on another node", endpoint["mac"].as_str().unwrap(), endpoint["address"].as_str().unwrap(), "running"]
    {
        assert!(page.contains(fact), "{fact}: {page}");
    }
    let found = reader_of(&pair.manager).get("/ui/search?q=there&stay=1").text;
    assert!(found.contains(&format!("/ui/sandboxes/{}", there["id"].as_str().unwrap())), "{found}");
    assert!(reader.get("/ui/sandboxes/here").text.contains(&format!("ask the manager at {MANAGER}")));
    // Its history is there as its page is, and what is around it is asked for by its name.
    for path in ["/ui/sandboxes/there/history", "/ui/topology?as=graph&of=sandbox:there"] {
        let page = reader_of(&pair.manager).get(path);
        assert!(page.status == 200 && page.text.contains("there"), "{path}: {}", page.text);
    }
    // What the worker was told of the manager's it knows by the address, on the map, and among the network's endpoints.
    let here = pair.manager.client().get("sandboxes/here").is(200);
    let address = here["status"]["endpoints"]["mesh"]["address"].as_str().unwrap().to_owned();
    for (path, fact) in [
        (format!("/ui/addresses/{address}"), ">here</a>".to_owned()),
        ("/ui/networks/mesh/endpoints".to_owned(), ">here</a>".to_owned()),
        ("/ui/networks/mesh/map".to_owned(), format!("{address} on another node, here on ")),
        (format!("/ui/search?q={address}&stay=1"), "of sandbox <code>here</code> on node".to_owned()),
    ] {
        let page = reader.get(&path).text;
        assert!(page.contains(&fact), "{path}: `{fact}` is not in {page}");
    }
    let found = reader.get(&format!("/ui/search?q={manager}"));
    assert!(
        found.header("location").is_some_and(|to| to.starts_with("/ui/topology?as=graph&of=nod_")),
        "{}",
        found.text
    );
    assert!(reader.get("/ui/nodes/x").text.contains(MANAGER), "a node's page says who has it");
    // A request that a node handed on is told as that node's, by its name.
    let handed = pair.worker.tcp().header("authorization", &format!("Bearer {}", pair.manager.token()));
    handed.patch("networks/mesh", &json!({"labels": {"by": "worker"}})).is(200);
    let worker = info(&pair.worker)["hostname"].as_str().unwrap().to_owned();
    for path in ["/ui/activity?show=audit", "/ui/networks/mesh/history"] {
        let page = reader_of(&pair.manager).get(path).text;
        assert!(page.contains(&format!(">node {worker}</a>")) && !page.contains("node:nod_"), "{path}: {page}");
    }
    let id = there["id"].as_str().unwrap();
    pair.worker.client().delete("sandboxes/there").is(204);
    until("the manager hears of it", Duration::from_secs(15), || {
        let page = reader_of(&pair.manager).get(&format!("/ui/sandboxes/{id}"));
        (page.status == 404 && page.text.contains("is on no network of the swarm since")).then_some(())
    });
}
