//! Pools of all networks with their use; orphans with reason and age, and one call that releases what they hold.

use std::process::{Child, Stdio};
use std::time::Duration;

use netloom_tests::{Client, Host, Snapshot, Value, host, json, until};

/// A process in a network namespace of its own, which ends with the test.
struct Process(Child);

impl Process {
    fn new(host: &Host) -> Self {
        let child = host.net.command("unshare").args(["--net", "sleep", "600"]).stdin(Stdio::null()).spawn().unwrap();
        let process = Self(child);
        let own = std::fs::read_link(host.net.path()).unwrap();
        until("the process is in its namespace", Duration::from_secs(5), || {
            let seen = std::fs::read_link(format!("/proc/{}/ns/net", process.0.id())).ok()?;
            let asleep = std::fs::read_to_string(format!("/proc/{}/comm", process.0.id())).ok()?;
            (seen != own && asleep.trim() == "sleep").then_some(())
        });
        process
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A sandbox whose adopted namespace is gone, on a network.
pub(crate) fn orphan(host: &Host, client: &Client, name: &str, network: &str) {
    let process = Process::new(host);
    client.post("sandboxes", &json!({"name": name, "pid": process.0.id(), "networks": {network: {}}})).is(201);
    drop(process);
    until("the sandbox is an orphan", Duration::from_secs(10), || {
        (client.get(&format!("sandboxes/{name}")).is(200)["status"]["state"] == "orphaned").then_some(())
    });
}

fn words(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|p| format!("{} {}", p["network"].as_str().unwrap(), p["subnet"].as_str().unwrap())).collect()
}

#[test]
fn every_pool_is_listed_with_its_use_and_what_is_left() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.160.1.0/24");
    host.macvlan("m", "10.160.0.0/29");
    client.patch("networks/n", &json!({"pools": {"six": {"subnet": "fd00:160::/64"}}})).is(200);
    host.sandbox("a", "n");
    client.post("sandboxes", &json!({"name": "b", "desired_state": "stopped", "networks": {"n": {}}})).is(201);
    let page = client.get("ipam").is(200);
    assert_eq!(words(&page), ["m 10.160.0.0/29", "n 10.160.1.0/24", "n fd00:160::/64"]);
    let pool = &page["items"][1];
    assert_eq!(pool["capacity"], client.get("networks/n").is(200)["status"]["pools"]["v4"]["capacity"]);
    for (what, count) in [("dynamic", 1), ("held", 1), ("gateway", 1), ("reserved", 0), ("orphaned", 0)] {
        assert_eq!(pool["capacity"][what], count, "{what}: {pool}");
    }
    assert_eq!(pool["capacity"]["free"], "251");
    assert_eq!(pool["largest_free"], json!({"block": "10.160.1.4-10.160.1.254", "size": "251"}));
    assert_eq!((&pool["pool"], &pool["family"], &pool["gateway"]), (&json!("v4"), &json!(4), &json!("10.160.1.1")));
    assert_eq!(pool["conditions"], json!([]));

    assert_eq!(words(&client.get("ipam?network=m").is(200)), ["m 10.160.0.0/29"]);
    assert_eq!(words(&client.get("ipam?family=6").is(200)), ["n fd00:160::/64"]);
    let paged: Vec<Value> = client.all("ipam?limit=1");
    assert_eq!(paged, *page["items"].as_array().unwrap());
    let problem = client.get("ipam?family=5").problem(400, "invalid-query");
    assert_eq!((&problem["errors"][0]["pointer"], &problem["errors"][0]["value"]), (&json!("?family"), &json!("5")));
    client.get("ipam?netwrok=m").problem(400, "invalid-query");
    client.get("ipam?network=none-such").problem(404, "resource-not-found");

    for name in ["c", "d", "e", "f"] {
        host.sandbox(name, "m");
    }
    let nearly = client.get("ipam?network=m").is(200)["items"][0].clone();
    assert_eq!(nearly["capacity"]["free"], "1");
    let condition = &nearly["conditions"][0];
    assert_eq!((&condition["type"], &condition["reason"]), (&json!("PoolNearlyFull"), &json!("OneLeft")), "{nearly}");
    assert_eq!(nearly["largest_free"], json!({"block": "10.160.0.6", "size": "1"}));
}

#[test]
fn what_orphans_hold_is_listed_with_the_reason_and_released_by_one_call() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.160.0.0/24");
    orphan(&host, &client, "gone", "n");
    host.sandbox("stays", "n");
    let orphans = client.get("leases?state=orphaned").is(200)["items"].clone();
    assert_eq!(orphans.as_array().unwrap().len(), 1);
    let status = &orphans[0]["status"];
    assert_eq!((&status["address"], &status["owner"]["name"]), (&json!("10.160.0.2"), &json!("gone")));
    assert!(status["reason"].as_str().is_some_and(|reason| reason.len() > 5), "{status}");
    let (since, end) = (status["since"].as_str().unwrap(), status["until"].as_str().unwrap());
    assert!(since < end, "a grace follows: {status}");
    let sound = client.get("leases?address=10.160.0.3").is(200)["items"][0].clone();
    assert!(sound["status"].get("reason").is_none() && sound["status"].get("since").is_none(), "{sound}");
    assert_eq!(client.get("ipam").is(200)["items"][0]["capacity"]["orphaned"], 1);

    let before = Snapshot::of(&host);
    let planned = client.post("ipam/reclaim?dry_run=true", &json!({})).is(200);
    assert_eq!(planned["object"]["leases"], orphans);
    assert_eq!(client.get("leases?state=orphaned").is(200)["items"], orphans, "nothing was changed");
    Snapshot::of(&host).same_as(&before);

    let done = client.post("ipam/reclaim", &json!({})).is(200);
    assert_eq!((&done["leases"], &done["sandboxes"][0]["name"]), (&orphans, &json!("gone")));
    client.get("sandboxes/gone").problem(404, "resource-not-found");
    let pool = client.get("ipam").is(200)["items"][0].clone();
    assert_eq!((&pool["capacity"]["orphaned"], &pool["capacity"]["dynamic"]), (&json!(0), &json!(1)), "{pool}");
    let event = client.get("events?kinds=sandbox.reclaimed").is(200)["items"][0].clone();
    assert_eq!((&event["object"]["name"], &event["data"]["reason"]), (&json!("gone"), &status["reason"]), "{event}");
    assert_eq!(host.sandbox("next", "n")["status"]["endpoints"]["n"]["address"], "10.160.0.2", "free again");
    let again = client.post("ipam/reclaim", &json!({})).is(200);
    assert_eq!(again, json!({"sandboxes": [], "leases": []}));
    client.post("ipam/reclaim?now=true", &json!({})).problem(400, "invalid-query");
}
