//! One address: its holder, its pool, its history, also when nobody holds it.

use std::time::Duration;

use netloom_tests::{host, json};

#[test]
fn an_address_knows_its_holder_its_pool_and_its_past() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.70.0.0/24");
    let begin = host.sandbox("first", "n")["created_at"].as_str().unwrap().to_owned();
    std::thread::sleep(Duration::from_millis(1100));
    let report = client.get("addresses/10.70.0.2").is(200);
    let report = &report["items"][0];
    assert_eq!((&report["state"], &report["network"], &report["pool"]), (&json!("leased"), &json!("n"), &json!("v4")));
    assert_eq!(report["lease"]["status"]["owner"]["name"], "first");
    client.delete("sandboxes/first").is(204);
    host.sandbox("second", "n");
    let report = client.get("addresses/10.70.0.2").is(200)["items"][0].clone();
    assert_eq!(report["lease"]["status"]["owner"]["name"], "second");
    let past: Vec<&str> =
        report["history"].as_array().unwrap().iter().map(|h| h["owner"]["name"].as_str().unwrap()).collect();
    assert!(past.contains(&"first"), "{report}");
    let at = client.get(&format!("addresses/10.70.0.2?at={begin}")).is(200)["items"][0].clone();
    assert_eq!(at["held_at"]["owner"]["name"], "first", "{at}");
    let before = client.get("addresses/10.70.0.2?at=2001-01-01T00:00:00Z").is(200)["items"][0].clone();
    assert!(before.get("held_at").is_none(), "{before}");
}

#[test]
fn an_address_that_nobody_holds_is_answered_too() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.70.0.0/24");
    let free = client.get("addresses/10.70.0.99").is(200)["items"][0].clone();
    assert_eq!(
        (&free["state"], &free["network"], &free["subnet"]),
        (&json!("free"), &json!("n"), &json!("10.70.0.0/24"))
    );
    assert!(free.get("lease").is_none());
    let alien = client.get("addresses/203.0.113.7").is(200)["items"][0].clone();
    assert_eq!((&alien["state"], alien.get("reason")), (&json!("unmanaged"), None));
    host.net.run("ip addr add 203.0.113.7/24 dev parent0");
    netloom_tests::until("the host's own address is said to be that", Duration::from_secs(20), || {
        let own = client.get("addresses/203.0.113.7").is(200)["items"][0].clone();
        assert_eq!(own["state"], "unmanaged");
        own["reason"].as_str().is_some_and(|reason| reason.contains("the host's own, on link `parent0`")).then_some(())
    });
    let problem = client.get("addresses/not-an-address").problem(400, "malformed-request");
    assert_eq!(problem["errors"][0]["pointer"], "{ip}", "a part of the address, not of a body");
    let six = client.get("addresses/FD00:0::1").is(200)["items"][0].clone();
    assert_eq!(six["address"], "fd00::1", "canonical");
}
