//! Clocks: a certificate that ran out while its node was off, and a wall clock that is set while everything runs.

use std::time::Duration;

use netloom_tests::{Clock, Host, Start, Value, json, until};

use crate::kit::{HEARTBEAT, Pair, events, info, netloom, start, swarm_state};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const SOON: Duration = Duration::from_secs(20);
/// How long to see that nothing happens: what goes by heartbeats would have.
const WHILE: Duration = Duration::from_millis(HEARTBEAT * 12);

/// How a daemon is started that goes by a clock.
fn by(clock: &Clock) -> Start {
    Start { env: clock.env(), ..start() }
}

/// A swarm of two, each with a clock of its own.
fn clocked() -> (Pair, [Clock; 2]) {
    let pair = Pair::down();
    let clocks = [&pair.manager, &pair.worker].map(|host| Clock::new(host.dir()));
    for (host, clock) in [&pair.manager, &pair.worker].into_iter().zip(&clocks) {
        host.start_with(&by(clock));
    }
    pair.join();
    (pair, clocks)
}

fn trouble(host: &Host) -> Option<String> {
    info(host)["swarm"]["status"]["trouble"].as_str().map(str::to_owned)
}

fn expires_at(pair: &Pair) -> String {
    pair.node()["status"]["certificate_expires_at"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_node_whose_certificate_ran_out_is_let_back_in_by_an_administrator() {
    let (pair, [managers, workers]) = clocked();
    pair.manager.client().patch("swarm", &json!({"certificate_validity_hours": 1})).is(200);
    // The next certificates are of that length: those there are good for 90 days.
    for clock in [&managers, &workers] {
        clock.ahead(DAY * 61);
    }
    let renewed = |was: &str| Some(expires_at(&pair)).filter(|now| now != was);
    let first = expires_at(&pair);
    let short = until("it is renewed by itself", SOON, || renewed(&first));
    pair.becomes("ready");
    pair.worker.kill();
    pair.becomes("down");
    for clock in [&managers, &workers] {
        clock.ahead(DAY * 61 + HOUR * 2);
    }
    pair.worker.start_with(&by(&workers));
    let asks = || pair.node()["status"]["conditions"].to_string().contains("ReadmissionPending").then_some(());
    until("it asks to be let back in", SOON, asks);
    let why = until("it says why", SOON, || trouble(&pair.worker));
    assert!(why.contains("readmi") || why.contains("expired"), "{why}");
    assert_eq!(pair.node()["status"]["state"], "down", "it is not spoken with");
    assert_eq!(expires_at(&pair), short);
    let id = pair.node()["id"].as_str().unwrap().to_owned();
    netloom(&pair.manager, &format!("node readmit {id}")).ok();
    // It asks every 30 seconds.
    until("it is back", Duration::from_secs(60), || (pair.node()["status"]["state"] == "ready").then_some(()));
    assert_ne!(expires_at(&pair), short);
    swarm_state(&pair.worker, "active");
    // Once: the next time it has to be asked for again.
    assert!(!pair.node()["status"]["conditions"].to_string().contains("ReadmissionPending"));
    pair.worker.kill();
    pair.worker.start_with(&by(&workers));
    swarm_state(&pair.worker, "active");
}

/// What must be the same before and after a clock was set: what runs, and who has which address.
fn held(pair: &Pair) -> Value {
    let sandboxes = |host: &Host| -> Vec<Value> {
        let all = host.client().all("sandboxes?limit=1000");
        all.iter().map(|one| json!([one["name"], one["status"]["state"], one["status"]["endpoints"]])).collect()
    };
    let leases = |host: &Host| -> Vec<Value> {
        let all = host.client().all("leases?limit=1000");
        all.iter()
            .map(|one| json!([one["status"]["address"], one["status"]["state"], one["status"]["owner"]["name"]]))
            .collect()
    };
    json!([sandboxes(&pair.manager), sandboxes(&pair.worker), leases(&pair.manager), leases(&pair.worker)])
}

#[test]
fn a_wall_clock_that_is_set_costs_nobody_anything() {
    let (pair, clocks) = clocked();
    let client = pair.manager.client();
    client.post("networks", &json!({"name": "far", "driver": "overlay", "internal": true})).is(201);
    let lan = json!({
        "name": "lan", "driver": "macvlan", "scope": "swarm", "macvlan": {"parent": "lan0"},
        "pools": {"v4": {"subnet": "192.168.122.0/24", "range": "192.168.122.64/26", "gateway": "192.168.122.1"}},
    });
    client.post("networks", &lan).is(201);
    for network in ["far", "lan"] {
        let known = || (pair.worker.client().get(&format!("networks/{network}")).status == 200).then_some(());
        until(&format!("the worker knows {network}"), SOON, known);
    }
    for (host, name) in [(&pair.manager, "here"), (&pair.worker, "there")] {
        host.client().post("sandboxes", &json!({"name": name, "networks": {"far": {}, "lan": {}}})).is(201);
    }
    let before = held(&pair);
    let certificate = expires_at(&pair);
    let looks = |what: &str| {
        std::thread::sleep(WHILE);
        assert_eq!(pair.node()["status"]["state"], "ready", "{what}");
        assert_eq!(info(&pair.worker)["swarm_state"], "active", "{what}: {:?}", trouble(&pair.worker));
        assert_eq!(held(&pair), before, "{what}");
        assert_eq!(expires_at(&pair), certificate, "{what}");
        assert_eq!(events(&client, "node.down"), 0, "{what}");
        let told = pair.worker.client().all("events?limit=1000");
        assert!(told.iter().all(|event| event["data"]["type"] != "Fenced"), "{what}: {told:?}");
    };
    looks("nothing was set");
    // Less than two thirds of what certificates are good for; everything else there is lasts shorter than that.
    for (whose, clock) in [("the worker's", &clocks[1]), ("the manager's", &clocks[0])] {
        clock.ahead(DAY * 30);
        looks(&format!("{whose} is a month ahead"));
        clock.ahead(Duration::ZERO);
        looks(&format!("{whose} is set back"));
    }
    // A node that starts while its clock is wrong, too.
    clocks[1].ahead(DAY * 30);
    pair.worker.kill();
    pair.worker.start_with(&by(&clocks[1]));
    until("it is back", SOON, || (pair.node()["status"]["state"] == "ready").then_some(()));
    until("what it holds is the same", SOON, || (held(&pair) == before).then_some(()));
}
