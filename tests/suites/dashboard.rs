//! The dashboard in a real browser: login by link, every page, nothing broken on it, readable without scripts.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "dashboard/asked.rs"]
mod asked;
#[path = "dashboard/crowded.rs"]
mod crowded;
/// Two hosts as a swarm, as its own suite has them; more than is needed here.
#[allow(dead_code)]
#[path = "swarm/kit.rs"]
mod kit;
#[path = "dashboard/live.rs"]
mod live;
#[path = "dashboard/networks.rs"]
mod networks;
#[path = "dashboard/pages.rs"]
mod pages;
#[path = "dashboard/problems.rs"]
mod problems;
#[path = "dashboard/swarm.rs"]
mod swarm;
#[path = "dashboard/tables.rs"]
mod tables;
#[path = "dashboard/windows.rs"]
mod windows;

use std::path::{Path, PathBuf};
use std::time::Duration;

use fantoccini::Locator;
use netloom_tests::browser::{Page, browse};
use netloom_tests::{Host, host, json, until};

/// Where the pictures go: they are not compared, they are for people.
fn screenshots() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
    std::fs::create_dir_all(&path).expect("target is writable");
    path
}

/// Asks the API while the browser runs: its client blocks.
fn aside<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(call).join().expect("the call ends"))
}

/// Whether somebody asked for pictures.
fn pictures_wanted() -> bool {
    std::env::var_os("NETLOOM_PICTURES").is_some()
}

/// A picture, for people: taken where `NETLOOM_PICTURES` says so, since one takes as long as a page does.
async fn picture(page: &Page, name: &str) {
    if !pictures_wanted() {
        return;
    }
    let bytes = page.window.screenshot().await.expect("a screenshot");
    std::fs::write(screenshots().join(format!("{name}.png")), bytes).expect("target is writable");
}

/// A host with something to see on every page.
fn furnished() -> Host {
    let host = host!();
    host.net.run("ip addr add 192.168.122.185/24 dev parent0");
    let client = host.start();
    let network = json!({
        "name": "macvlan-net1", "driver": "macvlan", "description": "The exercise's network",
        "pools": {"v4": {"subnet": "192.168.122.0/24", "gateway": "192.168.122.1", "reserved": {"printer": "192.168.122.9"}}},
        "macvlan": {"parent": "parent0", "mode": "bridge", "probe": false},
    });
    client.post("networks", &network).is(201);
    for name in ["macvlan1", "macvlan2"] {
        host.sandbox(name, "macvlan-net1");
    }
    client
        .post("sandboxes", &json!({"name": "macvlan3", "desired_state": "stopped", "networks": {"macvlan-net1": {}}}))
        .is(201);
    host
}

/// The one-time link that the first start printed.
fn link(host: &Host) -> String {
    host.login_link()
}

async fn log_in(page: &Page, link: &str) {
    page.log_in(link).await;
}

#[test]
fn links_lead_from_the_overview_to_an_address() {
    let host = furnished();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        for (text, ends_in) in [("Networks", "/ui/networks"), ("macvlan-net1", "macvlan-net1")] {
            page.press(Locator::LinkText(text)).await;
            let url = page.window.current_url().await.unwrap();
            assert!(url.path().contains(ends_in) || url.path().contains("net_"), "{text} leads to {url}");
        }
        page.window.goto("http://127.0.0.1:8080/ui/sandboxes/macvlan1").await.unwrap();
        page.press(Locator::LinkText("192.168.122.2")).await;
        assert_eq!(page.window.current_url().await.unwrap().path(), "/ui/addresses/192.168.122.2");
    });
}

#[test]
fn the_link_works_once_and_the_token_always() {
    let host = furnished();
    let (link, token) = (link(&host), host.token());
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        page.window.delete_all_cookies().await.unwrap();
        page.window.goto("http://127.0.0.1:8080/ui/networks").await.unwrap();
        assert!(
            page.window.current_url().await.unwrap().path().contains("login"),
            "without a session there is the login page"
        );
        page.window.goto(&link).await.unwrap();
        let told = page.window.find(Locator::Css("[role=alert]")).await.expect("it says so").text().await.unwrap();
        assert!(told.contains("has been used"), "{told}");
        page.window.goto("http://127.0.0.1:8080/ui/networks").await.unwrap();
        assert!(page.window.current_url().await.unwrap().path().contains("login"), "the link was used up");
        let field = page.window.find(Locator::Css("input[type=password]")).await.expect("a field for the token");
        field.send_keys(&token).await.unwrap();
        page.press(Locator::Css("form button")).await;
        page.window.goto("http://127.0.0.1:8080/ui/networks").await.unwrap();
        assert_eq!(page.window.current_url().await.unwrap().path(), "/ui/networks");
    });
}

#[test]
fn what_users_write_is_shown_and_never_run() {
    let host = host!();
    let client = host.start();
    let evil = "<script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">";
    let body = json!({"name": "s", "description": evil, "labels": {"x": evil}, "networks": {}});
    client.post("sandboxes", &body).is(201);
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        for path in [
            "/ui/sandboxes",
            "/ui/sandboxes/s",
            "/ui/sandboxes/s/json",
            "/ui/leases?q=%3Cscript%3Ealert(1)%3C/script%3E",
            "/ui/networks/%3Cscript%3E",
        ] {
            page.window.goto(&format!("http://127.0.0.1:8080{path}")).await.unwrap();
            assert_ne!(page.window.title().await.unwrap(), "pwned", "{path}");
        }
    });
}

#[test]
fn the_first_command_that_a_fresh_dashboard_shows_works_as_it_stands() {
    let host = host!();
    // The parent's own subnet is on another link too, so that asking for it would be refused.
    host.add_parent("other0", "wire1");
    host.net.run("ip addr add 192.168.122.185/24 dev parent0");
    host.net.run("ip addr add 192.168.122.186/24 dev other0");
    let client = host.start();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        let shown = page.window.find(Locator::Css(".empty pre code")).await.expect("a first command");
        let command = shown.text().await.unwrap();
        let done = host.net.command("bash").args(["-ec", &command]).output().unwrap();
        assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
    });
    assert_eq!(client.get("networks/macvlan-net1").is(200)["status"]["state"], "ready");
}

#[test]
fn commands_name_a_run_directory_that_is_not_the_usual_one() {
    let host = furnished();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        page.window.goto("http://127.0.0.1:8080/ui/login").await.unwrap();
        let login = page.window.find(Locator::Css(".aside pre")).await.unwrap().text().await.unwrap();
        let flag = format!("--run-dir {}", host.run_dir().display());
        assert!(
            login.contains("netloom login-link") && !login.contains('/'),
            "who is not signed in is told nothing of this host: {login}"
        );
        log_in(&page, &link).await;
        page.window.goto("http://127.0.0.1:8080/ui/sandboxes/macvlan1").await.unwrap();
        let text = page.window.find(Locator::Css("main")).await.unwrap().text().await.unwrap();
        assert!(text.contains(&format!("netloom exec {flag} macvlan1 -- ip addr")), "{text}");
    });
}

#[test]
fn the_page_of_pools_shows_wide_ones_and_what_orphans_hold() {
    let host = furnished();
    let client = host.client();
    client.patch("networks/macvlan-net1", &json!({"pools": {"v6": {"subnet": "fd5a:1c2e:77:1234::/64"}}})).is(200);
    let mut process = host.net.command("unshare").args(["--net", "sleep", "600"]).spawn().unwrap();
    until("the process is in a namespace that can be adopted", Duration::from_secs(5), || {
        let body = json!({"name": "gone", "pid": process.id(), "networks": {"macvlan-net1": {}}});
        (client.post("sandboxes", &body).status == 201).then_some(())
    });
    process.kill().unwrap();
    process.wait().unwrap();
    until("the sandbox is an orphan", Duration::from_secs(10), || {
        (client.get("sandboxes/gone").is(200)["status"]["state"] == "orphaned").then_some(())
    });
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        for width in [1280, 390] {
            page.dress(width, 1200, false).await;
            page.window.goto("http://127.0.0.1:8080/ui/ipam").await.unwrap();
            let text = page.window.find(Locator::Css("main")).await.unwrap().text().await.unwrap();
            for fact in ["fd5a:1c2e:77:1234::/64", "192.168.122.0/24", "gone", "in 23 h", "/api/v1/ipam/reclaim"] {
                assert!(text.contains(fact), "`{fact}` is not on it:\n{text}");
            }
            let wide = page.window.execute(pages::CUT_OFF, Vec::new()).await.unwrap();
            picture(&page, &format!("{width}-ipam-orphan")).await;
            assert_eq!(wide, json!([]), "at {width}");
        }
    });
}

#[test]
fn the_past_leads_to_pages_that_are_there() {
    let host = furnished();
    let client = host.client();
    client.delete("sandboxes/macvlan2").is(204);
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        page.complaints().await;
        let mut followed = 0;
        for path in ["/ui", "/ui/events", "/ui/addresses/192.168.122.3"] {
            page.window.goto(&format!("http://127.0.0.1:8080{path}")).await.unwrap();
            let links = page.window.find_all(Locator::Css("main a")).await.unwrap();
            let mut leads = Vec::new();
            for one in &links {
                leads.extend(one.attr("href").await.unwrap().filter(|href| href.starts_with("/ui/")));
            }
            for href in leads {
                page.window.goto(&format!("http://127.0.0.1:8080{href}")).await.unwrap();
                followed += 1;
            }
            let complaints = page.complaints().await;
            assert_eq!(complaints.requests, Vec::<String>::new(), "{path}");
        }
        assert!(followed > 20, "{followed}");
    });
}

#[test]
fn a_full_pool_needs_attention() {
    let host = host!();
    let client = host.start();
    let network = json!({"name": "tiny", "driver": "macvlan", "pools": {"v4": {"subnet": "10.50.0.0/30"}}, "macvlan": {"parent": "parent0", "probe": false}});
    client.post("networks", &network).is(201);
    host.sandbox("last", "tiny");
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        let text = page.window.find(Locator::Css("main")).await.unwrap().text().await.unwrap();
        assert!(text.contains("needs attention") && text.contains("0 of the 2 addresses of its range left"), "{text}");
        assert!(!text.contains("all is well"), "{text}");
    });
}
