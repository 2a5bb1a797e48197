//! Many clients and few addresses: no duplicate, no loss, a clear 409 for the rest, all free again in the end.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use netloom_tests::{Host, Snapshot, host, json};

use crate::agreement::agree;

fn clients(many: usize, work: impl Fn(usize) + Sync) {
    std::thread::scope(|scope| {
        for who in 0..many {
            let work = &work;
            scope.spawn(move || work(who));
        }
    });
}

#[test]
fn sixty_four_clients_take_a_24_dry() {
    let host = host!();
    let client = host.start();
    let before = Snapshot::of(&host);
    host.macvlan("n", "10.186.0.0/24");
    let given = Mutex::new(Vec::new());
    let refused = AtomicU32::new(0);
    clients(64, |who| {
        let client = host.client();
        for turn in 0..5 {
            let answer = client.post("sandboxes", &json!({"name": format!("s{who}-{turn}"), "networks": {"n": {}}}));
            if answer.status == 201 {
                let address = answer.json["status"]["endpoints"]["n"]["address"].as_str().unwrap().to_owned();
                given.lock().unwrap().push(address);
            } else {
                let problem = answer.problem(409, "pool-exhausted");
                assert!(problem["facts"]["dynamic"].is_string(), "it counts who uses what: {problem}");
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let given = given.into_inner().unwrap();
    let distinct: BTreeSet<&String> = given.iter().collect();
    assert_eq!((given.len(), distinct.len()), (253, 253), "every address once");
    assert_eq!(refused.into_inner(), 5 * 64 - 253);
    agree(&host, "the pool was taken dry");
    let names: Vec<String> =
        client.all("sandboxes?limit=1000").iter().map(|s| s["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 253);
    let rest = Mutex::new(names);
    clients(16, |_| {
        let client = host.client();
        loop {
            let Some(name) = rest.lock().unwrap().pop() else { return };
            client.delete(&format!("sandboxes/{name}")).is(204);
        }
    });
    let capacity = client.get("networks/n").is(200)["status"]["pools"]["v4"]["capacity"].clone();
    assert_eq!(capacity["free"], "253", "all are free again");
    client.delete("networks/n").is(204);
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn everybody_wants_the_same_address_and_one_gets_it() {
    let host = host!();
    host.start();
    host.macvlan("n", "10.186.0.0/24");
    let won = race(
        &host,
        |who| json!({"name": format!("s{who}"), "networks": {"n": {"address4": "10.186.0.77"}}}),
        "address-taken",
    );
    assert_eq!(won, 1);
    let won = race(&host, |_| json!({"name": "the-one", "networks": {"n": {}}}), "name-taken");
    assert_eq!(won, 1);
    agree(&host, "the races");
}

fn race(host: &Host, body: impl Fn(usize) -> serde_json::Value + Sync, code: &str) -> u32 {
    let won = AtomicU32::new(0);
    clients(32, |who| {
        let answer = host.client().post("sandboxes", &body(who));
        if answer.status == 201 {
            won.fetch_add(1, Ordering::Relaxed);
        } else {
            answer.problem(409, code);
        }
    });
    won.into_inner()
}
