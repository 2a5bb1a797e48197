//! Whatever is wrong stands on the front page with its cause: each problem is made for real, and found there. A node that is down is in `swarm.rs`.

use std::time::Duration;

use fantoccini::Locator;
use netloom_tests::browser::{Page, browse};
use netloom_tests::{Host, Namespace, host, json, until};

use super::{link, log_in, picture};

/// Adopts the namespace of a process that then ends, so that its lease is an orphan.
fn orphan(host: &Host) {
    let client = host.client();
    let mut process = host.net.command("unshare").args(["--net", "sleep", "600"]).spawn().unwrap();
    until("the process is in a namespace that can be adopted", Duration::from_secs(5), || {
        let body = json!({"name": "gone", "pid": process.id(), "networks": {"web": {}}});
        (client.post("sandboxes", &body).status == 201).then_some(())
    });
    process.kill().unwrap();
    process.wait().unwrap();
}

/// A sandbox that can't be made, because its interface has a name that is taken where it is to be: kept as failed, or taken back.
fn fail(host: &Host, name: &str, on_failure: &str) -> Namespace {
    let other = Namespace::new();
    other.run("ip link add own0 type bridge");
    let path = format!("{}/{name}", host.dir().display());
    host.net.run(&format!("touch {path}"));
    host.net.run(&format!("mount --bind /proc/{}/ns/net {path}", other.pid()));
    let body = json!({"name": name, "netns": path, "networks": {"web": {"interface": "own0"}}});
    host.client().post(&format!("sandboxes?on_failure={on_failure}&wait=5s"), &body);
    other
}

/// Everything that can be wrong on one host, each with what the front page must say of it.
fn troubled() -> (Host, [Namespace; 2], [(&'static str, &'static str); 8]) {
    let host = host!();
    host.net.run("nft add table inet filter");
    host.net.run("nft add chain inet filter forward { type filter hook forward priority 0 ; policy drop ; }");
    host.lan.run("ip addr add 10.140.0.2/24 dev wire0 nodad");
    let client = host.start();
    host.bridge("web", "10.77.0.0/24");
    for (name, subnet, probe) in [("tiny", "10.50.0.0/30", false), ("lan", "10.140.0.0/24", true)] {
        let body = json!({"name": name, "driver": "macvlan", "pools": {"v4": {"subnet": subnet}},
            "macvlan": {"parent": "parent0", "probe": probe}});
        client.post("networks", &body).is(201);
        host.sandbox(&format!("on-{name}"), name);
    }
    host.sandbox("on-web", "web");
    client.post("sandboxes", &json!({"name": "too-many", "networks": {"tiny": {}}})).problem(409, "pool-exhausted");
    // What a client meets in the ordinary course is nobody's problem.
    client.delete("sandboxes/never-there").problem(404, "resource-not-found");
    orphan(&host);
    let others = [fail(&host, "stuck", "keep"), fail(&host, "taken-back", "rollback")];
    let path = host.in_sandbox("on-web", "ip route add 198.51.100.0/24 dev eth0");
    assert!(path.is_empty(), "{path}");
    (
        host,
        others,
        [
            ("tiny", "0 of the 2 addresses of its range left"),
            ("gone", "namespace is gone"),
            ("10.140.0.2", "a stranger with MAC"),
            ("stuck", "own0"),
            ("web", "keeps back what Netloom lets pass"),
            ("drift", "2 things are somebody else's and are left alone"),
            ("too-many", "network tiny has no free IPv4 address left"),
            ("taken-back", "own0"),
        ],
    )
}

#[test]
fn every_problem_is_on_the_front_page_with_its_cause() {
    let (host, _others, problems) = troubled();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        for (width, dark) in [(1280, false), (360, true)] {
            page.dress(width, 1600, dark).await;
            for (name, cause) in problems {
                let begin = std::time::Instant::now();
                loop {
                    page.window.goto("http://127.0.0.1:8080/ui").await.unwrap();
                    let text = page.window.find(Locator::Css("main")).await.unwrap().text().await.unwrap();
                    if text.contains(cause) && (name == "drift" || text.contains(name)) {
                        break;
                    }
                    assert!(!text.contains("never-there"), "{text}");
                    assert!(begin.elapsed() < Duration::from_secs(40), "`{name}`, `{cause}` is not told of:\n{text}");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
            picture(&page, &format!("{width}-overview-problems")).await;
        }
    });
}
