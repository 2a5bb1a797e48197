//! Killed between the commit and the answer: the request that is sent again gets what was made, as if it had been answered.

use std::time::Duration;

use netloom_tests::{Start, host, json};

use crate::agreement::agree;

#[test]
fn killed_before_the_answer_a_create_is_replayed() {
    let host = host!();
    host.start();
    host.macvlan("n", "10.190.0.0/24");
    for (number, point) in
        ["control.create.after_commit", "agent.pass.before_apply", "kernel.link.after_create"].iter().enumerate()
    {
        let body = json!({"name": format!("s{number}"), "networks": {"n": {}}});
        let key = format!("key-{number}");
        host.stop();
        host.start_with(&Start::fault(format!("{point}:kill")));
        let bytes = body.to_string().into_bytes();
        let lost =
            host.client().header("idempotency-key", &key).send("POST", "sandboxes", Some(("application/json", bytes)));
        assert!(lost.is_err(), "{point}: it was killed, and answered {lost:?}");
        host.wait_end(Duration::from_secs(10));
        let client = host.start().header("idempotency-key", &key);
        let again = client.post("sandboxes", &body);
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{point}: {}", again.text);
        let path = again.header("location").unwrap().to_owned();
        let made = again.is(201);
        assert_eq!(made["id"], host.client().get(&path).is(200)["id"], "{point}");
        assert_eq!(
            host.json_in_sandbox(&format!("s{number}"), "ip -j link show eth0")[0]["ifname"],
            "eth0",
            "201 is verified"
        );
        agree(&host, point);
    }
    assert_eq!(host.client().all("sandboxes").len(), 3, "one each");
}

#[test]
fn killed_before_the_commit_nothing_is_remembered() {
    let host = host!();
    host.start();
    host.macvlan("n", "10.191.0.0/24");
    host.stop();
    host.start_with(&Start::fault("control.create.before_commit:kill"));
    let body = json!({"name": "s", "networks": {"n": {}}});
    let bytes = body.to_string().into_bytes();
    let lost =
        host.client().header("idempotency-key", "k").send("POST", "sandboxes", Some(("application/json", bytes)));
    assert!(lost.is_err(), "it was killed, and answered {lost:?}");
    host.wait_end(Duration::from_secs(10));
    let client = host.start().header("idempotency-key", "k");
    let again = client.post("sandboxes", &body);
    assert_eq!(again.header("idempotency-replayed"), None, "{}", again.text);
    again.is(201);
    agree(&host, "the request sent again");
}

#[test]
fn killed_before_the_answer_an_applied_plan_is_applied() {
    let host = host!();
    host.start();
    host.macvlan("n", "10.192.0.0/24");
    let planned = host.client().post("sandboxes?dry_run=true", &json!({"name": "s", "networks": {"n": {}}})).is(200);
    let apply = format!("plans/{}/apply", planned["plan"]["id"].as_str().unwrap());
    host.stop();
    host.start_with(&Start::fault("control.create.after_commit:kill"));
    let lost = host.client().send("POST", &apply, None);
    assert!(lost.is_err(), "it was killed, and answered {lost:?}");
    host.wait_end(Duration::from_secs(10));
    let client = host.start();
    let again = client.post(&apply, &json!({}));
    let path = again.header("location").unwrap().to_owned();
    again.problem(409, "plan-applied");
    assert_eq!(client.get(&path).is(200)["id"], planned["object"]["id"]);
    agree(&host, "the plan was applied");
}
