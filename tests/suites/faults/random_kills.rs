//! SIGKILL at random moments while several clients write on a macvlan and a bridge network, 20 times, or `LOOPS` times as often.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use netloom_tests::{Host, Snapshot, host, json, loops};

use crate::agreement::agree;

/// What one client does until it is told to stop or the daemon is gone: the life of its own two sandboxes, over and over.
fn live(host: &Host, who: usize, stop: &AtomicBool) {
    let client = host.client();
    let ask = |method: &str, path: &str, body: serde_json::Value| {
        let body = (!body.is_null()).then(|| ("application/json", body.to_string().into_bytes()));
        if let Ok(answer) = client.send(method, path, body) {
            assert!(answer.status < 500 || answer.status == 503, "{}: {}", answer.request, answer.text);
        }
    };
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        let name = format!("c{who}-{}", turn % 2);
        let path = format!("sandboxes/{name}");
        match turn % 7 {
            0 | 1 => ask("POST", "sandboxes", json!({"name": name, "networks": {"n": {}}})),
            2 => ask("PATCH", &path, json!({"networks": {"m": {"ports": {"any": {"target": 80}}}}})),
            3 => ask("PATCH", &path, json!({"desired_state": "stopped"})),
            4 => ask("PATCH", &path, json!({"desired_state": "running", "networks": {"n": null}})),
            _ => ask("DELETE", &path, serde_json::Value::Null),
        }
        turn += 1;
    }
}

#[test]
fn killed_at_random_moments() {
    let rounds = loops(20);
    let host = host!();
    let before = Snapshot::of(&host);
    let client = host.start();
    host.macvlan("n", "10.184.0.0/24");
    host.bridge("m", "10.185.0.0/24");
    // Primes apart, so that the moments spread over the whole of a write without a random source.
    for round in 0..rounds {
        let moment = Duration::from_micros(u64::from(3_000 + (round * 7_919) % 400_000));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for who in 0..4 {
                let (host, stop) = (&host, &stop);
                scope.spawn(move || live(host, who, stop));
            }
            std::thread::sleep(moment);
            host.kill();
            stop.store(true, Ordering::Relaxed);
        });
        host.start();
        agree(&host, &format!("round {round}, killed after {moment:?}"));
    }
    for sandbox in client.all("sandboxes?limit=1000") {
        client.delete(&format!("sandboxes/{}", sandbox["id"].as_str().unwrap())).is(204);
    }
    for network in ["n", "m"] {
        client.delete(&format!("networks/{network}")).is(204);
    }
    Snapshot::of(&host).same_as(&before);
    let events = client.all("events?limit=1000");
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["seq"].as_u64(), Some(index as u64 + 1), "events have no gap after all this");
    }
}
