//! Plans: a dry run's answer can be applied as it was shown, once; or is refused with what has changed.

use std::time::Duration;

use netloom_tests::host::macvlan;
use netloom_tests::{Client, Namespace, Snapshot, Value, host, json, until};

const SOON: Duration = Duration::from_secs(10);

fn plan_of(answer: &Value) -> String {
    answer["plan"]["id"].as_str().unwrap_or_else(|| panic!("no plan is kept: {answer}")).to_owned()
}

fn apply(client: &Client, plan: &str) -> netloom_tests::Answer {
    client.post(&format!("plans/{plan}/apply"), &json!({}))
}

#[test]
fn a_plan_is_applied_to_the_address_and_once() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.40.0.0/24");
    let before = Snapshot::of(&host);
    let shown = client.post("sandboxes?dry_run=true", &json!({"name": "s", "networks": {"n": {}}})).is(200);
    let plan = plan_of(&shown);
    Snapshot::of(&host).same_as(&before);
    let kept = client.get(&format!("plans/{plan}")).is(200);
    assert_eq!(kept, shown["plan"]);
    assert_eq!(kept["summary"], "Create sandbox `s`.");
    assert_eq!(kept["reads"][0]["object"]["name"], "n");
    let node = client.get("version").is(200)["node"].clone();
    assert!(kept["operations"].as_array().unwrap().iter().all(|operation| operation["node"] == node), "{kept}");
    assert_eq!(kept["interruptions"], json!([]), "nobody loses what nobody has");

    let applied = apply(&client, &plan);
    let path = applied.header("location").unwrap().to_owned();
    let applied = applied.is(200);
    assert_eq!((&applied["effect"], &applied["sandbox"]["id"]), (&json!("created"), &shown["object"]["id"]));
    assert_eq!(applied["sandbox"]["status"]["endpoints"], client.get(&path).is(200)["status"]["endpoints"]);
    let place = |sandbox: &Value| {
        let endpoint = &sandbox["status"]["endpoints"]["n"];
        json!([
            endpoint["address"],
            endpoint["mac"],
            endpoint["interface"],
            endpoint["endpoint_id"],
            endpoint["lease_ids"]
        ])
    };
    assert_eq!(place(&applied["sandbox"]), place(&shown["object"]));
    assert!(applied["sandbox"]["status"]["endpoints"]["n"]["lease_ids"][0].is_string(), "{applied}");
    let link = host.json_in_sandbox("s", "ip -j addr show eth0");
    assert_eq!(link[0]["addr_info"][0]["local"], shown["object"]["status"]["endpoints"]["n"]["address"]);

    let again = apply(&client, &plan);
    assert_eq!(again.header("location"), Some(path.as_str()));
    again.problem(409, "plan-applied");
    assert_eq!(client.get(&format!("plans/{plan}")).is(200)["applied"], applied["plan"]["applied"]);
}

#[test]
fn applying_what_is_so_already_is_no_change() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.43.0.0/24");
    for (change, effect) in [(json!({}), "unchanged"), (json!({"description": "d"}), "updated")] {
        let before = client.get("networks/n").is(200)["spec_revision"].clone();
        let plan = plan_of(&client.patch("networks/n?dry_run=true", &change).is(200));
        let applied = apply(&client, &plan).is(200);
        assert_eq!(applied["effect"], effect, "{change}");
        assert_eq!(applied["network"]["spec_revision"] == before, effect == "unchanged", "{change}");
    }
}

#[test]
fn a_plan_outlives_a_restart() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.41.0.0/24");
    let shown = client.post("sandboxes?dry_run=true", &json!({"name": "s", "networks": {"n": {}}})).is(200);
    host.kill();
    let client = host.start();
    let applied = apply(&client, &plan_of(&shown)).is(200);
    assert_eq!(applied["sandbox"]["id"], shown["object"]["id"]);
}

#[test]
fn what_has_changed_since_is_named() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.42.0.0/24");
    host.sandbox("s", "n");
    // The object itself.
    let plan = plan_of(&client.patch("sandboxes/s?dry_run=true", &json!({"desired_state": "stopped"})).is(200));
    client.patch("sandboxes/s", &json!({"labels": {"a": "b"}})).is(200);
    let problem = apply(&client, &plan).problem(409, "plan-stale");
    assert_eq!(problem["blockers"][0]["name"], "s");
    // An address, which belongs to no object that was read.
    let plan = plan_of(&client.post("sandboxes?dry_run=true", &json!({"name": "t", "networks": {"n": {}}})).is(200));
    client.post("networks/n/leases", &json!({"key": "quick"})).is(201);
    let problem = apply(&client, &plan).problem(409, "plan-stale");
    let fact = |name: &str| problem["facts"][name].as_str().unwrap().to_owned();
    assert!(fact("planned").contains("10.42.0.3") && fact("now").contains("10.42.0.4"), "{problem}");
    client.get("sandboxes/t").problem(404, "resource-not-found");
    // What the plan itself would do, done by somebody.
    let plan = plan_of(&client.patch("sandboxes/s?dry_run=true", &json!({"networks": {"n": null}})).is(200));
    client.patch("sandboxes/s", &json!({"networks": {"n": null}})).is(200);
    apply(&client, &plan).problem(409, "plan-stale");
}

#[test]
fn what_somebody_does_to_the_kernel_by_hand_makes_a_plan_stale() {
    let host = host!();
    let client = host.start();
    let pools = json!({"v4": {"subnet": "10.47.0.0/24"}});
    let bridge = json!({"name": "web", "driver": "bridge", "pools": pools, "bridge": {"interface_name": "late0"}});
    client.post("networks", &bridge).is(201);
    host.sandbox("a", "web");
    let done_otherwise = |plan: &str| {
        let problem = apply(&client, plan).problem(409, "plan-stale");
        assert!(problem["detail"].as_str().unwrap().contains("done in the kernel"), "{problem}");
        problem
    };
    let plan = plan_of(&client.delete("networks/web?dry_run=true&cascade=endpoints").is(200));
    // A stranger's in its place, faster than it is made anew: the plan's link is gone for good.
    host.net.shell("until ip link del late0 && ip link add late0 type bridge; do :; done");
    let problem = done_otherwise(&plan);
    assert!(problem["facts"]["planned"].as_str().unwrap().contains("late0"), "{problem}");
    host.net.run("ip link del late0");
    until("nothing differs", SOON, || (client.get("drift").is(200)["items"] == json!([])).then_some(()));
    apply(&client, &plan).is(200);
}

#[test]
fn a_plan_that_adopts_a_namespace_adopts_no_other() {
    let host = host!();
    let client = host.start();
    let path = format!("{}/adm", host.dir().display());
    host.net.run(&format!("touch {path}"));
    let (first, second) = (Namespace::new(), Namespace::new());
    let mount = |one: &Namespace| host.net.run(&format!("mount --bind /proc/{}/ns/net {path}", one.pid()));
    mount(&first);
    let plan = plan_of(&client.post("sandboxes?dry_run=true", &json!({"name": "s", "netns": path})).is(200));
    host.net.run(&format!("umount {path}"));
    mount(&second);
    let problem = apply(&client, &plan).problem(409, "plan-stale");
    assert!(problem["facts"]["planned"].as_str().unwrap().contains("cookie"), "{problem}");
    client.get("sandboxes/s").problem(404, "resource-not-found");
    host.net.run(&format!("umount {path}"));
    mount(&first);
    apply(&client, &plan).is(200);
}

#[test]
fn a_sandbox_that_joins_would_lose_traffic_too() {
    let host = host!();
    let client = host.start();
    host.bridge("n1", "10.48.0.0/24");
    host.sandbox("a", "n1");
    let apart = json!({"bridge": {"masquerade": false}});
    let shown = client.patch("networks/n1?dry_run=true", &apart).is(200);
    assert_eq!(shown["plan"]["interruptions"].as_array().unwrap().len(), 1);
    host.sandbox("b", "n1");
    let problem = apply(&client, &plan_of(&shown)).problem(409, "plan-stale");
    assert!(problem["facts"]["now"].as_str().unwrap().contains("sandbox `b` on n1"), "{problem}");
    assert_ne!(client.get("networks/n1").is(200)["bridge"]["masquerade"], false);
}

#[test]
fn a_plan_says_who_loses_traffic_and_why() {
    let host = host!();
    let client = host.start();
    host.bridge("web", "10.43.0.0/24");
    let port = json!({"http": {"target": 80, "published": 18_080}});
    client.post("sandboxes", &json!({"name": "a", "networks": {"web": {"ports": port}}})).is(201);
    host.sandbox("b", "web");
    let losers = |answer: &Value| -> Vec<String> {
        let of = |one: &Value| {
            assert!(!one["reasons"].as_array().unwrap().is_empty(), "{one}");
            format!("{} on {}", one["sandbox"]["name"].as_str().unwrap(), one["networks"])
        };
        answer["plan"]["interruptions"].as_array().unwrap().iter().map(of).collect()
    };
    let stop = client.patch("sandboxes/b?dry_run=true", &json!({"desired_state": "stopped"})).is(200);
    assert_eq!(losers(&stop), ["b on [\"web\"]"]);
    let unpublish = json!({"networks": {"web": {"ports": null}}});
    let unpublish = client.patch("sandboxes/a?dry_run=true", &unpublish).is(200);
    assert_eq!(losers(&unpublish), ["a on [\"web\"]"]);
    assert!(unpublish["plan"]["interruptions"].to_string().contains("18080"), "{unpublish}");
    let apart = client.patch("networks/web?dry_run=true", &json!({"bridge": {"inter_sandbox": false}})).is(200);
    assert_eq!(losers(&apart), ["a on [\"web\"]", "b on [\"web\"]"]);
    let cascade = client.delete("networks/web?dry_run=true&cascade=endpoints").is(200);
    assert_eq!(losers(&cascade), ["a on [\"web\"]", "b on [\"web\"]"]);
    let words = client.patch("networks/web?dry_run=true", &json!({"description": "x"})).is(200);
    assert_eq!(losers(&words), [""; 0]);
    // And it is applied as it was told.
    let applied = apply(&client, &plan_of(&cascade));
    let applied = applied.is(200);
    assert_eq!(applied["effect"], "removed");
    client.get("networks/web").problem(404, "resource-not-found");
}

#[test]
fn every_write_gives_a_plan_that_can_be_applied() {
    let host = host!();
    let client = host.start();
    let planned = |answer: netloom_tests::Answer| {
        let applied = apply(&client, &plan_of(&answer.is(200))).is(200);
        assert!(applied["plan"]["applied"].is_object(), "{applied}");
        applied
    };
    let effect = |applied: &Value| applied["effect"].as_str().unwrap_or("none").to_owned();
    assert_eq!(effect(&planned(client.post("networks?dry_run=true", &macvlan("n", "10.44.0.0/24")))), "created");
    assert_eq!(effect(&planned(client.put("networks/m?dry_run=true", &macvlan("m", "10.45.0.0/24")))), "created");
    assert_eq!(effect(&planned(client.patch("networks/m?dry_run=true", &json!({"description": "x"})))), "updated");
    let lease = planned(client.post("networks/n/leases?dry_run=true", &json!({"key": "k"})));
    assert_eq!(lease["lease"]["key"], "k");
    let moved = json!({"description": "third floor"});
    assert_eq!(effect(&planned(client.patch("networks/n/leases/k?dry_run=true", &moved))), "updated");
    assert_eq!(effect(&planned(client.delete("networks/n/leases/k?dry_run=true"))), "removed");
    assert_eq!(effect(&planned(client.put("sandboxes/s?dry_run=true", &json!({"networks": {"n": {}}})))), "created");
    let attach = json!({"networks": {"m": {}}});
    assert_eq!(effect(&planned(client.patch("sandboxes/s?dry_run=true", &attach))), "updated");
    let stop = json!({"desired_state": "stopped"});
    assert_eq!(effect(&planned(client.patch("sandboxes/s?dry_run=true", &stop))), "updated");
    let pruned = planned(client.post("prune?dry_run=true", &json!({})));
    assert_eq!(pruned["pruned"]["sandboxes"][0]["name"], "s");
    planned(client.post("ipam/reclaim?dry_run=true", &json!({})));
    client.get("sandboxes/s").problem(404, "resource-not-found");
}

#[test]
fn plans_are_listed_and_discarded() {
    let host = host!();
    let client = host.start();
    let first = plan_of(&client.post("networks?dry_run=true", &macvlan("n", "10.46.0.0/24")).is(200));
    let second = plan_of(&client.post("networks?dry_run=true", &macvlan("m", "10.46.0.0/24")).is(200));
    let listed = client.all("plans?limit=1");
    let ids: Vec<&str> = listed.iter().map(|plan| plan["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&first, &second]);
    assert!(listed[0].get("operations").is_none(), "a list has heads");
    client.delete(&format!("plans/{first}")).is(204);
    for answer in
        [client.delete(&format!("plans/{first}")), client.get(&format!("plans/{first}")), apply(&client, &first)]
    {
        answer.problem(404, "resource-not-found");
    }
    client.get("plans/none").problem(404, "resource-not-found");
    client.post(&format!("plans/{second}/apply?wiat=1s"), &json!({})).problem(400, "invalid-query");
    client.post(&format!("plans/{second}/apply"), &json!({"wait": "1s"})).problem(422, "invalid-value");
    let pending = client.post(&format!("plans/{second}/apply?wait=0s"), &json!({}));
    assert!(matches!(pending.status, 200 | 202), "{}", pending.text);
    assert_eq!(pending.json["network"]["name"], "m");
    let path = pending.json["network"]["id"].as_str().map(|id| format!("/api/v1/networks/{id}"));
    let kept = client.delete(&format!("plans/{second}"));
    assert_eq!(kept.header("location"), path.as_deref(), "it stays on record");
    kept.problem(409, "plan-applied");
    let discarded = &client.all("audit?action=plan.discard&decision=allowed")[0];
    assert_eq!(discarded["before"]["id"], json!(first));
}
