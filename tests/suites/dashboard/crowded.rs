//! A host and a swarm with names, addresses and ports as long as they get and everything on them that takes room; what is said of it. What must not live here: the pages
//! that are looked at (`pages`).

use std::time::Duration;

use netloom_tests::browser::{Page, browse};
use netloom_tests::{Host, host, json, until};

use super::{link, log_in};

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
    client.post("sandboxes", &json!({"name": "too-many", "networks": {"tiny": {}}})).problem(409, "pool-exhausted");
    let wide =
        json!({"name": "wide", "driver": "macvlan", "pools": {"v4": {"subnet": "10.7.0.0/16"}}, "macvlan": parent});
    client.post("networks", &wide).is(201);
    for (key, address) in [("low", "10.7.3.9"), ("next", "10.7.3.10"), ("high", "10.7.200.1")] {
        client.post("networks/wide/leases", &json!({"key": key, "address": address})).is(201);
    }
    client.patch("networks/wide", &json!({"description": "second", "labels": {"team": "a"}})).is(200);
    orphan(&host);
    host
}

/// A swarm around a host, with another one in it and a sandbox of each on an overlay network.
pub(crate) struct Swarm {
    worker: Host,
    id: String,
}

impl Swarm {
    /// Makes the swarm of this host.
    pub(crate) fn made(host: &Host) -> Self {
        let worker = host!();
        host.net.run(&format!("ip link add lan0 type veth peer name lan0 netns {}", worker.net.pid()));
        for (of, address) in [(host, "10.99.0.1"), (&worker, "10.99.0.2")] {
            of.net.run("ip link set lan0 addrgenmode none up");
            of.net.run(&format!("ip addr add {address}/24 dev lan0"));
        }
        let client = host.client();
        let token = client.put("swarm", &json!({"advertise_address": "10.99.0.1"})).is(201)["join_token"].take();
        let joins = json!({"token": token["secret"], "manager": "10.99.0.1", "address": "10.99.0.2"});
        worker.start().put("swarm/membership", &joins).is(201);
        let ready = || {
            let nodes = client.get("nodes?role=worker").is(200);
            let node = &nodes["items"][0];
            (node["status"]["state"] == "ready").then(|| node["id"].as_str().unwrap_or_default().to_owned())
        };
        let id = until("the node is ready", Duration::from_secs(20), ready);
        let mesh = json!({"name": "mesh", "driver": "overlay", "pools": {"v4": {"subnet": "10.45.0.0/16"}}});
        client.post("networks", &mesh).is(201);
        for (of, name) in [(host, "near"), (&worker, "far")] {
            until("the network is known there", Duration::from_secs(20), || {
                let body = json!({"name": name, "networks": {"mesh": {}}});
                (of.client().post("sandboxes", &body).status == 201).then_some(())
            });
        }
        until("each way is known", Duration::from_secs(40), || {
            let health = client.get("networks/mesh/health?fresh=true").is(200).to_string();
            (health.matches("\"yes\"").count() >= 2).then_some(())
        });
        Self { worker, id }
    }

    /// The other node's ID.
    pub(crate) fn worker_id(&self) -> String {
        assert!(!self.worker.has_ended(), "it is there as long as it is looked at");
        self.id.clone()
    }
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
        assert!(!attention.contains("differs from what is wanted"), "it is not counted once more: {attention}");
    });
}
